#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "agent/instance/ahead.h"
#include "agent/instance/guest.h"

struct fca_ahead_s {
    LIST_ENTRY(fca_ahead_s)  link;
    fca_instances_t         *all;
    fca_snap_id_t            id;
    int64_t                  generation;
    uint64_t                 number;
    char                     worker_id[FCF_WORKER_ID_MAX + 1];
    fca_log_ctx_t            log;
    uint32_t                 uid;       /* of the pool; 0: none */
    fca_vmm_t               *vmm;
    unsigned                 there:1;   /* its API answers */
    unsigned                 ending:1;
};

static void
ahead_free(fca_ahead_t *a)
{
    fca_instances_t  *all = a->all;

    LIST_REMOVE(a, link);

    if (a->vmm) {
        fca_vmm_free(a->vmm);
    }

    if (a->uid) {
        fca_pool_give(all->uids, a->uid, 0);
    }

    free(a);
    all->changed(all->arg);
}

/* its end is told as an event */
static void
ahead_end(fca_ahead_t *a)
{
    a->ending = 1;
    fca_vmm_kill(a->vmm);
}

static void
ahead_vmm(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    fca_ahead_t  *a = arg;

    if (event == FCA_VMM_SPAWNED) {
        a->there = 1;

        if (a->ending) {
            ahead_end(a);
        }

        return;
    }

    if (!a->ending) {
        fca_log(FCF_LOG_WARN, &a->log, "the VMM started ahead of version %"
                PRId64 " is of no use: %s", a->id.version,
                err ? err->msg : "it has ended");
    }

    a->there = 0;

    if (event == FCA_VMM_EXITED || fca_vmm_pid(a->vmm) == 0) {
        ahead_free(a);
        return;
    }

    ahead_end(a);
}

static void
ahead_start(fca_instances_t *all, const fca_ahead_want_t *want,
    const fca_snap_t *snap)
{
    fcf_err_t        err;
    fca_ahead_t     *a;
    fca_guest_vmm_t  vmm;

    a = calloc(1, sizeof(*a));
    if (a == NULL) {
        return;                         /* a start does without */
    }

    a->all = all;
    a->id = *want->id;
    a->generation = want->spec->secrets_generation;
    a->log = (fca_log_ctx_t) { a->id.function_id, NULL, a->worker_id };
    LIST_INSERT_HEAD(&all->ahead, a, link);

    if (fca_state_number(all->state, &a->number, &err) != 0
        || fca_jail_take(all, &a->uid, &err) != 0)
    {
        goto failed;
    }

    fca_worker_id(all, a->number, a->worker_id);

    vmm = (fca_guest_vmm_t) {
        .function_id = a->id.function_id, .worker_id = a->worker_id,
        .spec = want->spec, .images = want->images, .snap = snap,
        .uid = a->uid,
    };
    a->vmm = fca_guest_vmm(all, &vmm, ahead_vmm, a, &err);

    if (a->vmm) {
        return;
    }

failed:

    fca_log(FCF_LOG_WARN, &a->log, "no VMM is started ahead: %s", err.msg);
    ahead_free(a);
}

/* Each VM that may come has a user in the pool: none of those is taken. */
static int
ahead_room(const fca_instances_t *all)
{
    const fca_capacity_t  *c = all->capacity;

    return all->uids == NULL
           || fca_pool_left(all->uids) + (unsigned) c->vms
              > (unsigned) c->max_vms;
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

        ahead_end(oldest);
    }

    snap = has || !ahead_room(all) ? NULL : malloc(sizeof(*snap));

    if (snap && fca_snaps_find(all->snaps, want->id->key, snap)) {
        ahead_start(all, want, snap);
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

fca_ahead_t *
fca_ahead_find(fca_instances_t *all, const char *function_id,
    const fcf_spec_t *spec)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        if (a->there && !a->ending && a->id.version == spec->version
            && a->generation == spec->secrets_generation
            && strcmp(a->id.function_id, function_id) == 0)
        {
            return a;
        }
    }

    return NULL;
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
    inst->all->stats.ahead++;
    fca_vmm_hand(inst->vmm, fca_inst_vmm_event, fca_inst_said, inst);
}

int
fca_ahead_fits(const fca_instance_t *inst)
{
    return !inst->vmm_exited && fca_inst_snap_there(inst)
           && strcmp(inst->ahead->id.key, inst->snap_id.key) == 0;
}

void
fca_ahead_prune(fca_instances_t *all)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        if (!a->ending && !fca_snaps_there(all->snaps, a->id.key)) {
            ahead_end(a);
        }
    }
}

void
fca_ahead_stop(fca_instances_t *all)
{
    fca_ahead_t  *a;

    LIST_FOREACH(a, &all->ahead, link) {
        if (!a->ending) {
            ahead_end(a);
        }
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
        n += a->there && !a->ending;
    }

    return n;
}
