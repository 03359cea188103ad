#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"


ngx_uint_t
ngx_http_fcfaas_share_wanted(ngx_http_fcfaas_pool_t *pool, ngx_uint_t *failed)
{
    fcz_view_t  view;

    fcz_view(&pool->worker->shared, &pool->shared, &view);

    *failed = view.failed;

    return ngx_max(view.wanted, pool->nwanted);
}


ngx_uint_t
ngx_http_fcfaas_share_ask(ngx_http_fcfaas_pool_t *pool, ngx_uint_t live,
    ngx_uint_t wanted, ngx_msec_t *ms)
{
    uint32_t  left;

    left = 0;

    if (fcz_ask(&pool->worker->shared, &pool->shared, (uint32_t) live,
                (uint32_t) wanted, &left))
    {
        return 1;
    }

    *ms = left;

    return 0;
}


void
ngx_http_fcfaas_share_asked(ngx_http_fcfaas_pool_t *pool, fcz_ask_e what,
    ngx_uint_t wanted)
{
    fcz_asked(&pool->worker->shared, &pool->shared, what, (uint32_t) wanted);
}


void
ngx_http_fcfaas_share_forget(ngx_http_fcfaas_pool_t *pool)
{
    fcz_ask_forget(&pool->worker->shared, &pool->shared);
}


ngx_uint_t
ngx_http_fcfaas_share_failed(ngx_http_fcfaas_pool_t *pool, uint64_t what,
    ngx_msec_t *ms)
{
    uint64_t    until, now;
    ngx_uint_t  n;

    n = fcz_failed(&pool->worker->shared, &pool->shared, what, &until);
    now = fcz_now();

    *ms = until > now ? until - now : 0;

    return n;
}


ngx_uint_t
ngx_http_fcfaas_share_failing(ngx_http_fcfaas_pool_t *pool, ngx_msec_t *ms)
{
    uint64_t    now;
    fcz_view_t  view;

    fcz_view(&pool->worker->shared, &pool->shared, &view);
    now = fcz_now();

    *ms = view.failed_until > now ? view.failed_until - now : 0;

    return view.failed;
}


void
ngx_http_fcfaas_share_succeeded(ngx_http_fcfaas_pool_t *pool)
{
    fcz_succeeded(&pool->worker->shared, &pool->shared);
}


uint64_t
ngx_http_fcfaas_share_hash(ngx_http_fcfaas_worker_t *w, const char *name)
{
    fcz_key_t  key;

    fcz_key(w->shared.zone, &key, "", name);

    return key.part[0];
}


void
ngx_http_fcfaas_share_id(ngx_http_fcfaas_worker_t *w, char *id)
{
    fcz_id(w->shared.zone, id);
}
