#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"


#define NGX_HTTP_FCFAAS_REFUSED  256            /* in a turn */


struct ngx_http_fcfaas_refusal_s {
    ngx_msec_t                   before;
    ngx_http_fcfaas_answer_t     answer;
    u_char                       detail[1];     /* as long as it is */
};


static ngx_uint_t ngx_http_fcfaas_refuse_turn(ngx_http_fcfaas_function_t *f,
    ngx_msec_t before, const ngx_http_fcfaas_answer_t *answer,
    ngx_uint_t limit);
static ngx_uint_t ngx_http_fcfaas_refuse_more(ngx_http_fcfaas_function_t *f,
    ngx_msec_t before);


void
ngx_http_fcfaas_refuse_all(ngx_http_fcfaas_function_t *f, ngx_msec_t before,
    const ngx_http_fcfaas_answer_t *answer)
{
    size_t                      len;
    ngx_http_fcfaas_refusal_t  *refusal;

    f->refs++;

    (void) ngx_http_fcfaas_refuse_turn(f, before, answer,
                                       NGX_HTTP_FCFAAS_REFUSED);

    if (ngx_http_fcfaas_refuse_more(f, before)) {

        /* what is left of an earlier one came before these */
        ngx_http_fcfaas_refuse_forget(f);

        len = answer->detail.len;

        refusal = ngx_alloc(sizeof(ngx_http_fcfaas_refusal_t) + len,
                            f->worker->log);

        if (refusal) {
            refusal->before = before;
            refusal->answer = *answer;
            refusal->answer.detail.data = refusal->detail;

            if (len) {
                ngx_memcpy(refusal->detail, answer->detail.data, len);
            }

            f->refusal = refusal;
            ngx_http_fcfaas_park_kick(f);

        } else {
            (void) ngx_http_fcfaas_refuse_turn(f, before, answer,
                                               NGX_MAX_UINT32_VALUE);
        }
    }

    f->refs--;
}


ngx_uint_t
ngx_http_fcfaas_refuse_rest(ngx_http_fcfaas_function_t *f, ngx_uint_t limit)
{
    ngx_http_fcfaas_refusal_t  *refusal;

    refusal = f->refusal;

    if (refusal == NULL) {
        return limit;
    }

    limit = ngx_http_fcfaas_refuse_turn(f, refusal->before, &refusal->answer,
                                        limit);

    /* one of those may have led to another refusal */

    if (f->refusal == refusal
        && !ngx_http_fcfaas_refuse_more(f, refusal->before))
    {
        ngx_http_fcfaas_refuse_forget(f);
    }

    if (f->refusal) {
        ngx_http_fcfaas_park_kick(f);
        return 0;
    }

    return limit;
}


void
ngx_http_fcfaas_refuse_forget(ngx_http_fcfaas_function_t *f)
{
    if (f->refusal) {
        ngx_free(f->refusal);
        f->refusal = NULL;
    }
}


static ngx_uint_t
ngx_http_fcfaas_refuse_turn(ngx_http_fcfaas_function_t *f, ngx_msec_t before,
    const ngx_http_fcfaas_answer_t *answer, ngx_uint_t limit)
{
    ngx_queue_t               *q;
    ngx_http_fcfaas_ctx_t     *ctx;
    ngx_http_fcfaas_waiter_t  *waiter;

    while (limit && ngx_http_fcfaas_refuse_more(f, before)) {

        limit--;

        q = ngx_queue_head(&f->waiters);
        waiter = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);
        ctx = ngx_queue_data(waiter, ngx_http_fcfaas_ctx_t, waiter);

        ngx_http_fcfaas_park_refuse(ctx, answer);
    }

    return limit;
}


/* 1 if the oldest is one of them: oldest first, nobody behind is older */
static ngx_uint_t
ngx_http_fcfaas_refuse_more(ngx_http_fcfaas_function_t *f, ngx_msec_t before)
{
    ngx_queue_t               *q;
    ngx_http_fcfaas_waiter_t  *waiter;

    if (ngx_queue_empty(&f->waiters)) {
        return 0;
    }

    q = ngx_queue_head(&f->waiters);
    waiter = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);

    return (ngx_msec_int_t) (waiter->arrived - before) <= 0;
}
