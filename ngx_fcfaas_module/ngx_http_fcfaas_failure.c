#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"


typedef enum {
    NGX_HTTP_FCFAAS_FINAL = 0,          /* told at once */
    NGX_HTTP_FCFAAS_TRANSIENT,          /* tried again, then told */
    NGX_HTTP_FCFAAS_NO_ROOM,            /* told, but not to newcomers */
    NGX_HTTP_FCFAAS_SILENT              /* never reaches a client */
} ngx_http_fcfaas_failure_kind_e;


static void ngx_http_fcfaas_failure_slots(ngx_http_fcfaas_function_t *f,
    const char *request_id);
static ngx_int_t ngx_http_fcfaas_failure_keep(ngx_http_fcfaas_function_t *f,
    const fcf_failure_t *failure);


static const ngx_http_fcfaas_failure_kind_e  ngx_http_fcfaas_failure_kinds[] = {
    [FCF_FAILURE_NO_IMAGE]     = NGX_HTTP_FCFAAS_FINAL,
    [FCF_FAILURE_NO_CAPACITY]  = NGX_HTTP_FCFAAS_NO_ROOM,
    [FCF_FAILURE_BOOT_FAILED]  = NGX_HTTP_FCFAAS_TRANSIENT,
    [FCF_FAILURE_BOOT_TIMEOUT] = NGX_HTTP_FCFAAS_TRANSIENT,
    [FCF_FAILURE_NOT_READY]    = NGX_HTTP_FCFAAS_TRANSIENT,
    [FCF_FAILURE_EXPIRED]      = NGX_HTTP_FCFAAS_SILENT,
    [FCF_FAILURE_AT_MAX]       = NGX_HTTP_FCFAAS_SILENT,
    [FCF_FAILURE_DUPLICATE]    = NGX_HTTP_FCFAAS_SILENT
};


void
ngx_http_fcfaas_failure(ngx_http_fcfaas_function_t *f, const char *request_id,
    const fcf_failure_t *failure)
{
    ngx_uint_t                      level;
    ngx_http_fcfaas_failure_kind_e  kind;

    kind = ngx_http_fcfaas_failure_kinds[failure->error];

    level = kind == NGX_HTTP_FCFAAS_SILENT ? NGX_LOG_INFO : NGX_LOG_WARN;

    ngx_log_error(level, f->worker->log, 0,
                  "fcfaas: \"%V\" did not start (%s, node \"%s\"): %s: %s",
                  &f->id, request_id, failure->node_id,
                  fcf_failure_name(failure->error), failure->message);

    ngx_http_fcfaas_failure_slots(f, request_id);

    /* where others serve or boot, asking again waits for the timer: agents
     * without room would be asked in a circle */

    if (kind == NGX_HTTP_FCFAAS_SILENT
        || ngx_http_fcfaas_slots_ready(f)
        || ngx_http_fcfaas_slots_booting(f))
    {
        return;
    }

    ngx_http_fcfaas_ask_forget(f);

    if (f->nwaiters == 0) {
        return;
    }

    if (kind == NGX_HTTP_FCFAAS_TRANSIENT
        && ++f->attempt < NGX_HTTP_FCFAAS_TRIES)
    {
        ngx_http_fcfaas_ask_look(f);
        return;
    }

    f->attempt = 0;

    if (ngx_http_fcfaas_failure_keep(f, failure) != NGX_OK) {
        return;
    }

    if (kind == NGX_HTTP_FCFAAS_NO_ROOM) {
        f->failure.status = NGX_HTTP_SERVICE_UNAVAILABLE;
        f->failure.retry_after = 2;

    } else {
        f->failed = 1;
        f->failed_until = ngx_current_msec + NGX_HTTP_FCFAAS_NEGATIVE;
        ngx_http_fcfaas_ask_later(f, NGX_HTTP_FCFAAS_NEGATIVE + 1);
    }

    ngx_http_fcfaas_park_refuse_all(f, ngx_current_msec, &f->failure);
}


static void
ngx_http_fcfaas_failure_slots(ngx_http_fcfaas_function_t *f,
    const char *request_id)
{
    ngx_queue_t             *q;
    ngx_http_fcfaas_slot_t  *slot;

    for (q = ngx_queue_head(&f->slots);
         q != ngx_queue_sentinel(&f->slots);
         q = ngx_queue_next(q))
    {
        slot = ngx_queue_data(q, ngx_http_fcfaas_slot_t, queue);

        if (ngx_strcmp(slot->request_id, request_id) == 0) {
            slot->failed = 1;
        }
    }
}


static ngx_int_t
ngx_http_fcfaas_failure_keep(ngx_http_fcfaas_function_t *f,
    const fcf_failure_t *failure)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(failure->message);

    p = ngx_alloc(len + 1, f->worker->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, failure->message, len);

    if (f->failure.message.data) {
        ngx_free(f->failure.message.data);
    }

    f->failure.message.data = p;
    f->failure.message.len = len;
    f->failure.status = NGX_HTTP_BAD_GATEWAY;
    f->failure.error = fcf_failure_name(failure->error);
    f->failure.retry_after = 0;

    return NGX_OK;
}


const ngx_http_fcfaas_answer_t *
ngx_http_fcfaas_failure_now(ngx_http_fcfaas_function_t *f)
{
    if (!f->failed) {
        return NULL;
    }

    if (ngx_http_fcfaas_past(f->failed_until)) {
        f->failed = 0;
        return NULL;
    }

    return &f->failure;
}
