#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"


ngx_http_fcfaas_pool_t *
ngx_http_fcfaas_pool_get(ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_pool_t  *pool;

    if (f->pool) {
        return f->pool;
    }

    pool = ngx_calloc(sizeof(ngx_http_fcfaas_pool_t), f->worker->log);
    if (pool == NULL) {
        return NULL;
    }

    pool->function = f;
    pool->worker = f->worker;

    ngx_queue_init(&pool->instances);
    ngx_queue_init(&pool->waiters);

    ngx_queue_insert_tail(&f->pools, &pool->queue);
    f->pool = pool;
    f->refs++;

    return pool;
}


void
ngx_http_fcfaas_pool_release(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_function_t  *f;

    if (pool->refs
        || pool->nwaiters
        || !ngx_queue_empty(&pool->instances)
        || ngx_http_fcfaas_ask_busy(pool)
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
ngx_http_fcfaas_pool_free(ngx_http_fcfaas_pool_t *pool)
{
    ngx_queue_t                 *q;
    ngx_http_fcfaas_instance_t  *instance;

    while (!ngx_queue_empty(&pool->instances)) {
        q = ngx_queue_head(&pool->instances);
        instance = ngx_queue_data(q, ngx_http_fcfaas_instance_t, queue);
        ngx_queue_remove(q);
        ngx_free(instance);
    }

    if (pool->retry_timer.timer_set) {
        ngx_del_timer(&pool->retry_timer);
    }

    if (pool->in_kicked) {
        ngx_queue_remove(&pool->kicked);
    }

    ngx_http_fcfaas_ask_end(pool);
    ngx_http_fcfaas_failure_forget(pool);
    ngx_http_fcfaas_refuse_forget(pool);

    ngx_queue_remove(&pool->queue);
    pool->function->pool = NULL;

    ngx_free(pool);
}
