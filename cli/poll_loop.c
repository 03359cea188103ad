#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "cli/poll_loop.h"

/*
 * Handlers may delete anything, so that what is deleted while they run only
 * loses its handler, and is freed at the end of the turn.
 */

struct fcf_io_s {
    TAILQ_ENTRY(fcf_io_s)      link;
    fcc_poll_t                *poll;
    fcf_io_pt                  handler;     /* NULL: deleted */
    void                      *arg;
    int                        fd;
    unsigned                   events;
    size_t                     at;          /* among those polled; SIZE_MAX:
                                               not */
};

struct fcf_timer_s {
    TAILQ_ENTRY(fcf_timer_s)   link;
    fcc_poll_t                *poll;
    fcf_timer_pt               handler;     /* NULL: deleted */
    void                      *arg;
    uint64_t                   at, turn;    /* not before that turn */
    unsigned                   armed:1;
};

struct fcc_poll_s {
    TAILQ_HEAD(, fcf_io_s)     ios;
    TAILQ_HEAD(, fcf_timer_s)  timers;
    struct pollfd             *fds;
    size_t                     size;
    uint64_t                   turn;
};


static uint64_t
fcc_poll_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


static uint64_t
fcc_poll_now(fcf_loop_t *loop)
{
    (void) loop;
    return fcc_poll_clock();
}


static fcf_io_t *
fcc_io_add(fcf_loop_t *loop, int fd, fcf_io_pt handler, void *arg)
{
    fcf_io_t  *io;

    io = calloc(1, sizeof(fcf_io_t));

    if (io != NULL) {
        io->poll = loop->data;
        io->fd = fd;
        io->handler = handler;
        io->arg = arg;
        io->at = SIZE_MAX;
        TAILQ_INSERT_TAIL(&io->poll->ios, io, link);
    }

    return io;
}


static int
fcc_io_set(fcf_io_t *io, unsigned events)
{
    io->events = events;
    return 0;
}


static void
fcc_io_del(fcf_io_t *io)
{
    io->handler = NULL;
}


static fcf_timer_t *
fcc_timer_new(fcf_loop_t *loop, fcf_timer_pt handler, void *arg)
{
    fcf_timer_t  *timer;

    timer = calloc(1, sizeof(fcf_timer_t));

    if (timer != NULL) {
        timer->poll = loop->data;
        timer->handler = handler;
        timer->arg = arg;
        TAILQ_INSERT_TAIL(&timer->poll->timers, timer, link);
    }

    return timer;
}


static void
fcc_timer_set(fcf_timer_t *timer, uint64_t ms)
{
    timer->armed = 1;
    timer->at = fcc_poll_clock() + ms;
    timer->turn = timer->poll->turn + 1;
}


static void
fcc_timer_stop(fcf_timer_t *timer)
{
    timer->armed = 0;
}


static void
fcc_timer_free(fcf_timer_t *timer)
{
    timer->handler = NULL;
    timer->armed = 0;
}


fcc_poll_t *
fcc_poll_new(fcf_loop_t *out)
{
    fcc_poll_t  *poll;

    poll = calloc(1, sizeof(fcc_poll_t));

    if (poll == NULL) {
        return NULL;
    }

    TAILQ_INIT(&poll->ios);
    TAILQ_INIT(&poll->timers);

    *out = (fcf_loop_t) {
        .data = poll,
        .io_add = fcc_io_add,
        .io_set = fcc_io_set,
        .io_del = fcc_io_del,
        .timer_new = fcc_timer_new,
        .timer_set = fcc_timer_set,
        .timer_stop = fcc_timer_stop,
        .timer_free = fcc_timer_free,
        .now = fcc_poll_now,
    };

    return poll;
}


/* what was deleted */
static void
fcc_poll_sweep(fcc_poll_t *poll)
{
    fcf_io_t     *io, *next_io;
    fcf_timer_t  *timer, *next_timer;

    for (io = TAILQ_FIRST(&poll->ios); io != NULL; io = next_io) {
        next_io = TAILQ_NEXT(io, link);

        if (io->handler == NULL) {
            TAILQ_REMOVE(&poll->ios, io, link);
            free(io);
        }
    }

    for (timer = TAILQ_FIRST(&poll->timers); timer != NULL;
         timer = next_timer)
    {
        next_timer = TAILQ_NEXT(timer, link);

        if (timer->handler == NULL) {
            TAILQ_REMOVE(&poll->timers, timer, link);
            free(timer);
        }
    }
}


void
fcc_poll_free(fcc_poll_t *poll)
{
    if (poll != NULL) {
        fcc_poll_sweep(poll);
        free(poll->fds);
        free(poll);
    }
}


/* fills poll->fds: how many; -1: out of memory */
static int
fcc_poll_collect(fcc_poll_t *poll)
{
    size_t          n;
    fcf_io_t       *io;
    struct pollfd  *fds;

    n = 0;

    TAILQ_FOREACH(io, &poll->ios, link) {

        io->at = SIZE_MAX;

        if (io->events == 0) {
            continue;
        }

        if (n == poll->size) {
            fds = realloc(poll->fds, (n + 16) * sizeof(struct pollfd));

            if (fds == NULL) {
                return -1;
            }

            poll->fds = fds;
            poll->size = n + 16;
        }

        io->at = n;
        poll->fds[n++] = (struct pollfd) {
            .fd = io->fd,
            .events = (short) ((io->events & FCF_READ ? POLLIN : 0)
                               | (io->events & FCF_WRITE ? POLLOUT : 0)),
        };
    }

    return (int) n;
}


/* until the first timer, or max_ms; -1: for ever */
static int
fcc_poll_wait_ms(const fcc_poll_t *poll, int max_ms)
{
    int           ms;
    uint64_t      now, left;
    fcf_timer_t  *timer;

    ms = max_ms;
    now = fcc_poll_clock();

    TAILQ_FOREACH(timer, &poll->timers, link) {
        if (timer->armed) {
            left = timer->at > now ? timer->at - now : 0;

            if (ms < 0 || left < (uint64_t) ms) {
                ms = left > INT_MAX ? INT_MAX : (int) left;
            }
        }
    }

    return ms;
}


static void
fcc_poll_ios(fcc_poll_t *poll)
{
    int        got;
    unsigned   events;
    fcf_io_t  *io;

    TAILQ_FOREACH(io, &poll->ios, link) {

        got = io->at == SIZE_MAX ? 0 : poll->fds[io->at].revents;

        if (got == 0 || io->handler == NULL) {
            continue;
        }

        /* an error is met by the owner's next call on the descriptor */

        events = got & ~(POLLIN | POLLOUT) ? io->events
                 : (got & POLLIN ? FCF_READ : 0)
                   | (got & POLLOUT ? FCF_WRITE : 0);
        events &= io->events;

        if (events != 0) {
            io->handler(io->arg, events);
        }
    }
}


static void
fcc_poll_timers(fcc_poll_t *poll)
{
    uint64_t      now;
    fcf_timer_t  *timer;

    now = fcc_poll_clock();

    TAILQ_FOREACH(timer, &poll->timers, link) {
        if (timer->armed && timer->at <= now && timer->turn <= poll->turn) {
            timer->armed = 0;
            timer->handler(timer->arg);
        }
    }
}


int
fcc_poll_turn(fcc_poll_t *poll_, int max_ms)
{
    int  n, ms;

    n = fcc_poll_collect(poll_);
    ms = fcc_poll_wait_ms(poll_, max_ms);

    if (n < 0 || (n == 0 && ms < 0)) {
        return -1;
    }

    poll_->turn++;

    if (poll(poll_->fds, (nfds_t) n, ms) > 0) {
        fcc_poll_ios(poll_);
    }

    fcc_poll_timers(poll_);
    fcc_poll_sweep(poll_);

    return 0;
}
