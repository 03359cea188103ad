#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "agent/proxy/proxy_int.h"


static const char *
reason(unsigned status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 417:
        return "Expectation Failed";
    case 431:
        return "Request Header Fields Too Large";
    case 502:
        return "Bad Gateway";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Service Unavailable";
    }
}


/* May the rest of the request's body be read and thrown away, so that the
 * connection can be kept?  Whether a client that asked for a 100 still sends
 * one nobody knows. */
static int
rest_is_cheap(const fca_conn_t *conn)
{
    return conn->req.done
           || (conn->req.kind == FCA_BODY_LENGTH && !conn->expect
               && conn->req.left <= FCA_DISCARD_MAX);
}


/* The ids were validated, the other strings are ours: nothing to escape. */
static void
build(fca_conn_t *conn, unsigned status, const char *error,
    const char *unsent, const char *message)
{
    int         n, len;
    char        body[512];
    fca_buf_t  *buf;

    len = snprintf(body, sizeof(body),
                   "{\"error\":\"%s\",\"message\":\"%s\","
                   "\"function_id\":\"%s\",\"request_id\":\"%s\"}\n",
                   error, message, conn->route->function_id,
                   conn->request_id);
    assert(len > 0 && (size_t) len < sizeof(body));

    buf = conn->out;

    n = snprintf(buf->data + buf->ready, FCA_BUF_END - buf->ready,
                 "HTTP/1.1 %u %s\r\n"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %d\r\n"
                 "%s%s%s%s%s%s" FCF_HDR_ERROR ": %s\r\n%s\r\n%s",
                 status, reason(status), len,
                 unsent ? FCF_HDR_UNSENT ": " : "", unsent ? unsent : "",
                 unsent ? "\r\n" : "",
                 *conn->request_id ? "X-Request-Id: " : "", conn->request_id,
                 *conn->request_id ? "\r\n" : "", error,
                 !conn->keep ? "Connection: close\r\n"
                 : conn->minor == 0 ? "Connection: keep-alive\r\n" : "",
                 conn->method == FCA_METHOD_HEAD ? "" : body);
    assert(n > 0 && (uint32_t) n < FCA_BUF_END - buf->ready);

    buf->ready += (uint32_t) n;
    buf->fed = buf->ready;
    buf->last = buf->ready;
}


fca_step_e
fca_answer(fca_conn_t *conn, unsigned status, const char *error,
    const char *unsent, const char *message)
{
    fca_buf_t    *buf;
    fca_dloop_t  *loop;

    assert(!conn->sent_head);

    loop = conn->route->loop;

    if (conn->guest) {
        fca_guest_close(conn->guest);
    }

    fca_route_leave(conn);

    /* what was not sent of the request is not wanted any more */
    buf = conn->in;

    if (buf) {
        buf->pos = buf->fed;
        buf->ready = buf->fed;
    }

    conn->keep = conn->keep && rest_is_cheap(conn) && !conn->route->closing;

    if (conn->out == NULL) {
        conn->out = fca_buf_get(loop);

        if (conn->out == NULL) {
            fca_conn_close(conn);
            return FCA_STEP_GONE;
        }
    }

    /* interim responses that wait to be sent stay */
    buf = conn->out;

    if (buf->pos == buf->ready) {
        fca_buf_reset(buf);

    } else {
        fca_buf_pack(buf);
    }

    if (FCA_BUF_END - buf->ready < 1024) {
        fca_conn_close(conn);
        return FCA_STEP_GONE;
    }

    conn->sent_head = 1;
    fca_count(conn->route, FCA_COUNT_OWN, 1);
    build(conn, status, error, unsent, message);
    fca_conn_set_state(conn, FCA_CONN_ANSWER);

    return FCA_STEP_NEXT;
}


fca_step_e
fca_answer_unsent(fca_conn_t *conn, const char *error, const char *unsent,
    const char *message)
{
    if (conn->retried) {
        return fca_answer(conn, 502, "guest_closed", NULL,
                          "the function closed the connection before it "
                          "answered");
    }

    return fca_answer(conn, 503, error, unsent, message);
}
