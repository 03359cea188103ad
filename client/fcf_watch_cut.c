/*
 * A line of the watch with thousands of events is taken apart here, some
 * events at a time: jansson reads only what is whole, and would hold the loop
 * for as long as all of it takes.
 */

#include <string.h>

#include "client/fcf_watch.h"

#define FCF_WATCH_HEAD_MAX  1024


static const char *
fcf_watch_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
    }

    return p;
}


/* p is at its first quote */

static const char *
fcf_watch_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {

        if (*p == '"') {
            return p + 1;
        }

        p += (*p == '\\');
    }

    return NULL;
}


/* the end of the value at p, whatever is in it; NULL: it has none */

static const char *
fcf_watch_value(const char *p, const char *end)
{
    size_t  depth;

    for (depth = 0; p < end; /* void */ ) {

        switch (*p) {

        case '"':
            p = fcf_watch_string(p, end);

            if (p == NULL || depth == 0) {
                return p;
            }

            continue;

        case '{':
        case '[':
            depth++;
            break;

        case '}':
        case ']':

            if (depth == 0) {
                return p;
            }

            if (--depth == 0) {
                return p + 1;
            }

            break;

        case ',':
        case ' ':
        case '\t':
        case '\r':

            if (depth == 0) {
                return p;
            }

            break;
        }

        p++;
    }

    return NULL;
}


/* where the value of that key begins, in the object at p; NULL: nowhere */

static const char *
fcf_watch_member(const char *p, const char *end, const char *name)
{
    size_t       len;
    const char  *key, *after;

    len = strlen(name);
    p = fcf_watch_space(p, end);

    if (p == end || *p != '{') {
        return NULL;
    }

    do {
        key = fcf_watch_space(p + 1, end);

        if (key == end || *key != '"') {
            return NULL;
        }

        after = fcf_watch_string(key, end);

        if (after == NULL) {
            return NULL;
        }

        p = fcf_watch_space(after, end);

        if (p == end || *p != ':') {
            return NULL;
        }

        p = fcf_watch_space(p + 1, end);

        if ((size_t) (after - key) == len + 2
            && memcmp(key + 1, name, len) == 0)
        {
            return p;
        }

        p = fcf_watch_value(p, end);

        if (p != NULL) {
            p = fcf_watch_space(p, end);
        }

    } while (p != NULL && p < end && *p == ',');

    return NULL;
}


/* all that stands before the events is small, and comes first; where it does
 * not, the line is read as one */

int
fcf_watch_cut(fcf_watch_t *watch)
{
    int          rc;
    char         text[FCF_WATCH_HEAD_MAX + sizeof("[]}}")];
    size_t       len;
    json_t      *root;
    fcf_err_t    err;
    const char  *line, *end, *p;

    line = watch->buf.data + watch->at;
    end = watch->buf.data + watch->scanned;

    p = fcf_watch_member(line, end, "result");

    if (p != NULL) {
        p = fcf_watch_member(p, end, "events");
    }

    if (p == NULL || p == end || *p != '['
        || p - line > FCF_WATCH_HEAD_MAX)
    {
        return -1;
    }

    len = (size_t) (p - line);
    memcpy(text, line, len);
    memcpy(text + len, "[]}}", 4);

    root = json_loadb(text, len + 4, 0, NULL);

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
    watch->at += len;

    return 0;
}


/* what separates the events is made the brackets of a list of their own */

int
fcf_watch_piece(fcf_watch_t *watch, fcf_watch_msg_t *out, fcf_err_t *err)
{
    int          rc;
    char        *open;
    size_t       len;
    json_t      *list;
    unsigned     n, last;
    const char  *p, *end;

    open = watch->buf.data + watch->at;
    end = watch->buf.data + watch->scanned;
    p = open;
    n = 0;

    do {
        p = fcf_watch_space(p + 1, end);
        p = fcf_watch_value(p, end);

        if (p != NULL) {
            p = fcf_watch_space(p, end);
        }

    } while (p != NULL && p < end && *p == ',' && ++n < FCF_WATCH_PIECE);

    if (p == NULL || p == end || (*p != ',' && *p != ']')) {
        return fcf_err_set(err, FCF_E_PROTOCOL,
                           "etcd watch: not a list of events");
    }

    last = (*p == ']');
    len = (size_t) (p - open) + 1;
    open[0] = '[';
    open[len - 1] = ']';

    list = json_loadb(open, len, 0, NULL);

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

    if (last) {
        watch->cutting = 0;
        watch->at = watch->scanned;

    } else {
        out->partial = 1;
        watch->at += len - 1;
    }

    return 1;
}
