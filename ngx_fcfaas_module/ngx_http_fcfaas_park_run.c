#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"


/* requests resumed or refused in one turn of the loop, and pools looked at: a
 * request may connect, which takes 200 us where the system is slow */
#define NGX_HTTP_FCFAAS_TURN     8
#define NGX_HTTP_FCFAAS_POOLS  128


static ngx_http_fcfaas_waiter_t *ngx_http_fcfaas_park_next(
    ngx_http_fcfaas_pool_t *pool);
static ngx_uint_t ngx_http_fcfaas_park_run(ngx_http_fcfaas_pool_t *pool,
    ngx_uint_t limit);
static void ngx_http_fcfaas_park_ask(ngx_http_fcfaas_pool_t *pool);
static ngx_uint_t ngx_http_fcfaas_park_unknown(ngx_http_fcfaas_pool_t *pool,
    ngx_uint_t limit);


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
