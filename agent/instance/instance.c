#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/instance/ahead.h"
#include "agent/instance/template.h"

/* how often a registered VM is looked at */
#define FCA_TICK_MS  1000

unsigned
fca_instance_timeout(const fca_instance_t *inst, fca_instance_state_e state)
{
    int  limit;

    switch (state) {

    case FCA_S_BOOT:
        limit = inst->all->conf->boot_timeout_s;
        if (limit == 0 || inst->spec.boot_timeout_s < limit) {
            limit = inst->spec.boot_timeout_s;
        }

        return (unsigned) limit * 1000;

    case FCA_S_RESTORE:
    case FCA_S_WAKE:
    case FCA_S_RESTORED:
        return fca_inst_restore_ms(inst);

    case FCA_S_REGISTERED:
        return FCA_TICK_MS;

    default:
        return fca_state_ms(state);
    }
}

void
fca_instance_set(fca_instance_t *inst, fca_instance_state_e state,
    fca_event_e event)
{
    fca_inst_log(inst, FCF_LOG_DEBUG, "%s -> %s on %s",
                 fca_state_name(inst->state), fca_state_name(state),
                 fca_event_name(event));

    fca_instance_count(inst, state);
    inst->state = state;
    inst->all->loop->timer_set(inst->timer,
                                fca_instance_timeout(inst, state));

    if (state >= FCA_S_BOOT && state <= FCA_S_STOPPING) {
        fca_inst_record(inst);
    }
}

void
fca_instance_event(fca_instance_t *inst, fca_event_e event,
    const fcf_err_t *err)
{
    fca_action_pt  action;

    action = fca_instance_table[inst->state][event];

    if (action == NULL) {
        inst->all->illegal++;
        fca_inst_log(inst, FCF_LOG_ERROR, "\"%s\" is not possible in state "
                     "%s; ignored", fca_event_name(event),
                     fca_state_name(inst->state));
        return;
    }

    action(inst, event, err);
}

static void
fca_instance_timer(void *arg)
{
    fca_instance_event(arg, FCA_E_TIMEOUT, NULL);
}

static void
fca_instance_extended(void *arg, uint64_t number, int pending)
{
    (void) arg;
    (void) number;
    (void) pending;         /* the slot counts from here on */
}

static void
fca_instance_extend(void *arg)
{
    fca_instance_t  *inst = arg;

    if (inst->job && inst->job->ours) {
        fca_job_extend(inst->job, inst->number, fca_instance_extended,
                       NULL);
        inst->all->loop->timer_set(inst->extend_timer, FCA_EXTEND_MS);
    }
}

static int
fca_instance_fill(fca_instance_t *inst, fcf_err_t *err)
{
    fcf_loop_t  *loop = inst->all->loop;

    inst->timer = loop->timer_new(loop, fca_instance_timer, inst);
    inst->extend_timer = loop->timer_new(loop, fca_instance_extend, inst);

    if (!inst->timer || !inst->extend_timer) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a VM");
    }

    return fca_inst_keys(inst, err);
}

fca_instance_t *
fca_instance_bare(fca_instances_t *all, uint64_t number,
    const char *function_id, const char *request_id, const fcf_spec_t *spec,
    int declared, fcf_err_t *err)
{
    fca_instance_t  *inst;

    inst = calloc(1, sizeof(*inst));
    if (inst == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for a VM");
        return NULL;
    }

    inst->all = all;
    inst->number = number;
    inst->spec = *spec;
    inst->declared = declared;
    inst->probe.fd = -1;
    inst->born = inst->since = fca_now(all->loop);
    inst->log = (fca_log_ctx_t) { inst->function_id, inst->request_id,
                                  inst->worker_id };

    snprintf(inst->function_id, sizeof(inst->function_id), "%s", function_id);
    snprintf(inst->request_id, sizeof(inst->request_id), "%s", request_id);
    fca_worker_id(all, number, inst->worker_id);
    TAILQ_INSERT_TAIL(&all->list, inst, link);

    if (fca_instance_fill(inst, err) != 0) {
        fca_instance_free(inst);
        return NULL;
    }

    return inst;
}

void
fca_worker_id(const fca_instances_t *all, uint64_t number,
    char id[FCF_WORKER_ID_MAX + 1])
{
    snprintf(id, FCF_WORKER_ID_MAX + 1, "%s-%" PRIu64, all->conf->node_id,
             number);
}

int
fca_jail_take(fca_instances_t *all, uint32_t *n, fcf_err_t *err)
{
    *n = all->uids ? fca_pool_take(all->uids, fca_now(all->loop)) : 0;

    return all->uids && *n == 0
           ? fcf_err_set(err, FCF_E_LIMIT, "no user is free") : 0;
}

uid_t
fca_jail_uid(const fca_instances_t *all, uint32_t n)
{
    return n ? (uid_t) all->conf->jail_uid_first + n - 1 : 0;
}

/* of the pools, but for what was taken for its VMM already */
static int
fca_instance_take(fca_instance_t *inst, const fca_ahead_t *ahead,
    fcf_err_t *err)
{
    fca_instances_t  *all = inst->all;

    inst->port = fca_pool_take(all->ports, fca_now(all->loop));
    if (inst->port == 0) {
        return fcf_err_set(err, FCF_E_LIMIT, "no port is free");
    }

    return ahead ? 0 : fca_jail_take(all, &inst->uid, err);
}

int
fca_instance_new(fca_instances_t *all, fca_job_t *job,
    const fcf_spec_t *spec, fcf_err_t *err)
{
    uint64_t           number;
    fca_ahead_t       *ahead;
    fca_instance_t    *inst;
    const fcf_spec_t  *now;

    ahead = fca_ahead_find(all, job->function_id, spec);

    if (ahead) {
        number = fca_ahead_number(ahead);

    } else if (fca_state_number(all->state, &number, err) != 0) {
        return -1;
    }

    now = fca_specs_get(all->specs, job->function_id);
    inst = fca_instance_bare(all, number, job->function_id, job->request_id,
                             spec, now != NULL, err);
    if (inst == NULL) {
        return -1;
    }

    inst->job_text = strdup(job->text);
    if (inst->job_text == NULL) {
        fca_instance_free(inst);
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a VM");
    }

    if (fca_instance_take(inst, ahead, err) != 0
        || fca_inst_look(inst, err) != 0)
    {
        if (inst->port) {
            fca_pool_give(all->ports, inst->port, 0);
        }

        fca_instance_free(inst);
        return -1;
    }

    fca_capacity_take(all->capacity, spec->cpu,
                      fca_vmm_memory_mb(all->vmm, spec->memory_mb));
    inst->booting = 1;
    inst->job = job;

    if (ahead) {
        fca_ahead_take(ahead, inst);
    }

    inst->named = now && !fcf_spec_serves(now, spec->version);

    fca_inst_log(inst, FCF_LOG_INFO, "job taken: %d vCPUs, %d MB, version "
                 "%" PRId64, spec->cpu, spec->memory_mb, spec->version);

    all->loop->timer_set(inst->timer,
                          fca_instance_timeout(inst, FCA_S_LOOKING));
    all->loop->timer_set(inst->extend_timer, FCA_EXTEND_MS);
    all->changed(all->arg);

    return 0;
}

/* everything that lives outside this process is gone already */
void
fca_instance_free(fca_instance_t *inst)
{
    size_t        i;
    fcf_timer_t  *timers[] = { inst->timer, inst->extend_timer };

    for (i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
        if (timers[i]) {
            inst->all->loop->timer_free(timers[i]);
        }
    }

    fca_inst_look_end(inst);
    fca_probe_stop(inst);
    fca_inst_snap_end(inst);
    fca_inst_unput(inst);

    if (inst->uid) {
        fca_pool_give(inst->all->uids, inst->uid, 0);
    }

    TAILQ_REMOVE(&inst->all->list, inst, link);
    fca_later_free(inst->record);
    free(inst->job_text);
    free(inst->ahead);
    fca_inst_boot_end(inst);
    free(inst);
}

int
fca_instance_boots(fca_instances_t *all, const char *function_id,
    const char *request_id)
{
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &all->list, link) {
        if (inst->booting && strcmp(inst->request_id, request_id) == 0
            && strcmp(inst->function_id, function_id) == 0)
        {
            return 1;
        }
    }

    return 0;
}

int
fca_instance_revive(fca_instances_t *all, const char *function_id,
    int64_t version)
{
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &all->list, link) {
        if (inst->state == FCA_S_DRAINING && inst->spec.version == version
            && strcmp(inst->function_id, function_id) == 0)
        {
            fca_instance_event(inst, FCA_E_DEMAND, NULL);
            return 1;
        }
    }

    return 0;
}

/* those that will need an address and have none yet */
static unsigned
fca_instances_without_nic(const fca_instances_t *all)
{
    unsigned         n = 0;
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &all->list, link) {
        n += inst->nic_state == FCA_NIC_TAKING
             || inst->state == FCA_S_FALLBACK
             || (inst->state <= FCA_S_CLAIMED
                 && inst->nic_state == FCA_NIC_NONE);
    }

    return n;
}

int
fca_instances_address(const fca_instances_t *all, unsigned more)
{
    return fca_net_free_count(all->net) + more > fca_instances_without_nic(all);
}

void
fca_instances_nic_lost(fca_instances_t *all, const fca_nic_t *nic,
    const fcf_err_t *why)
{
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &all->list, link) {
        if (inst->nic_state == FCA_NIC_HELD && inst->state < FCA_S_STOPPING
            && inst->nic.ifindex == nic->ifindex)
        {
            fca_inst_log(inst, FCF_LOG_WARN, "%s; replacing it", why->msg);

            /* one that was loaded ahead is replaced when it is needed */
            if (inst->loaded && inst->state < FCA_S_RESTORE) {
                inst->nic_lost = 1;
                return;
            }

            /* no answer comes from it any more */
            inst->graceful = 0;
            fca_instance_event(inst, FCA_E_VMM_FAILED, why);
            return;
        }
    }

    fca_ahead_nic_lost(all, nic);
}

void
fca_instances_put(fca_instances_t *all)
{
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &all->list, link) {
        if (inst->state > FCA_S_CLAIMED && inst->state < FCA_S_STOPPING) {
            fca_keys_put(inst->keys, NULL);
        }
    }
}

/* requests go there; or it is at least newer than one of a past version */
static int
fca_instance_replaces(const fca_instance_t *other, const fca_instance_t *inst,
    const fcf_spec_t *spec)
{
    return fcf_spec_serves(spec, other->spec.version)
           || (inst->spec.version < spec->version
               && other->spec.version > inst->spec.version);
}

static int
fca_instance_unwanted(const fca_instance_t *inst, const fcf_spec_t *spec)
{
    const fca_instance_t  *other;

    if (spec == NULL) {
        return inst->declared;
    }

    if (fcf_spec_serves(spec, inst->spec.version) || inst->named) {
        return 0;
    }

    TAILQ_FOREACH(other, &inst->all->list, link) {
        if (other->state == FCA_S_REGISTERED
            && strcmp(other->function_id, inst->function_id) == 0
            && fca_instance_replaces(other, inst, spec))
        {
            return 1;
        }
    }

    return 0;
}

void
fca_instances_spec(fca_instances_t *all, const char *function_id)
{
    fca_instance_t    *inst;
    const fcf_spec_t  *spec;

    spec = fca_specs_get(all->specs, function_id);

    if (all->snaps) {
        fca_snaps_prune(all->snaps, function_id, spec);
        fca_ahead_prune(all);
    }

    TAILQ_FOREACH(inst, &all->list, link) {
        if (strcmp(inst->function_id, function_id) != 0) {
            continue;
        }

        if (spec) {
            /* a first version may have been started before that */
            inst->declared = 1;
        }

        if (spec && fcf_spec_serves(spec, inst->spec.version)) {
            /* once it is as others it goes as others */
            inst->named = 0;
        }

        if ((inst->state != FCA_S_REGISTERED
             && inst->state != FCA_S_DRAINING)
            || !fca_instance_unwanted(inst, spec))
        {
            continue;
        }

        fca_inst_log(inst, FCF_LOG_INFO, spec ? "another version serves"
                     : "the function is not declared any more");
        fca_instance_event(inst, FCA_E_DRAIN, NULL);
    }
}

void
fca_instances_stop(fca_instances_t *all, int hurry)
{
    fca_instance_t  *inst;

    fca_template_stop(all);
    fca_ahead_stop(all);

    /* nothing is removed from the list before the loop's next turn */
    TAILQ_FOREACH(inst, &all->list, link) {
        if (hurry || inst->state != FCA_S_STOPPING) {
            fca_instance_event(inst, FCA_E_ABORT, NULL);
        }
    }
}

void
fca_instances_abandon(fca_instances_t *all)
{
    fca_instance_t  *inst;

    fca_template_abandon(all);
    fca_ahead_abandon(all);

    TAILQ_FOREACH(inst, &all->list, link) {
        fca_inst_log(inst, FCF_LOG_ERROR, "does not end, in state %s",
                     fca_state_name(inst->state));

        if (inst->vmm && !inst->vmm_exited) {
            fca_vmm_kill(inst->vmm);
        }
    }
}
