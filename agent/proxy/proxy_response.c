#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/proxy/proxy_relay.h"

/* "7fff\r\n" before a chunk made here, of one buffer at most */
#define CHUNK_HEAD_MAX  8
#define COMPLAIN_MS     1000


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
    ctx.request_id = *conn->request_id ? conn->request_id : NULL;
    ctx.vm = route->worker_id;

    fca_log(FCF_LOG_WARN, &ctx, "proxy: the function %s", what);
}


fca_flow_e
fca_relay_bad(fca_conn_t *conn, const char *error, const char *message)
{
    complain(conn, message);

    return fca_relay_answer(conn, 502, error, NULL, message);
}


/* how the body is framed towards both sides; 0, or -1: it cannot be */
static int
frame_response(fca_conn_t *conn, const fca_head_t *head, unsigned *flags)
{
    fca_body_e    kind;
    fca_guest_t  *guest;

    guest = conn->guest;

    if (head->status == 101) {
        /* RFC 9110 section 7.8: not before the request is complete */
        if (!conn->upgrade || !head->upgrade || !conn->req.done) {
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

    conn->bodiless = conn->method == FCA_METHOD_HEAD || head->status == 204
                     || head->status == 304;

    if (conn->bodiless) {
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

    conn->keep = conn->keep && !conn->route->closing
                 && (conn->req.done || !conn->expect);

    *flags |= (conn->encode ? FCA_RESP_ENCODE : 0)
              | (conn->decode ? FCA_RESP_DECODE : 0)
              | (!conn->keep ? FCA_RESP_CLOSE
                 : conn->minor == 0 ? FCA_RESP_KEEP_10 : 0);

    return 0;
}


/* The answer itself is still to come.  Gateways would take this one for it, so
 * it ends here; 100 was said by us. */
static fca_flow_e
interim_head(fca_conn_t *conn)
{
    fca_buf_t  *buf;

    buf = conn->out;
    conn->interim += buf->fed - buf->ready;

    if (conn->interim > FCA_INTERIM_MAX) {
        return fca_relay_bad(conn, "bad_response",
                             "sent interim responses without end");
    }

    buf->pos = buf->fed;
    buf->ready = buf->fed;
    fca_head_start(&conn->guest->reader, 1);

    return FCA_FLOW_MORE;
}


/* 101 is with the answers that are well */
static fca_count_e
class_of(unsigned status)
{
    return status < 300 ? FCA_COUNT_2XX : status < 400 ? FCA_COUNT_3XX
           : status < 500 ? FCA_COUNT_4XX : FCA_COUNT_5XX;
}


/* A head of the guest's is complete: out->ready..out->fed. */
static fca_flow_e
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

    if (fca_head_scan(head, &conn->guest->reader, from, to) != 0) {
        return fca_relay_bad(conn, "bad_response",
                             "sent a malformed response");
    }

    if (head->status < 200 && head->status != 101) {
        return interim_head(conn);
    }

    if (frame_response(conn, head, &flags) == -1) {
        return fca_relay_bad(conn, "bad_response",
                             "switched protocols unasked");
    }

    conn->expect_more = 0;
    conn->sent_head = 1;
    fca_count(conn->route, class_of(head->status), 1);

    from = fca_head_response(head, from, to, flags);
    buf->pos = (uint32_t) (from - buf->data);
    buf->ready = buf->fed;

    return FCA_FLOW_MORE;
}


static fca_flow_e
feed_head(fca_conn_t *conn)
{
    int         rc;
    size_t      used;
    fca_buf_t  *buf;

    buf = conn->out;

    rc = fca_head_feed(&conn->guest->reader, buf->data + buf->fed,
                       buf->last - buf->fed, &used);
    buf->fed += (uint32_t) used;

    if (rc < 0) {
        return fca_relay_bad(conn, "bad_response",
                             "sent a malformed response");
    }

    return rc > 0 ? response_head(conn) : FCA_FLOW_MORE;
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


static fca_flow_e
feed_body(fca_conn_t *conn)
{
    size_t      data;
    ssize_t     n;
    fca_buf_t  *buf;

    buf = conn->out;

    if (conn->encode) {
        encode_chunk(buf);
        return FCA_FLOW_MORE;
    }

    n = fca_body_feed(&conn->resp, buf->data + buf->fed,
                      buf->last - buf->fed, conn->decode ? &data : NULL);

    if (n < 0) {
        complain(conn, "sent a malformed chunk");
        conn->cut = 1;
        buf->last = buf->fed;
        return FCA_FLOW_MORE;
    }

    buf->ready = buf->fed + (uint32_t) (conn->decode ? data : (size_t) n);
    buf->fed += (uint32_t) n;

    if (conn->resp.done && buf->fed < buf->last) {
        /* more than its answer: the connection cannot be trusted */
        conn->guest->keep = 0;
        buf->last = buf->fed;
    }

    return FCA_FLOW_MORE;
}


static fca_flow_e
send_response(fca_conn_t *conn)
{
    ssize_t     n;
    fca_buf_t  *buf;

    if (!conn->sock.wr) {
        return FCA_FLOW_WAIT;
    }

    buf = conn->out;
    n = fca_sock_send(&conn->sock, buf->data + buf->pos,
                      buf->ready - buf->pos);

    if (n == -2) {
        return fca_relay_drop(conn);
    }

    if (n > 0) {
        buf->pos += (uint32_t) n;
        conn->moved = 1;
        fca_count(conn->route, FCA_COUNT_OUT, (uint64_t) n);
    }

    return conn->sock.wr ? FCA_FLOW_MORE : FCA_FLOW_WAIT;
}


/* The guest has closed, or was reset, before its answer was complete. */
static fca_flow_e
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

            return FCA_FLOW_MORE;
        }

        conn->cut = 1;
        return FCA_FLOW_MORE;
    }

    if (!guest->answered && guest->reused && conn->replayable
        && !conn->retried && conn->in)
    {
        conn->retried = 1;
        conn->in->pos = conn->replay;
        fca_guest_close(guest);
        return fca_relay_start(conn, 1);
    }

    complain(conn, "closed the connection before it answered");

    return fca_relay_answer(conn, 502, "guest_closed", NULL,
                            "the function closed the connection before it "
                            "answered; what it printed, and why it ended if "
                            "it did, is in its log (fcfaas logs)");
}


static fca_flow_e
read_guest(fca_conn_t *conn)
{
    ssize_t       n;
    fca_buf_t    *buf;
    fca_guest_t  *guest;

    buf = conn->out;
    guest = conn->guest;

    /* what comes before the request is no answer to it */
    if (guest->state != FCA_GUEST_BUSY || !guest->sock.rd || !guest->sent) {

        if (buf && buf->pos == buf->last) {
            fca_buf_put(conn->route->loop, &conn->out);
        }

        return FCA_FLOW_WAIT;
    }

    if (buf == NULL) {
        buf = conn->out = fca_buf_get(conn->route->loop);

        if (buf == NULL) {
            return fca_relay_drop(conn);
        }
    }

    if (buf->pos == buf->last) {
        fca_buf_reset(buf);
    }

    if (buf->last == FCA_BUF_END) {

        if (buf->pos == FCA_BUF_HEADROOM) {
            return fca_relay_bad(conn, "response_head_too_large",
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
        conn->heard = conn->route->loop->now;

        if (!guest->answered) {
            guest->answered = 1;
            fca_timer_stop(&guest->timer);
            fca_relay_request_sent(conn);
        }
    }

    return FCA_FLOW_MORE;
}


fca_flow_e
fca_relay_response(fca_conn_t *conn)
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
        /* what came was sent */
        return fca_relay_drop(conn);
    }

    if (!conn->expect_more && conn->resp.done) {
        return FCA_FLOW_OVER;
    }

    return read_guest(conn);
}
