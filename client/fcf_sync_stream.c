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
        prefix->created = 0;
        rc = fcf_etcd_build_watch(body, prefix->key, prefix->revision + 1,
                                  (unsigned) i + 1);
    }

    return rc;
}


void
fcf_sync_open(fcf_sync_t *sync)
{
    char              url[FCF_ETCD_URL_MAX];
    size_t            n;
    fcf_err_t         err;
    fcf_buf_t         body;
    const char       *headers[FCF_ETCD_HEADERS_MAX];
    fcf_http_call_t   http;

    fcf_sync_drop(sync);
    sync->applied = 0;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);

    if (fcf_sync_watch_body(sync, &body) != 0) {
        fcf_sync_restart(sync, 0, "out of memory");
        return;
    }

    fcf_etcd_http_call(sync->etcd, &http, url, headers, "/v3/watch");

    for (n = 0; headers[n] != NULL; n++) { /* void */ }

    headers[n++] = "Grpc-Metadata-hasleader: true";
    headers[n] = NULL;

    http.body = body.data;
    http.body_len = body.len;
    http.fresh = 1;
    http.on_data = fcf_sync_on_data;
    http.on_done = fcf_sync_on_done;
    http.arg = sync;

    sync->endpoint = sync->etcd->at;
    sync->token = sync->etcd->token;
    sync->stream = fcf_http_start(sync->etcd->http, &http, &err);

    fcf_buf_free(&body);

    if (sync->stream == NULL) {
        fcf_sync_restart(sync, 0, err.msg);
        return;
    }

    fcf_sync_phase(sync, FCF_SYNC_OPEN, FCF_SYNC_PROBE_MS);
}


void
fcf_sync_created(fcf_sync_t *sync)
{
    fcf_sync_phase(sync, FCF_SYNC_WATCH, FCF_SYNC_PROBE_MS);
    fcf_sync_state(sync, FCF_SYNC_LIVE, "watching");
}
