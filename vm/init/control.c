#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "contract/fcf_base64.h"
#include "vm/init/control.h"

#define BACKLOG    16
#define LOG_CHUNK  32768                /* base64 and all within a frame */


static int
listen_on(fcv_control_t *control, struct in_addr address, fcf_err_t *err)
{
    int                 on;
    struct sockaddr_in  sin;

    on = 1;
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr = address;
    sin.sin_port = htons(FCV_CONTROL_PORT);

    control->fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);

    if (control->fd < 0
        || setsockopt(control->fd, SOL_SOCKET, SO_REUSEADDR, &on,
                      sizeof(on)) < 0
        || setsockopt(control->fd, SOL_IP, IP_FREEBIND, &on, sizeof(on)) < 0
        || bind(control->fd, (struct sockaddr *) &sin, sizeof(sin)) < 0
        || listen(control->fd, BACKLOG) < 0)
    {
        return fcf_err_sys(err, errno, "control port %d", FCV_CONTROL_PORT);
    }

    return 0;
}


int
fcv_control_open(fcv_control_t *control, struct in_addr address,
    struct in_addr peer, const fcv_output_t *output, fcv_control_pt handler,
    void *arg, fcf_err_t *err)
{
    int  i;

    control->peer = peer;
    control->output = output;
    control->handler = handler;
    control->arg = arg;

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {
        control->conns[i].fd = -1;
    }

    return listen_on(control, address, err);
}


static int
has_output(const fcv_control_t *control, const fcv_conn_t *conn)
{
    return conn->logs && conn->pos < control->output->total;
}


static void
conn_accept(fcv_control_t *control)
{
    int                 i, fd;
    socklen_t           len;
    fcv_conn_t         *conn;
    struct sockaddr_in  sin;

    len = sizeof(sin);
    fd = accept4(control->fd, (struct sockaddr *) &sin, &len,
                 SOCK_CLOEXEC|SOCK_NONBLOCK);

    if (fd < 0) {
        return;
    }

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {
        if (control->conns[i].fd < 0) {
            break;
        }
    }

    if (i == FCV_CONTROL_CONNS
        || sin.sin_addr.s_addr != control->peer.s_addr)
    {
        close(fd);
        return;
    }

    conn = &control->conns[i];
    conn->fd = fd;
    conn->logs = 0;
    conn->broken = 0;
    conn->waiting = 0;
    conn->pos = 0;
    conn->out_len = 0;
    conn->out_sent = 0;
    conn->in.len = 0;
}


static void
add_output(fcv_control_t *control, fcv_conn_t *conn)
{
    int            n;
    char          *text;
    size_t         len;
    uint64_t       dropped;
    fcv_stream_e   stream;
    static char    raw[LOG_CHUNK];

    if (!has_output(control, conn)) {
        return;
    }

    len = fcv_output_read(control->output, &conn->pos, &stream, raw,
                          sizeof(raw), &dropped);
    text = (char *) conn->out + FCV_FRAME_HEAD;

    n = snprintf(text, FCV_FRAME_MAX, "{\"stream\":\"%s\",\"dropped\":%llu,"
                 "\"data\":\"", stream == FCV_STDERR ? "stderr" : "stdout",
                 (unsigned long long) dropped);

    len = (size_t) n + fcf_base64_encode(text + n, raw, len);
    text[len++] = '"';
    text[len++] = '}';

    fcv_conn_set_out(conn, len);
}


static int
dispatch(fcv_control_t *control, fcv_conn_t *conn, const json_t *request,
    fcf_err_t *err)
{
    const char  *op;

    op = json_string_value(json_object_get(request, "op"));

    if (op == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "op is not a string");
    }

    if (strcmp(op, "logs") == 0) {
        control->followed = 1;
        conn->logs = 1;
        conn->pos = 0;
        return 0;
    }

    return control->handler(control->arg, op, request, err);
}


static void
handle_frame(fcv_control_t *control, fcv_conn_t *conn, const char *text,
    size_t len)
{
    int            rc;
    json_t        *request;
    fcf_err_t      err;
    json_error_t   where;

    request = json_loadb(text, len, 0, &where);

    if (request == NULL) {
        rc = fcf_err_set(&err, FCF_E_INVALID, "JSON, byte %d: %s",
                         where.position, where.text);

    } else {
        rc = dispatch(control, conn, request, &err);
    }

    json_decref(request);

    if (rc == FCV_CONTROL_LATER) {
        conn->waiting = 1;
        return;
    }

    fcv_conn_answer(conn, rc < 0 ? &err : NULL);
}


/* one frame at most: its answer must be sent before the next is looked at */

static void
take_frame(fcv_control_t *control, fcv_conn_t *conn)
{
    int          rc;
    size_t       len;
    fcf_err_t    err;
    const char  *text;

    rc = fcv_frame_next(&conn->in, &text, &len, &err);

    if (rc < 0) {
        conn->broken = 1;
        fcv_conn_answer(conn, &err);
        return;
    }

    if (rc > 0) {
        handle_frame(control, conn, text, len);
        fcv_frame_drop(&conn->in);
    }
}


/* -1: the connection is done with */

static int
conn_run(fcv_control_t *control, fcv_conn_t *conn)
{
    size_t  before;

    do {
        if (conn->out_len == 0 && !conn->broken && !conn->waiting) {
            take_frame(control, conn);
        }

        if (conn->out_len == 0) {
            add_output(control, conn);
        }

        if (conn->out_len == 0) {
            return conn->broken ? -1 : 0;
        }

        before = conn->out_sent;

        if (fcv_conn_write(conn) < 0) {
            return -1;
        }

    } while (conn->out_len == 0 || conn->out_sent > before);

    return 0;
}


void
fcv_control_want(const fcv_control_t *control, struct pollfd *fds)
{
    int                i;
    const fcv_conn_t  *conn;

    fds[0].fd = control->fd;
    fds[0].events = POLLIN;

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {
        conn = &control->conns[i];

        fds[i + 1].fd = conn->fd;
        fds[i + 1].events = 0;

        if (conn->out_len > 0 || has_output(control, conn)) {
            fds[i + 1].events |= POLLOUT;
        }

        if (conn->in.len < sizeof(conn->in.buf) && !conn->broken) {
            fds[i + 1].events |= POLLIN;
        }
    }
}


void
fcv_control_ready(fcv_control_t *control, const struct pollfd *fds)
{
    int          i, rc;
    fcv_conn_t  *conn;

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {
        conn = &control->conns[i];

        if (conn->fd < 0 || fds[i + 1].revents == 0) {
            continue;
        }

        rc = fds[i + 1].revents & (POLLERR|POLLNVAL) ? -1 : 0;

        if (rc == 0 && (fds[i + 1].revents & (POLLIN|POLLHUP))) {
            rc = fcv_conn_read(conn);
        }

        if (rc == 0) {
            rc = conn_run(control, conn);
        }

        if (rc < 0) {
            fcv_conn_close(conn);
        }
    }

    if (fds[0].revents & POLLIN) {
        conn_accept(control);
    }
}


void
fcv_control_done(fcv_control_t *control, json_t *answer,
    const fcf_err_t *failure)
{
    int          i;
    fcv_conn_t  *conn;

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {
        conn = &control->conns[i];

        if (conn->fd < 0 || !conn->waiting) {
            continue;
        }

        conn->waiting = 0;

        if (failure) {
            fcv_conn_answer(conn, failure);
        } else {
            fcv_conn_answer_json(conn, json_incref(answer));
        }

        if (conn_run(control, conn) < 0) {
            fcv_conn_close(conn);
        }
    }

    json_decref(answer);
}


int
fcv_control_move(fcv_control_t *control, struct in_addr address,
    fcf_err_t *err)
{
    int  i;

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {
        if (control->conns[i].fd >= 0) {
            fcv_conn_reset(&control->conns[i]);
        }
    }

    close(control->fd);

    return listen_on(control, address, err);
}


int
fcv_control_behind(const fcv_control_t *control)
{
    int                i;
    const fcv_conn_t  *conn;

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {
        conn = &control->conns[i];

        if (conn->fd >= 0
            && (conn->out_len > 0 || has_output(control, conn)
                || fcv_conn_is_under_way(conn)))
        {
            return 1;
        }
    }

    return 0;
}
