#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"


/* instances taken from the zone at once */
#define NGX_HTTP_FCFAAS_SHARE_TURN  16


static uint64_t ngx_http_fcfaas_share_oldest(ngx_http_fcfaas_pool_t *pool);
static ngx_int_t ngx_http_fcfaas_share_code(ngx_http_fcfaas_pool_t *pool,
    fcz_rc_e rc);


void
ngx_http_fcfaas_share_pool(ngx_http_fcfaas_pool_t *pool)
{
    u_char     version[NGX_INT64_LEN + 1];
    fcz_key_t  key;

    *ngx_sprintf(version, "%L", pool->version) = '\0';

    fcz_key(pool->worker->shared.zone, &key,
            (char *) pool->function->id.data, (char *) version);
    fcz_pool_init(&pool->shared, &key);
}


void
ngx_http_fcfaas_share_pool_done(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_share_ahead(pool);
    fcz_pool_done(&pool->worker->shared, &pool->shared);
}


void
ngx_http_fcfaas_share_instance(ngx_http_fcfaas_instance_t *instance)
{
    fcz_key_t                    key;
    ngx_http_fcfaas_function_t  *f;

    f = instance->function;

    fcz_key(f->worker->shared.zone, &key, (char *) f->id.data,
            (char *) instance->worker_id);
    fcz_slot_init(&instance->shared, NULL, &key);
}


void
ngx_http_fcfaas_share_instance_done(ngx_http_fcfaas_instance_t *instance)
{
    fcz_slot_done(&instance->function->worker->shared, &instance->shared);
}


ngx_int_t
ngx_http_fcfaas_share_take(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_waiter_t *wt, ngx_uint_t limit)
{
    fcz_rc_e                   rc;
    ngx_http_fcfaas_worker_t  *w;

    w = instance->function->worker;

    rc = fcz_bind(&w->shared, &instance->shared, limit, &wt->ticket,
                  !wt->turn && !wt->queued);

    if (rc == FCZ_OK && w->shared.events == 0) {
        return NGX_OK;
    }

    return ngx_http_fcfaas_share_code(instance->pool, rc);
}


ngx_int_t
ngx_http_fcfaas_share_peek(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_waiter_t *wt, ngx_uint_t limit)
{
    fcz_rc_e  rc;

    rc = fcz_peek(&instance->function->worker->shared, &instance->shared,
                  limit, ngx_http_fcfaas_share_ticket(wt), 0);

    return ngx_http_fcfaas_share_code(instance->pool, rc);
}


static ngx_int_t
ngx_http_fcfaas_share_code(ngx_http_fcfaas_pool_t *pool, fcz_rc_e rc)
{
    ngx_http_fcfaas_worker_t  *w;

    w = pool->worker;

    if (w->shared.events) {
        ngx_http_fcfaas_share_events(w);
    }

    switch (rc) {

    case FCZ_OK:
        return NGX_OK;

    case FCZ_FULL:
        return NGX_BUSY;

    default: /* FCZ_BEHIND, FCZ_SETTLING */
        ngx_http_fcfaas_share_behind(pool);
        return NGX_AGAIN;
    }
}


void
ngx_http_fcfaas_share_give(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_worker_t  *w;

    w = instance->function->worker;

    fcz_release(&w->shared, &instance->shared);

    if (!LIST_EMPTY(&w->shared.offers)) {
        ngx_http_fcfaas_share_soon(w, FCZ_OFFER_MS);
    }

    if (w->shared.events) {
        ngx_http_fcfaas_share_events(w);
    }
}


ngx_uint_t
ngx_http_fcfaas_share_room(ngx_http_fcfaas_pool_t *pool)
{
    uint32_t     i, n;
    fcz_slot_t  *slots[NGX_HTTP_FCFAAS_SHARE_TURN];

    n = fcz_room(&pool->worker->shared, &pool->shared, slots,
                 NGX_HTTP_FCFAAS_SHARE_TURN);

    for (i = 0; i < n; i++) {
        ngx_http_fcfaas_slots_room(ngx_queue_data(slots[i],
                                       ngx_http_fcfaas_instance_t, shared));
    }

    return n;
}


uint64_t
ngx_http_fcfaas_share_ticket(ngx_http_fcfaas_waiter_t *wt)
{
    if (wt->ticket == 0) {
        wt->ticket = fcz_ticket(wt->pool->worker->shared.zone);
    }

    return wt->ticket;
}


ngx_int_t
ngx_http_fcfaas_share_admit(ngx_http_fcfaas_waiter_t *wt, ngx_uint_t limit,
    ngx_uint_t total)
{
    ngx_http_fcfaas_pool_t  *pool;

    pool = wt->pool;

    if (!wt->placed) {

        if (fcz_wait_add(&pool->worker->shared, &pool->shared,
                         (uint32_t) limit, (uint32_t) total) != FCZ_OK)
        {
            return NGX_DECLINED;
        }

        wt->placed = 1;
    }

    return NGX_OK;
}


void
ngx_http_fcfaas_share_join(ngx_http_fcfaas_waiter_t *wt)
{
    wt->wants = 1;
    fcz_want(&wt->pool->worker->shared, &wt->want->shared, 1,
             wt->want != wt->pool);

    (void) ngx_http_fcfaas_share_admit(wt, 0, 0);

    fcz_wait_head(&wt->pool->worker->shared, &wt->pool->shared,
                  ngx_http_fcfaas_share_oldest(wt->pool));
    ngx_http_fcfaas_share_soon(wt->pool->worker, FCZ_LOOK_MS);
}


void
ngx_http_fcfaas_share_leave(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_pool_t  *pool;

    if (!wt->placed) {
        return;
    }

    wt->placed = 0;
    pool = wt->pool;

    if (wt->wants) {
        wt->wants = 0;
        fcz_want(&pool->worker->shared, &wt->want->shared, -1,
                 wt->want != pool);
    }

    fcz_wait_sub(&pool->worker->shared, &pool->shared,
                 ngx_http_fcfaas_share_oldest(pool));
}


static uint64_t
ngx_http_fcfaas_share_oldest(ngx_http_fcfaas_pool_t *pool)
{
    ngx_queue_t               *q;
    ngx_http_fcfaas_waiter_t  *wt;

    if (ngx_queue_empty(&pool->waiters)) {
        return FCZ_NO_TICKET;
    }

    q = ngx_queue_head(&pool->waiters);
    wt = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);

    return ngx_http_fcfaas_share_ticket(wt);
}


ngx_uint_t
ngx_http_fcfaas_share_waited(ngx_http_fcfaas_pool_t *pool)
{
    return fcz_waited(&pool->worker->shared, &pool->shared);
}
