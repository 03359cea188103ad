#include <string.h>
#include "agent/proxy/http/proxy_body.h"
#include "agent/proxy/http/proxy_head_int.h"

#define LINE_MAX_BYTES  8192        /* extensions of a chunk, all trailers */

typedef enum {
    SIZE_FIRST = 0,                 /* at least one digit */
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST,                  /* at the start of a trailer's line */
    TRAILER_NAME,
    TRAILER,
    TRAILER_LF,
    END_LF
} chunk_state_e;


void
fca_body_init(fca_body_t *body, fca_body_e kind, uint64_t length)
{
    memset(body, 0, sizeof(*body));

    body->kind = kind;
    body->left = length;

    if (kind == FCA_BODY_LENGTH && length == 0) {
        body->kind = FCA_BODY_NONE;
    }

    body->done = body->kind == FCA_BODY_NONE;
    /* a chunk's size is collected in left */
    if (kind == FCA_BODY_CHUNKED) {
        body->left = 0;
    }
}


static int
hex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/* the states before a chunk's data; -1: malformed */
static int
chunk_size(fca_body_t *body, unsigned char c)
{
    int  digit;

    switch (body->state) {

    case SIZE_FIRST:
    case SIZE:
        digit = hex(c);

        if (digit >= 0) {
            if (body->left >> 59) {
                return -1;
            }

            body->left = body->left << 4 | (unsigned) digit;

            /* leading zeros are bounded like the rest of the line */
            if (++body->line > 16) {
                return -1;
            }

            body->state = SIZE;
            return 0;
        }

        if (body->state == SIZE_FIRST || (c != ';' && c != '\r')) {
            return -1;
        }

        body->state = c == ';' ? EXTENSION : SIZE_LF;
        return 0;

    case EXTENSION:
        if (c == '\r') {
            body->state = SIZE_LF;
            return 0;
        }

        return (c < 0x20 && c != '\t') || c == 0x7f
               || ++body->line > LINE_MAX_BYTES ? -1 : 0;

    default: /* SIZE_LF */
        body->state = body->left ? DATA : TRAILER_FIRST;
        body->line = 0;
        return c == '\n' ? 0 : -1;
    }
}


/* the states after a chunk's data; -1: malformed */
static int
chunk_end(fca_body_t *body, unsigned char c)
{
    switch (body->state) {

    case DATA_CR:
        body->state = DATA_LF;
        return c == '\r' ? 0 : -1;

    case DATA_LF:
        body->state = SIZE_FIRST;
        return c == '\n' ? 0 : -1;

    case TRAILER_FIRST:
        if (c == '\r') {
            body->state = END_LF;
            return 0;
        }

        body->state = TRAILER_NAME;
        return fca_token_char[c] && ++body->line <= LINE_MAX_BYTES ? 0 : -1;

    case TRAILER_NAME:
        if (c == ':') {
            body->state = TRAILER;
            return 0;
        }

        return fca_token_char[c] && ++body->line <= LINE_MAX_BYTES ? 0 : -1;

    case TRAILER:
        if (c == '\r') {
            body->state = TRAILER_LF;
            return 0;
        }

        return (c < 0x20 && c != '\t') || c == 0x7f
               || ++body->line > LINE_MAX_BYTES ? -1 : 0;

    case TRAILER_LF:
        body->state = TRAILER_FIRST;
        return c == '\n' ? 0 : -1;

    default: /* END_LF */
        body->done = 1;
        return c == '\n' ? 0 : -1;
    }
}


static ssize_t
chunk_feed(fca_body_t *body, char *data, size_t len, size_t *decoded)
{
    char    *p, *end, *out;
    size_t   n;

    p = data;
    end = data + len;
    out = data;

    while (p < end && !body->done) {

        if (body->state == DATA) {
            n = (uint64_t) (end - p) < body->left ? (size_t) (end - p)
                                                  : (size_t) body->left;
            if (decoded) {
                memmove(out, p, n);
                out += n;
            }

            p += n;
            body->left -= n;

            if (body->left == 0) {
                body->state = DATA_CR;
            }

            continue;
        }

        if ((body->state < DATA ? chunk_size(body, (unsigned char) *p)
                                : chunk_end(body, (unsigned char) *p))
            < 0)
        {
            return -1;
        }

        p++;
    }

    if (decoded) {
        *decoded = (size_t) (out - data);
    }

    return p - data;
}


ssize_t
fca_body_feed(fca_body_t *body, char *data, size_t len, size_t *decoded)
{
    size_t  n;

    if (body->kind == FCA_BODY_CHUNKED) {
        return chunk_feed(body, data, len, decoded);
    }

    n = len;

    if (body->kind == FCA_BODY_NONE) {
        n = 0;

    } else if (body->kind == FCA_BODY_LENGTH) {
        if (body->left < n) {
            n = (size_t) body->left;
        }

        body->left -= n;
        body->done = body->left == 0;
    }

    if (decoded) {
        *decoded = n;
    }

    return (ssize_t) n;
}
