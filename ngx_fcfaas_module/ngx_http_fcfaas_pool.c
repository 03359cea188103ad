#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"


#define ngx_http_fcfaas_pool_of(q)                                          \
    (ngx_queue_data(q, ngx_http_fcfaas_pool_t, queue))


ngx_http_fcfaas_pool_t *
ngx_http_fcfaas_pool_find(ngx_http_fcfaas_function_t *f, int64_t version)
{
    ngx_queue_t             *q;
    ngx_http_fcfaas_pool_t  *pool;

    if (version == 0) {
        version = f->spec.version;
    }

    for (q = ngx_queue_head(&f->pools);
         q != ngx_queue_sentinel(&f->pools);
         q = ngx_queue_next(q))
    {
        pool = ngx_http_fcfaas_pool_of(q);

        if (pool->version <= version) {
            return pool->version == version ? pool : NULL;
        }
    }

    return NULL;
}


ngx_http_fcfaas_pool_t *
ngx_http_fcfaas_pool_get(ngx_http_fcfaas_function_t *f, int64_t version)
{
    ngx_queue_t             *q;
    ngx_http_fcfaas_pool_t  *pool;

    pool = ngx_http_fcfaas_pool_find(f, version);

    if (pool) {
        return pool;
    }

    pool = ngx_calloc(sizeof(ngx_http_fcfaas_pool_t), f->worker->log);
    if (pool == NULL) {
        return NULL;
    }

    pool->function = f;
    pool->worker = f->worker;
    pool->version = version ? version : f->spec.version;
    pool->epoch = f->epoch;

    ngx_http_fcfaas_pick_init(&pool->pick);
    ngx_queue_init(&pool->waiters);
    ngx_queue_init(&pool->booting);
    ngx_http_fcfaas_share_pool(pool);

    for (q = ngx_queue_head(&f->pools);
         q != ngx_queue_sentinel(&f->pools);
         q = ngx_queue_next(q))
    {
        if (ngx_http_fcfaas_pool_of(q)->version < pool->version) {
            break;
        }
    }

    /* before q */
    ngx_queue_insert_tail(q, &pool->queue);

    f->npools++;
    f->refs++;

    return pool;
}


ngx_http_fcfaas_pool_t *
ngx_http_fcfaas_pool_home(ngx_http_fcfaas_function_t *f, int64_t version)
{
    return ngx_http_fcfaas_pool_get(f, f->declared ? version : 0);
}


void
ngx_http_fcfaas_pool_release(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_function_t  *f;

    if (pool->refs
        || pool->nwaiters
        || pool->nwanted
        || pool->outdated
        || ngx_http_fcfaas_ask_busy(pool)
        || ngx_http_fcfaas_route_share(pool)
        || ngx_http_fcfaas_failure_now(pool))
    {
        return;
    }

    f = pool->function;

    ngx_http_fcfaas_pool_free(pool);

    f->refs--;
    ngx_http_fcfaas_table_release(f);
}


void
ngx_http_fcfaas_pool_release_all(ngx_http_fcfaas_function_t *f)
{
    ngx_queue_t  *q, *next;

    for (q = ngx_queue_head(&f->pools);
         q != ngx_queue_sentinel(&f->pools);
         q = next)
    {
        next = ngx_queue_next(q);
        ngx_http_fcfaas_pool_release(ngx_http_fcfaas_pool_of(q));
    }
}


void
ngx_http_fcfaas_pool_free(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_pick_done(&pool->pick);

    if (pool->retry_timer.timer_set) {
        ngx_del_timer(&pool->retry_timer);
    }

    if (pool->in_kicked) {
        ngx_queue_remove(&pool->kicked);
    }

    ngx_http_fcfaas_share_pool_done(pool);
    ngx_http_fcfaas_ask_end(pool);
    ngx_http_fcfaas_failure_forget(pool);
    ngx_http_fcfaas_refuse_forget(pool);

    ngx_queue_remove(&pool->queue);
    pool->function->npools--;

    ngx_free(pool);
}


void
ngx_http_fcfaas_pool_each(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_pool_pt handler)
{
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&f->pools);
         q != ngx_queue_sentinel(&f->pools);
         q = ngx_queue_next(q))
    {
        handler(ngx_http_fcfaas_pool_of(q));
    }
}
