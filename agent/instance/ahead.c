#include <stdlib.h>
#include <string.h>
#include "agent/instance/ahead_int.h"

/* Each VM that may come has a user in the pool: none of those is taken. */
static int
ahead_room(const fca_instances_t *all)
{
    const fca_capacity_t  *c = all->capacity;

    return all->uids == NULL
           || fca_pool_left(all->uids) + (unsigned) c->vms
              > (unsigned) c->max_vms;
}

/* it has a guest, or is about to */
static int
ahead_holds(const fca_ahead_t *a)
{
    return !a->ending && a->nic_state != FCA_NIC_NONE;
}

/* MB of those that do: they are nobody's, but what is taken for a VM must be
 * there beside them */
static int
ahead_memory(const fca_instances_t *all, const fca_ahead_t *but)
{
    int           mb = 0;
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        if (a != but && ahead_holds(a)) {
            mb += a->memory_mb;
        }
    }

    return mb;
}

int
fca_ahead_may_load(const fca_ahead_t *a)
{
    return fca_capacity_memory_left(a->all->capacity)
           >= ahead_memory(a->all, a) + a->memory_mb;
}

/* the one of those that was used longest ago; NULL: none */
static fca_ahead_t *
ahead_oldest(const fca_instances_t *all, const fca_ahead_t *but)
{
    fca_ahead_t  *a, *oldest = NULL;

    LIST_FOREACH(a, &all->ahead, link) {
        if (a != but && ahead_holds(a)) {
            oldest = a;
        }
    }

    return oldest;
}

void
fca_ahead_yield_memory(fca_instances_t *all, const fca_ahead_t *but,
    int memory_mb)
{
    fca_ahead_t  *a;

    while (fca_capacity_memory_left(all->capacity)
           < ahead_memory(all, but) + memory_mb
           && (a = ahead_oldest(all, but)) != NULL)
    {
        fca_ahead_end(a);
    }
}

void
fca_ahead_yield_nic(fca_instances_t *all, const fca_ahead_t *but)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        if (a->ending && a->nic_state != FCA_NIC_NONE) {
            return;                     /* it is on its way already */
        }
    }

    a = ahead_oldest(all, but);

    if (a) {
        fca_ahead_end(a);
    }
}

unsigned
fca_ahead_nics(const fca_instances_t *all)
{
    unsigned      n = 0;
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        n += a->nic_state != FCA_NIC_NONE;
    }

    return n;
}

void
fca_ahead_nic_lost(fca_instances_t *all, const fca_nic_t *nic)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        if (a->nic_state == FCA_NIC_HELD && a->nic.ifindex == nic->ifindex) {
            fca_ahead_end(a);
        }
    }
}

/* of those that do not end; oldest: the one that was used longest ago */
static unsigned
ahead_live(const fca_instances_t *all, const char *key, fca_ahead_t **oldest,
    int *has)
{
    unsigned      n = 0;
    fca_ahead_t  *a;

    *has = 0;

    LIST_FOREACH(a, &all->ahead, link) {
        if (!a->ending) {
            n++;
            *oldest = a;
            *has |= strcmp(a->id.key, key) == 0;
        }
    }

    return n;
}

static void
ahead_add(fca_instances_t *all, const fca_ahead_want_t *want, int instead)
{
    int           has, full;
    fca_snap_t   *snap;
    fca_ahead_t  *oldest = NULL;

    if (all->snaps == NULL || all->conf->vmms_ahead == 0) {
        return;
    }

    fca_ahead_prune(all);

    full = ahead_live(all, want->id->key, &oldest, &has)
           >= (unsigned) all->conf->vmms_ahead;

    if (full && !has) {
        if (!instead) {
            return;
        }

        fca_ahead_end(oldest);
    }

    snap = has || !ahead_room(all) ? NULL : malloc(sizeof(*snap));

    if (snap && fca_snaps_find(all->snaps, want->id->key, snap)) {
        fca_ahead_start(all, want, snap);
    }

    free(snap);
}

void
fca_ahead_want(fca_instances_t *all, const fca_ahead_want_t *want)
{
    ahead_add(all, want, 1);
}

void
fca_ahead_fill(fca_instances_t *all, const fca_ahead_want_t *want)
{
    ahead_add(all, want, 0);
}

/* for a start: nothing of its own is under way */
static int
ahead_waits(const fca_ahead_t *a)
{
    return a->there && !a->ending
           && (a->loaded || a->nic_state == FCA_NIC_NONE);
}

void
fca_ahead_load_more(fca_instances_t *all)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        if (ahead_waits(a) && !a->loaded) {
            fca_ahead_load(a);
        }
    }
}

fca_ahead_t *
fca_ahead_find(fca_instances_t *all, const char *function_id,
    const fcf_spec_t *spec)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        if (ahead_waits(a) && a->id.version == spec->version
            && a->generation == spec->secrets_generation
            && strcmp(a->id.function_id, function_id) == 0)
        {
            return a;
        }
    }

    return NULL;
}

int
fca_ahead_loaded(const fca_ahead_t *ahead)
{
    return ahead->loaded;
}

uint64_t
fca_ahead_number(const fca_ahead_t *ahead)
{
    return ahead->number;
}

void
fca_ahead_take(fca_ahead_t *ahead, fca_instance_t *inst)
{
    LIST_REMOVE(ahead, link);
    inst->ahead = ahead;
    inst->vmm = ahead->vmm;
    inst->vmm_there = 1;
    inst->uid = ahead->uid;
    inst->loaded = ahead->loaded;

    if (ahead->loaded) {
        inst->nic = ahead->nic;
        inst->nic_state = FCA_NIC_HELD;
    }

    inst->all->stats.ahead++;
    fca_vmm_hand(inst->vmm, fca_inst_vmm_event, fca_inst_said, inst);
}

int
fca_ahead_fits(const fca_instance_t *inst)
{
    return !inst->vmm_exited && !inst->nic_lost && fca_inst_snap_there(inst)
           && strcmp(inst->ahead->id.key, inst->snap_id.key) == 0;
}

void
fca_ahead_prune(fca_instances_t *all)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        if (!fca_snaps_there(all->snaps, a->id.key)) {
            fca_ahead_end(a);
        }
    }
}

void
fca_ahead_stop(fca_instances_t *all)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        fca_ahead_end(a);
    }
}

void
fca_ahead_abandon(const fca_instances_t *all)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        fca_vmm_kill(a->vmm);
    }
}

unsigned
fca_ahead_count(const fca_instances_t *all)
{
    unsigned      n = 0;
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        n += ahead_waits(a);
    }

    return n;
}
