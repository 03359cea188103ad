/*
 * A line of the watch with thousands of events is taken apart here, some
 * events at a time.
 */

#include <string.h>

#include "client/fcf_cut.h"
#include "client/fcf_watch.h"


/* all that stands before the events is small, and comes first; where it does
 * not, the line is read as one */

int
fcf_watch_cut(fcf_watch_t *watch)
{
    int          rc;
    json_t      *root;
    fcf_err_t    err;
    const char  *line, *end, *p;

    line = watch->buf.data + watch->at;
    end = watch->buf.data + watch->scanned;

    p = fcf_cut_member(line, end, "result");

    if (p != NULL) {
        p = fcf_cut_member(p, end, "events");
    }

    if (p == NULL || p == end || *p != '[') {
        return -1;
    }

    root = fcf_cut_head(line, p, "[]}}");

    if (root == NULL) {
        return -1;
    }

    memset(&watch->head, 0, sizeof(fcf_watch_msg_t));
    rc = fcf_watch_result(&watch->head, json_object_get(root, "result"), &err);
    json_decref(root);

    if (rc != 0 || watch->head.kind != FCF_WATCH_EVENTS
        || watch->head.watch_id == 0 || watch->head.header.revision == 0)
    {
        fcf_watch_msg_free(&watch->head);
        return -1;
    }

    watch->cutting = 1;
    watch->at += (size_t) (p - line);

    return 0;
}


int
fcf_watch_piece(fcf_watch_t *watch, fcf_watch_msg_t *out, fcf_err_t *err)
{
    int         rc;
    json_t     *list;
    fcf_cut_t   cut;

    cut.at = watch->buf.data + watch->at;
    cut.end = watch->buf.data + watch->scanned;

    list = fcf_cut_next(&cut, FCF_WATCH_PIECE);

    if (list == NULL) {
        return fcf_err_set(err, FCF_E_PROTOCOL,
                           "etcd watch: not a list of events");
    }

    *out = watch->head;
    rc = fcf_etcd_parse_kvs(list, 1, &out->events, err);
    json_decref(list);

    if (rc != 0) {
        fcf_watch_msg_free(out);
        return -1;
    }

    if (cut.done) {
        watch->cutting = 0;
        watch->at = watch->scanned;

    } else {
        out->partial = 1;
        watch->at = (size_t) (cut.at - watch->buf.data);
    }

    return 1;
}
