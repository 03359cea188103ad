#include "ngx_fcfaas_module/zone/fcz_mem.h"


/* failures in a row before starts are spaced, from 1 s on, doubled each time */
#define FCZ_TRIES        3
#define FCZ_SPACE     1000
#define FCZ_SPACE_MAX 30000
/* then a row of failures has ended */
#define FCZ_FORGET    90000


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

    i = fcz_mem_pool_of(m, pool);

    if (i != FCZ_NONE) {
        p = &m->cells->pools[i];

        view->waiting = p->waiting;
        view->wanted = p->wanted;
        view->busy = p->busy;
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

    i = fcz_mem_pool_of(m, pool);

    if (i != FCZ_NONE) {
        m->cells->pools[i].attempt = 0;
        m->cells->pools[i].failed_until = 0;
    }

    fcz_unlock(m);
}
