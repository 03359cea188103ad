#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_probe.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"


/* instances compared before the first usable one is good enough */
#define NGX_HTTP_FCFAAS_COMPARED  64

#define ngx_http_fcfaas_slots_of(q)                                         \
    ngx_queue_data(q, ngx_http_fcfaas_instance_t, queue)


static ngx_uint_t
ngx_http_fcfaas_slots_current(ngx_http_fcfaas_instance_t *instance)
{
    return instance->version == 0
           || instance->function->spec.version == 0
           || instance->version == instance->function->spec.version;
}


static ngx_uint_t
ngx_http_fcfaas_slots_limit(ngx_http_fcfaas_instance_t *instance)
{
    ngx_uint_t  limit;

    limit = instance->concurrency < 0 ? instance->function->spec.concurrency
                                      : (ngx_uint_t) instance->concurrency;

    return limit ? limit : NGX_HTTP_FCFAAS_NO_LIMIT;
}


void
ngx_http_fcfaas_slots_note(ngx_http_fcfaas_instance_t *instance)
{
    ngx_uint_t                   full, odd, current;
    ngx_http_fcfaas_pool_t      *pool;

    if (instance->gone) {
        return;
    }

    pool = instance->pool;

    full = instance->busy >= ngx_http_fcfaas_slots_limit(instance);
    odd = instance->draining || instance->away || instance->suspect
          || instance->full || instance->full_times || instance->orphan;
    current = ngx_http_fcfaas_slots_current(instance);

    pool->nfull += full - instance->counted_full;
    pool->nodd += odd - instance->counted_odd;
    pool->ncurrent += current - instance->counted_current;

    instance->counted_full = full;
    instance->counted_odd = odd;
    instance->counted_current = current;
}


void
ngx_http_fcfaas_slots_note_all(ngx_http_fcfaas_pool_t *pool)
{
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&pool->instances);
         q != ngx_queue_sentinel(&pool->instances);
         q = ngx_queue_next(q))
    {
        ngx_http_fcfaas_slots_note(ngx_http_fcfaas_slots_of(q));
    }
}


/* it has said itself that it drains, and etcd has not confirmed it yet */
static ngx_uint_t
ngx_http_fcfaas_slots_away(ngx_http_fcfaas_instance_t *instance)
{
    if (instance->away && ngx_http_fcfaas_past(instance->away_until)) {
        instance->away = 0;
        ngx_http_fcfaas_slots_note(instance);
    }

    return instance->away;
}


/* it has failed this request once */
static ngx_uint_t
ngx_http_fcfaas_slots_failed(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_waiter_t *wt)
{
    ngx_uint_t  i;

    if (wt == NULL) {
        return 0;
    }

    for (i = 0; i < wt->nfailed; i++) {
        if (wt->failed[i] == instance->serial) {
            return 1;
        }
    }

    return 0;
}


/* wt: for this request; NULL: for any */
static ngx_uint_t
ngx_http_fcfaas_slots_room(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_waiter_t *wt)
{
    ngx_uint_t  limit;

    if (instance->draining
        || instance->gone
        || instance->unproven
        || ngx_http_fcfaas_slots_away(instance)
        || ngx_http_fcfaas_slots_failed(instance, wt))
    {
        return 0;
    }

    if (instance->full) {
        if (!ngx_http_fcfaas_past(instance->full_until)) {
            return 0;
        }

        instance->full = 0;
        ngx_http_fcfaas_slots_note(instance);
    }

    if (instance->suspect && !ngx_http_fcfaas_past(instance->retry_at)) {
        return 0;
    }

    limit = ngx_http_fcfaas_slots_limit(instance);

    if (instance->busy >= limit) {
        return 0;
    }

    if (instance->suspect || instance->full_times) {
        /* one at a time, until one of them gets an answer */
        return instance->probing ? 0 : 1;
    }

    return limit - instance->busy;
}


ngx_http_fcfaas_instance_t *
ngx_http_fcfaas_slots_bind(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt)
{
    ngx_uint_t                   n, cost, least;
    ngx_queue_t                 *q;
    ngx_http_fcfaas_instance_t  *instance, *best;

    if (pool->nfull == pool->nlisted) {
        return NULL;
    }

    best = NULL;
    least = 0;
    n = 0;

    for (q = ngx_queue_head(&pool->instances);
         q != ngx_queue_sentinel(&pool->instances);
         q = ngx_queue_next(q))
    {
        if (n++ >= NGX_HTTP_FCFAAS_COMPARED && best) {
            break;
        }

        instance = ngx_http_fcfaas_slots_of(q);

        if (ngx_http_fcfaas_slots_room(instance, wt) == 0) {
            continue;
        }

        cost = instance->busy
               + (instance->suspect ? NGX_HTTP_FCFAAS_NO_LIMIT : 0)
               + (instance->orphan ? NGX_HTTP_FCFAAS_NO_LIMIT : 0)
               + (ngx_http_fcfaas_slots_current(instance)
                  ? 0 : 2 * NGX_HTTP_FCFAAS_NO_LIMIT);

        if (best == NULL || cost < least) {
            best = instance;
            least = cost;

            if (cost == 0) {
                break;
            }
        }
    }

    if (best == NULL) {
        return NULL;
    }

    best->busy++;

    if (best->suspect || best->full_times) {
        best->probing = 1;
    }

    ngx_http_fcfaas_slots_note(best);

    if (pool->nlisted > 1) {
        /* busy ones are looked at last */
        ngx_queue_remove(&best->queue);
        ngx_queue_insert_tail(&pool->instances, &best->queue);
    }

    return best;
}


void
ngx_http_fcfaas_slots_unbind(ngx_http_fcfaas_instance_t *instance,
    ngx_uint_t ended)
{
    ngx_http_fcfaas_pool_t      *pool;

    pool = instance->pool;

    instance->busy--;
    instance->probing = 0;

    if (ended) {
        instance->full = 0;
    }

    ngx_http_fcfaas_slots_note(instance);

    if (instance->busy == 0 && !instance->gone && !instance->counted_odd
        && pool->nlisted > 1)
    {
        /* the next request goes where the last one was, over a connection
         * that is kept, and those that are not needed fall idle; what said
         * "busy" stays behind: others want it too */

        ngx_queue_remove(&instance->queue);
        ngx_queue_insert_head(&pool->instances, &instance->queue);
    }

    ngx_http_fcfaas_table_instance_release(instance);
}


ngx_uint_t
ngx_http_fcfaas_slots_any(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt)
{
    ngx_queue_t  *q;

    if (pool->nfull == pool->nlisted) {
        return 0;
    }

    for (q = ngx_queue_head(&pool->instances);
         q != ngx_queue_sentinel(&pool->instances);
         q = ngx_queue_next(q))
    {
        if (ngx_http_fcfaas_slots_room(ngx_http_fcfaas_slots_of(q), wt)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_fcfaas_slots_free(ngx_http_fcfaas_pool_t *pool)
{
    ngx_uint_t    n;
    ngx_queue_t  *q;

    if (pool->nfull == pool->nlisted) {
        return 0;
    }

    n = 0;

    for (q = ngx_queue_head(&pool->instances);
         q != ngx_queue_sentinel(&pool->instances);
         q = ngx_queue_next(q))
    {
        n += ngx_http_fcfaas_slots_room(ngx_http_fcfaas_slots_of(q), NULL);

        if (n >= NGX_HTTP_FCFAAS_NO_LIMIT) {
            return NGX_HTTP_FCFAAS_NO_LIMIT;
        }
    }

    return n;
}


ngx_uint_t
ngx_http_fcfaas_slots_lost(ngx_http_fcfaas_instance_t *instance)
{
    return instance->suspect
           && ngx_http_fcfaas_past(instance->refused_since
                                   + NGX_HTTP_FCFAAS_SUSPECT_TIME);
}


/* those that serve or soon will again; "current": of the spec's version */
static ngx_uint_t
ngx_http_fcfaas_slots_count(ngx_http_fcfaas_pool_t *pool, ngx_uint_t current)
{
    ngx_uint_t                   n;
    ngx_queue_t                 *q;
    ngx_http_fcfaas_instance_t  *instance;

    if (pool->nodd == 0) {
        return current ? pool->ncurrent : pool->nlisted;
    }

    n = 0;

    for (q = ngx_queue_head(&pool->instances);
         q != ngx_queue_sentinel(&pool->instances);
         q = ngx_queue_next(q))
    {
        instance = ngx_http_fcfaas_slots_of(q);

        if (current
            && instance->orphan && !ngx_http_fcfaas_probe_counts(instance))
        {
            continue;
        }

        if (!instance->draining
            && !ngx_http_fcfaas_slots_away(instance)
            && (!current || ngx_http_fcfaas_slots_current(instance))
            && !ngx_http_fcfaas_slots_lost(instance))
        {
            n++;
        }
    }

    return n;
}


ngx_uint_t
ngx_http_fcfaas_slots_live(ngx_http_fcfaas_pool_t *pool)
{
    return ngx_http_fcfaas_slots_count(pool, 1);
}


ngx_uint_t
ngx_http_fcfaas_slots_ready(ngx_http_fcfaas_pool_t *pool)
{
    return ngx_http_fcfaas_slots_count(pool, 0);
}


ngx_uint_t
ngx_http_fcfaas_slots_hopeless(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt)
{
    ngx_uint_t                   failed;
    ngx_queue_t                 *q;
    ngx_http_fcfaas_instance_t  *instance;

    if (wt->nfailed == 0) {
        return 0;
    }

    failed = 0;

    for (q = ngx_queue_head(&pool->instances);
         q != ngx_queue_sentinel(&pool->instances);
         q = ngx_queue_next(q))
    {
        instance = ngx_http_fcfaas_slots_of(q);

        if (instance->draining || ngx_http_fcfaas_slots_away(instance)) {
            continue;
        }

        if (!ngx_http_fcfaas_slots_failed(instance, wt)) {
            return 0;
        }

        failed = 1;
    }

    return failed && ngx_http_fcfaas_slots_booting(pool) == 0;
}


ngx_uint_t
ngx_http_fcfaas_slots_booting(ngx_http_fcfaas_pool_t *pool)
{
    ngx_uint_t                   n;
    ngx_queue_t                 *q;
    ngx_http_fcfaas_slot_t      *slot;
    ngx_http_fcfaas_function_t  *f;

    f = pool->function;

    if (!f->booting_changed) {
        return f->booting;
    }

    n = 0;

    for (q = ngx_queue_head(&f->slots);
         q != ngx_queue_sentinel(&f->slots);
         q = ngx_queue_next(q))
    {
        slot = ngx_queue_data(q, ngx_http_fcfaas_slot_t, queue);

        if (!slot->failed
            && ngx_http_fcfaas_table_instance(f, (char *) slot->worker_id)
               == NULL)
        {
            n++;
        }
    }

    f->booting = n;
    f->booting_changed = 0;

    return n;
}
