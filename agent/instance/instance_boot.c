/* From a slot to a port that accepts, and what goes wrong on the way. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/clock.h"
#include "agent/instance/guest.h"

#define FCA_PORT_TRIES  16
/* for a proxy that died to be there again */
#define FCA_PROXY_MS    2000

static const char *
fca_why(const fcf_err_t *err)
{
    return err ? err->msg : "no reason given";
}

/* The slot is not to be had: no VM, and usually somebody else has one. */
FCA_ACTION(refused)
{
    fca_instances_t      *all = inst->all;
    fca_job_t  *job = inst->job;

    (void) err;
    inst->job = NULL;

    if (inst->refusal == FCF_FAILURE_EXPIRED) {
        fca_inst_log(inst, FCF_LOG_INFO, "job dropped: nobody waits for it "
                     "any more");
        fca_job_finish(job, FCA_JOB_DROPPED);

    } else if (inst->refusal == FCF_FAILURE_DUPLICATE) {
        fca_failures_put(all->failures, inst->function_id, inst->request_id,
                         inst->spec.version, inst->refusal, NULL,
                         "another node starts a VM for this request");
        fca_job_finish(job, FCA_JOB_DROPPED);

    } else {
        fca_failures_put(all->failures, inst->function_id, inst->request_id,
                         inst->spec.version, inst->refusal, NULL,
                         "all %d slots are taken", inst->spec.max_instances);
        fca_job_finish(job, FCA_JOB_FAILED);
    }

    fca_stop_begin(inst, event);
}

FCA_ACTION(give_back)
{
    (void) err;

    fca_inst_log(inst, FCF_LOG_INFO, "job given back in state %s: %s",
                 fca_state_name(inst->state), fca_event_name(event));
    fca_stop_begin(inst, event);
}

static void
fca_nic_done(void *arg, const fca_nic_t *nic, const fcf_err_t *err)
{
    fca_instance_t  *inst = arg;

    if (err) {
        inst->nic_state = FCA_NIC_NONE;
        fca_instance_event(inst, FCA_E_NIC_FAILED, err);
        return;
    }

    inst->nic = *nic;
    inst->nic_state = FCA_NIC_HELD;
    fca_instance_event(inst, FCA_E_NIC, NULL);
}

void
fca_inst_nic(fca_instance_t *inst)
{
    fcf_err_t         why;
    uid_t             uid = fca_jail_uid(inst->all, inst->uid);
    fca_nic_owner_t   owner = { uid, uid };

    if (fca_net_take(inst->all->net, uid ? &owner : NULL, fca_nic_done, inst,
                     &why) != 0) {
        fca_instance_event(inst, FCA_E_NIC_FAILED, &why);
        return;
    }

    inst->nic_state = FCA_NIC_TAKING;
}

FCA_ACTION(claimed)
{
    (void) err;
    fca_instance_set(inst, FCA_S_NETWORK, event);

    if (fca_keys_stale(inst->keys)) {
        /* claimed under a lease that was lost since */
        fca_keys_put(inst->keys, NULL);
    }

    if (inst->nic_state == FCA_NIC_HELD) {
        fca_instance_event(inst, FCA_E_NIC, NULL);
    }
}

FCA_ACTION(nic_failed)
{
    fca_fail_here(inst, event, FCF_FAILURE_BOOT_FAILED, "network: %s",
                  fca_why(err));
}

void
fca_inst_vmm_event(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    fca_instance_t            *inst = arg;
    static const fca_event_e   events[] = {
        [FCA_VMM_SPAWNED]    = FCA_E_SPAWNED,
        [FCA_VMM_CONFIGURED] = FCA_E_CONFIGURED,
        [FCA_VMM_BOOTED]     = FCA_E_BOOTED,
        [FCA_VMM_FAILED]     = FCA_E_VMM_FAILED,
        [FCA_VMM_EXITED]     = FCA_E_EXIT,
    };

    if (event == FCA_VMM_EXITED) {
        inst->vmm_exited = 1;
    }

    fca_instance_event(inst, events[event], err);
}

void
fca_inst_start(fca_instance_t *inst)
{
    char             *record;
    fcf_err_t         why;
    fca_guest_vmm_t   want;

    record = fca_inst_record_text(inst, inst->snap ? FCA_S_RESTORE
                                                   : inst->state);
    want = (fca_guest_vmm_t) {
        .function_id = inst->function_id, .worker_id = inst->worker_id,
        .spec = &inst->spec, .images = inst->images, .nic = &inst->nic,
        .env = inst->snap ? NULL : &inst->env, .record = record,
        .snap = inst->snap, .uid = inst->uid, .said = fca_inst_said,
    };

    if (record == NULL) {
        fcf_err_set(&why, FCF_E_NOMEM, "no memory for the VM's files");
    } else {
        inst->vmm = fca_guest_vmm(inst->all, &want, fca_inst_vmm_event, inst,
                                  &why);
    }

    free(record);

    if (inst->snap == NULL) {
        fca_inst_boot_end(inst);
    }

    if (inst->vmm == NULL) {
        fca_fail_here(inst, FCA_E_VMM_FAILED, FCF_FAILURE_BOOT_FAILED,
                      "starting the VMM: %s", why.msg);
    }
}

/* It may have been started already, and even be there. */
void
fca_inst_spawn(fca_instance_t *inst, fca_event_e event)
{
    fca_instance_set(inst, FCA_S_SPAWN, event);

    if (inst->vmm == NULL) {
        fca_inst_start(inst);

    } else if (inst->vmm_there) {
        fca_instance_event(inst, FCA_E_SPAWNED, NULL);
    }
}

/* The slot is awaited still: a VMM that will boot takes as long to start as
 * etcd to answer.  One that is to restore comes once the slot is there, since
 * whatever goes wrong with it is mended by a boot. */
FCA_ACTION(nic_early)
{
    (void) event;
    (void) err;

    if (inst->vmm == NULL && inst->nic_state == FCA_NIC_HELD
        && inst->secrets == NULL && !fca_inst_snap_there(inst))
    {
        fca_inst_start(inst);
    }
}

FCA_ACTION(spawned_early)
{
    (void) event;
    (void) err;
    inst->vmm_there = 1;
}

/* one that was started ahead is looked at when it is needed */
FCA_ACTION(exit_early)
{
    if (inst->ahead == NULL) {
        fca_on_vmm_exit(inst, event, err);
    }
}

FCA_ACTION(configured)
{
    (void) err;
    inst->started_ms = fca_unix_ms();

    fca_instance_set(inst, FCA_S_BOOT, event);
    fca_vmm_boot(inst->vmm);
}

FCA_ACTION(booted)
{
    (void) event;
    (void) err;
    fca_probe_start(inst);
}

/* nobody's fault: its TAP is lost */
FCA_ACTION(vmm_failed)
{
    if (inst->vmm == NULL || fca_vmm_blame(inst->vmm) == FCA_BLAME_HOST
        || fca_vmm_blame(inst->vmm) == FCA_BLAME_NOBODY)
    {
        fca_fail_here(inst, event, FCF_FAILURE_BOOT_FAILED, "%s: %s",
                      fca_state_name(inst->state), fca_why(err));
        return;
    }

    fca_fail(inst, event, FCF_FAILURE_BOOT_FAILED, "%s: %s",
             fca_state_name(inst->state), fca_why(err));
}

FCA_ACTION(vmm_exit)
{
    fca_fail_here(inst, event, FCF_FAILURE_BOOT_FAILED, "the VMM ended in "
                  "state %s: %s", fca_state_name(inst->state), fca_why(err));
}

/* a snapshot's file that is gone, for one */
FCA_ACTION(spawn_failed)
{
    if (inst->snap) {
        fca_on_fallback(inst, event, err);

    } else if (event == FCA_E_EXIT) {
        fca_on_vmm_exit(inst, event, err);

    } else {
        fca_on_vmm_failed(inst, event, err);
    }
}

/* the VMM has a time limit of its own: this is the last resort */
FCA_ACTION(vmm_timeout)
{
    (void) err;
    fca_fail_here(inst, event, FCF_FAILURE_BOOT_TIMEOUT, "state %s has not "
                  "ended", fca_state_name(inst->state));
}

FCA_ACTION(nic_timeout)
{
    (void) err;
    fca_fail_here(inst, event, FCF_FAILURE_BOOT_TIMEOUT, "no %s within %u s",
                  inst->secrets ? "environment" : "network device",
                  fca_state_ms(FCA_S_NETWORK) / 1000);
}

FCA_ACTION(boot_exit)
{
    if (fca_vmm_blame(inst->vmm) == FCA_BLAME_HOST) {
        fca_on_vmm_exit(inst, event, err);
        return;
    }

    fca_fail_guest(inst, event, FCF_FAILURE_BOOT_FAILED, "the VM ended in "
                   "state %s%s%s", fca_state_name(inst->state),
                   err ? ": " : "", err ? err->msg : "");
}

uint64_t
fca_inst_refused(fca_instance_t *inst)
{
    char      console[FCA_CONSOLE_KEEP];
    uint64_t  now = fca_now(inst->all->loop);

    fca_vmm_console(inst->vmm, console, sizeof(console));
    fca_failures_so_far(inst->all->failures, inst->function_id,
                        inst->request_id, inst->spec.version,
                        FCF_FAILURE_NOT_READY, fca_console_tail(console),
                        "port %d refuses connections, %" PRIu64 " s after "
                        "the job was taken", inst->spec.port,
                        (now - inst->born) / 1000);

    return now + FCA_FAILURES_AGAIN_MS;
}

/* A refused connection says that the guest's network is up and its function
 * is what does not come; silence, that the guest may not even have booted. */
FCA_ACTION(boot_timeout)
{
    unsigned  s;

    (void) err;
    s = (unsigned) (fca_now(inst->all->loop) - inst->born) / 1000;

    if (inst->state == FCA_S_BOOT && inst->probe.refused) {
        fca_fail(inst, event, FCF_FAILURE_NOT_READY, "port %d refused every "
                 "connection for %u s", inst->spec.port,
                 fca_instance_timeout(inst, FCA_S_BOOT) / 1000);
        return;
    }

    fca_fail_guest(inst, event, FCF_FAILURE_BOOT_TIMEOUT, "state %s has not "
                   "ended, %u s after the job was taken",
                   fca_state_name(inst->state), s);
}

/* Etcd has not taken its key, or there is no proxy. */
FCA_ACTION(ready_timeout)
{
    (void) err;

    if (inst->proxy_awaited) {
        fca_fail_here(inst, event, FCF_FAILURE_BOOT_FAILED, "%s", FCA_NO_PROXY);
        return;
    }

    fca_fail(inst, event, FCF_FAILURE_BOOT_TIMEOUT, "its key is not in etcd "
             "after %u s", fca_state_ms(FCA_S_READY) / 1000);
}

FCA_ACTION(slot_lost)
{
    (void) err;
    fca_fail(inst, event, FCF_FAILURE_BOOT_FAILED, "its slot was lost");
}

/* the reserved port, or the next free one if somebody else listens there */
static int
fca_ready_listen(fca_instance_t *inst, fcf_err_t *err)
{
    int     i, fd;
    fca_instances_t  *all = inst->all;

    for (i = 0; i < FCA_PORT_TRIES && inst->port; i++) {
        fd = fca_listen(fca_conf_listen_on(all->conf), inst->port,
                              err);
        if (fd != -1 || err->code != FCF_E_EXISTS) {
            return fd;
        }

        fca_inst_log(inst, FCF_LOG_WARN, "%s; trying another", err->msg);
        fca_pool_give(all->ports, inst->port, fca_now(all->loop));
        inst->port = fca_pool_take(all->ports, fca_now(all->loop));
    }

    return fcf_err_set(err, FCF_E_LIMIT, "no port is free");
}

int
fca_inst_serve(fca_instance_t *inst, fcf_err_t *err)
{
    fca_instances_t   *all = inst->all;
    fca_route_conf_t   conf;

    fca_vmm_follow(inst->vmm);

    if (inst->route) {
        return 0;           /* an earlier agent's */
    }

    memset(&conf, 0, sizeof(conf));
    conf.function_id = inst->function_id;
    conf.worker_id = inst->worker_id;
    conf.device = all->conf->bridge;
    conf.concurrency = (unsigned) inst->spec.concurrency;
    conf.timeout_ms = (uint64_t) inst->spec.timeout_s * 1000;
    conf.guest.sin_family = AF_INET;
    conf.guest.sin_addr = inst->nic.address;
    conf.guest.sin_port = htons((uint16_t) inst->spec.port);

    conf.listen_fd = fca_ready_listen(inst, err);
    if (conf.listen_fd == -1) {
        return fcf_err_wrap(err, "listening");
    }

    inst->port_used = 1;
    inst->route = fca_route_open(all->routes, &conf, err);

    if (inst->route == NULL) {
        close(conf.listen_fd);
        return fcf_err_wrap(err, "route");
    }

    return 0;
}

FCA_ACTION(accepted)
{
    fcf_err_t  why;

    (void) err;
    inst->was_restored = inst->state == FCA_S_RESTORED;
    fca_inst_snap_end(inst);
    fca_inst_ahead(inst);
    fca_inst_boot_end(inst);

    /* first, since the port may turn out to be another */
    if (fca_inst_serve(inst, &why) != 0) {
        fca_fail_here(inst, event, FCF_FAILURE_BOOT_FAILED, "%s", why.msg);
        return;
    }

    fca_instance_set(inst, FCA_S_READY, event);

    if (fca_routes_live(inst->all->routes)) {
        fca_inst_put(inst, FCF_INSTANCE_READY);
        return;
    }

    /* who is sent here waits as long as the proxy is away */
    inst->proxy_awaited = 1;
    inst->all->loop->timer_set(inst->timer, FCA_PROXY_MS);
    fca_route_drain(inst->route, 0, fca_inst_route_drained, inst);
}

FCA_ACTION(opened)
{
    (void) event;
    (void) err;
    inst->proxy_awaited = 0;
    inst->all->loop->timer_set(inst->timer, fca_state_ms(FCA_S_READY));
    fca_inst_put(inst, FCF_INSTANCE_READY);
}
