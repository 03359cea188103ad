#include "ngx_fcfaas_module/zone/fcz_mem.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>


/* for each instance: requests of so many members in it at once, pools, and
 * members that wait for these */
#define FCZ_LEDGERS  4
#define FCZ_WAITS    2

#define FCZ_UNIT     (sizeof(fcz_cell_t) + FCZ_LEDGERS * sizeof(fcz_ledger_t) \
                      + sizeof(fcz_poolcell_t) + FCZ_WAITS * sizeof(fcz_wait_t))
#define FCZ_MIN      16

_Static_assert(sizeof(fcz_cell_t) == 64, "a line of the cache");
_Static_assert(sizeof(fcz_ledger_t) == 32, "half a line");


static void fcz_mem_array(fcz_array_t *a, uint32_t max, uint32_t buckets);
static void fcz_mem_clear(fcz_array_t *a);
static uint32_t fcz_mem_buckets(uint32_t n);
static void fcz_mem_reclaim(fcz_member_t *m, uint32_t i);
static int fcz_mem_random(void *p, size_t n);


fcz_t *
fcz_create(void *mem, size_t size, const int *bells)
{
    size_t    rest;
    fcz_t    *zone;
    uint32_t  i, n, buckets;

    zone = mem;
    rest = size > sizeof(fcz_t) ? size - sizeof(fcz_t) : 0;

    /* buckets take 8 to 16 bytes an instance */
    n = (uint32_t) (rest / (FCZ_UNIT + 16));
    buckets = fcz_mem_buckets(n);

    if (n < FCZ_MIN) {
        errno = ENOSPC;
        return NULL;
    }

    /* cells are made whole when they are taken */
    memset(zone, 0, sizeof(fcz_t));

    if (fcz_mem_random(zone->seed, sizeof(zone->seed)) == -1
        || fcz_mem_random(zone->id, sizeof(zone->id)) == -1
        || fcz_mutex_init(&zone->lock) == -1)
    {
        return NULL;
    }

    zone->layout = FCZ_LAYOUT;
    zone->size = size;
    zone->ticket = 1;

    fcz_mem_array(&zone->cells, n, buckets);
    fcz_mem_array(&zone->pools, n, buckets);
    fcz_mem_array(&zone->ledgers, FCZ_LEDGERS * n, 0);
    fcz_mem_array(&zone->waits, FCZ_WAITS * n, 0);

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        zone->entries[i].bell = bells ? bells[i] : -1;
    }

    fcz_mem_reset(zone);

    return zone;
}


size_t
fcz_size(uint32_t nslots)
{
    return sizeof(fcz_t) + (size_t) nslots * (FCZ_UNIT + 16);
}


static int
fcz_mem_random(void *p, size_t n)
{
    return getrandom(p, n, 0) == (ssize_t) n ? 0 : -1;
}


/* at most as many as there are to be found there */
static uint32_t
fcz_mem_buckets(uint32_t n)
{
    uint32_t  buckets;

    for (buckets = FCZ_MIN; buckets * 2 <= n; buckets *= 2) { /* void */ }

    return buckets;
}


static void
fcz_mem_array(fcz_array_t *a, uint32_t max, uint32_t buckets)
{
    a->max = max;
    a->nbuckets = buckets;
}


static void
fcz_mem_clear(fcz_array_t *a)
{
    a->fresh = 0;
    a->used = 0;
    a->free = FCZ_NONE;
    a->idle_first = FCZ_NONE;
    a->idle_last = FCZ_NONE;
}


void
fcz_mem_where(fcz_t *zone, fcz_cells_t *where)
{
    where->cells = (fcz_cell_t *) (zone + 1);
    where->pools = (fcz_poolcell_t *) (where->cells + zone->cells.max);
    where->waits = (fcz_wait_t *) (where->pools + zone->pools.max);
    where->ledgers = (fcz_ledger_t *) (where->waits + zone->waits.max);
    where->cell_buckets = (uint32_t *) (where->ledgers + zone->ledgers.max);
    where->pool_buckets = where->cell_buckets + zone->cells.nbuckets;
}


void
fcz_mem_reset(fcz_t *zone)
{
    uint32_t      i, owner;
    fcz_cells_t   where;
    fcz_entry_t  *e;

    fcz_mem_where(zone, &where);

    fcz_mem_clear(&zone->cells);
    fcz_mem_clear(&zone->pools);
    fcz_mem_clear(&zone->ledgers);
    fcz_mem_clear(&zone->waits);

    memset(where.cell_buckets, 0xff,
           zone->cells.nbuckets * sizeof(uint32_t));
    memset(where.pool_buckets, 0xff,
           zone->pools.nbuckets * sizeof(uint32_t));

    owner = zone->owner;

    if (zone->epoch && owner < FCZ_MEMBERS_MAX) {
        /* it has just died */
        zone->entries[owner].pid = 0;
    }

    fcz_write(&zone->owner, FCZ_NONE);
    fcz_write(&zone->epoch, zone->epoch + 1);

    zone->waiting = 0;
    zone->unsettled = 0;
    zone->settle_until = fcz_now() + FCZ_SETTLE_MS;

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        e = &zone->entries[i];

        e->ledgers = FCZ_NONE;
        e->waits = FCZ_NONE;
        e->rung = FCZ_NONE;
        e->bell_at = 0;

        zone->unsettled += e->pid != 0;
    }
}


uint32_t
fcz_mem_cell(fcz_member_t *m, const fcz_key_t *key, uint32_t pool)
{
    uint32_t      i, *bucket;
    fcz_cell_t   *cell;
    fcz_array_t  *a;

    a = &m->zone->cells;
    bucket = &m->cells->cell_buckets[key->part[0] & (a->nbuckets - 1)];

    for (i = *bucket; i != FCZ_NONE; i = m->cells->cells[i].next) {
        cell = &m->cells->cells[i];

        if (cell->key.part[0] == key->part[0]
            && cell->key.part[1] == key->part[1])
        {
            return i;
        }
    }

    if (a->fresh < a->max) {
        i = a->fresh++;

    } else if (a->idle_first != FCZ_NONE) {
        i = a->idle_first;
        fcz_mem_reclaim(m, i);

    } else {
        return FCZ_NONE;
    }

    cell = &m->cells->cells[i];

    cell->key = *key;
    cell->gen++;
    cell->next = *bucket;
    cell->pool = pool;
    cell->busy = 0;
    cell->idle = 0;
    cell->room = 0;
    cell->full = 0;
    cell->lent = 0;

    *bucket = i;
    a->used++;

    m->cells->pools[pool].cells++;
    fcz_mem_pool_idle(m, pool);
    fcz_mem_idle(m, i);

    return i;
}


/* takes an idle one from who it belonged to */
static void
fcz_mem_reclaim(fcz_member_t *m, uint32_t i)
{
    uint32_t     *at;
    fcz_cell_t   *cell;
    fcz_array_t  *a;

    a = &m->zone->cells;
    cell = &m->cells->cells[i];
    at = &m->cells->cell_buckets[cell->key.part[0] & (a->nbuckets - 1)];

    while (*at != i) {
        at = &m->cells->cells[*at].next;
    }

    *at = cell->next;

    fcz_mem_used(m, i);
    fcz_mem_no_room(m, i);

    a->used--;
    m->cells->pools[cell->pool].cells--;
    fcz_mem_pool_idle(m, cell->pool);
}


void
fcz_mem_move(fcz_member_t *m, uint32_t i, uint32_t pool)
{
    uint32_t     before;
    unsigned     room;
    fcz_cell_t  *cell;

    cell = &m->cells->cells[i];
    before = cell->pool;
    room = cell->room;

    fcz_mem_no_room(m, i);

    m->cells->pools[before].cells--;
    m->cells->pools[before].busy -= cell->busy;
    m->cells->pools[pool].cells++;
    m->cells->pools[pool].busy += cell->busy;

    cell->pool = pool;

    if (room) {
        fcz_mem_room(m, i);
    }

    fcz_mem_pool_idle(m, before);
    fcz_mem_pool_idle(m, pool);
}


/* nobody is in it: last to be taken for another */
void
fcz_mem_idle(fcz_member_t *m, uint32_t i)
{
    fcz_cell_t   *cell;
    fcz_array_t  *a;

    a = &m->zone->cells;
    cell = &m->cells->cells[i];

    cell->idle = 1;
    cell->idle_prev = a->idle_last;
    cell->idle_next = FCZ_NONE;

    if (a->idle_last != FCZ_NONE) {
        m->cells->cells[a->idle_last].idle_next = i;

    } else {
        a->idle_first = i;
    }

    a->idle_last = i;
}


void
fcz_mem_used(fcz_member_t *m, uint32_t i)
{
    fcz_cell_t   *cell;
    fcz_array_t  *a;

    a = &m->zone->cells;
    cell = &m->cells->cells[i];

    if (!cell->idle) {
        return;
    }

    cell->idle = 0;

    if (cell->idle_prev != FCZ_NONE) {
        m->cells->cells[cell->idle_prev].idle_next = cell->idle_next;

    } else {
        a->idle_first = cell->idle_next;
    }

    if (cell->idle_next != FCZ_NONE) {
        m->cells->cells[cell->idle_next].idle_prev = cell->idle_prev;

    } else {
        a->idle_last = cell->idle_prev;
    }
}


/* it was full and has room again: first of its pool, as it is warm */
void
fcz_mem_room(fcz_member_t *m, uint32_t i)
{
    fcz_cell_t      *cell;
    fcz_poolcell_t  *pool;

    cell = &m->cells->cells[i];
    pool = &m->cells->pools[cell->pool];

    cell->room = 1;
    cell->room_prev = FCZ_NONE;
    cell->room_next = pool->room;

    if (pool->room != FCZ_NONE) {
        m->cells->cells[pool->room].room_prev = i;
    }

    pool->room = i;
}


void
fcz_mem_no_room(fcz_member_t *m, uint32_t i)
{
    fcz_cell_t  *cell;

    cell = &m->cells->cells[i];

    if (!cell->room) {
        return;
    }

    cell->room = 0;

    if (cell->room_prev != FCZ_NONE) {
        m->cells->cells[cell->room_prev].room_next = cell->room_next;

    } else {
        m->cells->pools[cell->pool].room = cell->room_next;
    }

    if (cell->room_next != FCZ_NONE) {
        m->cells->cells[cell->room_next].room_prev = cell->room_prev;
    }
}


void
fcz_mem_full(fcz_member_t *m)
{
    if (!m->zone->full_told) {
        m->zone->full_told = 1;
        m->events |= FCZ_E_FULL;
    }
}
