#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_traffic.h"


#define ngx_http_fcfaas_route_pool(q)                                       \
    (ngx_queue_data(q, ngx_http_fcfaas_pool_t, queue))


static ngx_int_t ngx_http_fcfaas_route_choose(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_waiter_t *wt, ngx_http_fcfaas_pool_t **want,
    ngx_http_fcfaas_pool_t **pool);
static ngx_http_fcfaas_pool_t *ngx_http_fcfaas_route_stand_in(
    ngx_http_fcfaas_function_t *f, ngx_http_fcfaas_pool_t *want);
static void ngx_http_fcfaas_route_wanted(ngx_http_fcfaas_function_t *f,
    int64_t version);


ngx_int_t
ngx_http_fcfaas_route_parse(ngx_str_t *id, int64_t *version)
{
    u_char     *at;
    ngx_int_t   n;

    *version = 0;

    at = id->len ? memchr(id->data, '@', id->len) : NULL;

    if (at == NULL) {
        return NGX_OK;
    }

    n = ngx_atoi(at + 1, id->data + id->len - at - 1);

    id->len = at - id->data;

    if (n <= 0 || at[1] == '0') {
        return NGX_DECLINED;
    }

    *version = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_fcfaas_route(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_waiter_t *wt)
{
    ngx_int_t                rc;
    ngx_http_fcfaas_pool_t  *pool, *want;

    rc = ngx_http_fcfaas_route_choose(f, wt, &want, &pool);

    if (rc != NGX_OK) {
        return rc;
    }

    pool->refs++;
    want->refs++;

    ngx_http_fcfaas_route_end(wt);

    wt->pool = pool;
    wt->want = want;
    wt->epoch = f->epoch;

    return NGX_OK;
}


void
ngx_http_fcfaas_route_end(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_pool_t  *pool, *want;

    pool = wt->pool;
    want = wt->want;

    if (pool == NULL) {
        return;
    }

    wt->pool = NULL;
    wt->want = NULL;

    pool->refs--;

    if (want != pool) {
        want->refs--;
        ngx_http_fcfaas_pool_release(want);

    } else {
        pool->refs--;
    }

    ngx_http_fcfaas_pool_release(pool);
}


void
ngx_http_fcfaas_route_again(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_function_t  *f;

    f = wt->pool->function;

    if (wt->epoch != f->epoch) {
        (void) ngx_http_fcfaas_route(f, wt);
    }
}


void
ngx_http_fcfaas_route_waiters(ngx_http_fcfaas_pool_t *pool)
{
    ngx_queue_t                 *q, *next;
    ngx_http_fcfaas_pool_t      *to, *want;
    ngx_http_fcfaas_waiter_t    *wt;
    ngx_http_fcfaas_function_t  *f;

    f = pool->function;

    if (pool->epoch == f->epoch) {
        return;
    }

    for (q = ngx_queue_head(&pool->waiters);
         q != ngx_queue_sentinel(&pool->waiters);
         q = next)
    {
        next = ngx_queue_next(q);
        wt = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);

        if (wt->epoch == f->epoch
            || ngx_http_fcfaas_route_choose(f, wt, &want, &to) != NGX_OK)
        {
            continue;
        }

        wt->epoch = f->epoch;

        if (to != wt->pool || want != wt->want) {
            ngx_http_fcfaas_park_move(wt, to, want);
        }
    }

    pool->epoch = f->epoch;
}


static ngx_int_t
ngx_http_fcfaas_route_choose(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_waiter_t *wt, ngx_http_fcfaas_pool_t **want,
    ngx_http_fcfaas_pool_t **pool)
{
    int64_t                  version;
    ngx_http_fcfaas_pool_t  *p;

    version = wt->version;

    if (version) {

        /* before the first list, whether there is one remains to be seen */

        if (f->worker->listed && !ngx_http_fcfaas_route_known(f, version)) {
            return NGX_DECLINED;
        }

    } else if (f->ntraffic) {

        if (wt->point == 0) {
            wt->point = ngx_http_fcfaas_traffic_chance();
        }

        version = ngx_http_fcfaas_traffic_choose(f, wt->point);
    }

    p = ngx_http_fcfaas_pool_get(f, version);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *want = p;
    *pool = p;

    if (wt->version || f->npools == 1 || ngx_http_fcfaas_slots_ready(p)) {
        return NGX_OK;
    }

    p = ngx_http_fcfaas_route_stand_in(f, p);

    if (p) {
        *pool = p;

        if (f->spec.version == 0) {
            /* not declared: whatever there is is as good as any */
            *want = p;
        }
    }

    return NGX_OK;
}


/* the newest that is ready; where there are shares, of those that have one */
static ngx_http_fcfaas_pool_t *
ngx_http_fcfaas_route_stand_in(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_pool_t *want)
{
    ngx_queue_t             *q;
    ngx_http_fcfaas_pool_t  *pool, *newest;

    newest = NULL;

    for (q = ngx_queue_head(&f->pools);
         q != ngx_queue_sentinel(&f->pools);
         q = ngx_queue_next(q))
    {
        pool = ngx_http_fcfaas_route_pool(q);

        if (pool == want || ngx_http_fcfaas_slots_ready(pool) == 0) {
            continue;
        }

        if (f->ntraffic == 0 || ngx_http_fcfaas_route_share(pool)) {
            return pool;
        }

        if (newest == NULL) {
            newest = pool;
        }
    }

    return newest;
}


void
ngx_http_fcfaas_route_changed(ngx_http_fcfaas_function_t *f)
{
    f->epoch++;

    if (f->npools > 1) {
        ngx_http_fcfaas_pool_each(f, ngx_http_fcfaas_park_kick);
    }
}


void
ngx_http_fcfaas_route_look(ngx_http_fcfaas_function_t *f)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_http_fcfaas_pool_t  *pool;

    for (q = ngx_queue_head(&f->pools);
         q != ngx_queue_sentinel(&f->pools);
         q = ngx_queue_next(q))
    {
        pool = ngx_http_fcfaas_route_pool(q);
        pool->outdated = 0;
    }

    if (f->declared && f->ntraffic == 0) {
        ngx_http_fcfaas_route_wanted(f, f->spec.version);
    }

    for (i = 0; f->declared && i < f->ntraffic; i++) {
        if (f->traffic[i].percent) {
            ngx_http_fcfaas_route_wanted(f, f->traffic[i].version);
        }
    }

    ngx_http_fcfaas_pool_each(f, ngx_http_fcfaas_park_kick);
    ngx_http_fcfaas_pool_release_all(f);
}


/* a version that others stand in for is started, also where nobody waits */
static void
ngx_http_fcfaas_route_wanted(ngx_http_fcfaas_function_t *f, int64_t version)
{
    ngx_http_fcfaas_pool_t  *pool;

    pool = ngx_http_fcfaas_pool_find(f, version);

    if ((pool && ngx_http_fcfaas_slots_live(pool))
        || ngx_http_fcfaas_route_stand_in(f, pool) == NULL)
    {
        return;
    }

    if (pool == NULL) {
        pool = ngx_http_fcfaas_pool_get(f, version);
        if (pool == NULL) {
            return;
        }
    }

    pool->outdated = 1;

    if (!f->worker->listing) {
        ngx_http_fcfaas_ask_look(pool);
    }
}


ngx_uint_t
ngx_http_fcfaas_route_share(ngx_http_fcfaas_pool_t *pool)
{
    ngx_uint_t                   i;
    ngx_http_fcfaas_function_t  *f;

    f = pool->function;

    if (!f->declared) {
        return 0;
    }

    for (i = 0; i < f->ntraffic; i++) {
        if (f->traffic[i].version == pool->version) {
            return f->traffic[i].percent != 0;
        }
    }

    return f->ntraffic == 0 && pool->version == f->spec.version;
}


ngx_uint_t
ngx_http_fcfaas_route_known(ngx_http_fcfaas_function_t *f, int64_t version)
{
    ngx_http_fcfaas_pool_t  *pool;

    pool = ngx_http_fcfaas_pool_find(f, version);

    return (f->declared && version == f->spec.version)
           || ngx_http_fcfaas_traffic_known(f, version)
           || (pool && (pool->nlisted || pool->nbooting));
}


ngx_uint_t
ngx_http_fcfaas_route_starts(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_function_t  *f;

    f = pool->function;

    return !f->declared
           || pool->version == f->spec.version
           || ngx_http_fcfaas_traffic_known(f, pool->version);
}
