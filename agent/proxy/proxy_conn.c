#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

    fca_timer_set(&loop->timers, class, &conn->timer,
                  loop->now + timeout_ms(loop->proxy, class));
}


void
fca_conn_set_state(fca_conn_t *conn, fca_conn_e state)
{
    conn->state = state;
    fca_conn_set_timer(conn);
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

    conn->next = route->conns;

    if (conn->next) {
        conn->next->prev = conn;
    }

    route->conns = conn;

    fca_head_start(&conn->reader, 0);
    fca_conn_set_state(conn, FCA_CONN_IDLE);
}


/* An answer that is not complete ends.  Where the end of the connection would
 * be its end, only a reset tells the client that it was not. */
static void
reset_cut(fca_conn_t *conn)
{
    struct linger  linger;

    if (conn->state != FCA_CONN_RELAY || !conn->sent_head
        || !(conn->decode
             || (conn->resp.kind == FCA_BODY_CLOSE && !conn->encode)))
    {
        return;
    }

    linger.l_onoff = 1;
    linger.l_linger = 0;
    (void) setsockopt(conn->sock.fd, SOL_SOCKET, SO_LINGER, &linger,
                      sizeof(linger));
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
    reset_cut(conn);

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

    if (conn->prev) {
        conn->prev->next = conn->next;

    } else {
        route->conns = conn->next;
    }

    if (conn->next) {
        conn->next->prev = conn->prev;
    }

    fca_sock_close(loop, &conn->sock);
}


fca_step_e
fca_conn_drop(fca_conn_t *conn)
{
    fca_conn_close(conn);

    return FCA_STEP_GONE;
}


/* What came is no request that can be answered and followed by another. */
static fca_step_e
refuse(fca_conn_t *conn, unsigned status, const char *error,
    const char *message)
{
    conn->keep = 0;
    conn->method = FCA_METHOD_GET;
    conn->minor = 1;
    conn->req.done = 0;
    conn->req.kind = FCA_BODY_CLOSE;

    return fca_answer(conn, status, error, NULL, message);
}


static fca_step_e
refuse_status(fca_conn_t *conn, int status)
{
    switch (status) {

    case 417:
        return refuse(conn, 417, "expectation_failed",
                      "only 100-continue can be expected");

    case 431:
        return refuse(conn, 431, "header_too_large",
                      "the request's head is too large");

    case 405:
        return refuse(conn, 405, "method_not_allowed",
                      "CONNECT is not served here");

    case 505:
        return refuse(conn, 505, "bad_version",
                      "only HTTP/1.0 and HTTP/1.1 are served here");

    default:
        return refuse(conn, 400, "bad_request", "malformed request");
    }
}


/* in a time that does not depend on where they differ */
static int
token_matches(const fca_access_t *access, const fca_span_t *token)
{
    size_t    i;
    uint8_t   diff;

    if (access->token_len == 0) {
        return 1;
    }

    if (token->len != access->token_len) {
        return 0;
    }

    diff = 0;

    for (i = 0; i < token->len; i++) {
        diff |= (uint8_t) (token->data[i] ^ access->token[i]);
    }

    return diff == 0;
}


/* It may be shown and logged once it is valid. */
static void
take_id(fca_conn_t *conn, const fca_head_t *head)
{
    const fca_span_t  *id;

    id = &head->request_id;

    if (id->data && fcf_request_id_valid(id->data, id->len)) {
        memcpy(conn->request_id, id->data, id->len);
        conn->request_id[id->len] = '\0';
    }
}


static void
take_request(fca_conn_t *conn, const fca_head_t *head)
{
    fca_body_e  kind;

    conn->method = head->method;
    conn->minor = head->minor;
    conn->keep = head->minor ? !head->close
                             : head->keep_alive && !head->close;
    conn->upgrade = head->upgrade;
    conn->retried = 0;
    conn->interim = 0;
    conn->encode = 0;
    conn->decode = 0;
    conn->cut = 0;
    conn->discarded = 0;

    kind = head->chunked ? FCA_BODY_CHUNKED
           : head->has_length ? FCA_BODY_LENGTH : FCA_BODY_NONE;
    fca_body_init(&conn->req, kind, head->length);

    conn->expect = head->expect && !conn->req.done;
    conn->replayable = conn->req.done && !conn->upgrade
                       && fca_method_idempotent(conn->method);
}


/* A head is complete: in->pos..in->fed. */
static fca_step_e
take_head(fca_conn_t *conn)
{
    int           status;
    char         *start, *end;
    fca_buf_t    *buf;
    fca_head_t   *head;
    fca_route_t  *route;

    buf = conn->in;
    route = conn->route;
    head = &route->loop->head;
    start = buf->data + buf->pos;
    end = buf->data + buf->fed;

    /* empty lines before a request pass */
    while (start < end && (*start == '\r' || *start == '\n')) {
        start++;
    }

    status = fca_head_scan(head, &conn->reader, start, end);
    take_id(conn, head);

    if (status) {
        return refuse_status(conn, status);
    }

    take_request(conn, head);

    if (!token_matches(route->loop->access, &head->token)) {
        return fca_answer(conn, 403, "forbidden", NULL,
                          "missing or wrong token");
    }

    if (head->function.len != route->function_len
        || memcmp(head->function.data, route->function_id,
                  route->function_len) != 0)
    {
        return fca_answer(conn, 503, "wrong_function",
                          FCF_UNSENT_WRONG_FUNCTION,
                          "another function is served on this port");
    }

    start = fca_head_request(head, start, end);
    buf->pos = (uint32_t) (start - buf->data);
    buf->ready = buf->fed;
    conn->replay = buf->pos;

    return fca_route_admit(conn);
}


/* IDLE and HEAD */
fca_step_e
fca_conn_head(fca_conn_t *conn)
{
    int         rc;
    size_t      used;
    ssize_t     n;
    fca_buf_t  *buf;

    for ( ;; ) {
        buf = conn->in;

        if (buf && buf->fed < buf->last) {
            rc = fca_head_feed(&conn->reader, buf->data + buf->fed,
                               buf->last - buf->fed, &used);
            buf->fed += (uint32_t) used;

            if (rc != 0) {
                return rc > 0 ? take_head(conn) : refuse_status(conn, 400);
            }
        }

        if (!conn->sock.rd) {
            break;
        }

        if (buf == NULL) {
            buf = conn->in = fca_buf_get(conn->route->loop);

            if (buf == NULL) {
                return fca_conn_drop(conn);
            }
        }

        if (buf->last == FCA_BUF_END) {
            if (buf->pos == FCA_BUF_HEADROOM) {
                return refuse_status(conn, 431);
            }

            fca_buf_pack(buf);
        }

        n = fca_sock_recv(&conn->sock, buf->data + buf->last,
                          FCA_BUF_END - buf->last);

        if (n == 0 || n == -2) {
            return fca_conn_drop(conn);
        }

        if (n > 0) {
            buf->last += (uint32_t) n;
            /* not a part of what is to be sent, until it is complete */
            buf->ready = buf->pos;
        }
    }

    if (buf && buf->last == buf->pos) {
        fca_buf_put(conn->route->loop, &conn->in);

    } else if (buf && conn->state == FCA_CONN_IDLE) {
        fca_conn_set_state(conn, FCA_CONN_HEAD);
    }

    return FCA_STEP_WAIT;
}


fca_step_e
fca_conn_head_timeout(fca_conn_t *conn)
{
    return refuse(conn, 408, "head_timeout",
                  "the request's head took too long");
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
