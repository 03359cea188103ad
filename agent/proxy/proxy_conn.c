#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/proxy/proxy_int.h"


typedef struct {
    const char          *name;
    fca_step_e         (*run)(fca_conn_t *conn);
    fca_step_e         (*timeout)(fca_conn_t *conn);
    fca_timer_class_e    timer;
} state_t;

#define STATE(name, run, timeout, class)                                    \
    [FCA_CONN_##name] = { #name, run, timeout, class },

static const state_t  states[FCA_CONN_NSTATES] = {
    FCA_CONN_STATES(STATE)
};


static uint64_t
timeout_ms(const fca_proxy_t *proxy, fca_timer_class_e class)
{
    switch (class) {
    case FCA_TIMER_IDLE:
        return proxy->idle_ms;
    case FCA_TIMER_HEAD:
        return proxy->head_ms;
    case FCA_TIMER_CLIENT:
        return proxy->client_ms;
    case FCA_TIMER_QUEUE:
        return proxy->queue_ms;
    default:
        return FCA_LINGER_MS;
    }
}


void
fca_conn_set_timer(fca_conn_t *conn)
{
    fca_dloop_t        *loop;
    fca_timer_class_e   class;

    loop = conn->route->loop;
    class = states[conn->state].timer;
    conn->moved = 0;

    if (class == FCA_TIMER_IDLE && conn->known) {
        /* a gateway's is not closed under it: there is always a request that
         * would cross it */
        fca_timer_stop(&conn->timer);
        return;
    }

    fca_timer_set(&loop->timers, class, &conn->timer,
                  loop->now + timeout_ms(loop->proxy, class));
}


void
fca_conn_set_state(fca_conn_t *conn, fca_conn_e state)
{
    conn->state = state;
    fca_conn_set_timer(conn);

    if (state == FCA_CONN_IDLE || state == FCA_CONN_HEAD) {
        fca_idle_enter(conn);

    } else {
        fca_idle_leave(conn);
    }
}


void
fca_conn_go(fca_conn_t *conn, fca_step_e step)
{
    unsigned  turns;

    if (conn->running || step != FCA_STEP_NEXT) {
        return;
    }

    assert(conn->sock.fd != -1);
    conn->running = 1;

    for (turns = 0; step == FCA_STEP_NEXT; turns++) {

        if (turns == FCA_TURNS) {
            /* pipelined requests that take no time: let others run */
            fca_dloop_post(conn->route->loop, &conn->sock);
            break;
        }

        step = states[conn->state].run(conn);
    }

    /* closed ones stay in memory until the turn ends */
    conn->running = 0;
}


static void
ready(fca_sock_t *sock)
{
    fca_conn_go((fca_conn_t *) sock, FCA_STEP_NEXT);
}


static void
timed_out(void *arg)
{
    fca_conn_t  *conn;

    conn = arg;
    fca_conn_go(conn, states[conn->state].timeout(conn));
}


static void
link_conn(fca_conn_t *conn, fca_route_t *route)
{
    conn->route = route;
    conn->prev = NULL;
    conn->next = route->conns;

    if (conn->next) {
        conn->next->prev = conn;
    }

    route->conns = conn;
}


static void
unlink_conn(fca_conn_t *conn)
{
    if (conn->prev) {
        conn->prev->next = conn->next;

    } else {
        conn->route->conns = conn->next;
    }

    if (conn->next) {
        conn->next->prev = conn->prev;
    }
}


void
fca_conn_move(fca_conn_t *conn, fca_route_t *route)
{
    fca_idle_move(conn, route);
    unlink_conn(conn);
    link_conn(conn, route);
}


void
fca_conn_open(fca_route_t *route, int fd)
{
    fca_conn_t  *conn;

    conn = calloc(1, sizeof(*conn));
    if (conn == NULL) {
        close(fd);
        return;
    }

    conn->sock.fd = fd;
    conn->sock.ready = ready;
    conn->sock.stream = 1;
    conn->sock.wr = 1;
    conn->route = route;
    fca_timer_init(&conn->timer, timed_out, conn);

    if (fca_dloop_add(route->loop, &conn->sock) == -1) {
        close(fd);
        free(conn);
        return;
    }

    link_conn(conn, route);
    fca_head_start(&conn->reader, 0);
    fca_conn_set_state(conn, FCA_CONN_IDLE);
}


/* An answer that is not complete ends.  Where the end of the connection would
 * be its end, only a reset tells the client that it was not. */
static int
needs_reset(const fca_conn_t *conn)
{
    return conn->state == FCA_CONN_RELAY && conn->sent_head
           && (conn->decode
               || (conn->resp.kind == FCA_BODY_CLOSE && !conn->encode));
}


void
fca_conn_close(fca_conn_t *conn)
{
    fca_dloop_t  *loop;
    fca_route_t  *route;

    if (conn->sock.fd == -1) {
        return;
    }

    route = conn->route;
    loop = route->loop;

    if (needs_reset(conn)) {
        fca_sock_reset(&conn->sock);
    }

    if (conn->admitted) {
        fca_flight_given_up(conn);
    }

    if (conn->guest) {
        fca_guest_close(conn->guest);
    }

    fca_route_unqueue(conn);
    fca_route_leave(conn);
    fca_timer_stop(&conn->timer);
    fca_buf_put(loop, &conn->in);
    fca_buf_put(loop, &conn->out);

    fca_idle_leave(conn);
    unlink_conn(conn);
    fca_sock_close(loop, &conn->sock);
}


fca_step_e
fca_conn_drop(fca_conn_t *conn)
{
    fca_conn_close(conn);

    return FCA_STEP_GONE;
}


fca_step_e
fca_conn_queued(fca_conn_t *conn)
{
    return conn->sock.hup ? fca_conn_drop(conn) : FCA_STEP_WAIT;
}


fca_step_e
fca_conn_queue_timeout(fca_conn_t *conn)
{
    fca_route_unqueue(conn);

    return fca_answer(conn, 503, "busy", FCF_UNSENT_BUSY,
                      "no place became free in time");
}
