#include <stdlib.h>
#include <string.h>
#include "agent/proxy/proxy_int.h"

#define TRIM_MS  1000


/* Of the buffers that lay unused for a whole period, half are given back. */
void
fca_buf_trim(void *arg)
{
    unsigned      n;
    fca_buf_t    *buf;
    fca_dloop_t  *loop;

    loop = arg;

    for (n = (loop->nbufs_min + 1) / 2; n > 0; n--) {
        buf = loop->bufs;
        loop->bufs = buf->next;
        loop->nbufs--;
        free(buf);
    }

    loop->nbufs_min = loop->nbufs;

    if (loop->nbufs) {
        fca_timer_set(&loop->timers, FCA_TIMER_ROUTE, &loop->trim,
                      loop->now + TRIM_MS);
    }
}


fca_buf_t *
fca_buf_get(fca_dloop_t *loop)
{
    fca_buf_t  *buf;

    buf = loop->bufs;

    if (buf) {
        loop->bufs = buf->next;

        if (--loop->nbufs < loop->nbufs_min) {
            loop->nbufs_min = loop->nbufs;
        }

    } else {
        buf = malloc(sizeof(*buf));
        if (buf == NULL) {
            return NULL;
        }
    }

    fca_buf_reset(buf);

    return buf;
}


void
fca_buf_put(fca_dloop_t *loop, fca_buf_t **buf)
{
    if (*buf == NULL) {
        return;
    }

    (*buf)->next = loop->bufs;
    loop->bufs = *buf;
    loop->nbufs++;
    *buf = NULL;

    if (loop->trim.next == NULL) {
        loop->nbufs_min = loop->nbufs;
        fca_timer_set(&loop->timers, FCA_TIMER_ROUTE, &loop->trim,
                      loop->now + TRIM_MS);
    }
}


void
fca_buf_reset(fca_buf_t *buf)
{
    buf->pos = FCA_BUF_HEADROOM;
    buf->ready = FCA_BUF_HEADROOM;
    buf->fed = FCA_BUF_HEADROOM;
    buf->last = FCA_BUF_HEADROOM;
}


void
fca_buf_pack(fca_buf_t *buf)
{
    uint32_t  by;

    if (buf->pos <= FCA_BUF_HEADROOM) {
        return;
    }

    by = buf->pos - FCA_BUF_HEADROOM;

    memmove(buf->data + FCA_BUF_HEADROOM, buf->data + buf->pos,
            buf->last - buf->pos);

    buf->pos -= by;
    buf->ready -= by;
    buf->fed -= by;
    buf->last -= by;
}
