#include "ngx_fcfaas_module/zone/fcz_mem.h"


/*
 * Spare places: counted for this process in the zone (told), and in no use
 * (not held).  Only this process takes them, so it needs nobody's leave, and
 * is never one too many.  What it reads of the zone may be a little old: then
 * it is as if the request had come so much earlier.
 */

/* nothing is spare of an instance of which more than this part is taken, by
 * all */
#define FCZ_SPARE_PART  4


static fcz_cell_t *fcz_spare_cell(fcz_member_t *m, fcz_slot_t *slot);
static unsigned fcz_spare_lend(fcz_member_t *m, fcz_cell_t *cell,
    fcz_slot_t *slot);


/* where slot is counted, if that is as it was, and nobody waits there; NULL:
 * the mutex is needed to tell */
static fcz_cell_t *
fcz_spare_cell(fcz_member_t *m, fcz_slot_t *slot)
{
    uint32_t         epoch;
    fcz_cell_t      *cell;
    fcz_poolcell_t  *pool;

    epoch = fcz_read(&m->zone->epoch);

    if (slot->epoch != epoch || slot->pool->epoch != epoch) {
        return NULL;
    }

    /* the cell is not another's while we are counted there; that of the pool
     * which it belongs to now may be */

    cell = &m->cells->cells[slot->cell];
    pool = &m->cells->pools[slot->pool->cell];

    if (fcz_read(&cell->pool) != slot->pool->cell
        || fcz_read(&pool->gen) != slot->pool->gen
        || fcz_read(&pool->waits) != FCZ_NONE)
    {
        return NULL;
    }

    return cell;
}


unsigned
fcz_spare_take(fcz_member_t *m, fcz_slot_t *slot, uint32_t limit)
{
    return slot->held < slot->told
           && slot->limit == limit
           && fcz_spare_cell(m, slot) != NULL;
}


/*
 * One of several requests: with the last one all is given back, so that an
 * instance that nobody is in is counted so.  A process that stands still keeps
 * less than FCZ_SPARE_PART of an instance from others.
 */

unsigned
fcz_spare_keep(fcz_member_t *m, fcz_slot_t *slot)
{
    fcz_cell_t  *cell;

    if (slot->held == 0 || slot->held >= slot->told) {
        return 0;
    }

    cell = fcz_spare_cell(m, slot);

    if (cell == NULL || (slot->limit && !fcz_spare_lend(m, cell, slot))) {
        return 0;
    }

    if (!slot->spared) {
        slot->spared = 1;
        LIST_INSERT_HEAD(&m->spares, slot, spare);
    }

    return 1;
}


/* Whoever finds no room from now on sees the bit, and rings us; or has taken
 * so much before that it is seen here. */
static unsigned
fcz_spare_lend(fcz_member_t *m, fcz_cell_t *cell, fcz_slot_t *slot)
{
    uint64_t  bit;

    if (fcz_read(&cell->busy) > slot->limit / FCZ_SPARE_PART) {
        return 0;
    }

    bit = (uint64_t) 1 << (m->index % 64);

    if (fcz_read(&cell->lent) & bit) {
        return 1;
    }

    (void) __atomic_fetch_or(&cell->lent, bit, __ATOMIC_SEQ_CST);

    return __atomic_load_n(&cell->busy, __ATOMIC_SEQ_CST)
           <= slot->limit / FCZ_SPARE_PART;
}


void
fcz_spare_none(fcz_slot_t *slot)
{
    if (slot->spared) {
        slot->spared = 0;
        LIST_REMOVE(slot, spare);
    }
}


void
fcz_spare_back(fcz_member_t *m)
{
    uint32_t  n;

    while (!LIST_EMPTY(&m->spares) && fcz_lock(m)) {

        for (n = 0; n < FCZ_TURN && !LIST_EMPTY(&m->spares); n++) {
            fcz_slot_back(m, LIST_FIRST(&m->spares));
        }

        fcz_unlock(m);
    }
}


/* if one is not rung for it now, it has been, and not heard yet */
void
fcz_spare_recall(fcz_member_t *m, uint32_t i)
{
    uint32_t  member;
    uint64_t  lent, now;

    lent = __atomic_exchange_n(&m->cells->cells[i].lent, 0, __ATOMIC_SEQ_CST);

    if (lent == 0) {
        return;
    }

    now = fcz_now();

    for (member = 0; member < FCZ_MEMBERS_MAX; member++) {
        if (member != m->index && (lent >> (member % 64)) & 1) {
            fcz_ring(m, member, now);
        }
    }
}
