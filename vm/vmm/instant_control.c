#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "contract/fcf_base64.h"
#include "vm/guest.h"
#include "vm/init/frame.h"
#include "vm/vmm/instant_clone.h"

#define FCV_CONTROL_CONNS  8
#define FCV_LOG_CHUNK      32768
#define FCV_STOP_FLUSH_MS  200
#define FCV_STOP_MAX_MS    (3600 * 1000)

typedef struct control_s  control_t;

struct control_s {
    fcv_tcp_t         tcp;              /* first: the owner of it */
    unsigned          logs:1;
    unsigned          ending:1;         /* the machine, once drained */
    unsigned          tells:1;          /* whether user space is seeded */
    uint64_t          pos;              /* in the output, if logs */
    fcv_frame_in_t    in;
};

typedef int (*op_pt)(control_t *conn, const json_t *request, fcf_err_t *err);

static int op_stop(control_t *conn, const json_t *request, fcf_err_t *err);
static int op_logs(control_t *conn, const json_t *request, fcf_err_t *err);
static int op_time(control_t *conn, const json_t *request, fcf_err_t *err);
static int op_seed(control_t *conn, const json_t *request, fcf_err_t *err);
static int op_snapshot(control_t *conn, const json_t *request,
    fcf_err_t *err);
static int op_wake(control_t *conn, const json_t *request, fcf_err_t *err);

static const struct {
    const char  *name;
    op_pt        run;
} ops[] = {
    { "stop", op_stop },
    { "logs", op_logs },
    { "time", op_time },
    { "seed", op_seed },
    { "snapshot", op_snapshot },
    { "wake", op_wake }
};

static control_t  *conns[FCV_CONTROL_CONNS];


static int
op_stop(control_t *conn, const json_t *request, fcf_err_t *err)
{
    json_int_t     ms;
    const json_t  *value;

    value = json_object_get(request, "timeout_ms");
    ms = json_integer_value(value);

    if (value && (!json_is_integer(value) || ms < 0 || ms > FCV_STOP_MAX_MS)) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "timeout_ms is not an integer within 0-%d",
                           FCV_STOP_MAX_MS);
    }

    conn->ending = 1;

    /* the answer gets out first, if the host takes it */

    fcv_timer_add(FCV_STOP_FLUSH_MS, fcv_instant_end, NULL);

    return 0;
}


static int
op_logs(control_t *conn, const json_t *request, fcf_err_t *err)
{
    (void) request;

    if (fcv_instant.conf.logs_len) {
        return fcf_buf_add(&conn->tcp.out, fcv_instant.conf.logs,
                           fcv_instant.conf.logs_len) == 0
               ? 0 : fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    conn->logs = 1;
    conn->pos = 0;

    return 0;
}


static int
op_time(control_t *conn, const json_t *request, fcf_err_t *err)
{
    const json_t  *value;

    (void) conn;

    value = json_object_get(request, "ms");

    if (!json_is_integer(value) || json_integer_value(value) <= 0) {
        return fcf_err_set(err, FCF_E_INVALID, "ms is not a time");
    }

    return 0;
}


static int
op_seed(control_t *conn, const json_t *request, fcf_err_t *err)
{
    char         data[FCV_SEED_MAX + 3];
    size_t       len;
    const char  *text;

    (void) conn;

    text = json_string_value(json_object_get(request, "data"));

    if (text == NULL
        || strlen(text) > fcf_base64_encoded_len(FCV_SEED_MAX)
        || fcf_base64_decode(data, &len, text, strlen(text)) != 0
        || len == 0)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "data is not base64 of 1-%d bytes", FCV_SEED_MAX);
    }

    return 0;
}


static int
op_snapshot(control_t *conn, const json_t *request, fcf_err_t *err)
{
    (void) request;

    conn->tells = 1;

    return fcv_instant_snapshot(err);
}


static int
op_wake(control_t *conn, const json_t *request, fcf_err_t *err)
{
    conn->tells = 1;

    return op_time(conn, request, err) != 0 || op_seed(conn, request, err) != 0
           ? -1 : fcv_instant_wake(request, err);
}


static int
dispatch(control_t *conn, const json_t *request, fcf_err_t *err)
{
    size_t       i;
    const char  *op;

    op = json_string_value(json_object_get(request, "op"));

    if (op == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "op is not a string");
    }

    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (strcmp(ops[i].name, op) == 0) {
            return ops[i].run(conn, request, err);
        }
    }

    return fcf_err_set(err, FCF_E_INVALID, "unknown op \"%.80s\"", op);
}


/* -1: no room, the connection is given up */
static int
send_frame(control_t *conn, const char *text, size_t len)
{
    uint8_t  head[FCV_FRAME_HEAD];

    fcv_put_be32(head, (uint32_t) len);

    return fcf_buf_add(&conn->tcp.out, head, sizeof(head)) == 0
           && fcf_buf_add(&conn->tcp.out, text, len) == 0 ? 0 : -1;
}


static int
answer(control_t *conn, const fcf_err_t *failure)
{
    int      rc;
    char    *text;
    json_t  *json;

    json = failure ? json_pack("{s:b, s:s}", "ok", 0, "error", failure->msg)
                   : json_pack("{s:b}", "ok", 1);

    if (!failure && conn->tells) {
        (void) json_object_set_new(json, "reseeds",
                                   json_boolean(!fcv_instant.conf.forgets));
    }

    if (!failure && conn->tells && fcv_instant.conf.young) {
        (void) json_object_set_new(json, "young", json_true());
    }

    conn->tells = 0;
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    rc = text ? send_frame(conn, text, strlen(text)) : -1;

    json_decref(json);
    free(text);

    return rc;
}


static int
handle_frame(control_t *conn, const char *text, size_t len)
{
    int            rc;
    json_t        *request;
    fcf_err_t      err;
    json_error_t   where;

    request = json_loadb(text, len, 0, &where);

    if (request == NULL) {
        rc = fcf_err_set(&err, FCF_E_INVALID, "JSON, byte %d: %.200s",
                         where.position, where.text);

    } else {
        rc = dispatch(conn, request, &err);
    }

    json_decref(request);

    if (fcv_instant.clone && fcv_instant.conf.clone == FCV_CLONE_DEAF) {
        return 0;
    }

    /* a deaf guest says nothing */

    if (conn->ending && fcv_instant.conf.ignore_stop) {
        conn->ending = 0;
        fcv_timer_del(fcv_instant_end, NULL);
        return 0;
    }

    return answer(conn, rc == 0 ? NULL : &err);
}


/* One frame at a time, when the one before is sent. */
static int
send_output(control_t *conn)
{
    int            n;
    char           raw[FCV_LOG_CHUNK], text[FCV_FRAME_MAX];
    size_t         len;
    uint64_t       dropped;
    fcv_stream_e   stream;

    if (!conn->logs || conn->tcp.out.len) {
        return 0;
    }

    len = fcv_output_read(&fcv_instant.output, &conn->pos, &stream, raw,
                          sizeof(raw), &dropped);

    if (len == 0) {
        return 0;
    }

    n = snprintf(text, sizeof(text), "{\"stream\":\"%s\",\"dropped\":%llu,"
                 "\"data\":\"", stream == FCV_STDERR ? "stderr" : "stdout",
                 (unsigned long long) dropped);

    len = (size_t) n + fcf_base64_encode(text + n, raw, len);
    text[len++] = '"';
    text[len++] = '}';

    return send_frame(conn, text, len);
}


static int
take_frames(control_t *conn)
{
    int          rc;
    size_t       len, room, n;
    uint8_t     *p;
    fcf_err_t    err;
    const char  *text;

    /* each frame's answer fits, and a frame of output behind them */

    while (conn->tcp.out.len < FCV_FRAME_MAX) {
        p = fcv_frame_room(&conn->in, &room);
        n = conn->tcp.in.len < room ? conn->tcp.in.len : room;

        if (n) {
            memcpy(p, conn->tcp.in.data, n);
            fcv_frame_filled(&conn->in, n);
            fcv_tcp_consume(&conn->tcp, n);
        }

        rc = fcv_frame_next(&conn->in, &text, &len, &err);

        if (rc == 0) {
            return 0;
        }

        if (rc < 0) {
            (void) answer(conn, &err);
            return -1;
        }

        if (handle_frame(conn, text, len) != 0) {
            return -1;
        }

        fcv_frame_drop(&conn->in);
    }

    return 0;
}


static void
control_input(fcv_tcp_t *tcp)
{
    control_t  *conn;

    conn = (control_t *) tcp;

    if (take_frames(conn) != 0 || send_output(conn) != 0
        || (tcp->eof && tcp->out.len < FCV_FRAME_MAX))
    {
        tcp->closing = 1;
    }
}


static void
control_drained(fcv_tcp_t *tcp)
{
    control_t  *conn;

    conn = (control_t *) tcp;

    if (conn->ending) {
        fcv_instant_end(NULL);
        return;
    }

    control_input(tcp);
    fcv_tcp_push(tcp);
}


static void
control_gone(fcv_tcp_t *tcp)
{
    unsigned  i;

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {
        if (conns[i] == (control_t *) tcp) {
            conns[i] = NULL;
        }
    }

    free(tcp);
}


static fcv_tcp_t *
control_accept(struct in_addr peer)
{
    unsigned  i;

    static const fcv_tcp_handler_t  handler = {
        control_input, control_drained, control_gone
    };

    if (peer.s_addr != fcv_instant.config.gateway.s_addr) {
        return NULL;
    }

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {

        if (conns[i] == NULL) {
            conns[i] = calloc(1, sizeof(control_t));

            if (conns[i] == NULL) {
                return NULL;
            }

            fcv_tcp_init(&conns[i]->tcp, &handler, 4 * FCV_FRAME_MAX);

            return &conns[i]->tcp;
        }
    }

    return NULL;
}


int
fcv_instant_control_listen(fcf_err_t *err)
{
    return fcv_tcp_listen(FCV_CONTROL_PORT, control_accept, err);
}


void
fcv_instant_control_output(void)
{
    unsigned  i;

    for (i = 0; i < FCV_CONTROL_CONNS; i++) {

        if (conns[i] && conns[i]->tcp.unacked == 0) {
            if (send_output(conns[i]) != 0) {
                conns[i]->tcp.closing = 1;
            }

            fcv_tcp_push(&conns[i]->tcp);
        }
    }
}
