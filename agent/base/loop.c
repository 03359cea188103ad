#include <stdlib.h>

#include "agent/base/loop.h"

/*
 * libuv lets go of a handle only in its close callback, so each object here
 * lives until then; handler == NULL marks one whose user is done with it.
 * All are unreferenced: background work keeps no loop alive.
 */

struct fcf_io_s {
    uv_poll_t      poll;
    fcf_io_pt      handler;
    void          *arg;
    unsigned       events;              /* asked for */
};

struct fcf_timer_s {
    uv_timer_t     timer;
    uv_idle_t      idle;                /* for 0 ms */
    unsigned       open;                /* handles of the two */
    fcf_timer_pt   handler;
    void          *arg;
};


static void io_event(uv_poll_t *poll, int status, int events);


static void
io_closed(uv_handle_t *handle)
{
    free(handle->data);
}


static int
io_start(fcf_io_t *io)
{
    int  events;

    events = 0;

    if (io->events & FCF_READ) {
        events |= UV_READABLE;
    }

    if (io->events & FCF_WRITE) {
        events |= UV_WRITABLE;
    }

    if (events == 0) {
        return uv_poll_stop(&io->poll);
    }

    return uv_poll_start(&io->poll, events, io_event);
}


static void
io_event(uv_poll_t *poll, int status, int events)
{
    unsigned   got;
    fcf_io_t  *io;

    io = poll->data;

    if (io->handler == NULL) {
        return;
    }

    got = 0;

    if (events & UV_READABLE) {
        got |= FCF_READ;
    }

    if (events & UV_WRITABLE) {
        got |= FCF_WRITE;
    }

    /* an error is told as readiness: the owner's next call on the descriptor
     * meets it */

    if (status < 0) {
        got = io->events;
    }

    if (got != 0) {
        io->handler(io->arg, got);
    }

    /* libuv stops polling on an error, but level triggered is promised */

    if (status < 0 && io->handler != NULL && io->events != 0
        && !uv_is_active((uv_handle_t *) poll))
    {
        (void) io_start(io);
    }
}


static fcf_io_t *
io_add(fcf_loop_t *loop, int fd, fcf_io_pt handler, void *arg)
{
    fcf_io_t  *io;

    io = calloc(1, sizeof(fcf_io_t));

    if (io == NULL) {
        return NULL;
    }

    if (uv_poll_init(loop->data, &io->poll, fd) != 0) {
        free(io);
        return NULL;
    }

    uv_unref((uv_handle_t *) &io->poll);

    io->poll.data = io;
    io->handler = handler;
    io->arg = arg;

    return io;
}


static int
io_set(fcf_io_t *io, unsigned events)
{
    if (io->events == events) {
        return 0;
    }

    io->events = events;

    return (io_start(io) == 0) ? 0 : -1;
}


static void
io_del(fcf_io_t *io)
{
    if (io->handler == NULL) {
        return;
    }

    io->handler = NULL;

    /* stops polling at once, so that the owner may close the descriptor */

    uv_close((uv_handle_t *) &io->poll, io_closed);
}


static void
timer_closed(uv_handle_t *handle)
{
    fcf_timer_t  *timer;

    timer = handle->data;

    if (--timer->open == 0) {
        free(timer);
    }
}


static void
timer_event(uv_timer_t *handle)
{
    fcf_timer_t  *timer;

    timer = handle->data;

    if (timer->handler != NULL) {
        timer->handler(timer->arg);
    }
}


static void
timer_idle(uv_idle_t *handle)
{
    fcf_timer_t  *timer;

    timer = handle->data;
    (void) uv_idle_stop(handle);

    if (timer->handler != NULL) {
        timer->handler(timer->arg);
    }
}


static fcf_timer_t *
timer_new(fcf_loop_t *loop, fcf_timer_pt handler, void *arg)
{
    fcf_timer_t  *timer;

    timer = calloc(1, sizeof(fcf_timer_t));

    if (timer == NULL) {
        return NULL;
    }

    (void) uv_timer_init(loop->data, &timer->timer);
    (void) uv_idle_init(loop->data, &timer->idle);
    uv_unref((uv_handle_t *) &timer->timer);
    uv_unref((uv_handle_t *) &timer->idle);

    timer->timer.data = timer;
    timer->idle.data = timer;
    timer->open = 2;
    timer->handler = handler;
    timer->arg = arg;

    return timer;
}


static void
timer_set(fcf_timer_t *timer, uint64_t ms)
{
    if (timer->handler == NULL) {
        return;
    }

    /* a libuv timer of 0 ms that is set again by its own handler runs in the
     * same turn, and would starve all descriptors */

    if (ms == 0) {
        (void) uv_timer_stop(&timer->timer);
        (void) uv_idle_start(&timer->idle, timer_idle);
        return;
    }

    (void) uv_idle_stop(&timer->idle);

    /* libuv counts from its cached time, which is old after long work */

    uv_update_time(timer->timer.loop);
    (void) uv_timer_start(&timer->timer, timer_event, ms, 0);
}


static void
timer_stop(fcf_timer_t *timer)
{
    (void) uv_idle_stop(&timer->idle);
    (void) uv_timer_stop(&timer->timer);
}


static void
timer_free(fcf_timer_t *timer)
{
    if (timer->handler == NULL) {
        return;
    }

    timer->handler = NULL;
    uv_close((uv_handle_t *) &timer->timer, timer_closed);
    uv_close((uv_handle_t *) &timer->idle, timer_closed);
}


static uint64_t
now(fcf_loop_t *loop)
{
    uv_update_time(loop->data);

    return uv_now(loop->data);
}


static void
log_line(fcf_loop_t *loop, fcf_log_e level, const char *msg)
{
    fca_loop_log_pt  log;

    log = (fca_loop_log_pt) ((uv_loop_t *) loop->data)->data;

    if (log != NULL) {
        log(level, msg);
    }
}


void
fca_loop_init(fcf_loop_t *out, uv_loop_t *uv, fca_loop_log_pt log)
{
    uv->data = (void *) log;

    out->data = uv;
    out->io_add = io_add;
    out->io_set = io_set;
    out->io_del = io_del;
    out->timer_new = timer_new;
    out->timer_set = timer_set;
    out->timer_stop = timer_stop;
    out->timer_free = timer_free;
    out->now = now;
    out->log = log_line;
}

void
fca_loop_end(uv_loop_t *uv)
{
    int  turns;

    for (turns = 0; turns < 10 && uv_loop_close(uv) == UV_EBUSY; turns++) {
        uv_run(uv, UV_RUN_NOWAIT);

        while (uv->active_reqs.count > 0) {
            uv_run(uv, UV_RUN_ONCE);
        }
    }
}
