#include <stdlib.h>
#include <string.h>
#include "agent/proxy/proxy_int.h"
#include "t/unit/tap.h"

#define NBUFS  10

static fca_dloop_t  loop;


/* runs the timers a period later */
static unsigned
kept_later(void)
{
    uint64_t  next;

    next = fca_timers_next(&loop.timers);

    if (next != UINT64_MAX) {
        loop.now = next;
        fca_timers_run(&loop.timers, loop.now);
    }

    return loop.nbufs;
}


static void
trim_test(void)
{
    unsigned    i;
    fca_buf_t  *bufs[NBUFS], *one;

    for (i = 0; i < NBUFS; i++) {
        bufs[i] = fca_buf_get(&loop);
    }

    ok(fca_timers_next(&loop.timers) == UINT64_MAX, "none free: no timer");

    for (i = 0; i < NBUFS; i++) {
        fca_buf_put(&loop, &bufs[i]);
    }

    ok(bufs[0] == NULL, "given back");
    is_int(loop.nbufs, NBUFS, "all are kept for now");
    is_int(kept_later(), 9, "one lay unused since the timer was set");
    is_int(kept_later(), 4, "half of those unused for a period go");

    /* two are taken for a moment in every period */
    bufs[0] = fca_buf_get(&loop);
    bufs[1] = fca_buf_get(&loop);
    is_int(loop.nbufs, 2, "taken from those");
    fca_buf_put(&loop, &bufs[0]);
    fca_buf_put(&loop, &bufs[1]);
    is_int(kept_later(), 3, "what was used does not count as unused");

    is_int(kept_later(), 1, "then it does");
    is_int(kept_later(), 0, "to the last");
    ok(fca_timers_next(&loop.timers) == UINT64_MAX, "and the timer is gone");

    one = NULL;
    fca_buf_put(&loop, &one);
    is_int(loop.nbufs, 0, "none is no buffer");
    one = fca_buf_get(&loop);
    fca_buf_put(&loop, &one);
    is_int(kept_later(), 0, "it starts again");
}


static void
pack_test(void)
{
    fca_buf_t  *buf;

    buf = fca_buf_get(&loop);
    is_int(buf->last, FCA_BUF_HEADROOM, "empty: room before it is kept");

    memcpy(buf->data + 1000, "abcdef", 6);
    buf->pos = 1000;
    buf->ready = 1002;
    buf->fed = 1004;
    buf->last = 1006;
    fca_buf_pack(buf);
    ok(buf->pos == FCA_BUF_HEADROOM && buf->ready == FCA_BUF_HEADROOM + 2
       && buf->fed == FCA_BUF_HEADROOM + 4
       && buf->last == FCA_BUF_HEADROOM + 6
       && memcmp(buf->data + buf->pos, "abcdef", 6) == 0,
       "what is held goes to the front, room before it stays");

    buf->pos = 10;
    fca_buf_pack(buf);
    is_int(buf->pos, 10, "a head that has grown is not moved");
    fca_buf_put(&loop, &buf);
    kept_later();
}


int
main(void)
{
    loop.now = 5000;
    fca_timers_init(&loop.timers);
    fca_timer_init(&loop.trim, fca_buf_trim, &loop);

    trim_test();
    pack_test();

    return tap_done();
}
