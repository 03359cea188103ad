#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/fcf_buf.h"

#define FCF_BUF_FIRST  256


void
fcf_buf_init(fcf_buf_t *buf, size_t max)
{
    memset(buf, 0, sizeof(fcf_buf_t));
    buf->max = max;
}


void
fcf_buf_free(fcf_buf_t *buf)
{
    free(buf->data);
    fcf_buf_init(buf, buf->max);
}


void
fcf_buf_reset(fcf_buf_t *buf)
{
    buf->len = 0;

    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}


/* room for len more bytes and the NUL */

static int
fcf_buf_room(fcf_buf_t *buf, size_t len)
{
    char    *data;
    size_t   size;

    if (len > buf->max - buf->len) {
        fcf_buf_free(buf);
        return -FCF_E_LIMIT;
    }

    if (buf->len + len < buf->size) {
        return 0;
    }

    size = buf->size ? buf->size : FCF_BUF_FIRST;

    while (size <= buf->len + len) {
        size *= 2;
    }

    if (size > buf->max + 1) {
        size = buf->max + 1;
    }

    data = realloc(buf->data, size);

    if (data == NULL) {
        fcf_buf_free(buf);
        return -FCF_E_NOMEM;
    }

    buf->data = data;
    buf->size = size;

    return 0;
}


int
fcf_buf_add(fcf_buf_t *buf, const void *data, size_t len)
{
    int  rc;

    rc = fcf_buf_room(buf, len);

    if (rc != 0) {
        return rc;
    }

    if (len != 0) {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }

    buf->data[buf->len] = '\0';

    return 0;
}


int
fcf_buf_addf(fcf_buf_t *buf, const char *fmt, ...)
{
    int      n, rc;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    if (n < 0) {
        fcf_buf_free(buf);
        return -FCF_E_NOMEM;
    }

    rc = fcf_buf_room(buf, (size_t) n);

    if (rc != 0) {
        return rc;
    }

    va_start(args, fmt);
    (void) vsnprintf(buf->data + buf->len, (size_t) n + 1, fmt, args);
    va_end(args);

    buf->len += (size_t) n;

    return 0;
}


void
fcf_buf_consume(fcf_buf_t *buf, size_t n)
{
    if (n >= buf->len) {
        fcf_buf_reset(buf);
        return;
    }

    /* the NUL moves too */

    memmove(buf->data, buf->data + n, buf->len - n + 1);
    buf->len -= n;
}


char *
fcf_buf_take(fcf_buf_t *buf, size_t *len)
{
    char  *data;

    data = buf->data;

    if (len != NULL) {
        *len = buf->len;
    }

    fcf_buf_init(buf, buf->max);

    return data;
}
