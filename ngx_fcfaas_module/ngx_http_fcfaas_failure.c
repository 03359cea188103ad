#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_boots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"

#include "contract/fcf_text.h"


typedef enum {
    NGX_HTTP_FCFAAS_FINAL = 0,          /* told at once */
    NGX_HTTP_FCFAAS_TRANSIENT,          /* tried again, then told */
    NGX_HTTP_FCFAAS_NO_ROOM,            /* told, but not to newcomers */
    NGX_HTTP_FCFAAS_SILENT              /* never reaches a client */
} ngx_http_fcfaas_failure_kind_e;


static void ngx_http_fcfaas_failure_hold(ngx_http_fcfaas_pool_t *pool,
    ngx_msec_t ms, ngx_uint_t spaced);
static void ngx_http_fcfaas_failure_keep(ngx_http_fcfaas_pool_t *pool,
    const char *error, const char *text, size_t len);
static ngx_uint_t ngx_http_fcfaas_failure_count(
    ngx_http_fcfaas_pool_t *pool, const char *name);
static void ngx_http_fcfaas_failure_judge(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_failure_kind_e kind, const char *request_id);


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
ngx_http_fcfaas_failure(ngx_http_fcfaas_pool_t *pool, const char *request_id,
    const fcf_failure_t *failure)
{
    char                            text[FCF_FAILURE_MESSAGE_MAX];
    ngx_uint_t                      level;
    ngx_http_fcfaas_failure_kind_e  kind;

    kind = ngx_http_fcfaas_failure_kinds[failure->error];

    level = kind == NGX_HTTP_FCFAAS_SILENT ? NGX_LOG_INFO : NGX_LOG_WARN;

    /* a guest's console is a part of it: that makes no lines of its own */

    (void) fcf_text_clean(text, sizeof(text), failure->message,
                          ngx_strlen(failure->message), 0);

    ngx_log_error(level, pool->worker->log, 0,
                  "fcfaas: \"%V\" did not start (%s, node \"%s\"): %s: %s",
                  &pool->function->id, request_id, failure->node_id,
                  fcf_failure_name(failure->error), text);

    ngx_http_fcfaas_boots_failed(pool->function, request_id);

    if (kind == NGX_HTTP_FCFAAS_SILENT) {
        return;
    }

    ngx_http_fcfaas_failure_keep(pool, fcf_failure_name(failure->error), text,
                                 ngx_strlen(text));
    ngx_http_fcfaas_failure_judge(pool, kind, request_id);
}


void
ngx_http_fcfaas_failure_before(ngx_http_fcfaas_pool_t *pool,
    const fcf_failure_t *failure)
{
    ngx_uint_t  row;
    ngx_msec_t  ms;

    if (pool->failing.held
        || ngx_http_fcfaas_failure_kinds[failure->error]
           != NGX_HTTP_FCFAAS_TRANSIENT)
    {
        return;
    }

    row = ngx_http_fcfaas_share_failing(pool, &ms);

    if (ms) {
        pool->failing.row = row;
        ngx_http_fcfaas_failure_keep(pool, fcf_failure_name(failure->error),
                                     failure->message,
                                     ngx_strlen(failure->message));
        ngx_http_fcfaas_failure_hold(pool, ms, 1);
    }
}


void
ngx_http_fcfaas_failure_unreachable(ngx_http_fcfaas_instance_t *instance)
{
    char                         text[128];
    ngx_http_fcfaas_pool_t      *pool;

    pool = instance->pool;

    *ngx_snprintf((u_char *) text, sizeof(text) - 1,
                  "its instance at %V takes no connections", &instance->name)
        = '\0';

    ngx_log_error(NGX_LOG_WARN, pool->worker->log, 0, "fcfaas: \"%V\": %s",
                  &pool->function->id, text);

    ngx_http_fcfaas_failure_keep(pool,
                                 fcf_failure_name(FCF_FAILURE_NOT_READY),
                                 text, ngx_strlen(text));
    (void) ngx_http_fcfaas_failure_count(pool, (char *) instance->worker_id);
}


void
ngx_http_fcfaas_failure_refused(ngx_http_fcfaas_pool_t *pool,
    const ngx_str_t *text)
{
    ngx_http_fcfaas_failure_keep(pool,
                                 fcf_failure_name(FCF_FAILURE_NOT_READY),
                                 (char *) text->data, text->len);
}


void
ngx_http_fcfaas_failure_over(ngx_http_fcfaas_pool_t *pool)
{
    /* others may have counted what this worker has not seen */
    ngx_http_fcfaas_share_succeeded(pool);

    pool->failing.row = 0;
    pool->failing.held = 0;
}


/* one more in a row, over all workers, of which each sees this one: 1 if there
 * have been enough of them, and the next start is to wait */
static ngx_uint_t
ngx_http_fcfaas_failure_count(ngx_http_fcfaas_pool_t *pool, const char *name)
{
    ngx_msec_t                  ms;
    ngx_http_fcfaas_failing_t  *failing;

    failing = &pool->failing;

    failing->row = ngx_http_fcfaas_share_failed(pool,
                       ngx_http_fcfaas_share_hash(pool->worker, name), &ms);

    if (failing->row < NGX_HTTP_FCFAAS_TRIES || ms == 0) {
        return 0;
    }

    ngx_http_fcfaas_failure_hold(pool, ms, 1);

    return 1;
}


/* what it means for those who wait */
static void
ngx_http_fcfaas_failure_judge(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_failure_kind_e kind, const char *request_id)
{
    if (kind == NGX_HTTP_FCFAAS_TRANSIENT
        && !ngx_http_fcfaas_failure_count(pool, request_id))
    {
        if (!ngx_http_fcfaas_slots_ready(pool)
            && !ngx_http_fcfaas_slots_booting(pool))
        {
            ngx_http_fcfaas_ask_forget(pool);
            ngx_http_fcfaas_ask_look(pool);
        }

        return;
    }

    /* where others serve or boot, asking again waits for the timer: agents
     * without room would be asked in a circle */

    if (ngx_http_fcfaas_slots_ready(pool)
        || ngx_http_fcfaas_slots_booting(pool))
    {
        return;
    }

    ngx_http_fcfaas_ask_forget(pool);

    if (kind == NGX_HTTP_FCFAAS_NO_ROOM) {
        pool->failing.answer.status = NGX_HTTP_SERVICE_UNAVAILABLE;
        pool->failing.answer.retry_after = 2;
        ngx_str_set(&pool->failing.answer.message,
                    "no node has room for an instance");

    } else if (kind == NGX_HTTP_FCFAAS_FINAL) {
        ngx_http_fcfaas_failure_hold(pool, NGX_HTTP_FCFAAS_NEGATIVE, 0);
    }

    ngx_http_fcfaas_refuse_all(pool, ngx_current_msec, &pool->failing.answer);
}


/* newcomers are told until then; spaced: the zone says when that is over */
static void
ngx_http_fcfaas_failure_hold(ngx_http_fcfaas_pool_t *pool, ngx_msec_t ms,
    ngx_uint_t spaced)
{
    pool->failing.held = 1;
    pool->failing.spaced = spaced;
    pool->failing.until = ngx_current_msec + ms;
    ngx_http_fcfaas_ask_later(pool, ms + 1);
}


static void
ngx_http_fcfaas_failure_keep(ngx_http_fcfaas_pool_t *pool, const char *error,
    const char *text, size_t len)
{
    u_char  *p;

    pool->failing.at = ngx_current_msec;
    pool->failing.answer.status = NGX_HTTP_BAD_GATEWAY;
    pool->failing.answer.error = error;
    pool->failing.answer.retry_after = 0;
    ngx_str_set(&pool->failing.answer.message, "no instance could be started");

    if (pool->failing.answer.detail.data) {
        ngx_free(pool->failing.answer.detail.data);
    }

    p = ngx_alloc(len + 1, pool->worker->log);

    pool->failing.answer.detail.data = p;
    pool->failing.answer.detail.len = p ? len : 0;

    if (p) {
        ngx_memcpy(p, text, len);
    }
}


const ngx_http_fcfaas_answer_t *
ngx_http_fcfaas_failure_now(ngx_http_fcfaas_pool_t *pool)
{
    ngx_msec_t  ms;

    if (!pool->failing.held) {
        return NULL;
    }

    ms = 1;

    if (pool->failing.spaced) {
        /* another worker may have seen it answer */
        (void) ngx_http_fcfaas_share_failing(pool, &ms);
    }

    if (ms == 0 || ngx_http_fcfaas_past(pool->failing.until)) {
        pool->failing.held = 0;
        return NULL;
    }

    return &pool->failing.answer;
}


const ngx_http_fcfaas_answer_t *
ngx_http_fcfaas_failure_since(ngx_http_fcfaas_pool_t *pool, ngx_msec_t time)
{
    if (pool->failing.answer.status == 0
        || (ngx_msec_int_t) (pool->failing.at - time) < 0)
    {
        return NULL;
    }

    return &pool->failing.answer;
}


void
ngx_http_fcfaas_failure_forget(ngx_http_fcfaas_pool_t *pool)
{
    if (pool->failing.answer.detail.data) {
        ngx_free(pool->failing.answer.detail.data);
        pool->failing.answer.detail.data = NULL;
    }
}
