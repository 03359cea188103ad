#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm/vmm/http_conn.h"

#define FCV_HTTP_URL_MAX   1024
#define FCV_HTTP_HEAD_MAX  16384
#define FCV_HTTP_HEADER_MAX  1024
#define FCV_HTTP_IN_MAX    (FCV_HTTP_HEAD_MAX + FCV_HTTP_BODY_MAX)


void
fcv_http_conn_close(fcv_http_conn_t *conn)
{
    fcv_loop_del(conn->http->loop, &conn->source);
    (void) close(conn->source.fd);

    conn->source.fd = -1;
    conn->waiting = 0;

    fcf_buf_free(&conn->in);
    fcf_buf_free(&conn->url);
    fcf_buf_free(&conn->word);
    fcf_buf_free(&conn->body);
    fcf_buf_free(&conn->out);
}


static const char *
reason(int status)
{
    return status == 200 ? "OK" : status == 204 ? "No Content"
           : status == 503 ? "Service Unavailable" : "Bad Request";
}


/* takes the body over; -1: out of memory */
int
fcv_http_conn_answer(fcv_http_conn_t *conn, int status, json_t *body)
{
    int    rc;
    char  *text;

    text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);

    rc = fcf_buf_addf(&conn->out,
                      "HTTP/1.1 %d %s\r\nServer: Firecracker API\r\n"
                      "Connection: %s\r\n", status, reason(status),
                      conn->closing ? "close" : "keep-alive");

    if (rc == 0 && text) {
        rc = fcf_buf_addf(&conn->out,
                          "Content-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          strlen(text), text);

    } else if (rc == 0) {
        rc = fcf_buf_addf(&conn->out, "\r\n");
    }

    free(text);

    return rc;
}


/* 0 or -1: the connection is broken */
int
fcv_http_conn_flush(fcv_http_conn_t *conn)
{
    ssize_t   n;
    uint32_t  events;

    while (conn->out.len) {
        n = send(conn->source.fd, conn->out.data, conn->out.len,
                 MSG_NOSIGNAL|MSG_DONTWAIT);

        if (n == -1) {
            if (errno == EAGAIN) {
                break;
            }

            return -1;
        }

        fcf_buf_consume(&conn->out, (size_t) n);
    }

    if (conn->out.len == 0 && (conn->closing || conn->eof) && !conn->waiting) {
        return -1;
    }

    events = conn->out.len ? EPOLLOUT : 0;

    if (conn->in.len < FCV_HTTP_IN_MAX && !conn->closing && !conn->eof) {
        events |= EPOLLIN;
    }

    if (events != conn->events) {
        conn->events = events;
        fcv_loop_mod(conn->http->loop, &conn->source, events);
    }

    return 0;
}


static int
on_url(llhttp_t *parser, const char *at, size_t len)
{
    fcv_http_conn_t  *conn;

    conn = parser->data;

    if (conn->url.len + len > FCV_HTTP_URL_MAX) {
        conn->refusal = "The request path is too long.";
        return HPE_USER;
    }

    return fcf_buf_add(&conn->url, at, len) == 0 ? 0 : HPE_USER;
}


static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
    fcv_http_conn_t  *conn;

    conn = parser->data;

    if (conn->body.len + len > FCV_HTTP_BODY_MAX) {
        conn->refusal = "The request body exceeds the limit of 51200 bytes.";
        return HPE_USER;
    }

    return fcf_buf_add(&conn->body, at, len) == 0 ? 0 : HPE_USER;
}


/* names and values may come in pieces */
static int
on_header(llhttp_t *parser, const char *at, size_t len)
{
    fcv_http_conn_t  *conn;

    conn = parser->data;
    conn->head_len += len;

    if (conn->head_len > FCV_HTTP_HEAD_MAX) {
        conn->refusal = "The request head is too long.";
        return HPE_USER;
    }

    if (conn->word.len + len > FCV_HTTP_HEADER_MAX) {
        conn->refusal = "A header is too long.";
        return HPE_USER;
    }

    return fcf_buf_add(&conn->word, at, len) == 0 ? 0 : HPE_USER;
}


static int
word_is(fcv_http_conn_t *conn, const char *word)
{
    int  same;

    same = conn->word.len && strcasecmp(conn->word.data, word) == 0;
    fcf_buf_reset(&conn->word);

    return same;
}


static int
on_header_field_end(llhttp_t *parser)
{
    fcv_http_conn_t  *conn;

    conn = parser->data;
    conn->expect_name = word_is(conn, "expect") ? 1 : 0;

    return 0;
}


static int
on_header_value_end(llhttp_t *parser)
{
    fcv_http_conn_t  *conn;

    conn = parser->data;

    if (word_is(conn, "100-continue") && conn->expect_name) {
        conn->expect = 1;
    }

    return 0;
}


static int
on_headers_complete(llhttp_t *parser)
{
    int               rc;
    fcv_http_conn_t  *conn;

    conn = parser->data;

    /* llhttp takes 0.9 and 2.0 as well */
    if (parser->http_major != 1 || parser->http_minor > 1) {
        conn->refusal = "Unsupported HTTP version.";
        return HPE_USER;
    }

    if (parser->flags & F_TRANSFER_ENCODING) {
        conn->refusal = "Unsupported header: Transfer-Encoding.";
        return HPE_USER;
    }

    if ((parser->flags & F_CONTENT_LENGTH)
        && parser->content_length > FCV_HTTP_BODY_MAX)
    {
        conn->refusal = "The request body exceeds the limit of 51200 bytes.";
        return HPE_USER;
    }

    if (conn->expect) {
        rc = fcf_buf_addf(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");

        return rc == 0 ? 0 : HPE_USER;
    }

    return 0;
}


static int
on_message_complete(llhttp_t *parser)
{
    (void) parser;

    return HPE_PAUSED;
}


/* One request is complete. */
static int
conn_request(fcv_http_conn_t *conn)
{
    fcv_api_t    *api;
    fcv_reply_t   reply;

    api = conn->http->api;

    if (!llhttp_should_keep_alive(&conn->parser)) {
        conn->closing = 1;
    }

    /* api->later finds the connection by "waiting" */

    fcv_api_request(api, llhttp_method_name(conn->parser.method),
                    conn->url.data, conn->body.data, conn->body.len, &reply);

    fcf_buf_reset(&conn->url);
    fcf_buf_reset(&conn->body);
    conn->expect = 0;
    conn->head_len = 0;

    if (reply.status == FCV_LATER) {
        conn->waiting = 1;
        return 0;
    }

    return fcv_http_conn_answer(conn, reply.status, reply.body);
}


static int
conn_bad(fcv_http_conn_t *conn)
{
    const char  *why;

    why = conn->refusal ? conn->refusal
                        : llhttp_get_error_reason(&conn->parser);
    why = why ? why : "bad HTTP";
    conn->closing = 1;
    fcf_buf_reset(&conn->in);

    /* what is no request, or too large for one, has another form */

    return fcv_http_conn_answer(conn, 400, json_pack("{s:s}", "error", why));
}


/* Parses what was read, as far as no answer is waited for. */
int
fcv_http_conn_parse(fcv_http_conn_t *conn)
{
    size_t          used;
    llhttp_errno_t  rc;

    while (conn->in.len && !conn->waiting && !conn->closing) {
        rc = llhttp_execute(&conn->parser, conn->in.data, conn->in.len);

        if (rc == HPE_OK) {
            fcf_buf_reset(&conn->in);
            return 0;
        }

        if (rc == HPE_PAUSED_UPGRADE) {
            llhttp_resume_after_upgrade(&conn->parser);

        } else if (rc != HPE_PAUSED) {
            return conn_bad(conn);
        }

        used = (size_t) (llhttp_get_error_pos(&conn->parser) - conn->in.data);
        fcf_buf_consume(&conn->in, used);

        if (rc == HPE_PAUSED) {
            llhttp_resume(&conn->parser);

            if (conn_request(conn) != 0) {
                return -1;
            }
        }
    }

    return 0;
}


static int
conn_read(fcv_http_conn_t *conn)
{
    char     buf[8192];
    ssize_t  n;

    n = recv(conn->source.fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n == -1) {
        return errno == EAGAIN ? 0 : -1;
    }

    if (n == 0) {
        conn->eof = 1;
        return 0;
    }

    return fcf_buf_add(&conn->in, buf, (size_t) n);
}


static void
conn_handler(void *arg, uint32_t events)
{
    fcv_http_conn_t  *conn;

    conn = arg;

    if ((events & EPOLLIN)
        && (conn_read(conn) != 0 || fcv_http_conn_parse(conn) != 0))
    {
        fcv_http_conn_close(conn);
        return;
    }

    if ((events & (EPOLLHUP|EPOLLERR)) || fcv_http_conn_flush(conn) != 0) {
        fcv_http_conn_close(conn);
    }
}


void
fcv_http_settings(llhttp_settings_t *settings)
{
    llhttp_settings_init(settings);
    settings->on_url = on_url;
    settings->on_header_field = on_header;
    settings->on_header_field_complete = on_header_field_end;
    settings->on_header_value = on_header;
    settings->on_header_value_complete = on_header_value_end;
    settings->on_headers_complete = on_headers_complete;
    settings->on_body = on_body;
    settings->on_message_complete = on_message_complete;
}


void
fcv_http_conn_open(fcv_http_t *http, fcv_http_conn_t *conn, int fd)
{
    fcf_err_t  err;

    memset(conn, 0, sizeof(fcv_http_conn_t));

    conn->http = http;
    conn->events = EPOLLIN;
    conn->source.fd = fd;
    conn->source.handler = conn_handler;
    conn->source.arg = conn;

    fcf_buf_init(&conn->in, FCV_HTTP_IN_MAX + 8192);
    fcf_buf_init(&conn->url, FCV_HTTP_URL_MAX + 1);
    fcf_buf_init(&conn->word, FCV_HTTP_HEAD_MAX + 1);
    fcf_buf_init(&conn->body, FCV_HTTP_BODY_MAX + 1);
    fcf_buf_init(&conn->out, 1024 * 1024);

    llhttp_init(&conn->parser, HTTP_REQUEST, &http->settings);
    conn->parser.data = conn;

    if (fcv_loop_add(http->loop, &conn->source, EPOLLIN, &err) != 0) {
        (void) close(fd);
        conn->source.fd = -1;
    }
}
