/*
 * From a snapshot to a guest at its own place: the TAP leaves the bridge while
 * the VMM starts, the VMM loads, or all of that was done ahead; the clone is
 * told who it is, the TAP goes back, and the port is looked at.  Whatever fails
 * on the way ends this VMM, and another one boots, for the same job and with
 * the same slot.
 */

#include <stdlib.h>
#include <string.h>
#include "agent/base/clock.h"
#include "agent/instance/ahead.h"
#include "agent/instance/guest.h"
#include "agent/instance/template.h"

/* a clone is given twice its template's boot, within these */
#define FCA_RESTORE_MIN_MS  2000
#define FCA_RESTORE_MAX_MS  30000

unsigned
fca_inst_restore_ms(const fca_instance_t *inst)
{
    uint64_t  ms;

    ms = inst->snap ? 2 * inst->snap->origin.boot_ms : 0;

    return ms < FCA_RESTORE_MIN_MS ? FCA_RESTORE_MIN_MS
           : ms > FCA_RESTORE_MAX_MS ? FCA_RESTORE_MAX_MS : (unsigned) ms;
}

int
fca_inst_snap_there(const fca_instance_t *inst)
{
    return inst->all->snaps != NULL && inst->snap_id.key[0] != '\0'
           && !inst->snap_failed
           && fca_snaps_there(inst->all->snaps, inst->snap_id.key);
}

/* 1: it is restored, and not booted, as it is where that has begun */
static int
fca_inst_snap_find(fca_instance_t *inst)
{
    fca_instances_t  *all = inst->all;

    if ((inst->vmm != NULL && inst->ahead == NULL)
        || !fca_inst_snap_there(inst))
    {
        return 0;
    }

    inst->snap = malloc(sizeof(*inst->snap));

    if (inst->snap
        && !fca_snaps_find(all->snaps, inst->snap_id.key, inst->snap))
    {
        free(inst->snap);
        inst->snap = NULL;
    }

    return inst->snap != NULL;
}

void
fca_inst_snap_end(fca_instance_t *inst)
{
    if (inst->ask) {
        fca_ask_cancel(inst->ask);
        inst->ask = NULL;
    }

    free(inst->snap);
    inst->snap = NULL;
}

static void
fca_inst_moved(void *arg, const fcf_err_t *err)
{
    fca_instance_t  *inst = arg;

    inst->nic_state = FCA_NIC_HELD;
    fca_instance_event(inst, err ? FCA_E_NOT_MOVED : FCA_E_MOVED, err);
}

/* the same boot as without a snapshot, but for what was lost on it */
static void
fca_fallback_step(fca_instance_t *inst)
{
    fca_instances_t  *all = inst->all;

    if (inst->vmm && !inst->vmm_exited && fca_vmm_pid(inst->vmm) != 0) {
        fca_vmm_kill(inst->vmm);
        return;
    }

    /* which is written into the directory that goes now */
    if (inst->record && fca_later_busy(inst->record)) {
        return;
    }

    if (inst->vmm) {
        inst->removing = 1;
        fca_vmm_free_then(inst->vmm, fca_inst_removed, inst);
        inst->vmm = NULL;
        inst->vmm_exited = inst->vmm_there = 0;
        free(inst->ahead);
        inst->ahead = NULL;
        inst->loaded = inst->nic_lost = 0;
    }

    fca_inst_nic_give(inst);

    if (inst->removing || inst->nic_state != FCA_NIC_NONE) {
        return;
    }

    fca_inst_log(inst, FCF_LOG_INFO, "starts anew, %" PRIu64 " ms after the "
                 "job was taken", fca_now(all->loop) - inst->born);
    fca_instance_set(inst, FCA_S_NETWORK, FCA_E_STEP);
    fca_inst_nic(inst);
}

/* both are there: NIC and environment */
FCA_ACTION(nic)
{
    fca_instances_t  *all = inst->all;

    (void) err;

    if (inst->nic_state != FCA_NIC_HELD || inst->secrets) {
        return;
    }

    if (inst->ahead && !fca_ahead_fits(inst)) {
        fca_inst_log(inst, FCF_LOG_INFO, "the VMM started ahead is of no use "
                     "any more");
        fca_instance_set(inst, FCA_S_FALLBACK, event);
        fca_fallback_step(inst);
        return;
    }

    if (!fca_inst_snap_find(inst)) {
        fca_inst_spawn(inst, event);
        return;
    }

    if (inst->loaded) {
        fca_instance_set(inst, FCA_S_RESTORE, event);
        fca_inst_record(inst);
        fca_vmm_resume(inst->vmm);
        return;
    }

    fca_instance_set(inst, FCA_S_APART, event);
    inst->nic_state = FCA_NIC_MOVING;
    fca_net_apart(all->net, &inst->nic, inst->snap->origin.address,
                  inst->snap->origin.mac, fca_inst_moved, inst);

    if (inst->ahead) {
        fca_vmm_nic(inst->vmm, &inst->nic);
    } else {
        fca_inst_start(inst);
    }
}

void
fca_inst_ahead(fca_instance_t *inst)
{
    fca_ahead_want_t  want = { &inst->snap_id, &inst->spec, inst->images };

    if (inst->was_restored && inst->images) {
        fca_ahead_want(inst->all, &want);
    }
}

FCA_ACTION(apart)
{
    (void) err;
    fca_inst_spawn(inst, event);
}

/* Another version than the one that made the snapshot: an upgrade since the
 * last VM was started. */
FCA_ACTION(spawned)
{
    fcf_err_t  why;

    (void) err;

    if (inst->snap == NULL) {
        fca_instance_set(inst, FCA_S_CONFIGURE, event);
        fca_vmm_configure(inst->vmm);
        return;
    }

    if (strcmp(fca_vmm_version(inst->vmm), inst->snap->origin.vmm_version)
        != 0)
    {
        inst->snap_other = 1;
        fcf_err_set(&why, FCF_E_INVALID, "the snapshot is of VMM version %s, "
                    "this is %s", inst->snap->origin.vmm_version,
                    fca_vmm_version(inst->vmm));
        fca_on_fallback(inst, event, &why);
        return;
    }

    fca_instance_set(inst, FCA_S_RESTORE, event);

    if (inst->ahead) {
        fca_inst_record(inst);
    }

    fca_vmm_restore(inst->vmm);
}

static void
fca_inst_told(void *arg, int said, const fcf_err_t *err)
{
    fca_instance_t  *inst = arg;

    (void) said;
    inst->ask = NULL;
    fca_instance_event(inst, err ? FCA_E_NOT_AWAKE : FCA_E_AWAKE, err);
}

static char *
fca_inst_wake(void *arg)
{
    fca_instance_t      *inst = arg;
    fca_guest_config_t   config;

    fca_inst_guest(&config, inst->all, inst->function_id, inst->worker_id,
                   &inst->spec, &inst->nic);

    return fca_guest_wake(&config);
}

FCA_ACTION(restored)
{
    fcf_err_t         why;
    fca_instances_t  *all = inst->all;
    fca_ask_conf_t    ask;

    (void) err;
    fca_instance_set(inst, FCA_S_WAKE, event);

    inst->started_ms = fca_unix_ms();
    ask = (fca_ask_conf_t) {
        .device = inst->nic.tap, .from = all->conf->bridge_address,
        .to = inst->snap->origin.address, .json = fca_inst_wake,
        .timeout_ms = fca_inst_restore_ms(inst),
    };
    inst->ask = fca_ask_start(all->vmm->uv, &ask, fca_inst_told, inst, &why);

    if (inst->ask == NULL) {
        fca_on_fallback(inst, event, &why);
    }
}

FCA_ACTION(awake)
{
    (void) err;
    fca_instance_set(inst, FCA_S_JOIN, event);
    inst->nic_state = FCA_NIC_MOVING;
    fca_net_join(inst->all->net, &inst->nic, fca_inst_moved, inst);
}

FCA_ACTION(joined)
{
    (void) err;
    fca_instance_set(inst, FCA_S_RESTORED, event);
    fca_probe_start(inst);
}

void
fca_inst_removed(void *arg)
{
    fca_instance_t  *inst = arg;

    inst->removing = 0;
    fca_instance_event(inst, FCA_E_STEP, NULL);
}

FCA_ACTION(fallback)
{
    int               dropped;
    fca_instances_t  *all = inst->all;

    dropped = inst->snap_other;

    if (inst->snap_other) {
        fca_snaps_outdated(all->snaps, inst->snap_id.key);
    } else {
        dropped = fca_snaps_failed(all->snaps, inst->snap_id.key);
    }

    all->stats.not_restored++;
    inst->snap_failed = 1;
    fca_ahead_prune(all);

    fca_inst_log(inst, FCF_LOG_WARN, "not restored, in state %s: %s%s",
                 fca_state_name(inst->state),
                 err ? err->msg : event == FCA_E_TIMEOUT ? "it takes too long"
                                                         : "no reason given",
                 dropped ? "; its snapshot is dropped" : "");

    fca_probe_stop(inst);
    fca_inst_snap_end(inst);
    fca_instance_set(inst, FCA_S_FALLBACK, event);
    fca_fallback_step(inst);
}

FCA_ACTION(fallback_step)
{
    (void) event;
    (void) err;
    fca_fallback_step(inst);
}

FCA_ACTION(fallback_stuck)
{
    (void) err;
    fca_fail_here(inst, event, FCF_FAILURE_BOOT_TIMEOUT, "what was restored "
                  "in vain has not ended");
}
