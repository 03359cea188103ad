#include <string.h>

#include "client/fcf_sync_private.h"


static int
fcf_sync_on_data(void *arg, const char *data, size_t len)
{
    fcf_sync_t  *sync;

    sync = arg;
    fcf_sync_alive(sync);

    if (fcf_watch_feed(&sync->watch, data, len) != 0) {
        return -1;
    }

    /* inside libcurl nothing but this */

    sync->loop->timer_set(sync->turn_timer, 0);

    return 0;
}


static void
fcf_sync_on_done(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *err)
{
    fcf_sync_t  *sync;

    (void) body;
    (void) len;

    sync = arg;
    sync->stream = NULL;
    sync->ended = 1;

    if (err != NULL) {
        sync->ended_err = *err;

    } else {
        fcf_err_set(&sync->ended_err, FCF_E_UNAVAILABLE,
                    "etcd ended the watch (%ld)", status);
    }

    sync->loop->timer_set(sync->turn_timer, 0);
}


static int
fcf_sync_watch_body(fcf_sync_t *sync, fcf_buf_t *body)
{
    int                 rc;
    size_t              i;
    fcf_sync_prefix_t  *prefix;

    rc = 0;

    for (i = 0; i < sync->nprefixes && rc == 0; i++) {
        prefix = &sync->prefixes[i];

        if (!prefix->listed) {
            continue;
        }

        prefix->watched = 1;
        rc = fcf_etcd_build_watch(body, prefix->key, prefix->revision + 1,
                                  (unsigned) i + 1);
    }

    return rc;
}


/* a stream of what is listed; -1: *err says why there is none */

static int
fcf_sync_start(fcf_sync_t *sync, fcf_err_t *err)
{
    char              url[FCF_ETCD_URL_MAX];
    size_t            n;
    fcf_buf_t         body;
    const char       *headers[FCF_ETCD_HEADERS_MAX];
    fcf_http_call_t   http;

    sync->applied = 0;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);

    if (fcf_sync_watch_body(sync, &body) != 0) {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    fcf_etcd_http_call(sync->etcd, &http, url, headers, "/v3/watch");

    for (n = 0; headers[n] != NULL; n++) { /* void */ }

    headers[n++] = "Grpc-Metadata-hasleader: true";
    headers[n] = NULL;

    http.body = body.data;
    http.body_len = body.len;
    http.fresh = 1;
    http.piece = FCF_SYNC_PIECE;
    http.on_data = fcf_sync_on_data;
    http.on_done = fcf_sync_on_done;
    http.arg = sync;

    sync->endpoint = sync->etcd->at;
    sync->token = sync->etcd->token;
    sync->stream = fcf_http_start(sync->etcd->http, &http, err);

    fcf_buf_free(&body);

    return sync->stream != NULL ? 0 : -1;
}


void
fcf_sync_open(fcf_sync_t *sync)
{
    fcf_err_t  err;

    fcf_sync_drop(sync);

    if (fcf_sync_start(sync, &err) != 0) {
        fcf_sync_restart(sync, 0, err.msg);
        return;
    }

    fcf_sync_phase(sync, FCF_SYNC_OPEN, FCF_SYNC_PROBE_MS);
}


void
fcf_sync_open_beside(fcf_sync_t *sync)
{
    size_t      i, n;
    fcf_err_t   err;

    n = 0;

    for (i = 0; i < sync->nprefixes; i++) {
        n += sync->prefixes[i].listed && !sync->prefixes[i].watched;
    }

    if (sync->stream != NULL && sync->etcd->at != sync->endpoint) {
        fcf_sync_lost(sync, "moved to another etcd endpoint");
    }

    if (n == 0 || sync->later) {
        return;
    }

    fcf_sync_close(sync);

    if (fcf_sync_start(sync, &err) != 0) {
        fcf_sync_lost(sync, err.msg);
        return;
    }

    sync->loop->timer_set(sync->wait_timer, FCF_SYNC_PROBE_MS);
}


void
fcf_sync_stream_on_wait(fcf_sync_t *sync)
{
    if (sync->later) {
        sync->later = 0;
        fcf_sync_open_beside(sync);
        return;
    }

    fcf_etcd_endpoint_failed(sync->etcd, sync->endpoint,
                             "no answer to a watch");
    fcf_sync_lost(sync, "no answer to a watch");
}


void
fcf_sync_close(fcf_sync_t *sync)
{
    size_t  i;

    if (sync->stream != NULL) {
        fcf_http_cancel(sync->stream);
        sync->stream = NULL;
    }

    if (sync->in_msg) {
        fcf_watch_msg_free(&sync->msg);
        sync->in_msg = 0;
    }

    fcf_watch_free(&sync->watch);
    sync->ended = 0;
    sync->later = 0;

    for (i = 0; i < sync->nprefixes; i++) {
        sync->prefixes[i].watched = 0;
        sync->prefixes[i].created = 0;
    }
}


void
fcf_sync_lost(fcf_sync_t *sync, const char *why)
{
    fcf_err_t  err;

    if (sync->phase != FCF_SYNC_LIST) {
        fcf_sync_restart(sync, 0, why);
        return;
    }

    fcf_err_set(&err, FCF_OK, "%s", why);
    fcf_sync_close(sync);

    sync->later = 1;
    sync->loop->timer_set(sync->wait_timer, fcf_sync_failed(sync, err.msg));
}


void
fcf_sync_on_created(fcf_sync_t *sync, const fcf_watch_msg_t *msg)
{
    size_t              i;
    fcf_sync_prefix_t  *prefix;

    prefix = &sync->prefixes[msg->watch_id - 1];

    /* said again: nothing new, and the probe may be under way */

    if (prefix->created) {
        return;
    }

    /* a watch on the future is created too, and silent for ever */

    if (msg->header.revision < prefix->revision) {
        fcf_sync_restart(sync, 1, "etcd's revision went backwards");
        return;
    }

    prefix->created = 1;

    for (i = 0; i < sync->nprefixes; i++) {
        if (sync->prefixes[i].watched && !sync->prefixes[i].created) {
            return;
        }
    }

    if (sync->phase == FCF_SYNC_LIST) {
        sync->loop->timer_stop(sync->wait_timer);
        return;
    }

    fcf_sync_phase(sync, FCF_SYNC_WATCH, FCF_SYNC_PROBE_MS);
    fcf_sync_state(sync, FCF_SYNC_LIVE, "watching");
}


void
fcf_sync_on_canceled(fcf_sync_t *sync, const fcf_watch_msg_t *msg)
{
    size_t  i;

    if (msg->err.code == FCF_E_AUTH) {
        fcf_etcd_token_refused(sync->etcd, sync->token);
    }

    if (msg->compact_revision == 0) {
        fcf_sync_lost(sync, msg->err.msg);
        return;
    }

    /* the others that come to the same would be told so one by one */

    for (i = 0; i < sync->nprefixes; i++) {
        if ((int64_t) i + 1 == msg->watch_id
            || sync->prefixes[i].revision + 1 < msg->compact_revision)
        {
            sync->prefixes[i].listed = 0;
        }
    }

    fcf_sync_lost(sync, "etcd compacted what was not seen yet");
}
