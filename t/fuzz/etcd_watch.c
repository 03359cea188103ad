/*
 * etcd's watch stream: however it is cut, the same messages come out of it,
 * and the same end; with long lines in pieces, and each line so.
 */

#include "client/fcf_watch.h"
#include "t/fuzz/values.h"

typedef struct {
    uint64_t   hash;                    /* of all messages */
    size_t     messages;
    int        refused;
} result_t;


static void
mix(result_t *r, const void *data, size_t size)
{
    size_t                i;
    const unsigned char  *p;

    p = data;

    for (i = 0; i < size; i++) {
        r->hash = (r->hash ^ p[i]) * 0x100000001b3u;
    }

    r->hash = (r->hash ^ size) * 0x100000001b3u;
}


static void
on_msg(result_t *r, const fcf_watch_msg_t *msg, size_t size)
{
    size_t           i;
    const fcf_kv_t  *kv;

    r->messages++;
    mix(r, &msg->kind, sizeof(msg->kind));
    mix(r, &msg->watch_id, sizeof(msg->watch_id));
    mix(r, &msg->header.revision, sizeof(msg->header.revision));
    mix(r, &msg->header.cluster_id, sizeof(msg->header.cluster_id));

    if (msg->kind == FCF_WATCH_CANCELED || msg->kind == FCF_WATCH_ERROR) {
        fct_says(&msg->err);
        mix(r, msg->err.msg, strlen(msg->err.msg));
    }

    FCT_HOLDS(msg->kind == FCF_WATCH_EVENTS || msg->events.n == 0);

    for (i = 0; i < msg->events.n; i++) {
        kv = &msg->events.kvs[i];
        FCT_HOLDS(kv->key_len + kv->value_len <= size);
        FCT_HOLDS(kv->key[kv->key_len] == '\0');
        FCT_HOLDS(kv->value[kv->value_len] == '\0');
        mix(r, kv->key, kv->key_len);
        mix(r, kv->value, kv->value_len);
        mix(r, &kv->mod_revision, sizeof(kv->mod_revision));
        mix(r, &msg->events.deleted[i], 1);
    }
}


/* -1: refused; the stream is of no use from then on */
static int
take(result_t *r, fcf_watch_t *watch, int last, size_t size)
{
    int               rc;
    fcf_err_t         err;
    fcf_watch_msg_t   msg;

    while ((rc = fcf_watch_next(watch, last, &msg, &err)) == 1) {
        on_msg(r, &msg, size);
        fcf_watch_msg_free(&msg);
    }

    if (rc < 0) {
        fct_says(&err);
        mix(r, err.msg, strlen(err.msg));
        r->refused = 1;
    }

    return rc;
}


/* at_least: bytes of a line that comes in pieces */
static void
run(result_t *r, fct_cutter_t cutter, size_t at_least, const uint8_t *data,
    size_t size)
{
    int           rc;
    char         *piece;
    size_t        off, n;
    fcf_watch_t   watch;

    memset(r, 0, sizeof(result_t));
    fcf_watch_init(&watch);
    watch.at_least = at_least;
    rc = 0;

    for (off = 0; off < size && rc == 0; off += n) {
        n = fct_piece(&cutter, size - off);
        piece = fct_copy(data + off, n, 0);
        FCT_HOLDS(fcf_watch_feed(&watch, piece, n) == 0);
        free(piece);
        rc = take(r, &watch, 0, size);
    }

    if (rc == 0) {
        (void) take(r, &watch, 1, size);
    }

    fcf_watch_free(&watch);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int        cut;
    size_t     at_least;
    result_t   first, other;

    for (at_least = 1; at_least < 2 * FCF_WATCH_LONG;
         at_least += FCF_WATCH_LONG)
    {
        run(&first, fct_cutter(FCT_WHOLE, data, size), at_least, data, size);

        for (cut = FCT_WHOLE + 1; cut < FCT_NCUTS; cut++) {
            run(&other, fct_cutter((fct_cut_e) cut, data, size), at_least,
                data, size);
            FCT_HOLDS(other.messages == first.messages);
            FCT_HOLDS(other.refused == first.refused);
            FCT_HOLDS(other.hash == first.hash);
        }
    }

    return 0;
}
