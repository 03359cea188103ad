/* The function of an instant machine: echo over HTTP/1.1, and its failures. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llhttp.h>

#include "vm/vmm/instant.h"

#define FCV_HEAD_MAX    65536
#define FCV_BODY_MAX    FCV_INSTANT_BODY_MAX
#define FCV_BODIES_MAX  ((size_t) 256 * 1024 * 1024)    /* all at once */
#define FCV_OUT_FULL    65536           /* no request is taken beyond this */
#define FCV_OUT_MAX     (FCV_OUT_FULL + FCV_BODY_MAX + 4 * FCV_HEAD_MAX)

typedef struct {
    fcv_tcp_t    tcp;                   /* first: the owner of it */
    llhttp_t     parser;
    fcf_buf_t    head;                  /* "METHOD TARGET\nName: value\n..." */
    size_t       line_len;              /* of its first line */
    unsigned     nheaders;
    fcf_buf_t    body;
    size_t       counted;               /* of body, in bodies */
    int          status;                /* not 0: refused with it */
    unsigned     busy:1;                /* a request is being answered */
    unsigned     keep:1;
    unsigned     ending:1;              /* the machine, once drained */
} http_t;

static llhttp_settings_t  settings;
static size_t             bodies;       /* bytes in all bodies */


static int
keep(http_t *conn, fcf_buf_t *buf, const char *at, size_t len, int status)
{
    if (fcf_buf_add(buf, at, len) == 0) {
        return 0;
    }

    conn->status = status;

    return HPE_USER;
}


static int
on_url(llhttp_t *parser, const char *at, size_t len)
{
    http_t  *conn;

    conn = parser->data;

    if (conn->head.len == 0
        && fcf_buf_addf(&conn->head, "%s ",
                        llhttp_method_name(parser->method)) != 0)
    {
        return HPE_USER;
    }

    return keep(conn, &conn->head, at, len, 414);
}


static int
on_header(llhttp_t *parser, const char *at, size_t len)
{
    http_t  *conn;

    conn = parser->data;

    return keep(conn, &conn->head, at, len, 431);
}


static int
on_url_end(llhttp_t *parser)
{
    http_t  *conn;

    conn = parser->data;
    conn->line_len = conn->head.len;

    return on_header(parser, "\n", 1);
}


static int
on_header_name_end(llhttp_t *parser)
{
    return on_header(parser, ": ", 2);
}


static int
on_header_end(llhttp_t *parser)
{
    http_t  *conn;

    conn = parser->data;
    conn->nheaders++;

    return on_header(parser, "\n", 1);
}


static int
on_headers_complete(llhttp_t *parser)
{
    http_t  *conn;

    conn = parser->data;

    /* an upgrade is not taken: the request is answered like any other */

    parser->upgrade = 0;

    if (strcasestr(conn->head.data, "\nexpect: 100-continue\n")
        && fcf_buf_addf(&conn->tcp.out, "HTTP/1.1 100 Continue\r\n\r\n") != 0)
    {
        return HPE_USER;
    }

    return 0;
}


static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
    http_t  *conn;

    conn = parser->data;

    if (bodies + len > FCV_BODIES_MAX) {
        conn->status = 503;
        return HPE_USER;
    }

    if (keep(conn, &conn->body, at, len, 413) != 0) {
        return HPE_USER;
    }

    bodies += len;
    conn->counted += len;

    return 0;
}


static int
on_message_complete(llhttp_t *parser)
{
    (void) parser;

    return HPE_PAUSED;
}


static void
forget_request(http_t *conn)
{
    bodies -= conn->counted;
    conn->counted = 0;

    conn->nheaders = 0;

    fcf_buf_free(&conn->head);
    fcf_buf_free(&conn->body);
}


/* -1: no memory, the connection is given up */
static int
send_answer(http_t *conn, const char *type, const char *extra,
    const char *body, size_t len)
{
    int         rc;
    fcf_buf_t  *out;

    out = &conn->tcp.out;

    rc = fcf_buf_addf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
                      "Content-Length: %zu\r\nConnection: %s\r\n%s\r\n",
                      fcv_instant.conf.status,
                      fcv_instant.conf.status == 200 ? "OK" : "Status",
                      type, len, conn->keep ? "keep-alive" : "close", extra);

    if (rc != 0 || conn->parser.method == HTTP_HEAD) {
        return rc;
    }

    if (fcv_instant.conf.guest == FCV_GUEST_CUT) {

        if (len < 2) {
            out->len /= 2;

        } else {
            len /= 2;
        }

        conn->keep = 0;
    }

    return fcf_buf_add(out, body, len);
}


/* as the echo function */
static int
echo(http_t *conn)
{
    int           rc;
    size_t        skip;
    fcf_buf_t     extra;
    const char   *method;

    method = llhttp_method_name(conn->parser.method);
    skip = strlen(method) + 1;

    fcf_buf_init(&extra, FCV_HEAD_MAX + 256);

    rc = fcf_buf_addf(&extra, "X-Echo-Method: %s\r\nX-Echo-Target: %.*s\r\n"
                      "X-Echo-Headers: %u\r\n", method,
                      (int) (conn->line_len - skip), conn->head.data + skip,
                      conn->nheaders);

    if (rc == 0) {
        rc = conn->body.len
             ? send_answer(conn, "application/octet-stream", extra.data,
                           conn->body.data, conn->body.len)
             : send_answer(conn, "text/plain", extra.data, conn->head.data,
                           conn->head.len);
    }

    fcf_buf_free(&extra);

    return rc;
}


/* the body of the settings, repeated where it is to be longer */
static int
fixed(http_t *conn)
{
    size_t                     i;
    static char               *filled;
    const fcv_instant_conf_t  *conf = &fcv_instant.conf;

    if (conf->body_bytes == 0) {
        return send_answer(conn, "text/plain", "", conf->body,
                           conf->body_len);
    }

    if (filled == NULL) {
        filled = malloc(conf->body_bytes);

        for (i = 0; filled && i < conf->body_bytes; i++) {
            filled[i] = conf->body_len ? conf->body[i % conf->body_len] : 'x';
        }
    }

    return filled ? send_answer(conn, "text/plain", "", filled,
                                conf->body_bytes) : -1;
}


static void http_input(fcv_tcp_t *tcp);


static void
answer(void *arg)
{
    int      rc;
    http_t  *conn;

    conn = arg;

    rc = fcv_instant.conf.has_body ? fixed(conn) : echo(conn);

    forget_request(conn);
    conn->busy = 0;
    fcv_instant.answered++;

    if (fcv_instant.conf.exit_after
        && fcv_instant.answered >= fcv_instant.conf.exit_after)
    {
        conn->ending = 1;
    }

    if (rc != 0 || !conn->keep) {
        conn->tcp.closing = !conn->ending;
    }
}


static void
delayed_answer(void *arg)
{
    http_t  *conn;

    conn = arg;

    answer(conn);

    /* pushes, and takes up what was pipelined behind */

    conn->tcp.depth++;
    http_input(&conn->tcp);
    conn->tcp.depth--;
    fcv_tcp_push(&conn->tcp);
}


static void
log_request(http_t *conn)
{
    fcv_output_add(&fcv_instant.output, FCV_STDOUT, conn->head.data,
                   conn->line_len + 1);
    fcv_instant_control_output();
}


static void
request(http_t *conn)
{
    conn->busy = 1;
    conn->keep = llhttp_should_keep_alive(&conn->parser) ? 1 : 0;

    log_request(conn);

    if (fcv_instant.conf.guest == FCV_GUEST_HANG) {
        return;
    }

    if (fcv_instant.conf.exit == FCV_STEP_ANSWER) {
        fcv_loop_quit(fcv_instant.vm->loop, 1);
        return;
    }

    if (fcv_instant.conf.answer_ms) {
        fcv_timer_add(fcv_instant.conf.answer_ms, delayed_answer, conn);

    } else {
        answer(conn);
    }
}


static void
refuse(http_t *conn)
{
    if (fcf_buf_addf(&conn->tcp.out,
                      "HTTP/1.1 %d Refused\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n",
                      conn->status ? conn->status : 400)
        != 0)
    {
        fcf_buf_free(&conn->tcp.out);
    }

    conn->tcp.closing = 1;
}


static void
http_input(fcv_tcp_t *tcp)
{
    http_t          *conn;
    size_t           used;
    llhttp_errno_t   rc;

    conn = (http_t *) tcp;

    while (tcp->in.len && !conn->busy && !conn->ending && !tcp->closing
           && tcp->out.len < FCV_OUT_FULL)
    {
        rc = llhttp_execute(&conn->parser, tcp->in.data, tcp->in.len);

        if (rc == HPE_OK) {
            fcv_tcp_consume(tcp, tcp->in.len);
            break;
        }

        if (rc == HPE_PAUSED_UPGRADE) {
            llhttp_resume_after_upgrade(&conn->parser);

        } else if (rc != HPE_PAUSED) {
            refuse(conn);
            return;
        }

        used = (size_t) (llhttp_get_error_pos(&conn->parser) - tcp->in.data);
        fcv_tcp_consume(tcp, used);

        if (rc == HPE_PAUSED) {
            llhttp_resume(&conn->parser);
            request(conn);
        }
    }

    if (tcp->eof && !conn->ending && tcp->out.len < FCV_OUT_FULL
        && (!conn->busy || fcv_instant.conf.guest == FCV_GUEST_HANG))
    {
        tcp->closing = 1;
    }
}


static void
http_drained(fcv_tcp_t *tcp)
{
    if (((http_t *) tcp)->ending) {
        fcv_instant_end(NULL);
        return;
    }

    http_input(tcp);
    fcv_tcp_push(tcp);
}


static void
http_gone(fcv_tcp_t *tcp)
{
    http_t  *conn;

    conn = (http_t *) tcp;

    /* the answer that was to end the machine found nobody */

    if (conn->ending) {
        fcv_instant_end(NULL);
    }

    fcv_timer_del(delayed_answer, conn);
    forget_request(conn);
    free(conn);
}


static fcv_tcp_t *
http_accept(struct in_addr peer)
{
    http_t  *conn;

    static const fcv_tcp_handler_t  handler = {
        http_input, http_drained, http_gone
    };

    (void) peer;

    conn = calloc(1, sizeof(http_t));

    if (conn == NULL) {
        return NULL;
    }

    fcv_tcp_init(&conn->tcp, &handler, FCV_OUT_MAX);
    fcf_buf_init(&conn->head, FCV_HEAD_MAX);
    fcf_buf_init(&conn->body, FCV_BODY_MAX);

    llhttp_init(&conn->parser, HTTP_REQUEST, &settings);
    conn->parser.data = conn;

    return &conn->tcp;
}


int
fcv_instant_http_listen(unsigned port, fcf_err_t *err)
{
    llhttp_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_url_complete = on_url_end;
    settings.on_header_field = on_header;
    settings.on_header_field_complete = on_header_name_end;
    settings.on_header_value = on_header;
    settings.on_header_value_complete = on_header_end;
    settings.on_headers_complete = on_headers_complete;
    settings.on_body = on_body;
    settings.on_message_complete = on_message_complete;

    return fcv_tcp_listen(port, http_accept, err);
}
