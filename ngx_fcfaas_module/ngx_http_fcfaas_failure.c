#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"

#include "contract/fcf_text.h"


/* between starts of a function that fails again and again */
#define NGX_HTTP_FCFAAS_SPACE       1000
#define NGX_HTTP_FCFAAS_SPACE_MAX  30000
/* then a row of failures has ended */
#define NGX_HTTP_FCFAAS_FORGET     90000


typedef enum {
    NGX_HTTP_FCFAAS_FINAL = 0,          /* told at once */
    NGX_HTTP_FCFAAS_TRANSIENT,          /* tried again, then told */
    NGX_HTTP_FCFAAS_NO_ROOM,            /* told, but not to newcomers */
    NGX_HTTP_FCFAAS_SILENT              /* never reaches a client */
} ngx_http_fcfaas_failure_kind_e;


static void ngx_http_fcfaas_failure_slots(ngx_http_fcfaas_function_t *f,
    const char *request_id);
static void ngx_http_fcfaas_failure_keep(ngx_http_fcfaas_function_t *f,
    const char *error, const char *text);
static ngx_uint_t ngx_http_fcfaas_failure_count(
    ngx_http_fcfaas_function_t *f);
static void ngx_http_fcfaas_failure_judge(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_failure_kind_e kind);


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
    char                            text[FCF_FAILURE_MESSAGE_MAX];
    ngx_uint_t                      level;
    ngx_http_fcfaas_failure_kind_e  kind;

    kind = ngx_http_fcfaas_failure_kinds[failure->error];

    level = kind == NGX_HTTP_FCFAAS_SILENT ? NGX_LOG_INFO : NGX_LOG_WARN;

    /* a guest's console is a part of it: that makes no lines of its own */

    (void) fcf_text_clean(text, sizeof(text), failure->message,
                          ngx_strlen(failure->message), 0);

    ngx_log_error(level, f->worker->log, 0,
                  "fcfaas: \"%V\" did not start (%s, node \"%s\"): %s: %s",
                  &f->id, request_id, failure->node_id,
                  fcf_failure_name(failure->error), text);

    ngx_http_fcfaas_failure_slots(f, request_id);

    if (kind == NGX_HTTP_FCFAAS_SILENT) {
        return;
    }

    ngx_http_fcfaas_failure_keep(f, fcf_failure_name(failure->error), text);
    ngx_http_fcfaas_failure_judge(f, kind);
}


void
ngx_http_fcfaas_failure_unreachable(ngx_http_fcfaas_instance_t *instance)
{
    char                         text[128];
    ngx_http_fcfaas_function_t  *f;

    f = instance->function;

    *ngx_snprintf((u_char *) text, sizeof(text) - 1,
                  "its instance at %V takes no connections", &instance->name)
        = '\0';

    ngx_log_error(NGX_LOG_WARN, f->worker->log, 0, "fcfaas: \"%V\": %s",
                  &f->id, text);

    ngx_http_fcfaas_failure_keep(f,
                                 fcf_failure_name(FCF_FAILURE_NOT_READY),
                                 text);
    ngx_http_fcfaas_failure_count(f);
}


void
ngx_http_fcfaas_failure_over(ngx_http_fcfaas_function_t *f)
{
    f->attempt = 0;
    f->failed = 0;
}


/* one more in a row: 1 if there have been enough of them, and the next start
 * is to wait */
static ngx_uint_t
ngx_http_fcfaas_failure_count(ngx_http_fcfaas_function_t *f)
{
    ngx_uint_t  n;
    ngx_msec_t  ms;

    if (f->attempt
        && ngx_http_fcfaas_past(f->counted_at + NGX_HTTP_FCFAAS_FORGET))
    {
        f->attempt = 0;
    }

    f->counted_at = ngx_current_msec;

    if (++f->attempt < NGX_HTTP_FCFAAS_TRIES) {
        return 0;
    }

    n = f->attempt - NGX_HTTP_FCFAAS_TRIES;
    ms = n < 5 ? NGX_HTTP_FCFAAS_SPACE << n : NGX_HTTP_FCFAAS_SPACE_MAX;

    f->failed = 1;
    f->failed_until = ngx_current_msec + ms;
    ngx_http_fcfaas_ask_later(f, ms + 1);

    return 1;
}


/* what it means for those who wait */
static void
ngx_http_fcfaas_failure_judge(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_failure_kind_e kind)
{
    if (kind == NGX_HTTP_FCFAAS_TRANSIENT
        && !ngx_http_fcfaas_failure_count(f))
    {
        if (!ngx_http_fcfaas_slots_ready(f)
            && !ngx_http_fcfaas_slots_booting(f))
        {
            ngx_http_fcfaas_ask_forget(f);
            ngx_http_fcfaas_ask_look(f);
        }

        return;
    }

    /* where others serve or boot, asking again waits for the timer: agents
     * without room would be asked in a circle */

    if (ngx_http_fcfaas_slots_ready(f) || ngx_http_fcfaas_slots_booting(f)) {
        return;
    }

    ngx_http_fcfaas_ask_forget(f);

    if (kind == NGX_HTTP_FCFAAS_NO_ROOM) {
        f->failure.status = NGX_HTTP_SERVICE_UNAVAILABLE;
        f->failure.retry_after = 2;
        ngx_str_set(&f->failure.message, "no node has room for an instance");

    } else if (kind == NGX_HTTP_FCFAAS_FINAL) {
        f->failed = 1;
        f->failed_until = ngx_current_msec + NGX_HTTP_FCFAAS_NEGATIVE;
        ngx_http_fcfaas_ask_later(f, NGX_HTTP_FCFAAS_NEGATIVE + 1);
    }

    ngx_http_fcfaas_refuse_all(f, ngx_current_msec, &f->failure);
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
            f->booting_changed = 1;
        }
    }
}


static void
ngx_http_fcfaas_failure_keep(ngx_http_fcfaas_function_t *f, const char *error,
    const char *text)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(text);

    f->failed_at = ngx_current_msec;
    f->failure.status = NGX_HTTP_BAD_GATEWAY;
    f->failure.error = error;
    f->failure.retry_after = 0;
    ngx_str_set(&f->failure.message, "no instance could be started");

    if (f->failure.detail.data) {
        ngx_free(f->failure.detail.data);
    }

    p = ngx_alloc(len + 1, f->worker->log);

    f->failure.detail.data = p;
    f->failure.detail.len = p ? len : 0;

    if (p) {
        ngx_memcpy(p, text, len);
    }
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
