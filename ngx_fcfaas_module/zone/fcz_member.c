#include "ngx_fcfaas_module/zone/fcz_mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>


/* all of one list to the front of another */
#define FCZ_MOVE(from, to, field)                                           \
    while (!LIST_EMPTY(from)) {                                             \
        __typeof__(LIST_FIRST(from))  e_ = LIST_FIRST(from);                \
                                                                            \
        LIST_REMOVE(e_, field);                                             \
        LIST_INSERT_HEAD(to, e_, field);                                    \
    }


static void fcz_reap_all(fcz_member_t *m, unsigned all);
static void fcz_reap(fcz_member_t *m, uint32_t i, pid_t pid,
    uint64_t started);
static unsigned fcz_drop(fcz_member_t *m, uint32_t i);
static void fcz_enter(fcz_member_t *m);
static unsigned fcz_tell_some(fcz_member_t *m);
static void fcz_told(fcz_member_t *m, uint32_t epoch);


int
fcz_join(fcz_member_t *m, fcz_t *zone)
{
    memset(m, 0, sizeof(fcz_member_t));

    m->zone = zone;
    m->index = FCZ_NONE;
    m->cells = malloc(sizeof(fcz_cells_t));
    m->by_wait = calloc(zone->waits.max, sizeof(fcz_pool_t *));
    m->by_cell = calloc(zone->cells.max, sizeof(fcz_slot_t *));

    if (m->cells == NULL || m->by_wait == NULL || m->by_cell == NULL) {
        fcz_leave(m);
        return -1;
    }

    fcz_mem_where(zone, m->cells);
    fcz_enter(m);

    return 0;
}


/* takes an entry, once there is one */
static void
fcz_enter(fcz_member_t *m)
{
    uint32_t      i;
    uint64_t      started;
    fcz_t        *zone;
    fcz_entry_t  *e;

    zone = m->zone;
    started = fcz_started(getpid());

    /* the mutex wants a name of its holder: this one nobody has */
    m->index = FCZ_MEMBERS_MAX;
    fcz_reap_all(m, 1);

    if (!fcz_lock(m)) {
        m->index = FCZ_NONE;
        return;
    }

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        e = &zone->entries[i];

        if (e->pid) {
            continue;
        }

        e->started = started;
        e->ledgers = FCZ_NONE;
        e->waits = FCZ_NONE;
        e->rung = FCZ_NONE;
        e->bell_at = 0;
        fcz_write(&e->beat, fcz_now());
        fcz_write(&e->epoch, zone->epoch);
        fcz_write(&e->pid, getpid());

        m->epoch = zone->epoch;
        m->untold = 1;
        break;
    }

    fcz_unlock(m);
    m->index = i < FCZ_MEMBERS_MAX ? i : FCZ_NONE;
}


void
fcz_leave(fcz_member_t *m)
{
    if (m->index != FCZ_NONE) {
        fcz_reap(m, m->index, getpid(), m->zone->entries[m->index].started);
    }

    m->index = FCZ_NONE;

    free(m->cells);
    free(m->by_wait);
    free(m->by_cell);

    m->cells = NULL;
    m->by_wait = NULL;
    m->by_cell = NULL;
}


int
fcz_bell(fcz_member_t *m)
{
    return m->index == FCZ_NONE ? -1 : m->zone->entries[m->index].bell;
}


void
fcz_beat(fcz_member_t *m)
{
    if (m->index == FCZ_NONE) {
        fcz_enter(m);
    }

    if (m->index == FCZ_NONE) {
        return;
    }

    fcz_write(&m->zone->entries[m->index].beat, fcz_now());

    fcz_tell(m);
    fcz_spare_back(m);
    fcz_reap_all(m, 0);
}


/* those without a sign of life, or, if all, every one that is dead */
static void
fcz_reap_all(fcz_member_t *m, unsigned all)
{
    pid_t         pid;
    uint32_t      i;
    uint64_t      now, started;
    unsigned      late;
    fcz_entry_t  *e;

    now = fcz_now();

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        e = &m->zone->entries[i];

        pid = fcz_read(&e->pid);
        started = fcz_read(&e->started);
        late = fcz_read(&e->beat) + 5 * FCZ_BEAT_MS < now;

        if (pid && i != m->index
            && (all || late)
            && fcz_dead(pid, late ? started : 0))
        {
            fcz_reap(m, i, pid, started);
        }
    }
}


static void
fcz_reap(fcz_member_t *m, uint32_t i, pid_t pid, uint64_t started)
{
    unsigned      done;
    fcz_entry_t  *e;

    e = &m->zone->entries[i];

    do {
        if (!fcz_lock(m)) {
            return;
        }

        done = 1;

        if (e->pid == pid && e->started == started) {
            done = fcz_drop(m, i);
        }

        fcz_unlock(m);

    } while (!done);
}


/* a part of what an entry counts; 1: it is free */
static unsigned
fcz_drop(fcz_member_t *m, uint32_t i)
{
    uint32_t      n;
    fcz_entry_t  *e;

    e = &m->zone->entries[i];

    for (n = 0; n < FCZ_TURN; n++) {

        if (e->waits != FCZ_NONE) {
            fcz_mem_wait_free(m, e->waits);

        } else if (e->ledgers != FCZ_NONE) {
            fcz_slot_drop(m, e->ledgers);

        } else {
            break;
        }
    }

    if (n == FCZ_TURN) {
        return 0;
    }

    if (e->epoch != m->zone->epoch && --m->zone->unsettled == 0) {
        fcz_ring_all(m, fcz_now());
    }

    fcz_write(&e->pid, 0);

    return 1;
}


unsigned
fcz_settled(fcz_member_t *m)
{
    if (m->epoch != m->zone->epoch || m->untold) {
        return 0;
    }

    return m->zone->unsettled == 0 || fcz_now() >= m->zone->settle_until;
}


void
fcz_tell_anew(fcz_member_t *m)
{
    unsigned  done;
    uint32_t  epoch;

    while (m->index != FCZ_NONE
           && (m->untold || m->epoch != fcz_read(&m->zone->epoch)))
    {
        epoch = fcz_read(&m->zone->epoch);
        m->untold = 0;

        FCZ_MOVE(&m->slots, &m->slots_left, link);
        FCZ_MOVE(&m->pools, &m->pools_left, link);

        do {
            if (!fcz_lock(m)) {
                return;
            }

            done = fcz_tell_some(m);

            if (done) {
                fcz_told(m, epoch);
            }

            fcz_unlock(m);

        } while (!done);
    }
}


/* 1: that was all */
static unsigned
fcz_tell_some(fcz_member_t *m)
{
    uint32_t     n;
    fcz_pool_t  *pool;
    fcz_slot_t  *slot;

    for (n = 0; n < FCZ_TURN; n++) {

        slot = LIST_FIRST(&m->slots_left);
        pool = LIST_FIRST(&m->pools_left);

        if (slot) {
            LIST_REMOVE(slot, link);
            LIST_INSERT_HEAD(&m->slots, slot, link);
            fcz_slot_tell(m, slot);

        } else if (pool) {
            LIST_REMOVE(pool, link);
            LIST_INSERT_HEAD(&m->pools, pool, link);
            fcz_wait_tell(m, pool);

        } else {
            return 1;
        }
    }

    return 0;
}


/* all is told: the last one tells the others that it goes on */
static void
fcz_told(fcz_member_t *m, uint32_t epoch)
{
    fcz_entry_t  *e;

    m->epoch = epoch;
    e = &m->zone->entries[m->index];

    if (epoch != m->zone->epoch || e->epoch == epoch) {
        return;
    }

    fcz_write(&e->epoch, epoch);
    fcz_write(&e->beat, fcz_now());

    if (--m->zone->unsettled == 0) {
        fcz_ring_all(m, fcz_now());
    }
}


void
fcz_stat(fcz_member_t *m, fcz_stat_t *stat)
{
    fcz_t     *zone;
    uint32_t   i;

    zone = m->zone;

    stat->epoch = fcz_read(&zone->epoch);
    stat->slots = fcz_read(&zone->cells.used);
    stat->slots_max = zone->cells.max;
    stat->pools = fcz_read(&zone->pools.used);
    stat->pools_max = zone->pools.max;
    stat->ledgers = fcz_read(&zone->ledgers.used);
    stat->ledgers_max = zone->ledgers.max;
    stat->waits = fcz_read(&zone->waits.used);
    stat->waits_max = zone->waits.max;
    stat->unsettled = fcz_read(&zone->unsettled);
    stat->waiting = fcz_read(&zone->waiting);

    stat->members = 0;

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        stat->members += fcz_read(&zone->entries[i].pid) != 0;
    }
}


uint64_t
fcz_silent(fcz_member_t *m, uint32_t index)
{
    uint64_t      now, beat;
    fcz_entry_t  *e;

    if (index >= FCZ_MEMBERS_MAX) {
        return 0;
    }

    e = &m->zone->entries[index];

    if (fcz_read(&e->pid) == 0) {
        return 0;
    }

    beat = fcz_read(&e->beat);
    now = fcz_now();

    return now > beat ? now - beat : 0;
}
