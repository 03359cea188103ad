#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "vm/init/conn.h"


void
fcv_conn_close(fcv_conn_t *conn)
{
    close(conn->fd);
    conn->fd = -1;
}


void
fcv_conn_set_out(fcv_conn_t *conn, size_t len)
{
    fcv_put_be32(conn->out, (uint32_t) len);
    conn->out_len = FCV_FRAME_HEAD + len;
    conn->out_sent = 0;
}


void
fcv_conn_answer_json(fcv_conn_t *conn, json_t *json)
{
    char    *text;
    size_t   len;

    text = (char *) conn->out + FCV_FRAME_HEAD;
    len = json_dumpb(json, text, FCV_FRAME_MAX, JSON_COMPACT);
    json_decref(json);

    if (len == 0) {
        len = (size_t) snprintf(text, FCV_FRAME_MAX, "{\"ok\":false,"
                                "\"error\":\"unprintable\"}");
    }

    fcv_conn_set_out(conn, len);
}


void
fcv_conn_answer(fcv_conn_t *conn, const fcf_err_t *failure)
{
    if (failure == NULL) {
        fcv_conn_answer_json(conn, json_pack("{s:b}", "ok", 1));

    } else if (failure->code == FCF_E_UNAVAILABLE) {
        fcv_conn_answer_json(conn, json_pack("{s:b, s:b, s:s}", "ok", 0,
                                             "again", 1, "error",
                                             failure->msg));

    } else {
        fcv_conn_answer_json(conn, json_pack("{s:b, s:s}", "ok", 0, "error",
                                             failure->msg));
    }
}


int
fcv_conn_read(fcv_conn_t *conn)
{
    size_t    room;
    ssize_t   n;
    uint8_t  *p;

    p = fcv_frame_room(&conn->in, &room);

    if (room == 0 || conn->broken) {
        return 0;
    }

    n = recv(conn->fd, p, room, 0);

    if (n > 0) {
        fcv_frame_filled(&conn->in, (size_t) n);
        return 0;
    }

    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}


int
fcv_conn_write(fcv_conn_t *conn)
{
    ssize_t  n;

    n = send(conn->fd, conn->out + conn->out_sent,
             conn->out_len - conn->out_sent, MSG_NOSIGNAL);

    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    }

    conn->out_sent += (size_t) n;

    if (conn->out_sent == conn->out_len) {
        conn->out_len = 0;
        conn->out_sent = 0;
    }

    return 0;
}


int
fcv_conn_is_under_way(const fcv_conn_t *conn)
{
    int  n;

    return ioctl(conn->fd, SIOCOUTQ, &n) == 0 && n > 0;
}


void
fcv_conn_reset(fcv_conn_t *conn)
{
    struct linger  none = { 1, 0 };

    (void) setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    fcv_conn_close(conn);
}
