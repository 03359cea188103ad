#include <errno.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "contract/fcf_buf.h"
#include "vm/functions/echo/conn.h"

#define HEAD_MAX   65536        /* request line and headers */
#define BODY_MAX   (64 * 1024 * 1024)
#define READ_SIZE  65536
#define CONTINUE   "HTTP/1.1 100 Continue\r\n\r\n"

struct fcv_echo_s {
    int          fd;
    unsigned     keepalive:1;
    unsigned     complete:1;            /* the answer is in out and body */
    unsigned     lingering:1;           /* all is said, what comes is lost */
    int          status;                /* of a refusal; 0: none */
    unsigned     headers;
    size_t       target, target_len;    /* in head */
    llhttp_t     parser;
    fcf_buf_t    head;                  /* "METHOD TARGET\nName: value\n..." */
    fcf_buf_t    body;
    size_t       held;                  /* of body, in body_held */
    fcf_buf_t    out;                   /* 100 Continue, the answer's head */
    size_t       body_sent;
    size_t       in_pos, in_len;
    char         in[READ_SIZE];
};

static size_t  body_limit = BODY_MAX;
static size_t  body_held;


/* -1 ends the parser with HPE_USER */

static int
refuse(fcv_echo_t *echo, int status)
{
    echo->status = status;
    return -1;
}


static int
add_head(fcv_echo_t *echo, const char *data, size_t len)
{
    if (fcf_buf_add(&echo->head, data, len) != 0) {
        return refuse(echo, 431);
    }

    return 0;
}


static int
on_method(llhttp_t *parser)
{
    fcv_echo_t  *echo = parser->data;
    const char  *name;

    name = llhttp_method_name(llhttp_get_method(parser));

    if (add_head(echo, name, strlen(name)) < 0 || add_head(echo, " ", 1) < 0) {
        return -1;
    }

    echo->target = echo->head.len;

    return 0;
}


static int
on_data(llhttp_t *parser, const char *data, size_t len)
{
    return add_head(parser->data, data, len);
}


static int
on_target_end(llhttp_t *parser)
{
    fcv_echo_t  *echo = parser->data;

    echo->target_len = echo->head.len - echo->target;

    return add_head(echo, "\n", 1);
}


static int
on_name_end(llhttp_t *parser)
{
    fcv_echo_t  *echo = parser->data;

    echo->headers++;

    return add_head(echo, ": ", 2);
}


static int
on_value_end(llhttp_t *parser)
{
    return add_head(parser->data, "\n", 1);
}


/* an upgrade is not taken: the request is answered like any other */

static int
on_headers_end(llhttp_t *parser)
{
    fcv_echo_t  *echo = parser->data;

    parser->upgrade = 0;

    if (strcasestr(echo->head.data, "\nExpect: 100-continue\n")
        && fcf_buf_add(&echo->out, CONTINUE, sizeof(CONTINUE) - 1) != 0)
    {
        return refuse(echo, 500);
    }

    return 0;
}


static int
on_body(llhttp_t *parser, const char *data, size_t len)
{
    fcv_echo_t  *echo = parser->data;

    if (len > body_limit - body_held
        || fcf_buf_add(&echo->body, data, len) != 0)
    {
        return refuse(echo, 413);
    }

    echo->held += len;
    body_held += len;

    return 0;
}


static int
on_end(llhttp_t *parser)
{
    fcv_echo_t  *echo = parser->data;

    echo->keepalive = llhttp_should_keep_alive(parser) != 0;

    return HPE_PAUSED;
}


static const llhttp_settings_t  settings = {
    .on_method_complete = on_method,
    .on_url = on_data,
    .on_url_complete = on_target_end,
    .on_header_field = on_data,
    .on_header_field_complete = on_name_end,
    .on_header_value = on_data,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_headers_end,
    .on_body = on_body,
    .on_message_complete = on_end
};


void
fcv_echo_limit(size_t bytes)
{
    body_limit = bytes < BODY_MAX ? bytes : BODY_MAX;
}


static void
drop_body(fcv_echo_t *echo)
{
    body_held -= echo->held;
    echo->held = 0;
    fcf_buf_free(&echo->body);
}


fcv_echo_t *
fcv_echo_new(int fd)
{
    fcv_echo_t  *echo;

    echo = calloc(1, sizeof(*echo));
    if (echo == NULL) {
        return NULL;
    }

    echo->fd = fd;
    fcf_buf_init(&echo->head, HEAD_MAX);
    fcf_buf_init(&echo->body, BODY_MAX);
    fcf_buf_init(&echo->out, HEAD_MAX + READ_SIZE);

    llhttp_init(&echo->parser, HTTP_REQUEST, &settings);
    echo->parser.data = echo;

    return echo;
}


void
fcv_echo_free(fcv_echo_t *echo)
{
    drop_body(echo);
    fcf_buf_free(&echo->head);
    fcf_buf_free(&echo->out);
    close(echo->fd);
    free(echo);
}


/* the body of the answer is in echo->body: the request's, or its head as text
 * if it had none */

static int
compose(fcv_echo_t *echo)
{
    int         method;
    const char  *type;

    method = llhttp_get_method(&echo->parser);
    type = "application/octet-stream";

    if (echo->body.len == 0) {
        type = "text/plain";

        if (fcf_buf_add(&echo->body, echo->head.data, echo->head.len) != 0) {
            return -1;
        }
    }

    if (fcf_buf_addf(&echo->out, "HTTP/1.1 200 OK\r\n"
                     "Content-Type: %s\r\n"
                     "Content-Length: %zu\r\n"
                     "Connection: %s\r\n"
                     "X-Echo-Method: %s\r\n"
                     "X-Echo-Target: %.*s\r\n"
                     "X-Echo-Headers: %u\r\n\r\n",
                     type, echo->body.len,
                     echo->keepalive ? "keep-alive" : "close",
                     llhttp_method_name((llhttp_method_t) method),
                     (int) echo->target_len, echo->head.data + echo->target,
                     echo->headers) != 0)
    {
        return -1;
    }

    if (method == HTTP_HEAD) {
        echo->body_sent = echo->body.len;
    }

    return 0;
}


static const char *
reason(int status)
{
    switch (status) {

    case 400:
        return "Bad Request";

    case 413:
        return "Content Too Large";

    case 431:
        return "Request Header Fields Too Large";

    default:
        return "Internal Server Error";
    }
}


/* after this nothing more is read; out of memory: just closed */

static void
compose_refusal(fcv_echo_t *echo)
{
    echo->keepalive = 0;
    drop_body(echo);

    (void) !fcf_buf_addf(&echo->out, "HTTP/1.1 %d %s\r\n"
                         "Content-Length: 0\r\nConnection: close\r\n\r\n",
                         echo->status, reason(echo->status));
}


static void
parse(fcv_echo_t *echo)
{
    llhttp_errno_t  rc;

    rc = llhttp_execute(&echo->parser, echo->in + echo->in_pos,
                        echo->in_len - echo->in_pos);

    if (rc == HPE_OK) {
        echo->in_pos = echo->in_len;
        return;
    }

    if (rc == HPE_PAUSED) {
        echo->in_pos = (size_t) (llhttp_get_error_pos(&echo->parser)
                                 - echo->in);

        if (compose(echo) == 0) {
            echo->complete = 1;
            return;
        }

        echo->status = 500;
    }

    if (echo->status == 0) {
        echo->status = 400;
    }

    compose_refusal(echo);
    echo->complete = 1;
}


static void
next_request(fcv_echo_t *echo)
{
    drop_body(echo);
    fcf_buf_reset(&echo->head);
    echo->body_sent = 0;
    echo->headers = 0;
    echo->status = 0;
    echo->complete = 0;
    llhttp_resume(&echo->parser);
}


/* 1: all of it, 0: the socket is full, -1: the client is gone */

static int
put(fcv_echo_t *echo, const char *data, size_t len, size_t *sent)
{
    ssize_t  n;

    while (*sent < len) {
        n = send(echo->fd, data + *sent, len - *sent, MSG_NOSIGNAL);

        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        }

        *sent += (size_t) n;
    }

    return 1;
}


static int
flush(fcv_echo_t *echo)
{
    int     rc;
    size_t  sent;

    sent = 0;
    rc = put(echo, echo->out.data, echo->out.len, &sent);
    fcf_buf_consume(&echo->out, sent);

    if (rc == 1 && echo->complete) {
        rc = put(echo, echo->body.data, echo->body.len, &echo->body_sent);
    }

    return rc;
}


/* a close with bytes unread would reset the connection under the answer */

static unsigned
linger(fcv_echo_t *echo)
{
    ssize_t  n;

    if (!echo->lingering) {
        echo->lingering = 1;
        shutdown(echo->fd, SHUT_WR);
    }

    do {
        n = recv(echo->fd, echo->in, sizeof(echo->in), 0);
    } while (n > 0);

    return n < 0 && (errno == EAGAIN || errno == EINTR) ? EPOLLIN : 0;
}


/* 1: bytes came, 0: none yet, -1: the client is gone */

static int
fill(fcv_echo_t *echo)
{
    ssize_t  n;

    n = recv(echo->fd, echo->in, sizeof(echo->in), 0);

    if (n > 0) {
        echo->in_pos = 0;
        echo->in_len = (size_t) n;
        return 1;
    }

    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}


int
fcv_echo_fd(const fcv_echo_t *echo)
{
    return echo->fd;
}


unsigned
fcv_echo_run(fcv_echo_t *echo)
{
    int  rc;

    for ( ;; ) {
        rc = flush(echo);

        if (rc <= 0) {
            return rc < 0 ? 0 : EPOLLOUT;
        }

        if (echo->complete) {
            if (!echo->keepalive) {
                return linger(echo);
            }

            next_request(echo);
        }

        if (echo->in_pos == echo->in_len) {
            rc = fill(echo);

            if (rc <= 0) {
                return rc < 0 ? 0 : EPOLLIN;
            }
        }

        parse(echo);
    }
}
