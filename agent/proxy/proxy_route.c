#include <errno.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/proxy/proxy_int.h"

#define COMPLAIN_MS  10000


void
fca_route_init(fca_route_t *route)
{
    route->sock.ready = fca_route_accept;

    fca_timer_init(&route->linger, fca_route_lingered, route);
    fca_timer_init(&route->grace, fca_route_grace_over, route);
    fca_timer_init(&route->accept, fca_route_accept_again, route);
    fca_timer_init(&route->overdue, fca_flight_overdue, route);

    TAILQ_INIT(&route->flight);
    TAILQ_INIT(&route->idle[FCA_IDLE_STRANGERS]);
    TAILQ_INIT(&route->idle[FCA_IDLE_KNOWN]);
}


void
fca_route_opened(fca_route_t *route)
{
    fca_dloop_t     *loop;
    fca_log_ctx_t    ctx;

    loop = route->loop;

    fca_route_init(route);

    route->prev = NULL;
    route->next = loop->routes;

    if (route->next) {
        route->next->prev = route;
    }

    loop->routes = route;

    atomic_store(&route->stat->last_ms, loop->now);

    if (fca_dloop_add(loop, &route->sock) == -1) {
        memset(&ctx, 0, sizeof(ctx));
        ctx.function_id = route->function_id;
        ctx.vm = route->worker_id;
        fca_log(FCF_LOG_ERROR, &ctx, "proxy: epoll_ctl: %s",
                strerror(errno));
    }
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


void
fca_route_name(fca_route_t *route, const fca_span_t *name)
{
    route->function_len = 0;

    if (name->data && fcf_id_valid(name->data, name->len)) {
        route->function_len = name->len;
        memcpy(route->function_id, name->data, name->len);
    }

    route->function_id[route->function_len] = '\0';
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
        fca_route_check_closed(route);
    }
}
