#include "ngx_fcfaas_module/ngx_http_fcfaas_admit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_memory.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


/* more attempts of one request than that are of no use, and each costs some
 * memory until the request ends */
#define NGX_HTTP_FCFAAS_ATTEMPTS  1024


extern ngx_module_t  ngx_http_proxy_module;


ngx_int_t
ngx_http_fcfaas_admit(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_uint_t                       limited;
    ngx_http_fcfaas_pool_t          *pool;
    ngx_http_fcfaas_loc_conf_t      *flcf;
    const ngx_http_fcfaas_answer_t  *failure;

    if (ctx->waiter.admitted) {
        return NGX_OK;
    }

    pool = ctx->waiter.pool;

    /* before the first list, whether it is cold remains to be seen */

    if (pool->worker->listed) {

        failure = ngx_http_fcfaas_failure_now(ctx->waiter.want);

        if (failure
            && !ngx_http_fcfaas_slots_ready(pool)
            && !ngx_http_fcfaas_slots_booting(ctx->waiter.want))
        {
            ctx->waiter.answer = *failure;
            return NGX_DECLINED;
        }
    }

    flcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_fcfaas_module);

    ctx->waiter.memory = ngx_http_fcfaas_memory(ctx->request);

    /* a moment's wait of warm ones */
    limited = !ngx_http_fcfaas_slots_unsure(pool);

    if ((ctx->conf->park_memory
         && pool->worker->stat->parked_bytes + ctx->waiter.memory
            > ctx->conf->park_memory)
        || ngx_http_fcfaas_share_admit(&ctx->waiter,
                                 limited ? flcf->park_limit : 0,
                                 limited ? ctx->conf->park_limit_total : 0)
           != NGX_OK)
    {
        ngx_http_fcfaas_answer_limit(&ctx->waiter.answer);
        return NGX_DECLINED;
    }

    ctx->waiter.admitted = 1;

    return NGX_OK;
}


ngx_uint_t
ngx_http_fcfaas_admit_later(ngx_http_request_t *r)
{
    ngx_http_upstream_conf_t  *ucf;

    if (r != r->main) {
        return 1;
    }

    /* the first member of the proxy module's conf */
    ucf = ngx_http_get_module_loc_conf(r, ngx_http_proxy_module);

#if (NGX_HTTP_CACHE)
    if (ucf->cache > 0 && (r->method & ucf->cache_methods)) {
        return 1;
    }
#endif

    return ucf->store > 0;
}


ngx_uint_t
ngx_http_fcfaas_admit_behind(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_queue_t               *q;
    ngx_http_fcfaas_pool_t    *pool;
    ngx_http_fcfaas_waiter_t  *first;

    pool = wt->pool;

    if (pool->nwaiters == 0) {
        return 0;
    }

    q = ngx_queue_head(&pool->waiters);
    first = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);

    return ngx_http_fcfaas_share_ticket(first)
           < ngx_http_fcfaas_share_ticket(wt);
}


ngx_uint_t
ngx_http_fcfaas_admit_overdue(ngx_http_fcfaas_waiter_t *wt)
{
    if (wt->attempts >= NGX_HTTP_FCFAAS_ATTEMPTS) {
        return 1;
    }

    return wt->waited && wt->waited >= wt->timeout;
}
