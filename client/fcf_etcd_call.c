#include <stdlib.h>
#include <string.h>

#include "client/fcf_etcd_private.h"
#include "client/fcf_sync.h"


static const char *const  fcf_etcd_paths[] = {
    [FCF_ETCD_RANGE]      = "/v3/kv/range",
    [FCF_ETCD_LIST]       = "/v3/kv/range",
    [FCF_ETCD_PAGE]       = "/v3/kv/range",
    [FCF_ETCD_PROBE]      = "/v3/kv/range",
    [FCF_ETCD_PUT]        = "/v3/kv/put",
    [FCF_ETCD_DELETE]     = "/v3/kv/deleterange",
    [FCF_ETCD_TXN]        = "/v3/kv/txn",
    [FCF_ETCD_GRANT]      = "/v3/lease/grant",
    [FCF_ETCD_KEEPALIVE]  = "/v3/lease/keepalive",
    [FCF_ETCD_LEASE_KEYS] = "/v3/lease/timetolive",
    [FCF_ETCD_REVOKE]     = "/v3/lease/revoke"
};


/* the only place that assigns it */

static void
fcf_etcd_call_state(fcf_etcd_call_t *call, fcf_etcd_call_e state)
{
    call->state = state;

    if (state == FCF_ETCD_CALL_FAILED) {
        call->etcd->loop->timer_set(call->etcd->defer_timer, 0);
    }
}


static void
fcf_etcd_call_link(fcf_etcd_call_t *call)
{
    fcf_etcd_t  *etcd;

    etcd = call->etcd;
    call->prev = etcd->last;

    if (call->prev != NULL) {
        call->prev->next = call;

    } else {
        etcd->calls = call;
    }

    etcd->last = call;
}


void
fcf_etcd_call_unlink(fcf_etcd_call_t *call)
{
    fcf_etcd_t  *etcd;

    etcd = call->etcd;

    if (call->prev != NULL) {
        call->prev->next = call->next;

    } else {
        etcd->calls = call->next;
    }

    if (call->next != NULL) {
        call->next->prev = call->prev;

    } else {
        etcd->last = call->prev;
    }
}


void
fcf_etcd_call_free(fcf_etcd_call_t *call)
{
    size_t  i;

    for (i = 0; i < call->npages; i++) {
        fcf_etcd_answer_free(&call->pages[i]);
    }

    fcf_buf_free(&call->body);
    free(call->pages);
    free(call->prefix);
    free(call);
}


void
fcf_etcd_call_finish(fcf_etcd_call_t *call, fcf_etcd_answer_t *answer,
    const fcf_err_t *err)
{
    fcf_etcd_call_unlink(call);
    fcf_etcd_call_state(call, FCF_ETCD_CALL_DONE);

    if (call->answered != NULL) {
        call->answered(call->arg, answer, err);

    } else {
        call->done(call->arg, answer ? &answer->reply : NULL, err);
    }

    fcf_etcd_call_free(call);
}


void
fcf_etcd_call_fail(fcf_etcd_call_t *call, const fcf_err_t *err)
{
    call->err = *err;
    fcf_etcd_call_state(call, FCF_ETCD_CALL_FAILED);
}


void
fcf_etcd_calls_on_defer(void *arg)
{
    unsigned          n;
    fcf_etcd_t       *etcd;
    fcf_etcd_call_t  *call;

    etcd = arg;
    n = 0;

    for (call = etcd->calls; call != NULL; call = call->next) {
        n += (call->state == FCF_ETCD_CALL_FAILED);
    }

    /* callbacks change the list: it is read from its head after each; what
     * they add and what fails at once comes with the next turn */

    call = etcd->calls;

    while (n > 0 && call != NULL) {

        if (call->state != FCF_ETCD_CALL_FAILED) {
            call = call->next;
            continue;
        }

        n--;
        fcf_etcd_call_finish(call, NULL, &call->err);
        call = etcd->calls;
    }
}


/* Whether the call may be sent once more, to another endpoint.  A transaction
 * or a grant whose answer was lost may have been done: only its owner knows
 * what a second one means. */

static int
fcf_etcd_call_again(fcf_etcd_call_t *call, const fcf_err_t *err)
{
    if (err->code != FCF_E_UNAVAILABLE && err->code != FCF_E_TIMEOUT) {
        return 0;
    }

    if (call->kind == FCF_ETCD_PROBE
        || ((call->kind == FCF_ETCD_TXN || call->kind == FCF_ETCD_GRANT)
            && err->sys_errno == 0))
    {
        return 0;
    }

    return ++call->tries < call->etcd->nendpoints
           && call->deadline > call->etcd->loop->now(call->etcd->loop);
}


/* an answer that is a failure, or none */

static void
fcf_etcd_call_failed(fcf_etcd_call_t *call, fcf_err_t *err)
{
    fcf_etcd_t  *etcd;
    const char  *endpoint;

    etcd = call->etcd;
    endpoint = etcd->endpoints[call->endpoint];

    /* what does not speak etcd's language is no endpoint either */

    if (err->code == FCF_E_UNAVAILABLE || err->code == FCF_E_TIMEOUT
        || err->code == FCF_E_PROTOCOL)
    {
        fcf_etcd_endpoint_failed(etcd, call->endpoint, err->msg);
    }

    fcf_err_wrap(err, "etcd %s", endpoint);

    /* a right that is missing is missing with a new token too, and each token
     * costs etcd a bcrypt */

    if (err->code == FCF_E_AUTH && etcd->user != NULL
        && strstr(err->msg, "permission denied") == NULL)
    {
        fcf_etcd_token_refused(etcd, call->token);

        if (!call->renewed) {
            call->renewed = 1;
            fcf_etcd_call_send(call);
            return;
        }
    }

    if (fcf_etcd_call_again(call, err)) {
        fcf_etcd_call_send(call);
        return;
    }

    if (call->kind == FCF_ETCD_REVOKE && err->code == FCF_E_NOT_FOUND) {
        fcf_etcd_answer_t  gone;

        memset(&gone, 0, sizeof(gone));
        fcf_etcd_call_finish(call, &gone, NULL);
        return;
    }

    fcf_etcd_call_finish(call, NULL, err);
}


static void
fcf_etcd_on_done(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *failed)
{
    fcf_err_t           err;
    fcf_etcd_call_t    *call;
    fcf_etcd_answer_t   answer;

    call = arg;
    call->req = NULL;

    if (failed != NULL) {
        err = *failed;
        fcf_etcd_call_failed(call, &err);
        return;
    }

    if (status != 200) {
        (void) fcf_etcd_parse_error(status, body, len, &err);

    } else if (fcf_etcd_answer_parse(&answer, call->kind, body, len, &err)
               == 0)
    {
        call->etcd->healthy = 1;

        if (call->kind == FCF_ETCD_LIST) {
            call->pages[call->npages++] = answer;
            fcf_etcd_call_next_page(call);
            return;
        }

        fcf_etcd_call_finish(call, &answer, NULL);
        fcf_etcd_answer_free(&answer);
        return;
    }

    fcf_etcd_call_failed(call, &err);
}


void
fcf_etcd_call_send(fcf_etcd_call_t *call)
{
    char              url[FCF_ETCD_URL_MAX];
    uint64_t          now;
    fcf_err_t         err;
    fcf_etcd_t       *etcd;
    const char       *headers[FCF_ETCD_HEADERS_MAX];
    fcf_http_call_t   http;

    etcd = call->etcd;

    if (etcd->user != NULL && !etcd->has_token) {
        fcf_etcd_call_state(call, FCF_ETCD_CALL_WAITING);
        fcf_etcd_auth_start(etcd);
        return;
    }

    now = etcd->loop->now(etcd->loop);

    if (now >= call->deadline) {
        fcf_err_set(&err, FCF_E_TIMEOUT, "etcd: no answer in time");
        fcf_etcd_call_fail(call, &err);
        return;
    }

    fcf_etcd_http_call(etcd, &http, url, headers, fcf_etcd_paths[call->kind]);

    http.body = call->body.data;
    http.body_len = call->body.len;
    http.timeout_ms = (unsigned) (call->deadline - now);
    http.once = (call->kind == FCF_ETCD_TXN || call->kind == FCF_ETCD_GRANT);
    http.on_done = fcf_etcd_on_done;
    http.arg = call;

    call->endpoint = etcd->at;
    call->token = etcd->token;
    fcf_etcd_call_state(call, FCF_ETCD_CALL_SENT);
    call->req = fcf_http_start(etcd->http, &http, &err);

    if (call->req == NULL) {
        fcf_etcd_call_fail(call, &err);
    }
}


fcf_etcd_call_t *
fcf_etcd_call(fcf_etcd_t *etcd, fcf_etcd_kind_e kind, fcf_buf_t *body,
    fcf_etcd_pt done, fcf_etcd_answer_pt answered, void *arg)
{
    fcf_etcd_call_t  *call;

    call = etcd->dying ? NULL : calloc(1, sizeof(fcf_etcd_call_t));

    if (call == NULL) {
        fcf_buf_free(body);
        return NULL;
    }

    call->etcd = etcd;
    call->kind = kind;
    call->body = *body;
    call->done = done;
    call->answered = answered;
    call->arg = arg;
    call->deadline = etcd->loop->now(etcd->loop)
                     + (kind == FCF_ETCD_PROBE ? FCF_SYNC_PROBE_MS
                                               : etcd->timeout_ms);

    fcf_etcd_call_link(call);

    return call;
}


void
fcf_etcd_cancel(fcf_etcd_call_t *call)
{
    /* from inside its own callback, after which it is freed */

    if (call->state == FCF_ETCD_CALL_DONE) {
        return;
    }

    if (call->req != NULL) {
        fcf_http_cancel(call->req);
    }

    fcf_etcd_call_unlink(call);
    fcf_etcd_call_free(call);
}
