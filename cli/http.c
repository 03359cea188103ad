#include "cli/command.h"
#include "cli/http.h"

#define FCC_HTTP_LOOK_MS  200           /* at most, for a signal */

typedef struct {
    const fcf_http_call_t  *call;
    int                     done;       /* 1: well, -1: failed */
    long                    status;
    fcf_buf_t              *body;
    fcf_err_t              *err;
} fcc_http_t;


static int
fcc_http_data(void *arg, const char *data, size_t len)
{
    fcc_http_t  *http = arg;

    return http->call->on_data != NULL
           ? http->call->on_data(http->call->arg, data, len)
           : http->body != NULL ? fcf_buf_add(http->body, data, len) : 0;
}


static size_t
fcc_http_read(void *arg, char *buf, size_t size)
{
    fcc_http_t  *http = arg;

    return http->call->on_read(http->call->arg, buf, size);
}


static void
fcc_http_done(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *err)
{
    fcc_http_t  *http = arg;

    (void) body;
    (void) len;

    http->status = status;
    http->done = err == NULL ? 1 : -1;

    if (err != NULL) {
        *http->err = *err;
    }
}


int
fcc_http(fcc_t *fcc, const fcf_http_call_t *call, long *status,
    fcf_buf_t *body, fcf_err_t *err)
{
    fcc_http_t        http = { call, 0, 0, body, err };
    fcf_http_req_t   *req;
    fcf_http_call_t   ours;

    ours = *call;
    ours.on_data = fcc_http_data;
    ours.on_read = call->on_read != NULL ? fcc_http_read : NULL;
    ours.on_done = fcc_http_done;
    ours.arg = &http;

    if (fcc->http == NULL) {
        fcc->http = fcf_http_new(&fcc->loop, err);
    }

    req = fcc->http != NULL ? fcf_http_start(fcc->http, &ours, err) : NULL;

    if (req == NULL) {
        return -1;
    }

    while (http.done == 0) {
        if (fcc_interrupted(err) != 0) {
            break;
        }

        if (fcc_poll_turn(fcc->poll, FCC_HTTP_LOOK_MS) != 0) {
            fcf_err_set(err, FCF_E_UNAVAILABLE, "nothing more comes of it");
            break;
        }
    }

    if (http.done == 0) {
        fcf_http_cancel(req);
    }

    *status = http.status;

    return http.done == 1 ? 0 : fcf_err_wrap(err, "%s", call->url);
}


int
fcc_http_json(fcc_t *fcc, const fcf_http_call_t *call, size_t max,
    long *status, json_t **out, fcf_err_t *err)
{
    int        rc;
    fcf_buf_t  body;

    fcf_buf_init(&body, max);
    rc = fcc_http(fcc, call, status, &body, err);

    *out = rc == 0 && body.len != 0
           ? json_loadb(body.data, body.len, 0, NULL) : NULL;
    fcf_buf_free(&body);

    return rc;
}


void
fcc_http_close(fcc_t *fcc)
{
    if (fcc->http != NULL) {
        fcf_http_free(fcc->http);
        fcc->http = NULL;
    }
}
