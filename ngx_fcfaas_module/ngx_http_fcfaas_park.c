#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


static void ngx_http_fcfaas_park_enter(ngx_http_fcfaas_waiter_t *wt);
static void ngx_http_fcfaas_park_exit(ngx_http_fcfaas_waiter_t *wt);
static void ngx_http_fcfaas_park_insert(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt);
static ngx_uint_t ngx_http_fcfaas_park_later(ngx_queue_t *q,
    ngx_http_fcfaas_waiter_t *wt);
static ngx_msec_t ngx_http_fcfaas_park_time(ngx_http_fcfaas_waiter_t *wt);
static ngx_msec_t ngx_http_fcfaas_park_left(ngx_http_fcfaas_waiter_t *wt);
static ngx_uint_t ngx_http_fcfaas_park_unlisted(ngx_http_fcfaas_pool_t *pool);
static ngx_msec_t ngx_http_fcfaas_park_more(ngx_http_fcfaas_waiter_t *wt);
static void ngx_http_fcfaas_park_timer_handler(ngx_event_t *ev);
static void ngx_http_fcfaas_park_retry_handler(ngx_event_t *ev);


void
ngx_http_fcfaas_park_join(ngx_http_fcfaas_waiter_t *wt)
{
    wt->since = ngx_current_msec;
    wt->queued = 1;

    wt->timer.handler = ngx_http_fcfaas_park_timer_handler;
    wt->timer.data = (void *) &ngx_http_fcfaas_no_connection;
    wt->timer.log = wt->log;

    ngx_add_timer(&wt->timer, ngx_http_fcfaas_park_time(wt));

    ngx_http_fcfaas_park_enter(wt);
    ngx_http_fcfaas_park_retry(wt->pool);
}


/* With park_exit the only place where a pool's queue changes. */

static void
ngx_http_fcfaas_park_enter(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_pool_t  *pool;

    pool = wt->pool;

    if (pool->nwaiters++ == 0) {
        ngx_queue_insert_tail(&pool->worker->waiting, &pool->waiting);
    }

    wt->want->nwanted++;
    wt->want->nundeclared += wt->undeclared;

    ngx_http_fcfaas_park_insert(pool, wt);
    ngx_http_fcfaas_share_join(wt);

    pool->worker->stat->parked_bytes += wt->memory;
    pool->worker->stat->parked++;
}


static void
ngx_http_fcfaas_park_exit(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_pool_t  *pool;

    pool = wt->pool;

    ngx_queue_remove(&wt->queue);

    if (--pool->nwaiters == 0) {
        ngx_queue_remove(&pool->waiting);
    }

    ngx_http_fcfaas_share_leave(wt);

    wt->want->nwanted--;
    wt->want->nundeclared -= wt->undeclared;

    pool->worker->stat->parked_bytes -= wt->memory;
    pool->worker->stat->parked--;
}


void
ngx_http_fcfaas_park_move(ngx_http_fcfaas_waiter_t *wt,
    ngx_http_fcfaas_pool_t *pool, ngx_http_fcfaas_pool_t *want)
{
    pool->refs++;
    want->refs++;

    ngx_http_fcfaas_park_exit(wt);
    ngx_http_fcfaas_route_end(wt);

    wt->pool = pool;
    wt->want = want;

    ngx_http_fcfaas_park_enter(wt);
    ngx_http_fcfaas_park_kick(pool);
}


/*
 * By arrival: one that was sent to an instance in vain, or whose body took
 * long, comes to the place that it would have had.  That is near one of the
 * ends, so it is looked for from both.
 */

static void
ngx_http_fcfaas_park_insert(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt)
{
    ngx_queue_t  *head, *last;

    head = ngx_queue_head(&pool->waiters);
    last = ngx_queue_last(&pool->waiters);

    while (last != ngx_queue_sentinel(&pool->waiters)
           && ngx_http_fcfaas_park_later(last, wt))
    {
        if (ngx_http_fcfaas_park_later(head, wt)) {
            /* before head */
            ngx_queue_insert_tail(head, &wt->queue);
            return;
        }

        head = ngx_queue_next(head);
        last = ngx_queue_prev(last);
    }

    /* after last */
    ngx_queue_insert_head(last, &wt->queue);
}


static ngx_uint_t
ngx_http_fcfaas_park_later(ngx_queue_t *q, ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_waiter_t  *other;

    other = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);

    return ngx_http_fcfaas_share_ticket(other)
           > ngx_http_fcfaas_share_ticket(wt);
}


/* wakes those who wait when an instance that is avoided may be tried again */
void
ngx_http_fcfaas_park_retry(ngx_http_fcfaas_pool_t *pool)
{
    ngx_msec_t  ms;

    if (pool->nwaiters == 0) {
        return;
    }

    ms = ngx_http_fcfaas_slots_retry(pool);

    if (ms == 0) {
        return;
    }

    if (!ngx_http_fcfaas_sooner(&pool->retry_timer, ms)) {
        return;
    }

    pool->retry_timer.handler = ngx_http_fcfaas_park_retry_handler;
    pool->retry_timer.data = (void *) &ngx_http_fcfaas_no_connection;
    pool->retry_timer.log = pool->worker->log;
    pool->retry_timer.cancelable = 1;

    ngx_add_timer(&pool->retry_timer, ms);
}


static void
ngx_http_fcfaas_park_retry_handler(ngx_event_t *ev)
{
    ngx_http_fcfaas_park_kick(ngx_queue_data(ev, ngx_http_fcfaas_pool_t,
                                             retry_timer));
}


void
ngx_http_fcfaas_park_leave(ngx_http_fcfaas_waiter_t *wt)
{
    if (!wt->queued) {
        return;
    }

    ngx_http_fcfaas_park_count(wt);

    wt->queued = 0;
    wt->waited += ngx_current_msec - wt->since;

    if (wt->timer.timer_set) {
        ngx_del_timer(&wt->timer);
    }

    ngx_http_fcfaas_park_exit(wt);
}


void
ngx_http_fcfaas_park_count(ngx_http_fcfaas_waiter_t *wt)
{
    if (wt->counted) {
        return;
    }

    wt->counted = 1;

    if (ngx_http_fcfaas_slots_ready(wt->pool)) {
        ngx_http_fcfaas_count(wt->pool->worker, WARM);

    } else {
        ngx_http_fcfaas_count(wt->pool->worker, COLD);
        wt->cold = 1;
    }
}


/* what is left of the park timeout; before the first list, where there is no
 * instance to wait for, the time etcd has to answer at all */
static ngx_msec_t
ngx_http_fcfaas_park_time(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_msec_t  left;

    left = ngx_http_fcfaas_park_left(wt);

    if (ngx_http_fcfaas_park_unlisted(wt->pool)) {
        left = ngx_min(left, NGX_HTTP_FCFAAS_GRACE);
    }

    return ngx_max(left, 1);
}


static ngx_uint_t
ngx_http_fcfaas_park_unlisted(ngx_http_fcfaas_pool_t *pool)
{
    return !pool->worker->listed && !ngx_http_fcfaas_slots_ready(pool);
}


static ngx_msec_t
ngx_http_fcfaas_park_left(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_msec_t  waited;

    waited = wt->waited + (ngx_current_msec - wt->since);

    return wt->timeout > waited ? wt->timeout - waited : 0;
}


/* ms that it waits on, though its time is over: etcd has answered meanwhile,
 * and a long list takes its time */
static ngx_msec_t
ngx_http_fcfaas_park_more(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_msec_t       left;
    fcf_sync_stat_t  stat;

    left = ngx_http_fcfaas_park_left(wt);

    if (!ngx_http_fcfaas_park_unlisted(wt->pool)) {
        return left;
    }

    fcf_sync_stat(wt->pool->worker->sync, &stat);

    return stat.idle_ms < NGX_HTTP_FCFAAS_GRACE
           ? ngx_min(left, NGX_HTTP_FCFAAS_GRACE - (ngx_msec_t) stat.idle_ms)
           : 0;
}


void
ngx_http_fcfaas_park_listed(ngx_http_fcfaas_worker_t *w)
{
    ngx_queue_t               *pq, *q;
    ngx_http_fcfaas_pool_t    *pool;
    ngx_http_fcfaas_waiter_t  *wt;

    for (pq = ngx_queue_head(&w->waiting);
         pq != ngx_queue_sentinel(&w->waiting);
         pq = ngx_queue_next(pq))
    {
        pool = ngx_queue_data(pq, ngx_http_fcfaas_pool_t, waiting);

        for (q = ngx_queue_head(&pool->waiters);
             q != ngx_queue_sentinel(&pool->waiters);
             q = ngx_queue_next(q))
        {
            wt = ngx_http_fcfaas_park_waiter(q);

            /* whether it is cold can be told now */
            ngx_http_fcfaas_park_count(wt);

            ngx_del_timer(&wt->timer);
            ngx_add_timer(&wt->timer, ngx_http_fcfaas_park_time(wt));
        }

        ngx_http_fcfaas_park_kick(pool);
    }
}


static void
ngx_http_fcfaas_park_timer_handler(ngx_event_t *ev)
{
    ngx_msec_t                 ms;
    ngx_http_fcfaas_pool_t    *pool;
    ngx_http_fcfaas_answer_t   answer;
    ngx_http_fcfaas_waiter_t  *wt;

    wt = ngx_queue_data(ev, ngx_http_fcfaas_waiter_t, timer);
    pool = wt->pool;

    ms = ngx_http_fcfaas_park_more(wt);

    if (ms) {
        ngx_add_timer(ev, ms);
        return;
    }

    ngx_http_fcfaas_answer_timeout(wt, &answer);

    pool->refs++;
    ngx_http_fcfaas_park_refuse(wt, &answer);
    pool->refs--;

    ngx_http_fcfaas_pool_release(pool);
}


void
ngx_http_fcfaas_park_refuse(ngx_http_fcfaas_waiter_t *wt,
    const ngx_http_fcfaas_answer_t *answer)
{
    ngx_http_fcfaas_park_leave(wt);

    wt->answer = *answer;
    wt->refuse(wt);
}


ngx_uint_t
ngx_http_fcfaas_park_allowed(ngx_http_fcfaas_pool_t *pool)
{
    return pool->function->declared || pool->nundeclared;
}
