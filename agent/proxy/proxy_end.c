#include <sys/socket.h>
#include "agent/proxy/proxy_int.h"


/* ANSWER */
fca_step_e
fca_conn_flush(fca_conn_t *conn)
{
    ssize_t     n;
    fca_buf_t  *buf;

    buf = conn->out;

    while (buf->pos < buf->ready) {

        if (conn->sock.err) {
            return fca_conn_drop(conn);
        }

        if (!conn->sock.wr) {
            return FCA_STEP_WAIT;
        }

        n = fca_sock_send(&conn->sock, buf->data + buf->pos,
                          buf->ready - buf->pos);

        if (n == -2) {
            return fca_conn_drop(conn);
        }

        if (n > 0) {
            buf->pos += (uint32_t) n;
        }
    }

    return fca_conn_over(conn);
}


fca_step_e
fca_conn_over(fca_conn_t *conn)
{
    fca_buf_t    *buf;
    fca_dloop_t  *loop;

    loop = conn->route->loop;
    conn->sent_head = 0;
    conn->request_id[0] = '\0';
    fca_buf_put(loop, &conn->out);

    buf = conn->in;

    if (buf && buf->fed == buf->last) {
        fca_buf_put(loop, &conn->in);

    } else if (buf) {
        buf->pos = buf->fed;
        buf->ready = buf->fed;
    }

    if (!conn->keep) {

        if (conn->req.done && conn->in == NULL && !conn->sock.rd) {
            return fca_conn_drop(conn);
        }

        /* closing with bytes unread would reset the connection under the
         * answer */
        (void) shutdown(conn->sock.fd, SHUT_WR);
        fca_buf_put(loop, &conn->in);
        fca_conn_set_state(conn, FCA_CONN_LINGER);

        return FCA_STEP_NEXT;
    }

    if (!conn->req.done) {
        fca_conn_set_state(conn, FCA_CONN_DISCARD);
        return FCA_STEP_NEXT;
    }

    fca_head_start(&conn->reader, 0);
    fca_conn_set_state(conn, FCA_CONN_IDLE);

    return FCA_STEP_NEXT;
}


fca_step_e
fca_conn_discard(fca_conn_t *conn)
{
    ssize_t     n;
    fca_buf_t  *buf;

    while (!conn->req.done) {
        buf = conn->in;

        if (buf && buf->fed < buf->last) {
            n = fca_body_feed(&conn->req, buf->data + buf->fed,
                              buf->last - buf->fed, NULL);

            if (n < 0) {
                return fca_conn_drop(conn);
            }

            conn->discarded += (uint64_t) n;
            buf->fed += (uint32_t) n;
            continue;
        }

        if (!conn->sock.rd) {
            return FCA_STEP_WAIT;
        }

        if (conn->discarded > FCA_DISCARD_MAX) {
            conn->keep = 0;
            return fca_conn_over(conn);
        }

        if (buf == NULL) {
            buf = conn->in = fca_buf_get(conn->route->loop);

            if (buf == NULL) {
                return fca_conn_drop(conn);
            }
        }

        fca_buf_reset(buf);
        n = fca_sock_recv(&conn->sock, buf->data + buf->last,
                          FCA_BUF_END - buf->last);

        if (n == 0 || n == -2) {
            return fca_conn_drop(conn);
        }

        if (n > 0) {
            buf->last += (uint32_t) n;
        }
    }

    return fca_conn_over(conn);
}


fca_step_e
fca_conn_linger(fca_conn_t *conn)
{
    int          turns;
    char         waste[4096];
    ssize_t      n;

    for (turns = 0; conn->sock.rd; turns++) {

        if (turns == FCA_TURNS) {
            fca_dloop_post(conn->route->loop, &conn->sock);
            return FCA_STEP_WAIT;
        }

        n = fca_sock_recv(&conn->sock, waste, sizeof(waste));

        if (n == 0 || n == -2) {
            return fca_conn_drop(conn);
        }
    }

    return FCA_STEP_WAIT;
}
