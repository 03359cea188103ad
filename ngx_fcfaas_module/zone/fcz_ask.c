#include "ngx_fcfaas_module/zone/fcz_mem.h"


/* failures in a row before starts are spaced, from 1 s on, doubled each time */
#define FCZ_TRIES        3
#define FCZ_SPACE     1000
#define FCZ_SPACE_MAX 30000
/* then a row of failures has ended */
#define FCZ_FORGET    90000


static fcz_poolcell_t *fcz_ask_cell(fcz_member_t *m, fcz_pool_t *pool,
    unsigned locked);
static unsigned fcz_ask_held(fcz_member_t *m, fcz_poolcell_t *p,
    uint64_t now, uint32_t *ms);
static unsigned fcz_failed_known(fcz_poolcell_t *p, uint64_t what);


void
fcz_view(fcz_member_t *m, fcz_pool_t *pool, fcz_view_t *view)
{
    uint32_t         i;
    fcz_poolcell_t  *p;

    *view = (fcz_view_t) {
        .waiting = pool->waiting, .wanted = pool->wants
    };

    fcz_tell(m);

    if (!fcz_lock(m)) {
        return;
    }

    i = fcz_mem_pool_find(m, pool);

    if (i != FCZ_NONE) {
        p = &m->cells->pools[i];

        view->waiting = p->waiting;
        view->wanted = p->wanted;
        view->busy = p->busy;
        view->failed = p->attempt;
        view->failed_until = p->failed_until;
    }

    fcz_unlock(m);
}


unsigned
fcz_ask(fcz_member_t *m, fcz_pool_t *pool, uint32_t live, uint32_t wanted,
    uint32_t *ms)
{
    unsigned         locked, mine;
    uint64_t         now;
    fcz_asks_t      *asks;
    fcz_poolcell_t  *p;

    locked = (unsigned) fcz_lock(m);
    p = fcz_ask_cell(m, pool, locked);
    asks = p ? &p->asks : &pool->asks;
    now = fcz_now();

    if (asks->until <= now) {
        *asks = (fcz_asks_t) { .until = 0 };
    }

    if (asks->until
        && (wanted <= live + asks->asked
            || wanted <= asks->denied
            || asks->started >= FCZ_ASKED_MAX))
    {
        *ms = (uint32_t) (asks->until - now);
        mine = 0;

    } else {
        mine = p == NULL || !fcz_ask_held(m, p, now, ms);
    }

    if (mine && p) {
        p->asker = m->index;
        p->ask_until = now + FCZ_ASK_MS;
    }

    if (locked) {
        fcz_unlock(m);
    }

    return mine;
}


/* NULL: what is asked is counted in this process alone */
static fcz_poolcell_t *
fcz_ask_cell(fcz_member_t *m, fcz_pool_t *pool, unsigned locked)
{
    uint32_t  i;

    i = locked ? fcz_mem_pool_of(m, pool) : FCZ_NONE;

    return i == FCZ_NONE ? NULL : &m->cells->pools[i];
}


/* somebody else is about it, or nobody is to be before a while is over */
static unsigned
fcz_ask_held(fcz_member_t *m, fcz_poolcell_t *p, uint64_t now, uint32_t *ms)
{
    if (p->asker != m->index && p->ask_until > now) {
        *ms = (uint32_t) (p->ask_until - now);
        return 1;
    }

    if (p->failed_until > now) {
        *ms = (uint32_t) (p->failed_until - now);
        return 1;
    }

    return 0;
}


void
fcz_asked(fcz_member_t *m, fcz_pool_t *pool, fcz_ask_e what, uint32_t wanted)
{
    unsigned         locked;
    fcz_asks_t      *asks;
    fcz_poolcell_t  *p;

    locked = (unsigned) fcz_lock(m);
    p = fcz_ask_cell(m, pool, locked);
    asks = p ? &p->asks : &pool->asks;

    if (p && p->asker == m->index) {
        p->ask_until = 0;
    }

    if (what != FCZ_ASK_FAILED && asks->until == 0) {
        asks->until = fcz_now() + FCZ_ASKED_MS;
    }

    if (what == FCZ_ASK_PUSHED) {
        asks->asked++;
        asks->started++;

    } else if (what == FCZ_ASK_DENIED && wanted > asks->denied) {
        asks->denied = wanted;
    }

    if (locked) {
        fcz_unlock(m);
    }
}


void
fcz_ask_forget(fcz_member_t *m, fcz_pool_t *pool)
{
    fcz_poolcell_t  *p;

    pool->asks.asked = 0;
    pool->asks.denied = 0;

    if (pool->cell == FCZ_NONE || !fcz_lock(m)) {
        return;
    }

    p = &m->cells->pools[pool->cell];

    if (pool->epoch == m->zone->epoch && p->gen == pool->gen) {
        p->asks.asked = 0;
        p->asks.denied = 0;
    }

    fcz_unlock(m);
}


uint32_t
fcz_failed(fcz_member_t *m, fcz_pool_t *pool, uint64_t what,
    uint64_t *until)
{
    uint32_t         i, n, over;
    uint64_t         now;
    fcz_poolcell_t  *p;

    *until = 0;

    if (!fcz_lock(m)) {
        return 1;
    }

    now = fcz_now();
    i = fcz_mem_pool_of(m, pool);

    if (i == FCZ_NONE) {
        fcz_unlock(m);
        return 1;
    }

    p = &m->cells->pools[i];

    if (!fcz_failed_known(p, what)) {

        if (now - p->failed_at > FCZ_FORGET) {
            p->attempt = 0;
        }

        p->failed_at = now;
        p->attempt++;

        if (p->attempt >= FCZ_TRIES) {
            over = p->attempt - FCZ_TRIES;
            p->failed_until = now + (over < 5 ? FCZ_SPACE << over
                                              : FCZ_SPACE_MAX);
        }
    }

    n = p->attempt;
    *until = p->failed_until;

    fcz_unlock(m);

    return n;
}


/* whether another member, or this one, has told it before */
static unsigned
fcz_failed_known(fcz_poolcell_t *p, uint64_t what)
{
    uint32_t  i;

    for (i = 0; i < FCZ_RECENT; i++) {
        if (p->recent[i] == what) {
            return 1;
        }
    }

    p->recent[p->nrecent++ % FCZ_RECENT] = what;

    return 0;
}


void
fcz_succeeded(fcz_member_t *m, fcz_pool_t *pool)
{
    uint32_t  i;

    if (!fcz_lock(m)) {
        return;
    }

    i = fcz_mem_pool_find(m, pool);

    if (i != FCZ_NONE) {
        m->cells->pools[i].attempt = 0;
        m->cells->pools[i].failed_until = 0;
    }

    fcz_unlock(m);
}
