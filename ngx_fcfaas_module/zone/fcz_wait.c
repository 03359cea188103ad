#include "ngx_fcfaas_module/zone/fcz_mem.h"


/* a ring that nobody has come for is forgotten after that */
#define FCZ_RUNG_MS  100


static uint32_t fcz_wait_oldest(fcz_member_t *m, uint32_t pool, uint64_t now,
    uint64_t passed, uint64_t ticket);
static void fcz_wait_ring(fcz_member_t *m, uint32_t wait, uint64_t now);
static void fcz_pool_list(fcz_member_t *m, fcz_pool_t *pool);


uint64_t
fcz_ticket(fcz_t *zone)
{
    return __atomic_fetch_add(&zone->ticket, 1, __ATOMIC_RELAXED);
}


void
fcz_pool_init(fcz_pool_t *pool, const fcz_key_t *key)
{
    *pool = (fcz_pool_t) {
        .key = *key, .cell = FCZ_NONE, .wait = FCZ_NONE, .head = FCZ_NO_TICKET
    };
}


void
fcz_pool_done(fcz_member_t *m, fcz_pool_t *pool)
{
    pool->waiting = 0;
    pool->wants = 0;

    if ((pool->told || pool->wants_told) && fcz_lock(m)) {
        fcz_wait_tell(m, pool);
        fcz_unlock(m);
    }

    if (pool->listed) {
        pool->listed = 0;
        LIST_REMOVE(pool, link);
    }

    if (pool->offered_at) {
        pool->offered_at = 0;
        LIST_REMOVE(pool, offer);
    }
}


fcz_rc_e
fcz_wait_add(fcz_member_t *m, fcz_pool_t *pool, uint32_t limit,
    uint32_t total)
{
    uint32_t  i, n, all;

    fcz_tell(m);

    n = pool->waiting;
    all = 0;

    if (fcz_lock(m)) {

        /* while it waits, it looks often enough to be believed alive */
        fcz_write(&m->zone->entries[m->index].beat, fcz_now());

        i = fcz_mem_pool_find(m, pool);

        if (i != FCZ_NONE) {
            n = m->cells->pools[i].waiting;
        }

        all = m->zone->waiting;

        if ((limit && n >= limit) || (total && all >= total)) {
            fcz_unlock(m);
            return FCZ_FULL;
        }

        pool->waiting++;
        fcz_pool_list(m, pool);
        fcz_wait_tell(m, pool);
        fcz_unlock(m);

        return FCZ_OK;
    }

    if (limit && n >= limit) {
        return FCZ_FULL;
    }

    pool->waiting++;
    fcz_pool_list(m, pool);

    return FCZ_OK;
}


void
fcz_wait_head(fcz_member_t *m, fcz_pool_t *pool, uint64_t ticket)
{
    if (pool->head == ticket && pool->wants == pool->wants_told) {
        return;
    }

    fcz_tell(m);

    pool->head = ticket;

    if (fcz_lock(m)) {
        fcz_wait_tell(m, pool);
        fcz_unlock(m);
    }
}


void
fcz_wait_sub(fcz_member_t *m, fcz_pool_t *pool, uint64_t head)
{
    fcz_tell(m);

    pool->waiting--;
    pool->head = head;

    if (fcz_lock(m)) {
        fcz_wait_tell(m, pool);
        fcz_unlock(m);
    }
}


void
fcz_want(fcz_member_t *m, fcz_pool_t *pool, int n, unsigned now)
{
    pool->wants += (uint32_t) n;
    fcz_pool_list(m, pool);

    if (now) {
        fcz_tell(m);

        if (fcz_lock(m)) {
            fcz_wait_tell(m, pool);
            fcz_unlock(m);
        }
    }
}


unsigned
fcz_waited(fcz_member_t *m, fcz_pool_t *pool)
{
    uint32_t         waiting;
    fcz_poolcell_t  *p;

    if (pool->waiting) {
        return 1;
    }

    if (m->index == FCZ_NONE || pool->cell == FCZ_NONE
        || pool->epoch != fcz_read(&m->zone->epoch))
    {
        return 0;
    }

    p = &m->cells->pools[pool->cell];
    waiting = fcz_read(&p->waiting);

    return waiting != 0 && fcz_read(&p->gen) == pool->gen;
}


/* makes what the zone counts what is true */
void
fcz_wait_tell(fcz_member_t *m, fcz_pool_t *pool)
{
    uint32_t         i;
    fcz_wait_t      *wait;
    fcz_poolcell_t  *p;

    if (pool->epoch != m->zone->epoch) {
        pool->told = 0;
        pool->wants_told = 0;
        pool->wait = FCZ_NONE;
    }

    if (pool->waiting == 0 && pool->wants == 0) {

        if (pool->wait != FCZ_NONE) {
            i = pool->wait;
            m->by_wait[i] = NULL;
            pool->wait = FCZ_NONE;
            pool->told = 0;
            pool->wants_told = 0;
            fcz_mem_wait_free(m, i);
        }

        if (pool->listed) {
            pool->listed = 0;
            LIST_REMOVE(pool, link);
        }

        return;
    }

    i = fcz_mem_pool_of(m, pool);
    if (i == FCZ_NONE) {
        return;
    }

    if (pool->wait == FCZ_NONE) {
        pool->wait = fcz_mem_wait(m, m->index, i);

        if (pool->wait == FCZ_NONE) {
            fcz_mem_full(m);
            return;
        }

        m->by_wait[pool->wait] = pool;
    }

    p = &m->cells->pools[i];
    wait = &m->cells->waits[pool->wait];

    p->waiting += pool->waiting - pool->told;
    m->zone->waiting += pool->waiting - pool->told;
    p->wanted += pool->wants - pool->wants_told;
    wait->count = pool->waiting;
    wait->wants = pool->wants;
    wait->head = pool->waiting ? pool->head : FCZ_NO_TICKET;
    pool->told = pool->waiting;
    pool->wants_told = pool->wants;
}


/*
 * The oldest head of others and our own, of members that live, older than
 * ticket; rung ones whom nobody has seen for "passed" ms do not count, until
 * the ring is forgotten.
 */

static uint32_t
fcz_wait_oldest(fcz_member_t *m, uint32_t pool, uint64_t now, uint64_t passed,
    uint64_t ticket)
{
    uint32_t      i, oldest;
    uint64_t      beat;
    fcz_wait_t   *wait;

    oldest = FCZ_NONE;

    for (i = m->cells->pools[pool].waits; i != FCZ_NONE;
         i = wait->pool_next)
    {
        wait = &m->cells->waits[i];

        if (wait->head >= ticket) {
            continue;
        }

        if (wait->rung_at && now - wait->rung_at >= FCZ_RUNG_MS) {
            wait->rung_at = 0;
        }

        if (wait->rung_at && now - wait->rung_at >= passed) {
            continue;
        }

        beat = fcz_read(&m->zone->entries[wait->member].beat);

        if (wait->member != m->index && beat + FCZ_BEAT_MS < now) {
            continue;
        }

        ticket = wait->head;
        oldest = i;
    }

    return oldest;
}


unsigned
fcz_behind(fcz_member_t *m, uint32_t pool, uint64_t ticket,
    unsigned newcomer)
{
    uint32_t  i;
    uint64_t  now;

    now = fcz_now();
    i = fcz_wait_oldest(m, pool, now,
                        newcomer ? FCZ_NEWCOMER_MS : FCZ_OFFER_MS, ticket);

    if (i == FCZ_NONE || m->cells->waits[i].member == m->index) {
        /* our own are the caller's to put in order */
        return 0;
    }

    fcz_wait_ring(m, i, now);

    return 1;
}


unsigned
fcz_offer(fcz_member_t *m, uint32_t pool)
{
    /* a caller that releases looks at its own by itself */
    return fcz_behind(m, pool, FCZ_NO_TICKET, 0);
}


static void
fcz_wait_ring(fcz_member_t *m, uint32_t i, uint64_t now)
{
    fcz_wait_t   *wait;
    fcz_entry_t  *e;

    wait = &m->cells->waits[i];
    e = &m->zone->entries[wait->member];

    if (wait->rung_at == 0) {
        wait->rung_at = now;
    }

    if (!wait->rung) {
        wait->rung = 1;
        wait->rung_prev = FCZ_NONE;
        wait->rung_next = e->rung;

        if (e->rung != FCZ_NONE) {
            m->cells->waits[e->rung].rung_prev = i;
        }

        e->rung = i;
    }

    fcz_ring(m, wait->member, now);
}


void
fcz_came(fcz_member_t *m, uint32_t i)
{
    fcz_wait_t  *wait;

    wait = &m->cells->waits[i];
    wait->rung_at = 0;

    if (!wait->rung) {
        return;
    }

    wait->rung = 0;

    if (wait->rung_prev != FCZ_NONE) {
        m->cells->waits[wait->rung_prev].rung_next = wait->rung_next;

    } else {
        m->zone->entries[wait->member].rung = wait->rung_next;
    }

    if (wait->rung_next != FCZ_NONE) {
        m->cells->waits[wait->rung_next].rung_prev = wait->rung_prev;
    }
}


uint32_t
fcz_heard(fcz_member_t *m, fcz_pool_t **pools, uint32_t n)
{
    uint32_t      i, found;
    uint64_t      rung_at;
    fcz_entry_t  *e;

    fcz_tell(m);
    fcz_spare_back(m);

    if (!fcz_lock(m)) {
        return 0;
    }

    e = &m->zone->entries[m->index];
    e->bell_at = 0;
    found = 0;

    while (e->rung != FCZ_NONE && found < n) {

        i = e->rung;

        /* it has heard, but not come yet: its time runs on */

        rung_at = m->cells->waits[i].rung_at;
        fcz_came(m, i);
        m->cells->waits[i].rung_at = rung_at;

        if (m->by_wait[i]) {
            pools[found++] = m->by_wait[i];
        }
    }

    fcz_unlock(m);

    return found;
}


void
fcz_offered(fcz_member_t *m, fcz_pool_t *pool)
{
    if (pool->offered_at == 0) {
        pool->offered_at = fcz_now();
        LIST_INSERT_HEAD(&m->offers, pool, offer);
    }
}


void
fcz_offers(fcz_member_t *m)
{
    uint32_t     n, cell;
    unsigned     again;
    uint64_t     now;
    fcz_pool_t  *pool, *next;

    if (!fcz_lock(m)) {
        return;
    }

    now = fcz_now();
    n = 0;

    for (pool = LIST_FIRST(&m->offers); pool && n < FCZ_TURN; pool = next) {

        next = LIST_NEXT(pool, offer);

        if (now - pool->offered_at < FCZ_OFFER_MS) {
            continue;
        }

        n++;
        cell = fcz_mem_pool_find(m, pool);

        again = cell != FCZ_NONE && m->cells->pools[cell].room != FCZ_NONE
                && fcz_offer(m, cell);

        pool->offered_at = now;

        if (!again) {
            pool->offered_at = 0;
            LIST_REMOVE(pool, offer);
        }
    }

    fcz_unlock(m);
}


static void
fcz_pool_list(fcz_member_t *m, fcz_pool_t *pool)
{
    if (!pool->listed) {
        pool->listed = 1;
        LIST_INSERT_HEAD(&m->pools, pool, link);
    }
}
