/*
 * Requests in flight, oldest first, and those of them that take too long: the
 * function's timeout_s, by which the gateway gives up.  Such a one may be slow;
 * of a function that hangs there are several in a row, and nothing else.
 */

#include "agent/proxy/proxy_relay.h"

/* The gateway's clock begins when it sends, ours when the request has a place;
 * so it may give up before the time is over here. */
#define SLACK_MS  500


static uint64_t
taken_ms(const fca_conn_t *conn)
{
    return conn->route->loop->now - conn->started;
}


/* Has it been waiting for the guest, and for nothing else?  One that streams
 * does something. */
static int
hangs(const fca_conn_t *conn)
{
    return conn->guest && conn->req.kind != FCA_BODY_TUNNEL
           && conn->route->loop->now - conn->heard
              >= conn->route->timeout_ms / 2
           && !fca_relay_waits_for_client(conn);
}


static void
count(fca_conn_t *conn)
{
    conn->late = 1;
    atomic_fetch_add_explicit(&conn->route->stat->timeouts, 1,
                              memory_order_relaxed);
}


void
fca_flight_overdue(void *arg)
{
    fca_conn_t   *conn;
    fca_route_t  *route;

    route = arg;

    while ((conn = route->watched) != NULL
           && taken_ms(conn) >= route->timeout_ms)
    {
        route->watched = TAILQ_NEXT(conn, link);

        if (hangs(conn)) {
            count(conn);
        }
    }

    if (conn) {
        fca_timer_set(&route->loop->timers, FCA_TIMER_ROUTE, &route->overdue,
                      conn->started + route->timeout_ms);
    }
}


void
fca_flight_enter(fca_conn_t *conn)
{
    fca_dloop_t  *loop;
    fca_route_t  *route;

    route = conn->route;
    loop = route->loop;

    conn->started = loop->now;
    conn->heard = loop->now;
    conn->late = 0;

    TAILQ_INSERT_TAIL(&route->flight, conn, link);

    if (route->watched == NULL) {
        route->watched = conn;
    }

    if (route->timeout_ms && route->overdue.next == NULL) {
        fca_timer_set(&loop->timers, FCA_TIMER_ROUTE, &route->overdue,
                      route->watched->started + route->timeout_ms);
    }
}


void
fca_flight_leave(fca_conn_t *conn)
{
    fca_route_t  *route;

    route = conn->route;

    if (route->watched == conn) {
        route->watched = TAILQ_NEXT(conn, link);
    }

    TAILQ_REMOVE(&route->flight, conn, link);
}


void
fca_flight_given_up(fca_conn_t *conn)
{
    uint64_t      slack;
    fca_route_t  *route;

    route = conn->route;
    slack = route->timeout_ms / 4 < SLACK_MS ? route->timeout_ms / 4
                                             : SLACK_MS;

    if (route->timeout_ms && !conn->late
        && taken_ms(conn) + slack >= route->timeout_ms && hangs(conn))
    {
        count(conn);
    }
}


void
fca_flight_answered(fca_conn_t *conn)
{
    _Atomic uint32_t  *timeouts;

    timeouts = &conn->route->stat->timeouts;

    if (!conn->late
        && atomic_load_explicit(timeouts, memory_order_relaxed) != 0)
    {
        atomic_store_explicit(timeouts, 0, memory_order_relaxed);
    }
}
