/*
 * Connections on which no request is under way, in order of how long: those
 * of strangers, who have never sent a complete head that may be served, and
 * those of gateways.  They are bounded per route and for a loop, and make room
 * when descriptors run short: the oldest goes first, of strangers as long as
 * there are any.
 */

#include <sys/socket.h>
#include "agent/proxy/proxy_int.h"

#define LOOKS  8                    /* for one that is idle indeed */


static void
insert(fca_conn_t *conn)
{
    fca_route_t  *route;

    route = conn->route;
    TAILQ_INSERT_TAIL(&route->idle[conn->known], conn, link);
    TAILQ_INSERT_TAIL(&route->loop->idle[conn->known], conn, loop_link);
    route->nidle++;
    route->loop->nidle++;
    conn->idling = 1;
}


void
fca_idle_leave(fca_conn_t *conn)
{
    fca_route_t  *route;

    if (!conn->idling) {
        return;
    }

    route = conn->route;
    TAILQ_REMOVE(&route->idle[conn->known], conn, link);
    TAILQ_REMOVE(&route->loop->idle[conn->known], conn, loop_link);
    route->nidle--;
    route->loop->nidle--;
    conn->idling = 0;
}


void
fca_idle_move(fca_conn_t *conn, fca_route_t *to)
{
    fca_route_t  *route;

    if (!conn->idling) {
        return;
    }

    route = conn->route;
    TAILQ_REMOVE(&route->idle[conn->known], conn, link);
    TAILQ_INSERT_TAIL(&to->idle[conn->known], conn, link);
    route->nidle--;
    to->nidle++;
}


/* but: the one that has just come */
static fca_conn_t *
oldest(const fca_conns_t *idle, const fca_conn_t *but)
{
    unsigned     i;
    fca_conn_t  *conn;

    for (i = 0; i < FCA_IDLE_N; i++) {
        conn = TAILQ_FIRST(&idle[i]);

        if (conn && conn != but) {
            return conn;
        }
    }

    return NULL;
}


/* a request has come that has not been read yet */
static int
has_request(const fca_conn_t *conn)
{
    char  c;

    return recv(conn->sock.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}


/* 1: one is closed */
static int
evict(const fca_conns_t *idle, const fca_conn_t *but)
{
    unsigned     i;
    fca_conn_t  *conn;

    for (i = 0; i < LOOKS; i++) {
        conn = oldest(idle, but);

        if (conn == NULL) {
            return 0;
        }

        if (!has_request(conn)) {
            fca_conn_close(conn);
            return 1;
        }

        fca_idle_leave(conn);
        insert(conn);
    }

    return 0;
}


void
fca_idle_enter(fca_conn_t *conn)
{
    fca_dloop_t  *loop;
    fca_route_t  *route;

    if (conn->idling) {
        return;
    }

    route = conn->route;
    loop = route->loop;
    insert(conn);

    if (route->nidle > FCA_IDLE_ROUTE_MAX) {
        (void) evict(route->idle, conn);
    }

    if (loop->nidle > loop->idle_max) {
        (void) evict(loop->idle, conn);
    }
}


int
fca_idle_room(fca_dloop_t *loop, unsigned n)
{
    while (loop->nfds + n > loop->fds_max) {

        if (!evict(loop->idle, NULL)) {
            return 0;
        }
    }

    return 1;
}
