#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "agent/log.h"
#include "agent/proxy_int.h"

/* "7fff\r\n" before a chunk made here, of one buffer at most */
#define CHUNK_HEAD_MAX  8
#define COMPLAIN_MS     1000

/* beside the connection's own steps */
typedef enum {
    FLOW_WAIT = 0,
    FLOW_MORE,                      /* go round again */
    FLOW_OVER,                      /* the response is complete and sent */
    FLOW_ANSWERED,                  /* by us; the state has changed */
    FLOW_GONE                       /* the client connection is closed */
} flow_e;


static flow_e
drop(fca_conn_t *conn)
{
    fca_conn_close(conn);

    return FLOW_GONE;
}


static flow_e
answer(fca_conn_t *conn, unsigned status, const char *error,
    const char *unsent, const char *message)
{
    return fca_answer(conn, status, error, unsent, message)
           == FCA_STEP_NEXT ? FLOW_ANSWERED : FLOW_GONE;
}


static flow_e
start(fca_conn_t *conn, int fresh)
{
    switch (fca_guest_get(conn, fresh)) {

    case FCA_GUEST_OK:
        return FLOW_MORE;

    case FCA_GUEST_REFUSED:
        return answer(conn, 503, "gone", FCF_UNSENT_GONE,
                      "the instance refused the connection");

    default:
        return answer(conn, 503, "busy", FCF_UNSENT_BUSY,
                      "no connection to the instance can be made now");
    }
}


/* what is framed goes to the guest */
static flow_e
send_request(fca_conn_t *conn)
{
    ssize_t       n;
    fca_buf_t    *buf;
    fca_guest_t  *guest;

    buf = conn->in;
    guest = conn->guest;

    if (guest->broken) {
        /* its answer may be on the way nevertheless */
        buf->pos = buf->ready;
        return FLOW_WAIT;
    }

    if (guest->state != FCA_GUEST_BUSY || !guest->sock.wr) {
        return FLOW_WAIT;
    }

    n = fca_sock_send(&guest->sock, buf->data + buf->pos,
                      buf->ready - buf->pos);

    if (n == -2) {
        guest->broken = 1;
        guest->sock.rd = 1;
        return FLOW_WAIT;
    }

    if (n > 0) {
        buf->pos += (uint32_t) n;
    }

    return guest->sock.wr ? FLOW_MORE : FLOW_WAIT;
}


static void
request_sent(fca_conn_t *conn)
{
    fca_buf_t    *buf;
    fca_dloop_t  *loop;
    fca_guest_t  *guest;

    buf = conn->in;
    guest = conn->guest;
    loop = conn->route->loop;

    if (buf == NULL || buf->pos != buf->ready || buf->fed != buf->last) {
        return;
    }

    if (conn->replayable && guest->reused && !guest->answered) {

        if (guest->timer.next == NULL) {
            fca_timer_set(&loop->timers, FCA_TIMER_REPLAY, &guest->timer,
                          loop->now + FCA_REPLAY_MS);
        }

        return;
    }

    fca_buf_put(loop, &conn->in);
}


static flow_e
read_client(fca_conn_t *conn)
{
    ssize_t     n;
    fca_buf_t  *buf;

    if (!conn->sock.rd || conn->guest->broken) {
        return FLOW_WAIT;
    }

    buf = conn->in;

    if (buf == NULL) {
        buf = conn->in = fca_buf_get(conn->route->loop);

        if (buf == NULL) {
            return drop(conn);
        }
    }

    if (buf->pos == buf->last) {
        fca_buf_reset(buf);
    }

    n = fca_sock_recv(&conn->sock, buf->data + buf->last,
                      FCA_BUF_END - buf->last);

    if (n == -2 || (n == 0 && conn->req.kind != FCA_BODY_TUNNEL)) {
        return drop(conn);
    }

    if (n == 0) {
        conn->eof = 1;
        conn->req.done = 1;
        return FLOW_MORE;
    }

    if (n > 0) {
        buf->last += (uint32_t) n;
        return FLOW_MORE;
    }

    fca_buf_put(conn->route->loop, &conn->in);

    return FLOW_WAIT;
}


/* one step of the request's way; every return but MORE ends its turn */
static flow_e
request_step(fca_conn_t *conn)
{
    ssize_t     n;
    fca_buf_t  *buf;

    buf = conn->in;

    if (buf && !conn->req.done && buf->fed < buf->last) {
        n = fca_body_feed(&conn->req, buf->data + buf->fed,
                          buf->last - buf->fed, NULL);

        if (n < 0) {
            conn->keep = 0;
            return conn->sent_head ? drop(conn)
                   : answer(conn, 400, "bad_request", NULL,
                            "malformed chunk");
        }

        buf->fed += (uint32_t) n;
        buf->ready = buf->fed;
    }

    if (buf && buf->pos < buf->ready) {
        return send_request(conn);
    }

    if (conn->req.done) {

        if (conn->eof) {
            /* the tunnel's last bytes are with the guest */
            return drop(conn);
        }

        request_sent(conn);
        return FLOW_WAIT;
    }

    return read_client(conn);
}


/* A line a second and route at most: a broken function may do it in every
 * answer. */
static void
complain(const fca_conn_t *conn, const char *what)
{
    fca_route_t    *route;
    fca_log_ctx_t   ctx;

    route = conn->route;

    if (route->complained
        && route->loop->now - route->complained < COMPLAIN_MS)
    {
        return;
    }

    route->complained = route->loop->now;

    memset(&ctx, 0, sizeof(ctx));
    ctx.function_id = route->function_id;
    ctx.vm = route->worker_id;

    fca_log(FCF_LOG_WARN, &ctx, "proxy: the function %s", what);
}


static flow_e
bad_response(fca_conn_t *conn, const char *error, const char *message)
{
    complain(conn, message);

    return answer(conn, 502, error, NULL, message);
}


/* how the body is framed towards both sides; 0, or -1: it cannot be */
static int
frame_response(fca_conn_t *conn, const fca_head_t *head, unsigned *flags)
{
    fca_body_e    kind;
    fca_guest_t  *guest;

    guest = conn->guest;

    if (head->status == 101) {
        if (!conn->upgrade) {
            return -1;
        }

        fca_body_init(&conn->resp, FCA_BODY_TUNNEL, 0);
        fca_body_init(&conn->req, FCA_BODY_TUNNEL, 0);
        conn->keep = 0;
        *flags = FCA_RESP_UPGRADE;
        /* what the client has sent already brings no edge */
        fca_dloop_post(conn->route->loop, &conn->sock);
        return 0;
    }

    if (head->status < 200) {
        /* the answer itself is still to come */
        *flags = FCA_RESP_NO_LENGTH | FCA_RESP_DECODE;
        return 0;
    }

    if (conn->method == HTTP_HEAD || head->status == 204 || head->status == 304)
    {
        kind = FCA_BODY_NONE;

    } else {
        kind = head->chunked ? FCA_BODY_CHUNKED
               : head->has_length ? FCA_BODY_LENGTH : FCA_BODY_CLOSE;
    }

    fca_body_init(&conn->resp, kind, head->length);

    if (head->status == 204) {
        *flags |= FCA_RESP_NO_LENGTH | FCA_RESP_DECODE;
    }

    guest->keep = conn->minor && kind != FCA_BODY_CLOSE && !head->close
                  && (head->minor || head->keep_alive);

    if (kind == FCA_BODY_CLOSE) {
        conn->encode = conn->minor == 1;
        conn->keep = conn->keep && conn->encode;

    } else if (kind == FCA_BODY_CHUNKED && conn->minor == 0) {
        conn->decode = 1;
        conn->keep = 0;
    }

    conn->keep = conn->keep && !conn->route->closing;

    *flags |= (conn->encode ? FCA_RESP_ENCODE : 0)
              | (conn->decode ? FCA_RESP_DECODE : 0)
              | (!conn->keep ? FCA_RESP_CLOSE
                 : conn->minor == 0 ? FCA_RESP_KEEP_10 : 0);

    return 0;
}


/* A head of the guest's is complete: out->ready..out->fed. */
static flow_e
response_head(fca_conn_t *conn)
{
    char        *from, *to;
    unsigned     flags;
    fca_buf_t   *buf;
    fca_head_t  *head;

    buf = conn->out;
    head = &conn->route->loop->head;
    from = buf->data + buf->ready;
    to = buf->data + buf->fed;
    flags = 0;

    while (from < to && (*from == '\r' || *from == '\n')) {
        from++;
    }

    if (fca_head_scan(head, &conn->guest->parser, from, to) != 0
        || frame_response(conn, head, &flags) == -1)
    {
        return bad_response(conn, "bad_response",
                            "sent a malformed response");
    }

    if (head->status < 200 && head->status != 101) {
        fca_head_start(&conn->guest->parser, 1);

        if (conn->minor == 0) {
            buf->pos = buf->fed;
            buf->ready = buf->fed;
            return FLOW_MORE;
        }

    } else {
        conn->expect_more = 0;
        conn->sent_head = 1;
    }

    from = fca_head_response(head, from, to, flags);
    buf->pos = (uint32_t) (from - buf->data);
    buf->ready = buf->fed;

    return FLOW_MORE;
}


static flow_e
feed_head(fca_conn_t *conn)
{
    int         rc;
    size_t      used;
    fca_buf_t  *buf;

    buf = conn->out;

    rc = fca_head_feed(&conn->guest->parser, buf->data + buf->fed,
                       buf->last - buf->fed, &used);
    buf->fed += (uint32_t) used;

    if (rc < 0) {
        return bad_response(conn, "bad_response",
                            "sent a malformed response");
    }

    return rc > 0 ? response_head(conn) : FLOW_MORE;
}


/* A chunk out of what was read until the guest closes: its head goes where
 * sent bytes were, its end into the room kept for it. */
static void
encode_chunk(fca_buf_t *buf)
{
    int   n;
    char  size[CHUNK_HEAD_MAX + 1];

    n = snprintf(size, sizeof(size), "%x\r\n", buf->last - buf->fed);
    assert(n > 0 && n <= CHUNK_HEAD_MAX);

    buf->pos = buf->fed - (uint32_t) n;
    memcpy(buf->data + buf->pos, size, (size_t) n);
    memcpy(buf->data + buf->last, "\r\n", 2);
    buf->last += 2;
    buf->fed = buf->last;
    buf->ready = buf->last;
}


static flow_e
feed_body(fca_conn_t *conn)
{
    size_t      data;
    ssize_t     n;
    fca_buf_t  *buf;

    buf = conn->out;

    if (conn->encode) {
        encode_chunk(buf);
        return FLOW_MORE;
    }

    n = fca_body_feed(&conn->resp, buf->data + buf->fed,
                      buf->last - buf->fed, conn->decode ? &data : NULL);

    if (n < 0) {
        complain(conn, "sent a malformed chunk");
        conn->cut = 1;
        buf->last = buf->fed;
        return FLOW_MORE;
    }

    buf->ready = buf->fed + (uint32_t) (conn->decode ? data : (size_t) n);
    buf->fed += (uint32_t) n;

    if (conn->resp.done && buf->fed < buf->last) {
        /* more than its answer: the connection cannot be trusted */
        conn->guest->keep = 0;
        buf->last = buf->fed;
    }

    return FLOW_MORE;
}


static flow_e
send_response(fca_conn_t *conn)
{
    ssize_t     n;
    fca_buf_t  *buf;

    if (!conn->sock.wr) {
        return FLOW_WAIT;
    }

    buf = conn->out;
    n = fca_sock_send(&conn->sock, buf->data + buf->pos,
                      buf->ready - buf->pos);

    if (n == -2) {
        return drop(conn);
    }

    if (n > 0) {
        buf->pos += (uint32_t) n;
    }

    return conn->sock.wr ? FLOW_MORE : FLOW_WAIT;
}


/* The guest has closed, or was reset, before its answer was complete. */
static flow_e
guest_ended(fca_conn_t *conn, int reset)
{
    fca_buf_t    *buf;
    fca_guest_t  *guest;

    guest = conn->guest;

    if (conn->sent_head) {

        if (!reset && (conn->resp.kind == FCA_BODY_CLOSE
                       || conn->resp.kind == FCA_BODY_TUNNEL))
        {
            conn->resp.done = 1;

            if (conn->encode) {
                buf = conn->out;
                memcpy(buf->data + buf->last, "0\r\n\r\n", 5);
                buf->last += 5;
                buf->fed = buf->last;
                buf->ready = buf->last;
            }

            return FLOW_MORE;
        }

        conn->cut = 1;
        return FLOW_MORE;
    }

    if (!guest->answered && guest->reused && conn->replayable
        && !conn->retried && conn->in)
    {
        conn->retried = 1;
        conn->in->pos = conn->replay;
        fca_guest_close(guest);
        return start(conn, 1);
    }

    complain(conn, "closed the connection before it answered");

    return answer(conn, 502, "guest_closed", NULL,
                  "the function closed the connection before it answered");
}


static flow_e
read_guest(fca_conn_t *conn)
{
    ssize_t       n;
    fca_buf_t    *buf;
    fca_guest_t  *guest;

    buf = conn->out;
    guest = conn->guest;

    if (guest->state != FCA_GUEST_BUSY || !guest->sock.rd) {

        if (buf && buf->pos == buf->last) {
            fca_buf_put(conn->route->loop, &conn->out);
        }

        return FLOW_WAIT;
    }

    if (buf == NULL) {
        buf = conn->out = fca_buf_get(conn->route->loop);

        if (buf == NULL) {
            return drop(conn);
        }
    }

    if (buf->pos == buf->last) {
        fca_buf_reset(buf);
    }

    if (buf->last == FCA_BUF_END) {

        if (buf->pos == FCA_BUF_HEADROOM) {
            return bad_response(conn, "response_head_too_large",
                                "sent a response head that is too large");
        }

        fca_buf_pack(buf);
    }

    n = fca_sock_recv(&guest->sock, buf->data + buf->last,
                      FCA_BUF_END - buf->last);

    if (n == 0 || n == -2) {
        /* a reset that a send has told of looks like an end to recv */
        return guest_ended(conn, n == -2 || guest->broken || guest->sock.err);
    }

    if (n > 0) {
        buf->last += (uint32_t) n;

        if (!guest->answered) {
            guest->answered = 1;
            fca_timer_stop(&guest->timer);
            request_sent(conn);
        }
    }

    return FLOW_MORE;
}


/* The end of an answer that its guest cut: what came was sent. */
static flow_e
end_cut(fca_conn_t *conn)
{
    struct linger  linger;

    if (conn->resp.kind == FCA_BODY_CLOSE) {
        /* nothing else would tell this client that it was not the end */
        linger.l_onoff = 1;
        linger.l_linger = 0;
        (void) setsockopt(conn->sock.fd, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(linger));
    }

    return drop(conn);
}


static flow_e
response_step(fca_conn_t *conn)
{
    int         pending;
    fca_buf_t  *buf;

    buf = conn->out;
    pending = buf && buf->pos < buf->ready;

    if (buf && !pending) {
        buf->pos = buf->fed > buf->ready && !conn->expect_more ? buf->fed
                   : buf->ready;
        buf->ready = buf->pos;
    }

    if (buf && buf->fed < buf->last && !conn->cut && !conn->resp.done) {

        if (conn->expect_more) {
            if (!pending) {
                return feed_head(conn);
            }

        } else if (!pending || !(conn->encode || conn->decode)) {
            return feed_body(conn);
        }
    }

    if (pending) {
        return send_response(conn);
    }

    if (conn->cut) {
        return end_cut(conn);
    }

    if (!conn->expect_more && conn->resp.done) {
        return FLOW_OVER;
    }

    return read_guest(conn);
}


static fca_step_e
over(fca_conn_t *conn)
{
    fca_guest_t  *guest;

    guest = conn->guest;

    if (guest->keep && conn->req.done && !guest->broken
        && (conn->in == NULL || conn->in->pos == conn->in->ready)
        && (conn->out == NULL || conn->out->fed == conn->out->last))
    {
        fca_guest_release(guest);

    } else {
        fca_guest_close(guest);
    }

    if (conn->resp.kind == FCA_BODY_TUNNEL) {
        /* so that the connection lingers */
        conn->req.done = 0;
    }

    fca_route_leave(conn);

    return fca_conn_over(conn);
}


fca_step_e
fca_relay_run(fca_conn_t *conn)
{
    int     turns, up, down;
    flow_e  flow;

    /* A client that half-closes counts as gone, as in nginx. */
    if (conn->sock.err
        || (conn->sock.hup && conn->req.done && !conn->eof))
    {
        return fca_conn_drop(conn);
    }

    up = 1;
    down = 1;
    flow = conn->guest ? FLOW_MORE : start(conn, 0);

    for (turns = 0; up || down; turns++) {

        if (flow == FLOW_MORE && up) {
            flow = request_step(conn);
            up = flow == FLOW_MORE;
            flow = flow == FLOW_WAIT ? FLOW_MORE : flow;
        }

        if (flow == FLOW_MORE && down) {
            flow = response_step(conn);
            down = flow == FLOW_MORE;
            flow = flow == FLOW_WAIT ? FLOW_MORE : flow;
        }

        if (flow == FLOW_OVER) {
            return over(conn);
        }

        if (flow != FLOW_MORE) {
            return flow == FLOW_GONE ? FCA_STEP_GONE : FCA_STEP_NEXT;
        }

        if (turns == 2 * FCA_TURNS) {
            fca_dloop_post(conn->route->loop, &conn->sock);
            break;
        }
    }

    return FCA_STEP_WAIT;
}
