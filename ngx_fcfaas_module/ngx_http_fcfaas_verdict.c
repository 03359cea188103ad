#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"


/* what is said to be full is left alone for so long, in ms */
#define NGX_HTTP_FCFAAS_FULL_MIN    20
#define NGX_HTTP_FCFAAS_FULL_MAX   200


void
ngx_http_fcfaas_slots_refused(ngx_http_fcfaas_instance_t *instance)
{
    ngx_uint_t  others;

    if (!instance->suspect) {
        instance->suspect = 1;
        instance->refused_since = ngx_current_msec;
        ngx_http_fcfaas_slots_note(instance);
    }

    others = ngx_http_fcfaas_slots_ready(instance->pool);
    others -= ngx_min(others, 1);

    if (others == 0 && !ngx_http_fcfaas_slots_lost(instance)) {
        instance->retry_at = ngx_current_msec + NGX_HTTP_FCFAAS_SUSPECT_RETRY;

    } else {
        instance->retry_at = ngx_current_msec + NGX_HTTP_FCFAAS_SUSPECT_TIME;
    }

    if (!instance->proven && !instance->lost
        && ngx_http_fcfaas_slots_lost(instance))
    {
        instance->lost = 1;
        ngx_http_fcfaas_failure_unreachable(instance);
    }
}


void
ngx_http_fcfaas_slots_full(ngx_http_fcfaas_instance_t *instance)
{
    ngx_msec_t  ms;

    ms = NGX_HTTP_FCFAAS_FULL_MIN << ngx_min(instance->full_times, 4);
    ms = ngx_min(ms, NGX_HTTP_FCFAAS_FULL_MAX);

    instance->full = 1;
    instance->full_times++;
    instance->full_until = ngx_current_msec + ms / 2 + ngx_random() % ms / 2;

    ngx_http_fcfaas_slots_note(instance);
}


ngx_uint_t
ngx_http_fcfaas_slots_good(ngx_http_fcfaas_instance_t *instance)
{
    if (!instance->suspect && instance->full_times == 0) {
        return 0;
    }

    instance->suspect = 0;
    instance->full = 0;
    instance->full_times = 0;
    instance->probing = 0;

    ngx_http_fcfaas_slots_note(instance);

    return 1;
}


ngx_msec_t
ngx_http_fcfaas_slots_retry(ngx_http_fcfaas_pool_t *pool)
{
    ngx_queue_t                 *q;
    ngx_msec_t                   least;
    ngx_msec_int_t               ms;
    ngx_http_fcfaas_instance_t  *instance;

    least = 0;

    if (pool->nodd == 0) {
        return 0;
    }

    for (q = ngx_queue_head(&pool->instances);
         q != ngx_queue_sentinel(&pool->instances);
         q = ngx_queue_next(q))
    {
        instance = ngx_queue_data(q, ngx_http_fcfaas_instance_t, queue);

        if (instance->draining
            || (!instance->full && !instance->suspect && !instance->away))
        {
            continue;
        }

        ms = (ngx_msec_int_t) ((instance->away ? instance->away_until
                                : instance->full ? instance->full_until
                                : instance->retry_at)
                               - ngx_current_msec);

        if (ms <= 0) {
            /* its time has come: the end of a request there will tell */
            continue;
        }

        if (least == 0 || (ngx_msec_t) ms < least) {
            least = (ngx_msec_t) ms;
        }
    }

    return least;
}
