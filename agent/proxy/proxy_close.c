/*
 * The end of a route.  Gateways keep idle connections, and may be sending a
 * request on one right now, which nobody could tell from one that a guest has
 * seen if the connection just closed: so those connections outlive their
 * route, in the loop's "orphans", and are told "gone" when they ask, until
 * they close, or their descriptors are wanted.
 */

#include <assert.h>
#include <sys/socket.h>
#include "agent/proxy/proxy_int.h"


/* those that have nothing to wait for end, the others become orphans */
static void
leave_behind(fca_route_t *route)
{
    fca_conn_t  *conn;

    while ((conn = route->conns) != NULL) {
        assert(!conn->admitted && !conn->queued);

        if (conn->idling && !conn->known) {
            fca_conn_close(conn);
            continue;
        }

        fca_conn_move(conn, &route->loop->orphans);
    }
}


/* the guest connections that no request is on */
static void
drop_pool(fca_route_t *route)
{
    while (route->pool) {
        fca_guest_close(route->pool);
    }
}


static void
finish(fca_route_t *route)
{
    fca_dloop_t  *loop;

    loop = route->loop;

    leave_behind(route);

    drop_pool(route);

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
void
fca_route_check_closed(fca_route_t *route)
{
    if (route->lingered && atomic_load(&route->stat->inflight) == 0) {
        fca_timer_set(&route->loop->timers, FCA_TIMER_ROUTE, &route->linger,
                      route->loop->now);
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

    /* a dead guest's have nobody at the other end */
    if (route->guest_dead) {
        drop_pool(route);
    }

    fca_timer_set(&loop->timers, FCA_TIMER_ROUTE, &route->linger,
                  loop->now + route->linger_ms);
    fca_timer_set(&loop->timers, FCA_TIMER_ROUTE, &route->grace,
                  loop->now + route->grace_ms);
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
                              "the instance ended before it answered; why is "
                              "in its log (fcfaas logs)");
        }

        fca_conn_go(conn, step);
    }
}


/* It is one of the loop's, or over: another that has its memory would be opened
 * by a later message. */
void
fca_route_dead(fca_dloop_t *loop, fca_route_t *dead)
{
    fca_route_t  *route;

    for (route = loop->routes; route && route != dead; route = route->next) {
        continue;
    }

    if (route == NULL) {
        return;
    }

    route->guest_dead = 1;

    drop_pool(route);

    cut_inflight(route);
}


void
fca_route_lingered(void *arg)
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


void
fca_route_grace_over(void *arg)
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
