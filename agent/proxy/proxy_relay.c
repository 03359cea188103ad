#include <assert.h>
#include <string.h>
#include "agent/proxy/proxy_relay.h"


fca_flow_e
fca_relay_drop(fca_conn_t *conn)
{
    fca_conn_close(conn);

    return FCA_FLOW_GONE;
}


static fca_flow_e
answered(fca_step_e step)
{
    return step == FCA_STEP_NEXT ? FCA_FLOW_ANSWERED : FCA_FLOW_GONE;
}


fca_flow_e
fca_relay_answer(fca_conn_t *conn, unsigned status, const char *error,
    const char *unsent, const char *message)
{
    return answered(fca_answer(conn, status, error, unsent, message));
}


fca_flow_e
fca_relay_start(fca_conn_t *conn, int fresh)
{
    switch (fca_guest_get(conn, fresh)) {

    case FCA_GUEST_OK:
        return FCA_FLOW_MORE;

    case FCA_GUEST_REFUSED:
        return answered(fca_answer_unsent(conn, "gone", FCF_UNSENT_GONE,
                        "the instance refused the connection"));

    default:
        return answered(fca_answer_unsent(conn, "busy", FCF_UNSENT_BUSY,
                        "no connection to the instance can be made now"));
    }
}


/* The connection to the guest has ended, or said something, before a byte of
 * the request was on it: another may do, whatever the method. */
static fca_flow_e
not_sent(fca_conn_t *conn, int spoke)
{
    if (conn->guest->reused) {
        fca_guest_close(conn->guest);
        return fca_relay_start(conn, 0);
    }

    if (spoke > 0) {
        return fca_relay_bad(conn, "bad_response",
                             "sent something before it was asked");
    }

    return answered(fca_answer_unsent(conn, "gone", FCF_UNSENT_GONE,
                    "the instance closed the connection unused"));
}


/* The proxy does itself what Expect asks for, once the guest has taken the
 * connection: until then the request may be refused without its body. */
static fca_flow_e
say_continue(fca_conn_t *conn)
{
    fca_buf_t  *buf;

    static const char  text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    conn->expect = 0;
    assert(conn->out == NULL);
    buf = conn->out = fca_buf_get(conn->route->loop);

    if (buf == NULL) {
        return fca_relay_drop(conn);
    }

    memcpy(buf->data + buf->last, text, sizeof(text) - 1);
    buf->last += sizeof(text) - 1;
    buf->fed = buf->last;
    buf->ready = buf->last;

    return FCA_FLOW_MORE;
}


/* what is framed goes to the guest */
static fca_flow_e
send_request(fca_conn_t *conn)
{
    int           spoke;
    ssize_t       n;
    fca_buf_t    *buf;
    fca_guest_t  *guest;

    buf = conn->in;
    guest = conn->guest;

    if (guest->broken) {
        /* its answer may be on the way nevertheless */
        buf->pos = buf->ready;
        return FCA_FLOW_WAIT;
    }

    if (guest->state != FCA_GUEST_BUSY || !guest->sock.wr) {
        return FCA_FLOW_WAIT;
    }

    if (!guest->sent) {
        spoke = fca_guest_spoke(guest);

        if (spoke) {
            return not_sent(conn, spoke);
        }

        if (conn->expect) {
            return say_continue(conn);
        }
    }

    n = fca_sock_send(&guest->sock, buf->data + buf->pos,
                      buf->ready - buf->pos);

    if (n == -2 && !guest->sent) {
        return not_sent(conn, -1);
    }

    if (n == -2) {
        guest->broken = 1;
        guest->sock.rd = 1;
        return FCA_FLOW_WAIT;
    }

    if (n > 0) {
        buf->pos += (uint32_t) n;
        guest->sent = 1;
        fca_count(conn->route, FCA_COUNT_IN, (uint64_t) n);
    }

    return guest->sock.wr ? FCA_FLOW_MORE : FCA_FLOW_WAIT;
}


void
fca_relay_request_sent(fca_conn_t *conn)
{
    fca_buf_t    *buf;
    fca_dloop_t  *loop;
    fca_guest_t  *guest;

    buf = conn->in;
    guest = conn->guest;
    loop = conn->route->loop;

    if (buf == NULL || buf->pos != buf->ready) {
        return;
    }

    if (conn->replayable && guest->reused && !guest->answered) {

        if (guest->timer.next == NULL) {
            fca_timer_set(&loop->timers, FCA_TIMER_REPLAY, &guest->timer,
                          loop->now + FCA_REPLAY_MS);
        }

        return;
    }

    /* with the beginning of the next request it stays */
    if (buf->fed == buf->last) {
        fca_buf_put(loop, &conn->in);
    }
}


static fca_flow_e
read_client(fca_conn_t *conn)
{
    ssize_t     n;
    fca_buf_t  *buf;

    if (!conn->sock.rd || conn->guest->broken) {
        return FCA_FLOW_WAIT;
    }

    buf = conn->in;

    if (buf == NULL) {
        buf = conn->in = fca_buf_get(conn->route->loop);

        if (buf == NULL) {
            return fca_relay_drop(conn);
        }
    }

    if (buf->pos == buf->last) {
        fca_buf_reset(buf);
    }

    n = fca_sock_recv(&conn->sock, buf->data + buf->last,
                      FCA_BUF_END - buf->last);

    if (n == -2 || (n == 0 && conn->req.kind != FCA_BODY_TUNNEL)) {
        return fca_relay_drop(conn);
    }

    if (n == 0) {
        conn->eof = 1;
        conn->req.done = 1;
        return FCA_FLOW_MORE;
    }

    if (n > 0) {
        buf->last += (uint32_t) n;
        conn->moved = 1;
        return FCA_FLOW_MORE;
    }

    fca_buf_put(conn->route->loop, &conn->in);

    return FCA_FLOW_WAIT;
}


/* one step of the request's way; every return but MORE ends its turn */
static fca_flow_e
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
            return conn->sent_head ? fca_relay_drop(conn)
                   : fca_relay_answer(conn, 400, "bad_request", NULL,
                                      "malformed chunk");
        }

        buf->fed += (uint32_t) n;
        buf->ready = buf->fed;
        conn->expect = 0;               /* it did not wait */
    }

    if (buf && buf->pos < buf->ready) {
        return send_request(conn);
    }

    if (conn->req.done) {

        if (conn->eof) {
            /* the tunnel's last bytes are with the guest */
            return fca_relay_drop(conn);
        }

        fca_relay_request_sent(conn);
        return FCA_FLOW_WAIT;
    }

    return read_client(conn);
}


static fca_step_e
over(fca_conn_t *conn)
{
    fca_guest_t  *guest;

    guest = conn->guest;
    fca_flight_answered(conn);

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


int
fca_relay_waits_for_client(const fca_conn_t *conn)
{
    if (conn->req.kind == FCA_BODY_TUNNEL) {
        return 0;
    }

    if (conn->out && conn->out->pos < conn->out->ready) {
        return 1;
    }

    /* once the answer has begun the rest of the body is optional: nginx sends
     * no more of it */
    return !conn->req.done && !conn->sent_head && !conn->guest->broken
           && !conn->expect
           && (conn->in == NULL || conn->in->pos == conn->in->ready);
}


fca_step_e
fca_relay_timeout(fca_conn_t *conn)
{
    if (conn->sent_head) {
        return fca_conn_drop(conn);
    }

    conn->keep = 0;

    return fca_answer(conn, 408, "body_timeout", NULL,
                      "the request's body took too long");
}


fca_step_e
fca_relay_run(fca_conn_t *conn)
{
    int         turns, up, down;
    fca_flow_e  flow;

    /* A client that half-closes counts as gone, as in nginx, but for a
     * tunnel's, whose last bytes are passed on. */
    if (conn->sock.err
        || (conn->sock.hup && conn->req.kind != FCA_BODY_TUNNEL))
    {
        return fca_conn_drop(conn);
    }

    up = 1;
    down = 1;
    flow = conn->guest ? FCA_FLOW_MORE : fca_relay_start(conn, 0);

    for (turns = 0; up || down; turns++) {

        if (flow == FCA_FLOW_MORE && up) {
            flow = request_step(conn);
            up = flow == FCA_FLOW_MORE;
            flow = flow == FCA_FLOW_WAIT ? FCA_FLOW_MORE : flow;
        }

        if (flow == FCA_FLOW_MORE && down) {
            flow = fca_relay_response(conn);
            down = flow == FCA_FLOW_MORE;
            flow = flow == FCA_FLOW_WAIT ? FCA_FLOW_MORE : flow;
        }

        if (flow == FCA_FLOW_OVER) {
            return over(conn);
        }

        if (flow != FCA_FLOW_MORE) {
            return flow == FCA_FLOW_GONE ? FCA_STEP_GONE : FCA_STEP_NEXT;
        }

        if (turns == 2 * FCA_TURNS) {
            fca_dloop_post(conn->route->loop, &conn->sock);
            break;
        }
    }

    if (!fca_relay_waits_for_client(conn)) {
        fca_timer_stop(&conn->timer);

    } else if (conn->moved || conn->timer.next == NULL) {
        fca_conn_set_timer(conn);
    }

    return FCA_STEP_WAIT;
}
