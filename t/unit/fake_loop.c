#include <stdlib.h>

#include "t/unit/fake_loop.h"

typedef struct fake_loop_s  fake_loop_t;

struct fcf_timer_s {
    fake_loop_t    *loop;
    fcf_timer_t    *next;
    fcf_timer_pt    handler;
    void           *arg;
    uint64_t        at;
    uint64_t        turn;               /* not before this turn */
    int             armed;
};

struct fcf_io_s {
    fake_loop_t    *loop;
    fcf_io_t       *next;
    fcf_io_pt       handler;
    void           *arg;
    int             fd;
    unsigned        events;
};

struct fake_loop_s {
    fcf_loop_t      loop;
    fcf_timer_t    *timers;
    fcf_io_t       *ios;
    uint64_t        now, turn;
    int             fail_after;
};


static int
fails(fake_loop_t *fake)
{
    if (fake->fail_after < 0) {
        return 0;
    }

    if (fake->fail_after == 0) {
        return 1;
    }

    fake->fail_after--;

    return 0;
}


static fcf_io_t *
io_add(fcf_loop_t *loop, int fd, fcf_io_pt handler, void *arg)
{
    fcf_io_t     *io;
    fake_loop_t  *fake;

    fake = loop->data;
    io = fails(fake) ? NULL : calloc(1, sizeof(fcf_io_t));

    if (io != NULL) {
        io->loop = fake;
        io->fd = fd;
        io->handler = handler;
        io->arg = arg;
        io->next = fake->ios;
        fake->ios = io;
    }

    return io;
}


static int
io_set(fcf_io_t *io, unsigned events)
{
    io->events = events;
    return 0;
}


static void
io_del(fcf_io_t *io)
{
    fcf_io_t  **p;

    for (p = &io->loop->ios; *p != io; p = &(*p)->next) { /* void */ }

    *p = io->next;
    free(io);
}


static fcf_timer_t *
timer_new(fcf_loop_t *loop, fcf_timer_pt handler, void *arg)
{
    fake_loop_t  *fake;
    fcf_timer_t  *timer;

    fake = loop->data;
    timer = fails(fake) ? NULL : calloc(1, sizeof(fcf_timer_t));

    if (timer != NULL) {
        timer->loop = fake;
        timer->handler = handler;
        timer->arg = arg;
        timer->next = fake->timers;
        fake->timers = timer;
    }

    return timer;
}


static void
timer_set(fcf_timer_t *timer, uint64_t ms)
{
    timer->armed = 1;
    timer->at = timer->loop->now + ms;
    timer->turn = timer->loop->turn + 1;
}


static void
timer_stop(fcf_timer_t *timer)
{
    timer->armed = 0;
}


static void
timer_free(fcf_timer_t *timer)
{
    fcf_timer_t  **p;

    for (p = &timer->loop->timers; *p != timer; p = &(*p)->next) { /* void */ }

    *p = timer->next;
    free(timer);
}


static uint64_t
now(fcf_loop_t *loop)
{
    return ((fake_loop_t *) loop->data)->now;
}


static void
no_log(fcf_loop_t *loop, fcf_log_e level, const char *msg)
{
    (void) loop;
    (void) level;
    (void) msg;
}


fcf_loop_t *
fake_loop_new(void)
{
    fake_loop_t  *fake;

    fake = calloc(1, sizeof(fake_loop_t));

    if (fake == NULL) {
        abort();
    }

    fake->now = 1000;
    fake->fail_after = -1;

    fake->loop = (fcf_loop_t) {
        .data = fake, .io_add = io_add, .io_set = io_set, .io_del = io_del,
        .timer_new = timer_new, .timer_set = timer_set,
        .timer_stop = timer_stop, .timer_free = timer_free, .now = now,
        .log = no_log
    };

    return &fake->loop;
}


unsigned
fake_loop_free(fcf_loop_t *loop)
{
    unsigned      left;
    fcf_io_t     *io;
    fake_loop_t  *fake;
    fcf_timer_t  *timer;

    fake = loop->data;
    left = 0;

    for (timer = fake->timers; timer != NULL; timer = timer->next) {
        left++;
    }

    for (io = fake->ios; io != NULL; io = io->next) {
        left++;
    }

    free(fake);

    return left;
}


/* the earliest timer due at "until" that was not armed in this turn */

static fcf_timer_t *
due(fake_loop_t *fake, uint64_t until)
{
    fcf_timer_t  *timer, *first;

    first = NULL;

    for (timer = fake->timers; timer != NULL; timer = timer->next) {
        if (timer->armed && timer->at <= until && timer->turn <= fake->turn
            && (first == NULL || timer->at < first->at))
        {
            first = timer;
        }
    }

    return first;
}


static int
turn(fake_loop_t *fake)
{
    int           ran;
    fcf_timer_t  *timer;

    fake->turn++;
    ran = 0;

    while ((timer = due(fake, fake->now)) != NULL) {
        timer->armed = 0;
        timer->handler(timer->arg);
        ran = 1;
    }

    return ran;
}


void
fake_loop_advance(fcf_loop_t *loop, uint64_t ms)
{
    int64_t       next;
    uint64_t      end;
    fake_loop_t  *fake;

    fake = loop->data;
    end = fake->now + ms;

    if (ms == 0) {
        (void) turn(fake);
        return;
    }

    for ( ;; ) {
        next = fake_loop_next(loop);

        if (next < 0 || fake->now + (uint64_t) next > end) {
            break;
        }

        fake->now += (uint64_t) next;
        (void) turn(fake);
    }

    fake->now = end;
}


void
fake_loop_stall(fcf_loop_t *loop, uint64_t ms)
{
    ((fake_loop_t *) loop->data)->now += ms;
}


unsigned
fake_loop_settle(fcf_loop_t *loop)
{
    unsigned  n;

    for (n = 0; turn(loop->data); n++) { /* void */ }

    return n;
}


int
fake_loop_ready(fcf_loop_t *loop, int fd, unsigned events)
{
    fcf_io_t     *io;
    fake_loop_t  *fake;

    fake = loop->data;

    for (io = fake->ios; io != NULL; io = io->next) {
        if (io->fd == fd && (io->events & events) != 0) {
            io->handler(io->arg, io->events & events);
            return 1;
        }
    }

    return 0;
}


int64_t
fake_loop_next(fcf_loop_t *loop)
{
    int64_t       next, left;
    fake_loop_t  *fake;
    fcf_timer_t  *timer;

    fake = loop->data;
    next = -1;

    for (timer = fake->timers; timer != NULL; timer = timer->next) {

        if (!timer->armed) {
            continue;
        }

        left = timer->at > fake->now ? (int64_t) (timer->at - fake->now) : 0;

        if (next < 0 || left < next) {
            next = left;
        }
    }

    return next;
}


void
fake_loop_fail_after(fcf_loop_t *loop, int n)
{
    ((fake_loop_t *) loop->data)->fail_after = n;
}
