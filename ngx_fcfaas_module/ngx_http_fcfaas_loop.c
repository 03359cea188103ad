/*
 * fcf_loop_t on nginx's events.
 *
 * Each descriptor has an ngx_connection_t of its own, in level-triggered mode,
 * because libcurl and hiredis need not drain a socket.  The descriptor itself
 * belongs to them: io_del takes it out of epoll and gives the connection back
 * with fd -1, so that nginx never closes it.
 */

#include "ngx_fcfaas_module/ngx_http_fcfaas_loop.h"


typedef struct {
    fcf_loop_t          loop;
    ngx_queue_t         ios;
    ngx_queue_t         timers;
    ngx_log_t          *log;
} ngx_http_fcfaas_loop_t;


struct fcf_io_s {
    ngx_queue_t         queue;
    ngx_connection_t   *connection;
    fcf_io_pt           handler;
    void               *arg;
};


struct fcf_timer_s {
    ngx_event_t         event;
    ngx_queue_t         queue;
    fcf_timer_pt        handler;
    void               *arg;
};


static fcf_io_t *ngx_http_fcfaas_loop_io_add(fcf_loop_t *loop, int fd,
    fcf_io_pt handler, void *arg);
static int ngx_http_fcfaas_loop_io_set(fcf_io_t *io, unsigned events);
static int ngx_http_fcfaas_loop_want(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t want);
static void ngx_http_fcfaas_loop_io_del(fcf_io_t *io);
static void ngx_http_fcfaas_loop_io_handler(ngx_event_t *ev);
static fcf_timer_t *ngx_http_fcfaas_loop_timer_new(fcf_loop_t *loop,
    fcf_timer_pt handler, void *arg);
static void ngx_http_fcfaas_loop_timer_set(fcf_timer_t *timer, uint64_t ms);
static void ngx_http_fcfaas_loop_timer_stop(fcf_timer_t *timer);
static void ngx_http_fcfaas_loop_timer_free(fcf_timer_t *timer);
static void ngx_http_fcfaas_loop_timer_handler(ngx_event_t *ev);
static uint64_t ngx_http_fcfaas_loop_now(fcf_loop_t *loop);
static void ngx_http_fcfaas_loop_log(fcf_loop_t *loop, fcf_log_e level,
    const char *msg);


const ngx_connection_t  ngx_http_fcfaas_no_connection = {
    .fd = (ngx_socket_t) -1
};


fcf_loop_t *
ngx_http_fcfaas_loop_create(ngx_pool_t *pool, ngx_log_t *log)
{
    ngx_http_fcfaas_loop_t  *l;

    l = ngx_pcalloc(pool, sizeof(ngx_http_fcfaas_loop_t));
    if (l == NULL) {
        return NULL;
    }

    ngx_queue_init(&l->ios);
    ngx_queue_init(&l->timers);
    l->log = log;

    l->loop.data = l;
    l->loop.io_add = ngx_http_fcfaas_loop_io_add;
    l->loop.io_set = ngx_http_fcfaas_loop_io_set;
    l->loop.io_del = ngx_http_fcfaas_loop_io_del;
    l->loop.timer_new = ngx_http_fcfaas_loop_timer_new;
    l->loop.timer_set = ngx_http_fcfaas_loop_timer_set;
    l->loop.timer_stop = ngx_http_fcfaas_loop_timer_stop;
    l->loop.timer_free = ngx_http_fcfaas_loop_timer_free;
    l->loop.now = ngx_http_fcfaas_loop_now;
    l->loop.log = ngx_http_fcfaas_loop_log;

    return &l->loop;
}


void
ngx_http_fcfaas_loop_destroy(fcf_loop_t *loop)
{
    ngx_queue_t             *q;
    ngx_http_fcfaas_loop_t  *l;

    l = loop->data;

    while (!ngx_queue_empty(&l->ios)) {
        q = ngx_queue_head(&l->ios);
        ngx_http_fcfaas_loop_io_del(ngx_queue_data(q, fcf_io_t, queue));
    }

    while (!ngx_queue_empty(&l->timers)) {
        q = ngx_queue_head(&l->timers);
        ngx_http_fcfaas_loop_timer_free(ngx_queue_data(q, fcf_timer_t,
                                                       queue));
    }
}


static fcf_io_t *
ngx_http_fcfaas_loop_io_add(fcf_loop_t *loop, int fd, fcf_io_pt handler,
    void *arg)
{
    fcf_io_t                *io;
    ngx_connection_t        *c;
    ngx_http_fcfaas_loop_t  *l;

    l = loop->data;

    io = ngx_alloc(sizeof(fcf_io_t), l->log);
    if (io == NULL) {
        return NULL;
    }

    c = ngx_get_connection(fd, l->log);
    if (c == NULL) {
        ngx_free(io);
        return NULL;
    }

    c->data = io;
    c->log = l->log;
    c->read->log = l->log;
    c->write->log = l->log;
    c->read->handler = ngx_http_fcfaas_loop_io_handler;
    c->write->handler = ngx_http_fcfaas_loop_io_handler;

    io->connection = c;
    io->handler = handler;
    io->arg = arg;

    ngx_queue_insert_tail(&l->ios, &io->queue);

    return io;
}


static int
ngx_http_fcfaas_loop_io_set(fcf_io_t *io, unsigned events)
{
    ngx_connection_t  *c;

    c = io->connection;

    if (ngx_http_fcfaas_loop_want(c->read, NGX_READ_EVENT, events & FCF_READ)
        != 0)
    {
        return -1;
    }

    return ngx_http_fcfaas_loop_want(c->write, NGX_WRITE_EVENT,
                                     events & FCF_WRITE);
}


static int
ngx_http_fcfaas_loop_want(ngx_event_t *ev, ngx_int_t event, ngx_uint_t want)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (want && !ev->active) {
        rc = ngx_add_event(ev, event, NGX_LEVEL_EVENT);

    } else if (!want && ev->active) {
        rc = ngx_del_event(ev, event, 0);

        if (ev->posted) {
            ngx_delete_posted_event(ev);
        }
    }

    return rc == NGX_OK ? 0 : -1;
}


static void
ngx_http_fcfaas_loop_io_del(fcf_io_t *io)
{
    ngx_connection_t  *c;

    c = io->connection;

    (void) ngx_http_fcfaas_loop_io_set(io, 0);

    c->read->closed = 1;
    c->write->closed = 1;
    c->fd = (ngx_socket_t) -1;

    ngx_free_connection(c);

    ngx_queue_remove(&io->queue);
    ngx_free(io);
}


static void
ngx_http_fcfaas_loop_io_handler(ngx_event_t *ev)
{
    fcf_io_t          *io;
    ngx_connection_t  *c;

    c = ev->data;
    io = c->data;

    if (c->close) {
        /*
         * worker_shutdown_timeout cuts every connection; exit_process, which
         * follows at once, takes this one down in order
         */
        (void) ngx_http_fcfaas_loop_io_set(io, 0);
        return;
    }

    /* io may be freed by its handler */
    io->handler(io->arg, ev->write ? FCF_WRITE : FCF_READ);
}


static fcf_timer_t *
ngx_http_fcfaas_loop_timer_new(fcf_loop_t *loop, fcf_timer_pt handler,
    void *arg)
{
    fcf_timer_t             *timer;
    ngx_http_fcfaas_loop_t  *l;

    l = loop->data;

    timer = ngx_calloc(sizeof(fcf_timer_t), l->log);
    if (timer == NULL) {
        return NULL;
    }

    timer->event.data = (void *) &ngx_http_fcfaas_no_connection;
    timer->event.handler = ngx_http_fcfaas_loop_timer_handler;
    timer->event.log = l->log;
    timer->event.cancelable = 1;
    timer->handler = handler;
    timer->arg = arg;

    ngx_queue_insert_tail(&l->timers, &timer->queue);

    return timer;
}


static void
ngx_http_fcfaas_loop_timer_set(fcf_timer_t *timer, uint64_t ms)
{
    ngx_http_fcfaas_loop_timer_stop(timer);

    if (ms == 0) {
        /* a timer of 0 ms that re-arms itself would keep nginx inside its
         * loop over expired timers */
        ngx_post_event(&timer->event, &ngx_posted_next_events);
        return;
    }

    ngx_add_timer(&timer->event, (ngx_msec_t) ms);
}


static void
ngx_http_fcfaas_loop_timer_stop(fcf_timer_t *timer)
{
    if (timer->event.timer_set) {
        ngx_del_timer(&timer->event);
    }

    if (timer->event.posted) {
        ngx_delete_posted_event(&timer->event);
    }
}


static void
ngx_http_fcfaas_loop_timer_free(fcf_timer_t *timer)
{
    ngx_http_fcfaas_loop_timer_stop(timer);
    ngx_queue_remove(&timer->queue);
    ngx_free(timer);
}


static void
ngx_http_fcfaas_loop_timer_handler(ngx_event_t *ev)
{
    fcf_timer_t  *timer;

    timer = ngx_queue_data(ev, fcf_timer_t, event);

    /* timer may be freed by its handler */
    timer->handler(timer->arg);
}


static uint64_t
ngx_http_fcfaas_loop_now(fcf_loop_t *loop)
{
    return ngx_current_msec;
}


static void
ngx_http_fcfaas_loop_log(fcf_loop_t *loop, fcf_log_e level, const char *msg)
{
    ngx_uint_t               n;
    ngx_http_fcfaas_loop_t  *l;

    l = loop->data;

    switch (level) {

    case FCF_LOG_DEBUG:
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, l->log, 0, "fcfaas: %s", msg);
        return;

    case FCF_LOG_INFO:
        n = NGX_LOG_INFO;
        break;

    case FCF_LOG_WARN:
        n = NGX_LOG_WARN;
        break;

    default: /* FCF_LOG_ERROR */
        n = NGX_LOG_ERR;
        break;
    }

    ngx_log_error(n, l->log, 0, "fcfaas: %s", msg);
}
