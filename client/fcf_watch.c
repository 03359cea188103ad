#include <string.h>

#include "client/fcf_watch.h"


void
fcf_watch_init(fcf_watch_t *watch)
{
    memset(watch, 0, sizeof(fcf_watch_t));
    fcf_buf_init(&watch->buf, FCF_WATCH_MAX);
    watch->at_least = FCF_WATCH_LONG;
}


void
fcf_watch_free(fcf_watch_t *watch)
{
    fcf_buf_free(&watch->buf);
    fcf_watch_init(watch);
}


int
fcf_watch_feed(fcf_watch_t *watch, const char *data, size_t len)
{
    int  rc;

    /* what was taken goes in one move, when it is worth it */

    if (watch->at != 0
        && (watch->at == watch->buf.len || watch->at > watch->buf.len / 2
            || len > watch->buf.max - watch->buf.len))
    {
        fcf_buf_consume(&watch->buf, watch->at);
        watch->scanned -= watch->at;
        watch->at = 0;
    }

    /* the buffer would free itself */

    if (len > watch->buf.max - watch->buf.len) {
        return -FCF_E_LIMIT;
    }

    rc = fcf_buf_add(&watch->buf, data, len);

    if (rc != 0) {
        watch->at = 0;
        watch->scanned = 0;
        watch->cutting = 0;
    }

    return rc;
}


static int
fcf_watch_events(fcf_watch_msg_t *out, const json_t *result, fcf_err_t *err)
{
    out->kind = FCF_WATCH_EVENTS;

    return fcf_etcd_parse_kvs(json_object_get(result, "events"), 1,
                              &out->events, err);
}


int
fcf_watch_result(fcf_watch_msg_t *out, const json_t *result, fcf_err_t *err)
{
    const char  *reason;

    if (fcf_etcd_parse_header(result, &out->header, err) != 0
        || fcf_etcd_int64(result, "watch_id", &out->watch_id) != 0
        || fcf_etcd_int64(result, "compact_revision", &out->compact_revision))
    {
        return fcf_err_set(err, FCF_E_PROTOCOL, "etcd watch: bad number");
    }

    out->partial = json_is_true(json_object_get(result, "fragment"));

    /* before "created": a watch that is refused is said to be both */

    if (json_is_true(json_object_get(result, "canceled"))) {
        out->kind = FCF_WATCH_CANCELED;
        reason = json_string_value(json_object_get(result, "cancel_reason"));

        if (out->compact_revision != 0) {
            fcf_err_set(&out->err, FCF_E_REFUSED, "compacted");

        } else if (reason == NULL) {
            fcf_err_set(&out->err, FCF_E_REFUSED, "watch canceled");

        } else {
            fcf_err_set(&out->err,
                        strstr(reason, "PermissionDenied")
                        || strstr(reason, "permission denied")
                        || strstr(reason, "auth") ? FCF_E_AUTH
                                                  : FCF_E_REFUSED,
                        "watch canceled: %.200s", reason);
        }

        return 0;
    }

    if (json_object_get(result, "events") != NULL) {
        return fcf_watch_events(out, result, err);
    }

    out->kind = json_is_true(json_object_get(result, "created"))
                ? FCF_WATCH_CREATED : FCF_WATCH_PROGRESS;

    return 0;
}


static int
fcf_watch_line(fcf_watch_msg_t *out, const char *line, size_t len,
    fcf_err_t *err)
{
    int            rc;
    json_t        *root;
    const json_t  *result;

    memset(out, 0, sizeof(fcf_watch_msg_t));

    root = json_loadb(line, len, 0, NULL);

    if (!json_is_object(root)) {
        json_decref(root);
        return fcf_err_set(err, FCF_E_PROTOCOL,
                           "etcd watch: not a JSON object: %.*s",
                           len < 64 ? (int) len : 64, line);
    }

    result = json_object_get(root, "result");

    if (json_is_object(result)) {
        rc = fcf_watch_result(out, result, err);

    } else if (json_object_get(root, "error") != NULL) {
        out->kind = FCF_WATCH_ERROR;
        (void) fcf_etcd_parse_error(200, line, len, &out->err);
        rc = 0;

    } else {
        rc = fcf_err_set(err, FCF_E_PROTOCOL,
                         "etcd watch: neither result nor error: %.*s",
                         len < 64 ? (int) len : 64, line);
    }

    json_decref(root);

    if (rc != 0) {
        fcf_watch_msg_free(out);
        return -1;
    }

    return 1;
}


static int
fcf_watch_blank(const char *line, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (line[i] != ' ' && line[i] != '\r' && line[i] != '\t') {
            return 0;
        }
    }

    return 1;
}


int
fcf_watch_next(fcf_watch_t *watch, int last, fcf_watch_msg_t *out,
    fcf_err_t *err)
{
    char        *line, *newline;
    size_t       len;
    fcf_buf_t   *buf;

    if (watch->cutting) {
        return fcf_watch_piece(watch, out, err);
    }

    buf = &watch->buf;

    while (watch->at < buf->len) {

        line = buf->data + watch->at;
        newline = memchr(buf->data + watch->scanned, '\n',
                         buf->len - watch->scanned);

        if (newline == NULL && !last) {
            watch->scanned = buf->len;
            return 0;
        }

        len = newline ? (size_t) (newline - line) : buf->len - watch->at;
        watch->scanned = watch->at + len + (newline != NULL);

        if (len >= watch->at_least && fcf_watch_cut(watch) == 0) {
            return fcf_watch_piece(watch, out, err);
        }

        watch->at = watch->scanned;

        if (!fcf_watch_blank(line, len)) {
            return fcf_watch_line(out, line, len, err);
        }
    }

    return 0;
}


void
fcf_watch_msg_free(fcf_watch_msg_t *msg)
{
    fcf_etcd_kvs_free(&msg->events);
}
