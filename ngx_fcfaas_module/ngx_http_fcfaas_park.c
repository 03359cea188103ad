#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


/* requests resumed or refused in one turn of the loop, and pools looked at */
#define NGX_HTTP_FCFAAS_TURN    32
#define NGX_HTTP_FCFAAS_POOLS  128

#define ngx_http_fcfaas_park_waiter(q)                                      \
    (ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue))


static void ngx_http_fcfaas_park_enter(ngx_http_fcfaas_waiter_t *wt);
static void ngx_http_fcfaas_park_exit(ngx_http_fcfaas_waiter_t *wt);
static void ngx_http_fcfaas_park_insert(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt);
static ngx_uint_t ngx_http_fcfaas_park_later(ngx_queue_t *q,
    ngx_http_fcfaas_waiter_t *wt);
static ngx_msec_t ngx_http_fcfaas_park_time(ngx_http_fcfaas_waiter_t *wt);
static void ngx_http_fcfaas_park_timer_handler(ngx_event_t *ev);
static void ngx_http_fcfaas_park_retry(ngx_http_fcfaas_pool_t *pool);
static void ngx_http_fcfaas_park_retry_handler(ngx_event_t *ev);
static ngx_http_fcfaas_waiter_t *ngx_http_fcfaas_park_next(
    ngx_http_fcfaas_pool_t *pool);
static ngx_uint_t ngx_http_fcfaas_park_run(ngx_http_fcfaas_pool_t *pool,
    ngx_uint_t limit);
static void ngx_http_fcfaas_park_ask(ngx_http_fcfaas_pool_t *pool);
static ngx_uint_t ngx_http_fcfaas_park_unknown(ngx_http_fcfaas_pool_t *pool,
    ngx_uint_t limit);


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

    return other->ticket > wt->ticket;
}


/* wakes those who wait when an instance that is avoided may be tried again */
static void
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

    if (pool->retry_timer.timer_set) {

        if ((ngx_msec_int_t) (pool->retry_timer.timer.key
                              - (ngx_current_msec + ms)) <= 0)
        {
            return;
        }

        /* another instance comes sooner */
        ngx_del_timer(&pool->retry_timer);
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


/* what is left of the park timeout; before the first list, the time etcd has
 * to answer at all */
static ngx_msec_t
ngx_http_fcfaas_park_time(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_msec_t  waited, left;

    waited = wt->waited + (ngx_current_msec - wt->since);
    left = wt->timeout > waited ? wt->timeout - waited : 1;

    if (!wt->pool->worker->listed) {
        return ngx_min(left, NGX_HTTP_FCFAAS_GRACE);
    }

    return left;
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
    ngx_http_fcfaas_pool_t    *pool;
    ngx_http_fcfaas_answer_t   answer;
    ngx_http_fcfaas_waiter_t  *wt;

    wt = ngx_queue_data(ev, ngx_http_fcfaas_waiter_t, timer);
    pool = wt->pool;

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


void
ngx_http_fcfaas_park_kick(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_worker_t  *w;

    if (pool->in_kicked || pool->nwaiters == 0) {
        return;
    }

    w = pool->worker;

    pool->in_kicked = 1;
    ngx_queue_insert_tail(&w->kicked, &pool->kicked);

    if (!w->kick_event.posted) {
        ngx_post_event(&w->kick_event, &ngx_posted_events);
    }
}


void
ngx_http_fcfaas_park_kick_handler(ngx_event_t *ev)
{
    ngx_uint_t                   left, pools;
    ngx_queue_t                 *q;
    ngx_http_fcfaas_worker_t    *w;
    ngx_http_fcfaas_pool_t      *pool;

    w = ngx_queue_data(ev, ngx_http_fcfaas_worker_t, kick_event);
    left = NGX_HTTP_FCFAAS_TURN;
    pools = NGX_HTTP_FCFAAS_POOLS;

    while (!ngx_queue_empty(&w->kicked)) {

        if (left == 0 || pools-- == 0) {
            /* what was resumed may have kicked for this turn again */

            if (ev->posted) {
                ngx_delete_posted_event(ev);
            }

            ngx_post_event(ev, &ngx_posted_next_events);
            return;
        }

        q = ngx_queue_head(&w->kicked);
        pool = ngx_queue_data(q, ngx_http_fcfaas_pool_t, kicked);

        ngx_queue_remove(q);
        pool->in_kicked = 0;

        pool->refs++;
        left = ngx_http_fcfaas_park_run(pool, left);
        pool->refs--;

        ngx_http_fcfaas_pool_release(pool);
    }
}


ngx_uint_t
ngx_http_fcfaas_park_allowed(ngx_http_fcfaas_pool_t *pool)
{
    return pool->function->declared || pool->nundeclared;
}


/* the oldest that an instance has room for, or for whom there is none ever */
static ngx_http_fcfaas_waiter_t *
ngx_http_fcfaas_park_next(ngx_http_fcfaas_pool_t *pool)
{
    ngx_uint_t              any;
    ngx_queue_t            *q;
    ngx_http_fcfaas_waiter_t  *wt;

    any = ngx_http_fcfaas_slots_any(pool);

    if (!any && ngx_http_fcfaas_share_room(pool)) {
        any = ngx_http_fcfaas_slots_any(pool);
    }

    for (q = ngx_queue_head(&pool->waiters);
         q != ngx_queue_sentinel(&pool->waiters);
         q = ngx_queue_next(q))
    {
        wt = ngx_http_fcfaas_park_waiter(q);

        if (wt->nfailed == 0) {
            return any && ngx_http_fcfaas_slots_peek(pool, wt) ? wt : NULL;
        }

        /* seldom: it was failed by an instance that lives on */

        if ((any && ngx_http_fcfaas_slots_peek(pool, wt))
            || ngx_http_fcfaas_slots_hopeless(pool, wt))
        {
            return wt;
        }
    }

    return NULL;
}


/* resumes the oldest while there is room; returns what is left of limit */
static ngx_uint_t
ngx_http_fcfaas_park_run(ngx_http_fcfaas_pool_t *pool, ngx_uint_t limit)
{
    ngx_uint_t              n;
    ngx_http_fcfaas_waiter_t  *wt;

    ngx_http_fcfaas_route_waiters(pool);

    limit = ngx_http_fcfaas_refuse_rest(pool, limit);
    limit = ngx_http_fcfaas_park_unknown(pool, limit);

    /* one that joins again during this run waits for the next */

    for (n = pool->nwaiters; n && pool->nwaiters; n--) {

        wt = ngx_http_fcfaas_park_next(pool);

        if (wt == NULL) {
            break;
        }

        if (limit == 0) {
            ngx_http_fcfaas_park_kick(pool);
            return 0;
        }

        limit--;

        ngx_http_fcfaas_park_leave(wt);
        wt->wake(wt);
    }

    ngx_http_fcfaas_park_retry(pool);
    ngx_http_fcfaas_park_ask(pool);

    return limit;
}


/* what the oldest one wants may be another pool, where this one stands in */
static void
ngx_http_fcfaas_park_ask(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_waiter_t  *wt;

    if (pool->nwaiters) {
        wt = ngx_http_fcfaas_park_waiter(ngx_queue_head(&pool->waiters));

        if (wt->want != pool) {
            ngx_http_fcfaas_ask_look(wt->want);
        }
    }

    ngx_http_fcfaas_ask_look(pool);
}


/* those that wait for a function that is not declared any more, or for a
 * version that there is none of; returns what is left of limit */
static ngx_uint_t
ngx_http_fcfaas_park_unknown(ngx_http_fcfaas_pool_t *pool, ngx_uint_t limit)
{
    ngx_uint_t                 known;
    ngx_queue_t               *q;
    ngx_http_fcfaas_answer_t   answer;
    ngx_http_fcfaas_waiter_t  *wt;

    if (!pool->worker->listed) {
        return limit;
    }

    known = ngx_http_fcfaas_route_known(pool->function, pool->version);

    if (known
        && (pool->function->declared
            || pool->nundeclared == pool->nwaiters))
    {
        return limit;
    }

    q = ngx_queue_head(&pool->waiters);

    while (q != ngx_queue_sentinel(&pool->waiters) && limit) {

        wt = ngx_http_fcfaas_park_waiter(q);
        q = ngx_queue_next(q);

        if (wt->version && !known) {
            ngx_http_fcfaas_answer_unknown_version(&answer);

        } else if (!pool->function->declared && !wt->undeclared) {
            ngx_http_fcfaas_answer_unknown(&answer);

        } else {
            continue;
        }

        limit--;
        ngx_http_fcfaas_park_refuse(wt, &answer);

        /* anybody may have come or gone meanwhile */
        q = ngx_queue_head(&pool->waiters);
    }

    return limit;
}
