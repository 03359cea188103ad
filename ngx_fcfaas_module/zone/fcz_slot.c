#include "ngx_fcfaas_module/zone/fcz_mem.h"


static fcz_rc_e fcz_bind_alone(fcz_member_t *m, fcz_slot_t *slot,
    uint32_t limit, unsigned peek);
static fcz_rc_e fcz_bind_locked(fcz_member_t *m, fcz_slot_t *slot,
    uint32_t limit, uint64_t ticket, unsigned newcomer, unsigned peek);
static fcz_rc_e fcz_bind_any(fcz_member_t *m, fcz_slot_t *slot,
    uint32_t limit, uint64_t *ticket, unsigned newcomer, unsigned peek);
static void fcz_ticket_locked(fcz_t *zone, uint64_t *ticket);
static uint32_t fcz_slot_cell(fcz_member_t *m, fcz_slot_t *slot);
static void fcz_slot_more(fcz_member_t *m, fcz_slot_t *slot, uint32_t cell,
    uint32_t n);
static void fcz_slot_less(fcz_member_t *m, uint32_t ledger, uint32_t n);
static void fcz_slot_list(fcz_member_t *m, fcz_slot_t *slot);
static void fcz_slot_unlist(fcz_slot_t *slot);


void
fcz_slot_init(fcz_slot_t *slot, fcz_pool_t *pool, const fcz_key_t *key)
{
    *slot = (fcz_slot_t) {
        .key = *key, .pool = pool, .cell = FCZ_NONE, .ledger = FCZ_NONE
    };
}


void
fcz_slot_done(fcz_member_t *m, fcz_slot_t *slot)
{
    slot->held = 0;
    fcz_spare_none(slot);

    if (slot->told && fcz_lock(m)) {
        fcz_slot_tell(m, slot);
        fcz_unlock(m);
    }

    /* what it still counts there, if we are alone, goes with the next epoch,
     * or when this process ends */

    fcz_slot_unlist(slot);

    if (slot->cell != FCZ_NONE && m->by_cell
        && m->by_cell[slot->cell] == slot)
    {
        m->by_cell[slot->cell] = NULL;
    }
}


fcz_rc_e
fcz_bind(fcz_member_t *m, fcz_slot_t *slot, uint32_t limit, uint64_t *ticket,
    unsigned newcomer)
{
    if (fcz_spare_take(m, slot, limit)) {

        slot->held++;

        if (*ticket == 0) {
            *ticket = fcz_read(&m->zone->ticket);
        }

        return FCZ_OK;
    }

    return fcz_bind_any(m, slot, limit, ticket, newcomer, 0);
}


fcz_rc_e
fcz_peek(fcz_member_t *m, fcz_slot_t *slot, uint32_t limit, uint64_t ticket,
    unsigned newcomer)
{
    return fcz_bind_any(m, slot, limit, &ticket, newcomer, 1);
}


static fcz_rc_e
fcz_bind_any(fcz_member_t *m, fcz_slot_t *slot, uint32_t limit,
    uint64_t *ticket, unsigned newcomer, unsigned peek)
{
    fcz_rc_e  rc;

    fcz_tell(m);

    if (!fcz_lock(m)) {
        return fcz_bind_alone(m, slot, limit, peek);
    }

    fcz_ticket_locked(m->zone, ticket);

    rc = fcz_bind_locked(m, slot, limit, *ticket, newcomer, peek);

    fcz_unlock(m);

    return rc;
}


/* Without an atomic addition, which has to wait for all that was written
 * before.  Should another be lost that way, two have the same, and none of
 * them is the older one. */
static void
fcz_ticket_locked(fcz_t *zone, uint64_t *ticket)
{
    if (*ticket == 0) {
        *ticket = fcz_read(&zone->ticket);
        fcz_write(&zone->ticket, *ticket + 1);
    }
}


/* others are not asked: its agent counts for itself, and answers "busy" */
static fcz_rc_e
fcz_bind_alone(fcz_member_t *m, fcz_slot_t *slot, uint32_t limit,
    unsigned peek)
{
    if (limit && slot->held >= limit) {
        return FCZ_FULL;
    }

    if (!peek) {
        slot->held++;
        fcz_slot_list(m, slot);
    }

    return FCZ_OK;
}


static fcz_rc_e
fcz_bind_locked(fcz_member_t *m, fcz_slot_t *slot, uint32_t limit,
    uint64_t ticket, unsigned newcomer, unsigned peek)
{
    uint32_t         i;
    fcz_cell_t      *cell;
    fcz_pool_t      *pool;
    fcz_poolcell_t  *p;

    if (!fcz_settled(m)) {
        return FCZ_SETTLING;
    }

    pool = slot->pool;
    i = fcz_slot_cell(m, slot);

    if (i == FCZ_NONE) {
        return fcz_bind_alone(m, slot, limit, peek);
    }

    if (slot->held < slot->told) {
        fcz_slot_tell(m, slot);
    }

    cell = &m->cells->cells[i];
    p = &m->cells->pools[cell->pool];
    slot->limit = limit;

    if (limit && cell->busy >= limit) {

        cell->full = 1;
        fcz_mem_no_room(m, i);
        fcz_spare_recall(m, i);

        if (pool->told) {
            /* it has looked, and there was nothing */
            fcz_came(m, pool->wait);
        }

        return FCZ_FULL;
    }

    if (p->waits != FCZ_NONE && fcz_behind(m, cell->pool, ticket, newcomer)) {
        return FCZ_BEHIND;
    }

    if (peek) {
        return FCZ_OK;
    }

    /* also those for which there was no cell */

    slot->held++;
    fcz_slot_list(m, slot);
    fcz_slot_more(m, slot, i, slot->held - slot->told);

    if (pool->told) {
        fcz_came(m, pool->wait);
    }

    return FCZ_OK;
}


void
fcz_release(fcz_member_t *m, fcz_slot_t *slot)
{
    fcz_tell(m);

    slot->held--;

    if (slot->told == 0 && !m->untold) {
        /* it was counted here alone */

        if (slot->held == 0) {
            fcz_slot_unlist(slot);
        }

        return;
    }

    if (fcz_spare_keep(m, slot)) {
        return;
    }

    if (fcz_lock(m)) {
        fcz_slot_back(m, slot);
        fcz_unlock(m);
    }
}


void
fcz_slot_back(fcz_member_t *m, fcz_slot_t *slot)
{
    uint32_t  pool;

    fcz_slot_tell(m, slot);

    if (slot->epoch == m->zone->epoch) {
        pool = m->cells->cells[slot->cell].pool;

        if (m->cells->pools[pool].waits != FCZ_NONE && fcz_offer(m, pool)) {
            fcz_offered(m, slot->pool);
        }
    }
}


uint32_t
fcz_room(fcz_member_t *m, fcz_pool_t *pool, fcz_slot_t **slots, uint32_t n)
{
    uint32_t     i, found, steps;
    fcz_slot_t  *slot;

    if (!fcz_lock(m)) {
        return 0;
    }

    found = 0;
    i = fcz_mem_pool_find(m, pool);

    if (i != FCZ_NONE) {
        i = m->cells->pools[i].room;
    }

    for (steps = 0; i != FCZ_NONE && found < n && steps < FCZ_TURN; steps++) {

        slot = m->by_cell[i];

        if (slot && slot->cell == i && slot->gen == m->cells->cells[i].gen
            && slot->epoch == m->zone->epoch)
        {
            slots[found++] = slot;
        }

        i = m->cells->cells[i].room_next;
    }

    fcz_unlock(m);

    return found;
}


static uint32_t
fcz_slot_cell(fcz_member_t *m, fcz_slot_t *slot)
{
    uint32_t  i, pool;

    if (slot->epoch == m->zone->epoch
        && m->cells->cells[slot->cell].gen == slot->gen)
    {
        i = slot->cell;

        if (m->cells->cells[i].pool != slot->pool->cell) {
            pool = fcz_mem_pool_of(m, slot->pool);

            if (pool != FCZ_NONE && pool != m->cells->cells[i].pool) {
                fcz_mem_move(m, i, pool);
            }
        }

        return i;
    }

    if (slot->cell != FCZ_NONE && m->by_cell[slot->cell] == slot) {
        m->by_cell[slot->cell] = NULL;
    }

    pool = fcz_mem_pool_of(m, slot->pool);
    i = pool != FCZ_NONE ? fcz_mem_cell(m, &slot->key, pool) : FCZ_NONE;

    /* one that we hold is never taken from us within an epoch */
    slot->told = 0;
    slot->ledger = FCZ_NONE;
    slot->cell = i;

    if (i == FCZ_NONE) {
        slot->epoch = 0;
        fcz_mem_full(m);
        return FCZ_NONE;
    }

    slot->gen = m->cells->cells[i].gen;
    slot->epoch = m->zone->epoch;
    m->by_cell[i] = slot;

    return i;
}


/* there are n more of this member's in the instance */
static void
fcz_slot_more(fcz_member_t *m, fcz_slot_t *slot, uint32_t i, uint32_t n)
{
    fcz_cell_t  *cell;

    if (slot->told == 0) {
        slot->ledger = fcz_mem_ledger(m, m->index, i);

        if (slot->ledger == FCZ_NONE) {
            fcz_mem_full(m);
            return;
        }
    }

    cell = &m->cells->cells[i];

    if (cell->busy == 0) {
        fcz_mem_used(m, i);
    }

    m->cells->ledgers[slot->ledger].count += n;
    m->cells->pools[cell->pool].busy += n;
    cell->busy += n;
    slot->told += n;

    if (slot->limit && cell->busy >= slot->limit) {
        cell->full = 1;
        fcz_mem_no_room(m, i);
    }
}


static void
fcz_slot_less(fcz_member_t *m, uint32_t l, uint32_t n)
{
    uint32_t       i;
    fcz_cell_t    *cell;
    fcz_ledger_t  *ledger;

    ledger = &m->cells->ledgers[l];
    i = ledger->cell;
    cell = &m->cells->cells[i];

    if (ledger->count < n || cell->busy < n) {
        m->events |= FCZ_E_BROKEN;
        return;
    }

    ledger->count -= n;
    cell->busy -= n;
    m->cells->pools[cell->pool].busy -= n;

    if (ledger->count == 0) {
        fcz_mem_ledger_free(m, l);
    }

    if (cell->full) {
        cell->full = 0;
        fcz_mem_room(m, i);
    }

    if (cell->busy == 0) {
        fcz_mem_idle(m, i);
    }
}


void
fcz_slot_tell(fcz_member_t *m, fcz_slot_t *slot)
{
    uint32_t  i, n;

    fcz_spare_none(slot);

    if (slot->epoch != m->zone->epoch) {
        slot->told = 0;
    }

    if (slot->held > slot->told) {

        i = fcz_slot_cell(m, slot);

        if (i != FCZ_NONE) {
            fcz_slot_more(m, slot, i, slot->held - slot->told);
        }

    } else if (slot->held < slot->told) {

        n = slot->told - slot->held;
        slot->told = slot->held;
        fcz_slot_less(m, slot->ledger, n);
    }

    if (slot->held == 0 && slot->told == 0) {
        fcz_slot_unlist(slot);
    }
}


/* what a dead member held */
void
fcz_slot_drop(fcz_member_t *m, uint32_t ledger)
{
    uint32_t  pool;

    pool = m->cells->cells[m->cells->ledgers[ledger].cell].pool;

    fcz_slot_less(m, ledger, m->cells->ledgers[ledger].count);

    if (m->cells->pools[pool].waits != FCZ_NONE) {
        (void) fcz_offer(m, pool);
    }
}


static void
fcz_slot_list(fcz_member_t *m, fcz_slot_t *slot)
{
    if (!slot->listed) {
        slot->listed = 1;
        LIST_INSERT_HEAD(&m->slots, slot, link);
    }
}


static void
fcz_slot_unlist(fcz_slot_t *slot)
{
    if (slot->listed) {
        slot->listed = 0;
        LIST_REMOVE(slot, link);
    }
}
