#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


/* requests resumed in one turn of the loop */
#define NGX_HTTP_FCFAAS_TURN  256

#define ngx_http_fcfaas_park_ctx(q)                                         \
    ngx_queue_data(ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue),      \
                   ngx_http_fcfaas_ctx_t, waiter)


static void ngx_http_fcfaas_park_insert(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_waiter_t *waiter);
static ngx_uint_t ngx_http_fcfaas_park_later(ngx_queue_t *q,
    ngx_http_fcfaas_waiter_t *waiter);
static ngx_msec_t ngx_http_fcfaas_park_time(ngx_http_fcfaas_ctx_t *ctx);
static void ngx_http_fcfaas_park_timer_handler(ngx_event_t *ev);
static void ngx_http_fcfaas_park_retry(ngx_http_fcfaas_function_t *f);
static void ngx_http_fcfaas_park_retry_handler(ngx_event_t *ev);
static ngx_http_fcfaas_ctx_t *ngx_http_fcfaas_park_next(
    ngx_http_fcfaas_function_t *f);
static ngx_uint_t ngx_http_fcfaas_park_run(ngx_http_fcfaas_function_t *f,
    ngx_uint_t limit);
static ngx_uint_t ngx_http_fcfaas_park_unknown(ngx_http_fcfaas_function_t *f,
    ngx_uint_t limit);


void
ngx_http_fcfaas_park_join(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_worker_t    *w;
    ngx_http_fcfaas_waiter_t    *waiter;
    ngx_http_fcfaas_function_t  *f;

    f = ctx->function;
    w = f->worker;
    waiter = &ctx->waiter;

    waiter->since = ngx_current_msec;
    waiter->queued = 1;

    waiter->timer.handler = ngx_http_fcfaas_park_timer_handler;
    waiter->timer.data = (void *) &ngx_http_fcfaas_no_connection;
    waiter->timer.log = ctx->request->connection->log;

    ngx_add_timer(&waiter->timer, ngx_http_fcfaas_park_time(ctx));

    if (f->nwaiters++ == 0) {
        ngx_queue_insert_tail(&w->waiting, &f->waiting);
    }

    ngx_http_fcfaas_park_insert(f, waiter);

    w->stat->parked++;

    ngx_http_fcfaas_park_retry(f);
}


/*
 * By arrival: one that was sent to an instance in vain, or whose body took
 * long, comes to the place that it would have had.  That is near one of the
 * ends, so it is looked for from both.
 */

static void
ngx_http_fcfaas_park_insert(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_waiter_t *waiter)
{
    ngx_queue_t  *head, *last;

    head = ngx_queue_head(&f->waiters);
    last = ngx_queue_last(&f->waiters);

    while (last != ngx_queue_sentinel(&f->waiters)
           && ngx_http_fcfaas_park_later(last, waiter))
    {
        if (ngx_http_fcfaas_park_later(head, waiter)) {
            /* before head */
            ngx_queue_insert_tail(head, &waiter->queue);
            return;
        }

        head = ngx_queue_next(head);
        last = ngx_queue_prev(last);
    }

    /* after last */
    ngx_queue_insert_head(last, &waiter->queue);
}


static ngx_uint_t
ngx_http_fcfaas_park_later(ngx_queue_t *q, ngx_http_fcfaas_waiter_t *waiter)
{
    ngx_http_fcfaas_waiter_t  *other;

    other = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);

    return (ngx_msec_int_t) (other->arrived - waiter->arrived) > 0;
}


/* wakes those who wait when an instance that is avoided may be tried again */
static void
ngx_http_fcfaas_park_retry(ngx_http_fcfaas_function_t *f)
{
    ngx_msec_t  ms;

    if (f->nwaiters == 0) {
        return;
    }

    ms = ngx_http_fcfaas_slots_retry(f);

    if (ms == 0) {
        return;
    }

    if (f->retry_timer.timer_set) {

        if ((ngx_msec_int_t) (f->retry_timer.timer.key
                              - (ngx_current_msec + ms)) <= 0)
        {
            return;
        }

        /* another instance comes sooner */
        ngx_del_timer(&f->retry_timer);
    }

    f->retry_timer.handler = ngx_http_fcfaas_park_retry_handler;
    f->retry_timer.data = (void *) &ngx_http_fcfaas_no_connection;
    f->retry_timer.log = f->worker->log;
    f->retry_timer.cancelable = 1;

    ngx_add_timer(&f->retry_timer, ms);
}


static void
ngx_http_fcfaas_park_retry_handler(ngx_event_t *ev)
{
    ngx_http_fcfaas_park_kick(ngx_queue_data(ev, ngx_http_fcfaas_function_t,
                                             retry_timer));
}


void
ngx_http_fcfaas_park_leave(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_waiter_t    *waiter;
    ngx_http_fcfaas_function_t  *f;

    waiter = &ctx->waiter;

    if (!waiter->queued) {
        return;
    }

    f = ctx->function;

    ngx_http_fcfaas_park_count(ctx);

    waiter->queued = 0;
    ctx->waited += ngx_current_msec - waiter->since;

    if (waiter->timer.timer_set) {
        ngx_del_timer(&waiter->timer);
    }

    ngx_queue_remove(&waiter->queue);

    if (--f->nwaiters == 0) {
        ngx_queue_remove(&f->waiting);
    }

    f->worker->stat->parked--;
}


void
ngx_http_fcfaas_park_count(ngx_http_fcfaas_ctx_t *ctx)
{
    if (ctx->counted) {
        return;
    }

    ctx->counted = 1;

    if (ngx_http_fcfaas_slots_ready(ctx->function)) {
        ngx_http_fcfaas_count(ctx->function->worker, WARM);

    } else {
        ngx_http_fcfaas_count(ctx->function->worker, COLD);
        ctx->cold = 1;
    }
}


/* what is left of the park timeout; before the first list, the time etcd has
 * to answer at all */
static ngx_msec_t
ngx_http_fcfaas_park_time(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_msec_t                   waited, left;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_fcfaas_module);

    waited = ctx->waited + (ngx_current_msec - ctx->waiter.since);
    left = flcf->park_timeout > waited ? flcf->park_timeout - waited : 1;

    if (!ctx->function->worker->listed) {
        return ngx_min(left, NGX_HTTP_FCFAAS_GRACE);
    }

    return left;
}


void
ngx_http_fcfaas_park_listed(ngx_http_fcfaas_worker_t *w)
{
    ngx_queue_t                 *fq, *q;
    ngx_http_fcfaas_ctx_t       *ctx;
    ngx_http_fcfaas_function_t  *f;

    for (fq = ngx_queue_head(&w->waiting);
         fq != ngx_queue_sentinel(&w->waiting);
         fq = ngx_queue_next(fq))
    {
        f = ngx_queue_data(fq, ngx_http_fcfaas_function_t, waiting);

        for (q = ngx_queue_head(&f->waiters);
             q != ngx_queue_sentinel(&f->waiters);
             q = ngx_queue_next(q))
        {
            ctx = ngx_http_fcfaas_park_ctx(q);

            /* whether it is cold can be told now */
            ngx_http_fcfaas_park_count(ctx);

            ngx_del_timer(&ctx->waiter.timer);
            ngx_add_timer(&ctx->waiter.timer, ngx_http_fcfaas_park_time(ctx));
        }

        ngx_http_fcfaas_park_kick(f);
    }
}


static void
ngx_http_fcfaas_park_timer_handler(ngx_event_t *ev)
{
    ngx_http_fcfaas_ctx_t       *ctx;
    ngx_http_fcfaas_answer_t     answer;
    ngx_http_fcfaas_waiter_t    *waiter;
    ngx_http_fcfaas_function_t  *f;

    waiter = ngx_queue_data(ev, ngx_http_fcfaas_waiter_t, timer);
    ctx = ngx_queue_data(waiter, ngx_http_fcfaas_ctx_t, waiter);
    f = ctx->function;

    ngx_http_fcfaas_answer_timeout(ctx, &answer);

    f->refs++;
    ngx_http_fcfaas_park_refuse(ctx, &answer);
    f->refs--;

    ngx_http_fcfaas_table_release(f);
}


void
ngx_http_fcfaas_park_refuse(ngx_http_fcfaas_ctx_t *ctx,
    const ngx_http_fcfaas_answer_t *answer)
{
    ngx_http_fcfaas_park_leave(ctx);

    ctx->answer = *answer;
    ctx->waiter.refuse(&ctx->waiter);
}


void
ngx_http_fcfaas_park_kick(ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_worker_t  *w;

    if (f->in_kicked || f->nwaiters == 0) {
        return;
    }

    w = f->worker;

    f->in_kicked = 1;
    ngx_queue_insert_tail(&w->kicked, &f->kicked);

    if (!w->kick_event.posted) {
        ngx_post_event(&w->kick_event, &ngx_posted_events);
    }
}


void
ngx_http_fcfaas_park_kick_handler(ngx_event_t *ev)
{
    ngx_uint_t                   left;
    ngx_queue_t                 *q;
    ngx_http_fcfaas_worker_t    *w;
    ngx_http_fcfaas_function_t  *f;

    w = ngx_queue_data(ev, ngx_http_fcfaas_worker_t, kick_event);
    left = NGX_HTTP_FCFAAS_TURN;

    while (!ngx_queue_empty(&w->kicked)) {

        if (left == 0) {
            /* what was resumed may have kicked for this turn again */

            if (ev->posted) {
                ngx_delete_posted_event(ev);
            }

            ngx_post_event(ev, &ngx_posted_next_events);
            return;
        }

        q = ngx_queue_head(&w->kicked);
        f = ngx_queue_data(q, ngx_http_fcfaas_function_t, kicked);

        ngx_queue_remove(q);
        f->in_kicked = 0;

        f->refs++;
        left = ngx_http_fcfaas_park_run(f, left);
        f->refs--;

        ngx_http_fcfaas_table_release(f);
    }
}


ngx_uint_t
ngx_http_fcfaas_park_allowed(ngx_http_fcfaas_function_t *f)
{
    ngx_queue_t            *q;
    ngx_http_fcfaas_ctx_t  *ctx;

    if (f->declared) {
        return 1;
    }

    for (q = ngx_queue_head(&f->waiters);
         q != ngx_queue_sentinel(&f->waiters);
         q = ngx_queue_next(q))
    {
        ctx = ngx_http_fcfaas_park_ctx(q);

        if (ctx->undeclared) {
            return 1;
        }
    }

    return 0;
}


/* the oldest that an instance has room for, or for whom there is none ever */
static ngx_http_fcfaas_ctx_t *
ngx_http_fcfaas_park_next(ngx_http_fcfaas_function_t *f)
{
    ngx_uint_t              any;
    ngx_queue_t            *q;
    ngx_http_fcfaas_ctx_t  *ctx;

    any = ngx_http_fcfaas_slots_any(f, NULL);

    for (q = ngx_queue_head(&f->waiters);
         q != ngx_queue_sentinel(&f->waiters);
         q = ngx_queue_next(q))
    {
        ctx = ngx_http_fcfaas_park_ctx(q);

        if (ctx->nfailed == 0) {
            return any ? ctx : NULL;
        }

        /* seldom: it was failed by an instance that lives on */

        if ((any && ngx_http_fcfaas_slots_any(f, ctx))
            || ngx_http_fcfaas_slots_hopeless(f, ctx))
        {
            return ctx;
        }
    }

    return NULL;
}


/* resumes the oldest while there is room; returns what is left of limit */
static ngx_uint_t
ngx_http_fcfaas_park_run(ngx_http_fcfaas_function_t *f, ngx_uint_t limit)
{
    ngx_uint_t              n;
    ngx_http_fcfaas_ctx_t  *ctx;

    limit = ngx_http_fcfaas_refuse_rest(f, limit);
    limit = ngx_http_fcfaas_park_unknown(f, limit);

    /* one that joins again during this run waits for the next */

    for (n = f->nwaiters; n && f->nwaiters; n--) {

        ctx = ngx_http_fcfaas_park_next(f);

        if (ctx == NULL) {
            break;
        }

        if (limit == 0) {
            ngx_http_fcfaas_park_kick(f);
            return 0;
        }

        limit--;

        ngx_http_fcfaas_park_leave(ctx);
        ctx->waiter.wake(&ctx->waiter);
    }

    ngx_http_fcfaas_park_retry(f);
    ngx_http_fcfaas_ask_look(f);

    return limit;
}


/* those that wait for a function that is not declared any more; returns what is
 * left of limit */
static ngx_uint_t
ngx_http_fcfaas_park_unknown(ngx_http_fcfaas_function_t *f, ngx_uint_t limit)
{
    ngx_queue_t               *q;
    ngx_http_fcfaas_ctx_t     *ctx;
    ngx_http_fcfaas_answer_t   answer;

    if (f->declared || !f->worker->listed) {
        return limit;
    }

    ngx_http_fcfaas_answer_unknown(&answer);
    q = ngx_queue_head(&f->waiters);

    while (q != ngx_queue_sentinel(&f->waiters) && limit) {

        ctx = ngx_http_fcfaas_park_ctx(q);
        q = ngx_queue_next(q);

        if (!ctx->undeclared) {
            limit--;
            ngx_http_fcfaas_park_refuse(ctx, &answer);

            /* anybody may have come or gone meanwhile */
            q = ngx_queue_head(&f->waiters);
        }
    }

    return limit;
}
