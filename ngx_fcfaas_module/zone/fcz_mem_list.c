#include "ngx_fcfaas_module/zone/fcz_mem.h"


static uint32_t fcz_mem_fresh(fcz_array_t *a);


/* for one that is not in its free list */
static uint32_t
fcz_mem_fresh(fcz_array_t *a)
{
    return a->fresh < a->max ? a->fresh++ : FCZ_NONE;
}


uint32_t
fcz_mem_ledger(fcz_member_t *m, uint32_t member, uint32_t cell)
{
    uint32_t       i;
    fcz_array_t   *a;
    fcz_entry_t   *e;
    fcz_ledger_t  *ledger;

    a = &m->zone->ledgers;
    e = &m->zone->entries[member];
    i = a->free;

    if (i != FCZ_NONE) {
        a->free = m->cells->ledgers[i].next;

    } else {
        i = fcz_mem_fresh(a);

        if (i == FCZ_NONE) {
            return FCZ_NONE;
        }
    }

    ledger = &m->cells->ledgers[i];

    ledger->member = member;
    ledger->cell = cell;
    ledger->count = 0;
    ledger->prev = FCZ_NONE;
    ledger->next = e->ledgers;

    if (e->ledgers != FCZ_NONE) {
        m->cells->ledgers[e->ledgers].prev = i;
    }

    e->ledgers = i;
    a->used++;

    return i;
}


void
fcz_mem_ledger_free(fcz_member_t *m, uint32_t i)
{
    fcz_array_t   *a;
    fcz_ledger_t  *ledger;

    a = &m->zone->ledgers;
    ledger = &m->cells->ledgers[i];

    if (ledger->prev != FCZ_NONE) {
        m->cells->ledgers[ledger->prev].next = ledger->next;

    } else {
        m->zone->entries[ledger->member].ledgers = ledger->next;
    }

    if (ledger->next != FCZ_NONE) {
        m->cells->ledgers[ledger->next].prev = ledger->prev;
    }

    ledger->next = a->free;
    a->free = i;
    a->used--;
}


uint32_t
fcz_mem_wait(fcz_member_t *m, uint32_t member, uint32_t pool)
{
    uint32_t         i;
    fcz_wait_t      *wait;
    fcz_array_t     *a;
    fcz_entry_t     *e;
    fcz_poolcell_t  *p;

    a = &m->zone->waits;
    e = &m->zone->entries[member];
    p = &m->cells->pools[pool];
    i = a->free;

    if (i != FCZ_NONE) {
        a->free = m->cells->waits[i].pool_next;

    } else {
        i = fcz_mem_fresh(a);

        if (i == FCZ_NONE) {
            return FCZ_NONE;
        }
    }

    wait = &m->cells->waits[i];

    wait->head = FCZ_NO_TICKET;
    wait->rung_at = 0;
    wait->member = member;
    wait->pool = pool;
    wait->count = 0;
    wait->wants = 0;
    wait->rung = 0;

    wait->pool_prev = FCZ_NONE;
    wait->pool_next = p->waits;

    if (p->waits != FCZ_NONE) {
        m->cells->waits[p->waits].pool_prev = i;
    }

    p->waits = i;

    wait->prev = FCZ_NONE;
    wait->next = e->waits;

    if (e->waits != FCZ_NONE) {
        m->cells->waits[e->waits].prev = i;
    }

    e->waits = i;
    a->used++;

    fcz_mem_pool_idle(m, pool);

    return i;
}


void
fcz_mem_wait_free(fcz_member_t *m, uint32_t i)
{
    fcz_wait_t      *wait;
    fcz_array_t     *a;
    fcz_entry_t     *e;
    fcz_poolcell_t  *p;

    a = &m->zone->waits;
    wait = &m->cells->waits[i];
    e = &m->zone->entries[wait->member];
    p = &m->cells->pools[wait->pool];

    p->waiting -= wait->count;
    p->wanted -= wait->wants;
    m->zone->waiting -= wait->count;

    if (wait->rung) {
        fcz_came(m, i);
    }

    if (wait->pool_prev != FCZ_NONE) {
        m->cells->waits[wait->pool_prev].pool_next = wait->pool_next;

    } else {
        p->waits = wait->pool_next;
    }

    if (wait->pool_next != FCZ_NONE) {
        m->cells->waits[wait->pool_next].pool_prev = wait->pool_prev;
    }

    if (wait->prev != FCZ_NONE) {
        m->cells->waits[wait->prev].next = wait->next;

    } else {
        e->waits = wait->next;
    }

    if (wait->next != FCZ_NONE) {
        m->cells->waits[wait->next].prev = wait->prev;
    }

    wait->pool_next = a->free;
    a->free = i;
    a->used--;

    fcz_mem_pool_idle(m, wait->pool);
}
