#include "ngx_fcfaas_module/zone/fcz_mem.h"

#include <string.h>


static uint32_t fcz_mem_pool_lookup(fcz_member_t *m, const fcz_key_t *key);
static uint32_t fcz_mem_pool_make(fcz_member_t *m, const fcz_key_t *key);
static uint32_t fcz_mem_pool_new(fcz_member_t *m);
static void fcz_mem_pool_is(fcz_member_t *m, fcz_pool_t *pool, uint32_t i);
static void fcz_mem_pool_link(fcz_member_t *m, uint32_t i);
static void fcz_mem_pool_unlink(fcz_member_t *m, uint32_t i);


static uint32_t
fcz_mem_pool_lookup(fcz_member_t *m, const fcz_key_t *key)
{
    uint32_t         i;
    fcz_poolcell_t  *pool;

    i = m->cells->pool_buckets[key->part[0] & (m->zone->pools.nbuckets - 1)];

    for ( /* void */ ; i != FCZ_NONE; i = pool->next) {
        pool = &m->cells->pools[i];

        if (pool->key.part[0] == key->part[0]
            && pool->key.part[1] == key->part[1])
        {
            return i;
        }
    }

    return FCZ_NONE;
}


static uint32_t
fcz_mem_pool_make(fcz_member_t *m, const fcz_key_t *key)
{
    uint32_t         i, gen, *bucket;
    fcz_array_t     *a;
    fcz_poolcell_t  *pool;

    a = &m->zone->pools;
    bucket = &m->cells->pool_buckets[key->part[0] & (a->nbuckets - 1)];

    i = fcz_mem_pool_new(m);
    if (i == FCZ_NONE) {
        return FCZ_NONE;
    }

    pool = &m->cells->pools[i];
    gen = pool->gen;

    memset(pool, 0, sizeof(fcz_poolcell_t));

    pool->key = *key;
    pool->gen = gen + 1;
    pool->waits = FCZ_NONE;
    pool->room = FCZ_NONE;

    /* the idle one may have been of this bucket */
    pool->next = *bucket;
    *bucket = i;
    a->used++;

    fcz_mem_pool_idle(m, i);

    return i;
}


static uint32_t
fcz_mem_pool_new(fcz_member_t *m)
{
    uint32_t      i, *at;
    fcz_array_t  *a;

    a = &m->zone->pools;

    if (a->fresh < a->max) {
        return a->fresh++;
    }

    i = a->idle_first;

    if (i == FCZ_NONE) {
        return FCZ_NONE;
    }

    at = &m->cells->pool_buckets[m->cells->pools[i].key.part[0]
                                 & (a->nbuckets - 1)];

    while (*at != i) {
        at = &m->cells->pools[*at].next;
    }

    *at = m->cells->pools[i].next;

    fcz_mem_pool_unlink(m, i);
    a->used--;

    return i;
}


void
fcz_mem_pool_idle(fcz_member_t *m, uint32_t i)
{
    unsigned         idle;
    fcz_poolcell_t  *pool;

    pool = &m->cells->pools[i];
    idle = pool->cells == 0 && pool->waits == FCZ_NONE;

    if (idle && !pool->idle) {
        fcz_mem_pool_link(m, i);

    } else if (!idle && pool->idle) {
        fcz_mem_pool_unlink(m, i);
    }
}


static void
fcz_mem_pool_link(fcz_member_t *m, uint32_t i)
{
    fcz_array_t     *a;
    fcz_poolcell_t  *pool;

    a = &m->zone->pools;
    pool = &m->cells->pools[i];

    /* "used" are those that somebody needs; the others wait to be taken */
    pool->idle = 1;
    a->used--;
    pool->idle_prev = a->idle_last;
    pool->idle_next = FCZ_NONE;

    if (a->idle_last != FCZ_NONE) {
        m->cells->pools[a->idle_last].idle_next = i;

    } else {
        a->idle_first = i;
    }

    a->idle_last = i;
}


static void
fcz_mem_pool_unlink(fcz_member_t *m, uint32_t i)
{
    fcz_array_t     *a;
    fcz_poolcell_t  *pool;

    a = &m->zone->pools;
    pool = &m->cells->pools[i];

    pool->idle = 0;
    a->used++;

    if (pool->idle_prev != FCZ_NONE) {
        m->cells->pools[pool->idle_prev].idle_next = pool->idle_next;

    } else {
        a->idle_first = pool->idle_next;
    }

    if (pool->idle_next != FCZ_NONE) {
        m->cells->pools[pool->idle_next].idle_prev = pool->idle_prev;

    } else {
        a->idle_last = pool->idle_prev;
    }
}


uint32_t
fcz_mem_pool_find(fcz_member_t *m, fcz_pool_t *pool)
{
    uint32_t  i;

    if (pool->epoch == m->zone->epoch
        && m->cells->pools[pool->cell].gen == pool->gen)
    {
        return pool->cell;
    }

    i = fcz_mem_pool_lookup(m, &pool->key);

    if (i != FCZ_NONE) {
        fcz_mem_pool_is(m, pool, i);
    }

    return i;
}


uint32_t
fcz_mem_pool_of(fcz_member_t *m, fcz_pool_t *pool)
{
    uint32_t  i;

    i = fcz_mem_pool_find(m, pool);

    if (i != FCZ_NONE) {
        return i;
    }

    i = fcz_mem_pool_make(m, &pool->key);

    if (i == FCZ_NONE) {
        fcz_mem_full(m);
        return FCZ_NONE;
    }

    fcz_mem_pool_is(m, pool, i);

    return i;
}


static void
fcz_mem_pool_is(fcz_member_t *m, fcz_pool_t *pool, uint32_t i)
{
    /* one that we wait in is never taken from us within an epoch */

    pool->wait = FCZ_NONE;
    pool->told = 0;
    pool->wants_told = 0;
    pool->cell = i;
    pool->gen = m->cells->pools[i].gen;
    pool->epoch = m->zone->epoch;
}
