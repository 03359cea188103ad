#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"


#define NGX_HTTP_FCFAAS_REFUSED  32             /* in a turn, of all pools */


struct ngx_http_fcfaas_refusal_s {
    ngx_msec_t                   before;
    ngx_http_fcfaas_answer_t     answer;
    u_char                       detail[1];     /* as long as it is */
};


static ngx_uint_t ngx_http_fcfaas_refuse_turn(ngx_http_fcfaas_pool_t *pool,
    ngx_msec_t before, const ngx_http_fcfaas_answer_t *answer,
    ngx_uint_t limit);
static ngx_uint_t ngx_http_fcfaas_refuse_more(ngx_http_fcfaas_pool_t *pool,
    ngx_msec_t before);


void
ngx_http_fcfaas_refuse_all(ngx_http_fcfaas_pool_t *pool, ngx_msec_t before,
    const ngx_http_fcfaas_answer_t *answer)
{
    size_t                      len;
    ngx_http_fcfaas_refusal_t  *refusal;

    pool->refs++;

    while (ngx_http_fcfaas_refuse_more(pool, before)
           && ngx_http_fcfaas_pace(&pool->worker->refusals)
              < NGX_HTTP_FCFAAS_REFUSED)
    {
        (void) ngx_http_fcfaas_refuse_turn(pool, before, answer, 1);
    }

    if (ngx_http_fcfaas_refuse_more(pool, before)) {

        /* what is left of an earlier one came before these */
        ngx_http_fcfaas_refuse_forget(pool);

        len = answer->detail.len;

        refusal = ngx_alloc(sizeof(ngx_http_fcfaas_refusal_t) + len,
                            pool->worker->log);

        if (refusal) {
            refusal->before = before;
            refusal->answer = *answer;
            refusal->answer.detail.data = refusal->detail;

            if (len) {
                ngx_memcpy(refusal->detail, answer->detail.data, len);
            }

            pool->refusal = refusal;
            ngx_http_fcfaas_park_kick(pool);

        } else {
            (void) ngx_http_fcfaas_refuse_turn(pool, before, answer,
                                               NGX_MAX_UINT32_VALUE);
        }
    }

    pool->refs--;
}


ngx_uint_t
ngx_http_fcfaas_refuse_rest(ngx_http_fcfaas_pool_t *pool, ngx_uint_t limit)
{
    ngx_http_fcfaas_refusal_t  *refusal;

    refusal = pool->refusal;

    if (refusal == NULL) {
        return limit;
    }

    limit = ngx_http_fcfaas_refuse_turn(pool, refusal->before, &refusal->answer,
                                        limit);

    /* one of those may have led to another refusal */

    if (pool->refusal == refusal
        && !ngx_http_fcfaas_refuse_more(pool, refusal->before))
    {
        ngx_http_fcfaas_refuse_forget(pool);
    }

    if (pool->refusal) {
        ngx_http_fcfaas_park_kick(pool);
        return 0;
    }

    return limit;
}


void
ngx_http_fcfaas_refuse_forget(ngx_http_fcfaas_pool_t *pool)
{
    if (pool->refusal) {
        ngx_free(pool->refusal);
        pool->refusal = NULL;
    }
}


static ngx_uint_t
ngx_http_fcfaas_refuse_turn(ngx_http_fcfaas_pool_t *pool, ngx_msec_t before,
    const ngx_http_fcfaas_answer_t *answer, ngx_uint_t limit)
{
    ngx_queue_t               *q;
    ngx_http_fcfaas_waiter_t  *waiter;

    while (limit && ngx_http_fcfaas_refuse_more(pool, before)) {

        limit--;

        q = ngx_queue_head(&pool->waiters);
        waiter = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);

        ngx_http_fcfaas_park_refuse(waiter, answer);
    }

    return limit;
}


/* 1 if the oldest is one of them: oldest first, nobody behind is older */
static ngx_uint_t
ngx_http_fcfaas_refuse_more(ngx_http_fcfaas_pool_t *pool, ngx_msec_t before)
{
    ngx_queue_t               *q;
    ngx_http_fcfaas_waiter_t  *waiter;

    if (ngx_queue_empty(&pool->waiters)) {
        return 0;
    }

    q = ngx_queue_head(&pool->waiters);
    waiter = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);

    return (ngx_msec_int_t) (waiter->arrived - before) <= 0;
}
