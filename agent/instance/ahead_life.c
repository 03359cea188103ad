/*
 * The life of a VMM started ahead: the process, a NIC outside the bridge, the
 * snapshot loaded and paused.  Where no NIC is to be had, or the snapshot is
 * another VMM's, the process waits as it is.  The way back is the same from
 * everywhere: it is killed, and its NIC given back once that has ended.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "agent/instance/ahead_int.h"
#include "agent/instance/guest.h"

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

static void
ahead_given(void *arg)
{
    fca_ahead_t  *a = arg;

    a->nic_state = FCA_NIC_NONE;
    ahead_free(a);
}

/* What is under way ends first, and comes here again. */
static void
ahead_step_back(fca_ahead_t *a)
{
    if (!a->exited) {
        fca_vmm_kill(a->vmm);
        return;
    }

    if (a->nic_state == FCA_NIC_HELD) {
        a->nic_state = FCA_NIC_GIVING;
        fca_net_give(a->all->net, &a->nic, ahead_given, a);

    } else if (a->nic_state == FCA_NIC_NONE) {
        ahead_free(a);
    }
}

void
fca_ahead_end(fca_ahead_t *a)
{
    if (!a->ending) {
        a->ending = 1;
        ahead_step_back(a);
    }
}

/* of no use: not the fault of the snapshot, with which a start tries itself */
static void
ahead_fail(fca_ahead_t *a, const char *why)
{
    if (!a->ending) {
        fca_log(FCF_LOG_WARN, &a->log, "the VMM started ahead of version %"
                PRId64 " is of no use: %s", a->id.version, why);
        a->ending = 1;
    }

    ahead_step_back(a);
}

static void
ahead_moved(void *arg, const fcf_err_t *err)
{
    fca_ahead_t  *a = arg;

    a->nic_state = FCA_NIC_HELD;

    if (err) {
        ahead_fail(a, err->msg);

    } else if (a->ending) {
        ahead_step_back(a);

    } else {
        fca_vmm_nic(a->vmm, &a->nic);
        fca_vmm_load(a->vmm);
    }
}

static void
ahead_nic(void *arg, const fca_nic_t *nic, const fcf_err_t *err)
{
    fca_ahead_t  *a = arg;

    a->nic_state = FCA_NIC_NONE;

    if (err) {
        fca_log(FCF_LOG_INFO, &a->log, "no snapshot is loaded ahead: %s",
                err->msg);

    } else {
        a->nic = *nic;
        a->nic_state = FCA_NIC_HELD;
    }

    if (a->ending) {
        ahead_step_back(a);

    } else if (!err) {
        a->nic_state = FCA_NIC_MOVING;
        fca_net_apart(a->all->net, &a->nic, a->origin.address, a->origin.mac,
                      ahead_moved, a);
    }
}

void
fca_ahead_load(fca_ahead_t *a)
{
    fcf_err_t         err;
    uid_t             uid = fca_jail_uid(a->all, a->uid);
    fca_nic_owner_t   owner = { uid, uid };

    if (strcmp(fca_vmm_version(a->vmm), a->origin.vmm_version) == 0
        && fca_ahead_may_load(a)
        && fca_net_take(a->all->net, uid ? &owner : NULL, ahead_nic, a, &err)
           == 0)
    {
        a->nic_state = FCA_NIC_TAKING;
    }
}

static void
ahead_vmm(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    fca_ahead_t  *a = arg;

    if (event == FCA_VMM_SPAWNED && !a->ending) {
        a->there = 1;
        fca_ahead_load(a);
        return;
    }

    if (event == FCA_VMM_LOADED && !a->ending) {
        a->loaded = 1;
        fca_log(FCF_LOG_DEBUG, &a->log, "loaded ahead: version %" PRId64,
                a->id.version);
        return;
    }

    a->there = a->loaded = 0;
    a->exited = event == FCA_VMM_EXITED || fca_vmm_pid(a->vmm) == 0;
    ahead_fail(a, err ? err->msg : "it has ended");
}

static int
ahead_spawn(fca_ahead_t *a, const fca_ahead_want_t *want,
    const fca_snap_t *snap, fcf_err_t *err)
{
    fca_guest_vmm_t   vmm;
    fca_instances_t  *all = a->all;

    if (fca_state_number(all->state, &a->number, err) != 0
        || fca_jail_take(all, &a->uid, err) != 0)
    {
        return -1;
    }

    fca_worker_id(all, a->number, a->worker_id);

    vmm = (fca_guest_vmm_t) {
        .function_id = a->id.function_id, .worker_id = a->worker_id,
        .spec = want->spec, .images = want->images, .snap = snap,
        .uid = a->uid,
    };
    a->vmm = fca_guest_vmm(all, &vmm, ahead_vmm, a, err);

    return a->vmm ? 0 : -1;
}

void
fca_ahead_start(fca_instances_t *all, const fca_ahead_want_t *want,
    const fca_snap_t *snap)
{
    fcf_err_t     err;
    fca_ahead_t  *a;

    a = calloc(1, sizeof(*a));
    if (a == NULL) {
        return;                         /* a start does without */
    }

    a->all = all;
    a->id = *want->id;
    a->origin = snap->origin;
    a->generation = want->spec->secrets_generation;
    a->memory_mb = fca_vmm_memory_mb(all->vmm, want->spec->memory_mb);
    a->log = (fca_log_ctx_t) { a->id.function_id, NULL, a->worker_id };
    LIST_INSERT_HEAD(&all->ahead, a, link);

    if (ahead_spawn(a, want, snap, &err) != 0) {
        fca_log(FCF_LOG_WARN, &a->log, "no VMM is started ahead: %s",
                err.msg);
        ahead_free(a);
    }
}
