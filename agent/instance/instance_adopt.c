/*
 * A VM that an earlier agent left is gone on with from the state it was in:
 *
 *  claimed   It has no slot yet, or that does not stand in its record: it is
 *      not taken for anything (adopt.c).
 *  spawn, configure, boot   Its VMM is asked whether the guest was started.
 *      If so, the boot goes on, within the time that it had; if not, all of it
 *      is taken back and its job given to the next: nothing but milliseconds
 *      were lost.
 *  ready                    Its route is taken over, or opened, its keys are
 *      put, and with that its job is done.
 *  registered, draining     It serves on.  That it was idle shows again.
 *  stopping                 It stops on; its job, if it has one still, was to
 *      be settled and goes back if that did not reach Redis.
 *
 *  restore, to restored     All of it is taken back: a clone that was half
 *      told who it is cannot be told apart from one that was not.
 *
 * In no other state is there a process.
 */

#include <stdlib.h>
#include <string.h>
#include "agent/instance/adopt_int.h"

typedef enum { ADOPT_BACK = 0, ADOPT_ASK, ADOPT_SERVE, ADOPT_STOP }
    adopt_e;

static const adopt_e  adopt_table[FCA_S_N] = {
    [FCA_S_LOOKING]    = ADOPT_BACK,
    [FCA_S_FETCHING]   = ADOPT_BACK,
    [FCA_S_CLAIMED]    = ADOPT_BACK,
    [FCA_S_NETWORK]    = ADOPT_BACK,
    [FCA_S_APART]      = ADOPT_BACK,
    [FCA_S_SPAWN]      = ADOPT_ASK,
    [FCA_S_RESTORE]    = ADOPT_BACK,
    [FCA_S_WAKE]       = ADOPT_BACK,
    [FCA_S_JOIN]       = ADOPT_BACK,
    [FCA_S_RESTORED]   = ADOPT_BACK,
    [FCA_S_FALLBACK]   = ADOPT_BACK,
    [FCA_S_CONFIGURE]  = ADOPT_ASK,
    [FCA_S_BOOT]       = ADOPT_ASK,
    [FCA_S_READY]      = ADOPT_SERVE,
    [FCA_S_REGISTERED] = ADOPT_SERVE,
    [FCA_S_DRAINING]   = ADOPT_SERVE,
    [FCA_S_STOPPING]   = ADOPT_STOP,
    [FCA_S_GONE]       = ADOPT_STOP,
};


/* one whose guest was not started is a boot that did not begin */
static void
adopt_vmm_event(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    fca_instance_t  *inst = arg;

    if (event == FCA_VMM_FAILED && inst->state == FCA_S_BOOT) {
        fca_instance_event(inst, FCA_E_BACK, err);
        return;
    }

    fca_inst_vmm_event(inst, event, err);
}

/* the user that it has is not given to another; one that lies outside of
 * today's range nobody gets */
static void
adopt_uid(fca_instance_t *inst)
{
    uint32_t         n;
    fca_instances_t  *all = inst->all;

    n = fca_vmm_uid(inst->vmm) - (uint32_t) all->conf->jail_uid_first + 1;

    if (all->uids && fca_vmm_uid(inst->vmm) != 0
        && fca_pool_adopt(all->uids, n) == 0)
    {
        inst->uid = n;
    }
}

static int
adopt_vmm(fca_instance_t *inst, fca_heir_t *heir, adopt_e how, fcf_err_t *err)
{
    fca_vmm_spec_t  spec = {
        .worker_id = inst->worker_id,
        .cpu = inst->spec.cpu, .memory_mb = inst->spec.memory_mb,
        .nic = &inst->nic, .gateway = inst->all->conf->bridge_address,
        .prefix_len = inst->all->conf->bridge_prefix_len,
        .said = fca_inst_said,
    };

    inst->vmm = fca_vmm_adopt(inst->all->vmm, &spec, &heir->vm,
                              how == ADOPT_ASK, adopt_vmm_event, inst, err);

    if (inst->vmm == NULL) {
        return -1;
    }

    adopt_uid(inst);

    return 0;
}

/* what it holds on this host; what another holds by now is not taken */
static int
adopt_hold(fca_instance_t *inst, const fca_heir_t *heir, const fca_nic_t *nic,
    fcf_err_t *err)
{
    fca_instances_t     *all = inst->all;
    const fca_record_t  *r = &heir->record;

    fca_capacity_adopt(all->capacity, inst->spec.cpu,
                       fca_vmm_memory_mb(all->vmm, inst->spec.memory_mb));
    inst->booting = 1;
    inst->nic = *nic;

    if (nic->ifindex) {
        inst->nic_state = FCA_NIC_HELD;
    }

    if (fca_pool_adopt(all->ports, (uint32_t) r->port) == 0) {
        inst->port = (unsigned) r->port;
        inst->port_used = 1;
    }

    if (inst->nic_state != FCA_NIC_HELD || inst->port == 0) {
        return fcf_err_set(err, FCF_E_INVALID, "its %s is not to be had",
                           inst->port ? "TAP" : "port");
    }

    return 0;
}

static fca_instance_t *
adopt_new(fca_instances_t *all, const fca_heir_t *heir, fcf_err_t *err)
{
    int64_t              age;
    fca_instance_t      *inst;
    const fca_record_t  *r = &heir->record;

    inst = fca_instance_bare(all, heir->number, r->function_id, r->request_id,
                             &r->spec, r->declared, err);
    if (inst == NULL) {
        return NULL;
    }

    age = fca_boottime_ms() - r->born_ms;
    inst->born -= age > 0 && (uint64_t) age < inst->born ? (uint64_t) age : 0;
    inst->started_ms = r->started_ms;
    inst->heir = 1;

    if (r->job) {
        inst->job_text = strdup(r->job);
    }

    fca_keys_adopt(inst->keys, r->slot);

    return inst;
}

/* what is left of the time for a boot */
static void
adopt_boot(fca_instance_t *inst)
{
    uint64_t  age, limit;

    fca_instance_set(inst, FCA_S_BOOT, FCA_E_ADOPTED);

    age = fca_now(inst->all->loop) - inst->born;
    limit = fca_instance_timeout(inst, FCA_S_BOOT);
    inst->all->loop->timer_set(inst->timer, age < limit ? limit - age : 1);
    inst->all->loop->timer_set(inst->extend_timer, 1);
}

static int
adopt_serve(fca_instance_t *inst, fca_instance_state_e state, fcf_err_t *err)
{
    if (fca_inst_serve(inst, err) != 0) {
        return -1;
    }

    fca_route_drain(inst->route, 0, NULL, NULL);

    if (state == FCA_S_READY) {
        fca_instance_set(inst, FCA_S_READY, FCA_E_ADOPTED);
        inst->all->loop->timer_set(inst->extend_timer, 1);

    } else {
        inst->graceful = 1;
        inst->booting = 0;
        fca_capacity_booted(inst->all->capacity);
        fca_instance_set(inst, FCA_S_REGISTERED, FCA_E_ADOPTED);
    }

    /* kept until there is a lease to put it under */
    fca_inst_put(inst, FCF_INSTANCE_READY);

    return 0;
}

/* Its job is known again, so that it is not given back while it goes on.  One
 * that was done is out of the list now, if it was not before. */
static void
adopt_job(fca_instance_t *inst, fca_jobs_t *jobs, adopt_e how,
    fca_instance_state_e state)
{
    fca_job_t  *job;

    if (inst->job_text == NULL || how == ADOPT_STOP) {
        return;
    }

    job = fca_job_adopt(jobs, inst->job_text);

    if (job && how == ADOPT_SERVE && state != FCA_S_READY) {
        fca_job_finish(job, FCA_JOB_DROPPED);
        return;
    }

    inst->job = job;
}

/* what the proxy carries for it, be it only until its last answer */
static void
adopt_route(fca_instance_t *inst, unsigned port)
{
    fca_routes_t  *routes = inst->all->routes;

    inst->route = fca_route_take(routes, port, inst->worker_id);

    if (inst->route == NULL) {
        inst->route = fca_route_take_closing(routes, port, inst->worker_id,
                                             fca_inst_route_closed, inst);
        inst->route_closing = inst->route != NULL;
    }
}

/* Gateways would be told of an address where it does not listen. */
static int
adopt_gone_on(const fca_instance_t *inst)
{
    if (inst->route && fca_route_elsewhere(inst->route)) {
        fca_inst_log(inst, FCF_LOG_WARN, "of an earlier run, has its port on "
                     "an address that is not listened on any more: replaced");
        return 0;
    }

    return !inst->route_closing;
}

static void
adopt_back(fca_instance_t *inst, const fcf_err_t *err)
{
    fca_inst_log(inst, FCF_LOG_WARN, "of an earlier run, is not gone on with: "
                 "%s", err->msg);

    fca_stop_begin(inst, FCA_E_BACK);       /* its job goes back, too */
}

static void
adopt_one(fca_instances_t *all, fca_jobs_t *jobs, fca_heir_t *heir,
    const fca_nic_t *nic)
{
    adopt_e          how;
    fcf_err_t        err;
    fca_instance_t  *inst;

    inst = adopt_new(all, heir, &err);
    if (inst == NULL) {
        fca_log(FCF_LOG_ERROR, NULL, "%s: %s", heir->vm.worker_id, err.msg);
        return;
    }

    adopt_route(inst, (unsigned) heir->record.port);

    /* its record may be behind, but who closes a route stops its VM */
    how = adopt_gone_on(inst) ? adopt_table[heir->record.state] : ADOPT_STOP;

    adopt_job(inst, jobs, how, heir->record.state);
    fcf_err_set(&err, FCF_E_CANCELED, "it had no process");

    if (adopt_hold(inst, heir, nic, &err) != 0) {
        how = ADOPT_BACK;
    }

    if (adopt_vmm(inst, heir, how, &err) != 0) {
        how = ADOPT_BACK;
    }

    heir->vm.pidfd = -1;
    inst->graceful = how == ADOPT_STOP;

    fca_inst_log(inst, FCF_LOG_INFO, "of an earlier run, in state %s, goes "
                 "on", fca_state_name(heir->record.state));

    switch (how) {

    case ADOPT_ASK:
        adopt_boot(inst);
        return;

    case ADOPT_SERVE:
        if (adopt_serve(inst, heir->record.state, &err) == 0) {
            return;
        }

        /* fall through */

    case ADOPT_BACK:
        adopt_back(inst, &err);
        return;

    case ADOPT_STOP:
        fca_stop_begin(inst, FCA_E_ADOPTED);
        return;
    }
}

void
fca_legacy_adopt(fca_legacy_t *legacy, fca_instances_t *all, fca_jobs_t *jobs)
{
    size_t  i;

    for (i = 0; i < legacy->n; i++) {
        adopt_one(all, jobs, &legacy->heirs[i], &legacy->nics[i]);
    }
}
