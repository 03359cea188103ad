#include <string.h>
#include "agent/proxy/proxy_int.h"


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
token_is(const fca_span_t *token, const char *text, size_t len)
{
    size_t    i;
    uint8_t   diff;

    if (token->len != len) {
        return 0;
    }

    diff = 0;

    for (i = 0; i < len; i++) {
        diff |= (uint8_t) (token->data[i] ^ text[i]);
    }

    return diff == 0;
}


/* While another one comes into use, each line of ours is one. */
static int
token_matches(const fca_access_t *access, const fca_span_t *token)
{
    int          found;
    size_t       left, len;
    const char  *line, *end;

    line = access->token;
    left = access->token_len;
    found = left == 0;

    while (left > 0) {
        end = memchr(line, '\n', left);
        len = end != NULL ? (size_t) (end - line) : left;
        found |= token_is(token, line, len);
        len += end != NULL;
        line += len;
        left -= len;
    }

    return found;
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

    if (route == &route->loop->orphans) {
        fca_route_name(route, &head->function);
    }

    if (head->function.len != route->function_len
        || memcmp(head->function.data, route->function_id,
                  route->function_len) != 0)
    {
        return fca_answer(conn, 503, "wrong_function",
                          FCF_UNSENT_WRONG_FUNCTION,
                          "another function is served on this port");
    }

    fca_idle_leave(conn);
    conn->known = 1;

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
