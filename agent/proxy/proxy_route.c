#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/proxy/proxy_int.h"

#define ACCEPTS        64           /* in one turn */
#define ACCEPT_AGAIN   100          /* ms, after descriptors ran out */
#define COMPLAIN_MS    10000


static void accept_ready(fca_sock_t *sock);
static void accept_again(void *arg);
static void linger_over(void *arg);
static void grace_over(void *arg);


void
fca_route_opened(fca_route_t *route)
{
    fca_dloop_t     *loop;
    fca_log_ctx_t    ctx;

    loop = route->loop;

    fca_timer_init(&route->linger, linger_over, route);
    fca_timer_init(&route->grace, grace_over, route);
    fca_timer_init(&route->accept, accept_again, route);
    fca_timer_init(&route->overdue, fca_flight_overdue, route);
    TAILQ_INIT(&route->flight);

    route->prev = NULL;
    route->next = loop->routes;

    if (route->next) {
        route->next->prev = route;
    }

    loop->routes = route;
    route->sock.ready = accept_ready;

    atomic_store(&route->stat->last_ms, loop->now);

    if (fca_dloop_add(loop, &route->sock) == -1) {
        memset(&ctx, 0, sizeof(ctx));
        ctx.function_id = route->function_id;
        ctx.vm = route->worker_id;
        fca_log(FCF_LOG_ERROR, &ctx, "proxy: epoll_ctl: %s",
                strerror(errno));
    }
}


static int
allowed(const fca_access_t *access, const struct sockaddr_in *peer)
{
    size_t  i;

    for (i = 0; i < access->nallow; i++) {
        if ((peer->sin_addr.s_addr & access->allow[i].mask)
            == (access->allow[i].addr & access->allow[i].mask))
        {
            return 1;
        }
    }

    return access->nallow == 0;
}


void
fca_route_complain(fca_route_t *route, const char *what, int error)
{
    fca_dloop_t    *loop;
    fca_log_ctx_t   ctx;

    loop = route->loop;

    if (loop->complained && loop->now - loop->complained < COMPLAIN_MS) {
        return;
    }

    loop->complained = loop->now;

    memset(&ctx, 0, sizeof(ctx));
    ctx.function_id = route->function_id;
    ctx.vm = route->worker_id;

    fca_log(FCF_LOG_WARN, &ctx, "proxy: %s: %s", what, strerror(error));
}


static void
accept_ready(fca_sock_t *sock)
{
    int                  fd, i;
    socklen_t            len;
    fca_route_t         *route;
    struct sockaddr_in   peer;

    route = (fca_route_t *) sock;

    for (i = 0; i < ACCEPTS; i++) {
        len = sizeof(peer);
        fd = accept4(route->sock.fd, (struct sockaddr *) &peer, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            if (!allowed(route->loop->access, &peer)) {
                close(fd);
                continue;
            }

            fca_conn_open(route, fd);
            continue;
        }

        if (errno == EAGAIN) {
            return;
        }

        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS
            || errno == ENOMEM)
        {
            fca_route_complain(route, "accept, tried again every 100 ms",
                               errno);
            fca_timer_set(&route->loop->timers, FCA_TIMER_ROUTE,
                          &route->accept, route->loop->now + ACCEPT_AGAIN);
            return;
        }

        /* the client has gone meanwhile, or a signal came */
    }

    /* no edge will tell of those still waiting */
    fca_timer_set(&route->loop->timers, FCA_TIMER_ROUTE, &route->accept,
                  route->loop->now + 1);
}


static void
accept_again(void *arg)
{
    fca_route_t  *route;

    route = arg;
    accept_ready(&route->sock);
}


fca_step_e
fca_route_answer_draining(fca_conn_t *conn)
{
    fca_route_t  *route;

    route = conn->route;

    /* control may be setting guest_dead just now, if it is not closing yet */
    if (route->closing && route->guest_dead) {
        return fca_answer(conn, 503, "gone", FCF_UNSENT_GONE,
                          "the instance is gone");
    }

    atomic_fetch_add(&route->stat->drained, 1);

    return fca_answer(conn, 503, "draining", FCF_UNSENT_DRAINING,
                      "the instance takes no new requests");
}


static void
enter(fca_conn_t *conn)
{
    fca_route_t  *route;

    route = conn->route;

    conn->admitted = 1;
    fca_flight_enter(conn);
    atomic_fetch_add_explicit(&route->stat->requests, 1,
                              memory_order_relaxed);
    fca_conn_set_state(conn, FCA_CONN_RELAY);
}


static int
full(const fca_route_t *route)
{
    return route->concurrency
           && atomic_load_explicit(&route->stat->inflight,
                                   memory_order_relaxed)
              >= route->concurrency;
}


fca_step_e
fca_route_admit(fca_conn_t *conn)
{
    fca_route_t  *route;

    route = conn->route;

    if (route->closing || atomic_load(&route->draining)) {
        return fca_route_answer_draining(conn);
    }

    if (full(route)) {

        if (route->nqueue >= route->proxy->queue_max) {
            return fca_answer(conn, 503, "busy", FCF_UNSENT_BUSY,
                              "the instance serves as many requests as it "
                              "may");
        }

        conn->queued = 1;
        conn->qnext = NULL;
        conn->qprev = route->queue_last;

        if (route->queue_last) {
            route->queue_last->qnext = conn;

        } else {
            route->queue = conn;
        }

        route->queue_last = conn;
        route->nqueue++;
        fca_conn_set_state(conn, FCA_CONN_QUEUED);

        return FCA_STEP_WAIT;
    }

    /* Counted first, looked at after: whoever sets draining and then reads 0
     * in flight knows that nothing will begin. */
    atomic_fetch_add(&route->stat->inflight, 1);

    if (atomic_load(&route->draining)) {
        atomic_fetch_sub(&route->stat->inflight, 1);
        return fca_route_answer_draining(conn);
    }

    enter(conn);

    return FCA_STEP_NEXT;
}


void
fca_route_unqueue(fca_conn_t *conn)
{
    fca_route_t  *route;

    if (!conn->queued) {
        return;
    }

    route = conn->route;
    conn->queued = 0;
    route->nqueue--;

    if (conn->qprev) {
        conn->qprev->qnext = conn->qnext;

    } else {
        route->queue = conn->qnext;
    }

    if (conn->qnext) {
        conn->qnext->qprev = conn->qprev;

    } else {
        route->queue_last = conn->qprev;
    }
}


static void
finish(fca_route_t *route)
{
    fca_dloop_t  *loop;

    loop = route->loop;

    while (route->conns) {
        fca_conn_close(route->conns);
    }

    while (route->pool) {
        fca_guest_close(route->pool);
    }

    fca_timer_stop(&route->linger);
    fca_timer_stop(&route->grace);
    fca_timer_stop(&route->accept);
    fca_timer_stop(&route->overdue);
    fca_sock_close(loop, &route->sock);

    if (route->prev) {
        route->prev->next = route->next;

    } else {
        loop->routes = route->next;
    }

    if (route->next) {
        route->next->prev = route->prev;
    }

    route->next = loop->finished;
    loop->finished = route;
}


/* On its own turn: a connection that ends may be the caller. */
static void
check_closed(fca_route_t *route)
{
    if (route->lingered && atomic_load(&route->stat->inflight) == 0) {
        fca_timer_set(&route->loop->timers, FCA_TIMER_ROUTE, &route->linger,
                      route->loop->now);
    }
}


void
fca_route_leave(fca_conn_t *conn)
{
    fca_conn_t   *next;
    fca_route_t  *route;

    if (!conn->admitted) {
        return;
    }

    route = conn->route;
    conn->admitted = 0;
    fca_flight_leave(conn);

    next = route->queue;

    if (next && !route->closing) {
        /* the place is handed on */
        fca_route_unqueue(next);
        enter(next);
        fca_dloop_post(route->loop, &next->sock);
        return;
    }

    if (atomic_load_explicit(&route->stat->inflight, memory_order_relaxed)
        == 1)
    {
        atomic_store(&route->stat->last_ms, route->loop->now);
    }

    atomic_fetch_sub(&route->stat->inflight, 1);

    if (route->closing) {
        check_closed(route);
    }
}


/* Nobody waits, and nothing begins, from now on. */
static void
set_closing(fca_route_t *route)
{
    fca_conn_t  *conn;

    route->closing = 1;

    while (route->queue) {
        conn = route->queue;
        fca_route_unqueue(conn);
        fca_conn_go(conn, fca_route_answer_draining(conn));
    }
}


void
fca_route_closing(fca_route_t *route)
{
    fca_dloop_t  *loop;

    loop = route->loop;
    set_closing(route);

    fca_timer_set(&loop->timers, FCA_TIMER_ROUTE, &route->linger,
                  loop->now + route->linger_ms);
    fca_timer_set(&loop->timers, FCA_TIMER_ROUTE, &route->grace,
                  loop->now + route->grace_ms);
}


static void
linger_over(void *arg)
{
    fca_route_t  *route;

    route = arg;
    route->lingered = 1;

    if (atomic_load(&route->stat->inflight) == 0) {
        /* other processes have the socket too, and it is over for all */
        (void) shutdown(route->sock.fd, SHUT_RDWR);
        finish(route);
    }
}


/* Those that have no answer yet are told, the others' connections end. */
static void
cut_inflight(fca_route_t *route)
{
    fca_conn_t  *conn;
    fca_step_e   step;

    /* each leaves the list, whatever becomes of it */
    while ((conn = TAILQ_FIRST(&route->flight)) != NULL) {

        if (conn->sent_head) {
            fca_conn_close(conn);
            continue;
        }

        if (conn->guest == NULL || !conn->guest->sent) {
            step = fca_answer_unsent(conn, "gone", FCF_UNSENT_GONE,
                                     "the instance is gone");

        } else {
            step = fca_answer(conn, 502, "gone", NULL,
                              "the instance ended before it answered");
        }

        fca_conn_go(conn, step);
    }
}


static void
grace_over(void *arg)
{
    cut_inflight(arg);
}


void
fca_route_cut(fca_route_t *route)
{
    set_closing(route);
    cut_inflight(route);
    finish(route);
}
