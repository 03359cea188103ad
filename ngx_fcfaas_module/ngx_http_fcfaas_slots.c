#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_probe.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"


/* whose time aside is over, looked at in one go: others come next */
#define NGX_HTTP_FCFAAS_DUE  64
/* instances found full in the zone before the next turn */
#define NGX_HTTP_FCFAAS_TAKES  8
/* within which a new worker's first list may come */
#define NGX_HTTP_FCFAAS_LIST_TIME  1500

#define ngx_http_fcfaas_slots_of(c)                                         \
    (ngx_queue_data(c, ngx_http_fcfaas_instance_t, cell))


typedef struct {
    ngx_http_fcfaas_waiter_t    *waiter;
    ngx_uint_t                   others;        /* that it may still try */
} ngx_http_fcfaas_slots_hope_t;


static ngx_uint_t ngx_http_fcfaas_slots_limit(
    ngx_http_fcfaas_instance_t *instance);
static void ngx_http_fcfaas_slots_count(ngx_http_fcfaas_instance_t *instance,
    ngx_uint_t there);
static void ngx_http_fcfaas_slots_aside(ngx_http_fcfaas_pool_t *pool);
static ngx_http_fcfaas_cell_t *ngx_http_fcfaas_slots_next(
    ngx_http_fcfaas_pool_t *pool, ngx_http_fcfaas_waiter_t *wt);
static ngx_http_fcfaas_cell_t *ngx_http_fcfaas_slots_find(
    ngx_http_fcfaas_pool_t *pool, ngx_http_fcfaas_waiter_t *wt,
    ngx_uint_t peek);
static ngx_uint_t ngx_http_fcfaas_slots_failed(void *data,
    ngx_http_fcfaas_cell_t *cell);
static void ngx_http_fcfaas_slots_hope(void *data,
    ngx_http_fcfaas_cell_t *cell);


static ngx_uint_t
ngx_http_fcfaas_slots_limit(ngx_http_fcfaas_instance_t *instance)
{
    ngx_uint_t  limit;

    limit = instance->concurrency < 0 ? instance->function->spec.concurrency
                                      : (ngx_uint_t) instance->concurrency;

    return limit ? limit : NGX_HTTP_FCFAAS_NO_LIMIT;
}


void
ngx_http_fcfaas_slots_add(ngx_http_fcfaas_instance_t *instance)
{
    /* until it is noted for the first time */
    instance->cell.out = 1;
    instance->cell.limit = 1;

    ngx_http_fcfaas_pick_add(&instance->pool->pick, &instance->cell);
}


void
ngx_http_fcfaas_slots_del(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_pick_del(&instance->pool->pick, &instance->cell);
    ngx_http_fcfaas_slots_count(instance, 0);
}


void
ngx_http_fcfaas_slots_note(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_cell_t  *cell;

    if (instance->gone) {
        return;
    }

    cell = &instance->cell;

    cell->limit = ngx_http_fcfaas_slots_limit(instance);
    cell->out = instance->draining || instance->unproven;
    cell->trial = instance->suspect || instance->full_times;
    cell->last = instance->orphan;

    ngx_http_fcfaas_pick_place(&instance->pool->pick, cell);
    ngx_http_fcfaas_slots_count(instance, 1);
}


static void
ngx_http_fcfaas_slots_count(ngx_http_fcfaas_instance_t *instance,
    ngx_uint_t there)
{
    ngx_uint_t               usable, ready, live, unproven, follows, before;
    ngx_http_fcfaas_pool_t  *pool;

    pool = instance->pool;
    before = pool->nready;

    usable = there && !instance->draining && !instance->away;
    ready = usable && !ngx_http_fcfaas_slots_lost(instance);
    live = ready && (!instance->orphan
                     || ngx_http_fcfaas_probe_counts(instance));
    unproven = there && instance->unproven;
    follows = there && (instance->version == 0 || instance->concurrency < 0);

    pool->nusable += usable - instance->counted_usable;
    pool->nready += ready - instance->counted_ready;
    pool->nlive += live - instance->counted_live;
    pool->nunproven += unproven - instance->counted_unproven;
    instance->function->nfollow += follows - instance->counted_follows;

    instance->counted_usable = usable;
    instance->counted_ready = ready;
    instance->counted_live = live;
    instance->counted_unproven = unproven;
    instance->counted_follows = follows;

    if ((before == 0) != (pool->nready == 0)) {
        ngx_http_fcfaas_route_changed(instance->function);
    }
}


/* of most pools none is aside */
static ngx_inline void
ngx_http_fcfaas_slots_expire(ngx_http_fcfaas_pool_t *pool)
{
    if (pool->pick.naside) {
        ngx_http_fcfaas_slots_aside(pool);
    }
}


static void
ngx_http_fcfaas_slots_aside(ngx_http_fcfaas_pool_t *pool)
{
    ngx_uint_t               n;
    ngx_http_fcfaas_cell_t  *cell;

    for (n = 0; n < NGX_HTTP_FCFAAS_DUE; n++) {

        cell = ngx_http_fcfaas_pick_due(&pool->pick, ngx_current_msec);

        if (cell == NULL) {
            return;
        }

        ngx_http_fcfaas_slots_due(ngx_http_fcfaas_slots_of(cell));
    }
}


/* it has failed this request once */
static ngx_uint_t
ngx_http_fcfaas_slots_failed(void *data, ngx_http_fcfaas_cell_t *cell)
{
    ngx_http_fcfaas_waiter_t *wt = data;

    ngx_uint_t  i;

    for (i = 0; i < wt->nfailed; i++) {
        if (wt->failed[i] == ngx_http_fcfaas_slots_of(cell)->serial) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_fcfaas_slots_unlisted(ngx_http_fcfaas_pool_t *pool)
{
    ngx_uint_t                   n;
    ngx_queue_t                 *q;
    ngx_http_fcfaas_pool_t      *p;
    ngx_http_fcfaas_worker_t    *w;
    ngx_http_fcfaas_function_t  *f;

    f = pool->function;
    w = pool->worker;

    if (ngx_http_fcfaas_past(w->began + NGX_HTTP_FCFAAS_LIST_TIME)) {
        return 0;
    }

    if (!w->kept && f->declared) {
        return 0;
    }

    n = 0;

    for (q = ngx_queue_head(&f->pools);
         q != ngx_queue_sentinel(&f->pools);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_http_fcfaas_pool_t, queue);
        n += p->nlisted != 0;
    }

    return w->kept ? n > 1 : n > 0;
}


static ngx_http_fcfaas_cell_t *
ngx_http_fcfaas_slots_next(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt)
{
    if (ngx_http_fcfaas_slots_unsure(pool)) {
        return NULL;
    }

    ngx_http_fcfaas_slots_expire(pool);

    if (wt == NULL || wt->nfailed == 0) {
        return ngx_http_fcfaas_pick_next(&pool->pick, NULL, NULL, 0);
    }

    return ngx_http_fcfaas_pick_next(&pool->pick,
                                     ngx_http_fcfaas_slots_failed, wt,
                                     wt->nfailed);
}


ngx_http_fcfaas_instance_t *
ngx_http_fcfaas_slots_bind(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_cell_t  *cell;

    cell = ngx_http_fcfaas_slots_find(pool, wt, 0);

    if (cell == NULL) {
        return NULL;
    }

    ngx_http_fcfaas_pick_take(&pool->pick, cell);
    pool->worker->nbusy++;

    return ngx_http_fcfaas_slots_of(cell);
}


ngx_uint_t
ngx_http_fcfaas_slots_peek(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt)
{
    return ngx_http_fcfaas_slots_find(pool, wt, 1) != NULL;
}


/* what this worker would take, if the zone has it: NULL if there is none, or
 * others come first.  Counted there unless peek */
static ngx_http_fcfaas_cell_t *
ngx_http_fcfaas_slots_find(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt, ngx_uint_t peek)
{
    ngx_int_t                    rc;
    ngx_uint_t                   n, limit, asked;
    ngx_http_fcfaas_cell_t      *cell;
    ngx_http_fcfaas_instance_t  *instance;

    asked = 0;

    for (n = 0; n < NGX_HTTP_FCFAAS_TAKES; n++) {

        cell = ngx_http_fcfaas_slots_next(pool, wt);

        if (cell == NULL) {

            if (asked || ngx_http_fcfaas_share_room(pool) == 0) {
                return NULL;
            }

            asked = 1;
            continue;
        }

        instance = ngx_http_fcfaas_slots_of(cell);

        if (cell->limit != ngx_http_fcfaas_slots_limit(instance)) {
            /* it follows a spec that came after it, and is visited later */
            ngx_http_fcfaas_slots_note(instance);
            continue;
        }

        limit = cell->limit == NGX_HTTP_FCFAAS_NO_LIMIT ? 0 : cell->limit;

        rc = peek ? ngx_http_fcfaas_share_peek(instance, wt, limit)
                  : ngx_http_fcfaas_share_take(instance, wt, limit);

        if (rc == NGX_OK) {
            return cell;
        }

        if (rc == NGX_AGAIN) {
            return NULL;
        }

        /* rc == NGX_BUSY */

        ngx_http_fcfaas_slots_taken(instance);
    }

    /* there may be more that are not, for the next turn */
    ngx_http_fcfaas_park_kick(pool);

    return NULL;
}


void
ngx_http_fcfaas_slots_unbind(ngx_http_fcfaas_instance_t *instance,
    ngx_uint_t ended)
{
    ngx_http_fcfaas_cell_t  *cell;

    cell = &instance->cell;

    if (ended && instance->full) {

        instance->full = 0;

        if (cell->aside && cell->kind == NGX_HTTP_FCFAAS_ASIDE_SHORT) {
            cell->aside = 0;
        }
    }

    ngx_http_fcfaas_share_give(instance);
    ngx_http_fcfaas_slots_room(instance);

    instance->pool->worker->nbusy--;
    ngx_http_fcfaas_pick_give(&instance->pool->pick, cell);
    ngx_http_fcfaas_table_instance_release(instance);
}


ngx_uint_t
ngx_http_fcfaas_slots_any(ngx_http_fcfaas_pool_t *pool)
{
    return !ngx_http_fcfaas_slots_unsure(pool)
           && ngx_http_fcfaas_slots_free(pool) != 0;
}


ngx_uint_t
ngx_http_fcfaas_slots_free(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_slots_expire(pool);

    return (ngx_uint_t) ngx_min(pool->pick.free, NGX_HTTP_FCFAAS_NO_LIMIT);
}


ngx_uint_t
ngx_http_fcfaas_slots_lost(ngx_http_fcfaas_instance_t *instance)
{
    return instance->suspect
           && ngx_http_fcfaas_past(instance->refused_since
                                   + NGX_HTTP_FCFAAS_SUSPECT_TIME);
}


ngx_uint_t
ngx_http_fcfaas_slots_live(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_slots_expire(pool);

    return pool->nlive;
}


ngx_uint_t
ngx_http_fcfaas_slots_ready(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_slots_expire(pool);

    return pool->nready;
}


ngx_uint_t
ngx_http_fcfaas_slots_booting(ngx_http_fcfaas_pool_t *pool)
{
    return pool->nbooting;
}


ngx_uint_t
ngx_http_fcfaas_slots_hopeless(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_slots_hope_t  hope;

    if (wt->nfailed == 0) {
        return 0;
    }

    ngx_http_fcfaas_slots_expire(pool);

    if (pool->nusable == 0
        || pool->nusable > wt->nfailed
        || pool->nunproven
        || pool->nbooting)
    {
        return 0;
    }

    /* so few that each can be looked at */

    hope.waiter = wt;
    hope.others = 0;

    ngx_http_fcfaas_pick_each(&pool->pick, ngx_http_fcfaas_slots_hope, &hope);

    return hope.others == 0;
}


static void
ngx_http_fcfaas_slots_hope(void *data, ngx_http_fcfaas_cell_t *cell)
{
    ngx_http_fcfaas_slots_hope_t *hope = data;

    if (ngx_http_fcfaas_slots_of(cell)->counted_usable
        && !ngx_http_fcfaas_slots_failed(hope->waiter, cell))
    {
        hope->others++;
    }
}


ngx_msec_t
ngx_http_fcfaas_slots_retry(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_slots_expire(pool);

    return ngx_http_fcfaas_pick_wait(&pool->pick, ngx_current_msec);
}
