#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/instance/instance_int.h"
#include "agent/store/jobs_int.h"
#include "agent/store/specs.h"

/* how often a registered VM is looked at */
#define FCA_TICK_MS  1000

void
fca_inst_log(const fca_instance_t *inst, fcf_log_e level, const char *fmt,
    ...)
{
    char            text[1024];
    va_list         args;
    fca_log_ctx_t   ctx = { inst->function_id, inst->request_id,
                            inst->worker_id };

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    fca_log(level, &ctx, "%s", text);
}

unsigned
fca_instance_timeout(const fca_instance_t *inst, fca_instance_state_e state)
{
    int  limit;

    switch (state) {

    case FCA_S_BOOT:
        limit = inst->agent->conf.boot_timeout_s;
        if (limit == 0 || inst->spec.boot_timeout_s < limit) {
            limit = inst->spec.boot_timeout_s;
        }

        return (unsigned) limit * 1000;

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

    inst->state = state;
    inst->agent->loop.timer_set(inst->timer,
                                fca_instance_timeout(inst, state));
}

void
fca_instance_event(fca_instance_t *inst, fca_event_e event,
    const fcf_err_t *err)
{
    fca_action_pt  action;

    action = fca_instance_table[inst->state][event];

    if (action == NULL) {
        inst->agent->illegal++;
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
fca_instance_retry(void *arg)
{
    fca_instance_t  *inst = arg;

    if (inst->state == FCA_S_CLAIMED) {
        fca_claim_again(inst);

    } else if (inst->state < FCA_S_STOPPING) {
        fca_put(inst);
    }
}

static void
fca_instance_extended(fca_t *agent, uint64_t number, int pending)
{
    (void) agent;
    (void) number;
    (void) pending;         /* the slot counts from here on */
}

static void
fca_instance_extend(void *arg)
{
    fca_instance_t  *inst = arg;

    if (inst->job && inst->job->ours) {
        fca_job_extend(inst->job, inst->number, fca_instance_extended);
        inst->agent->loop.timer_set(inst->extend_timer, FCA_EXTEND_MS);
    }
}

static int
fca_instance_fill(fca_instance_t *inst, fca_job_t *job,
    const fca_images_t *images, fcf_err_t *err)
{
    fca_t       *agent = inst->agent;
    fcf_loop_t  *loop = &agent->loop;
    fcf_slot_t   slot;

    memcpy(inst->function_id, job->function_id, sizeof(inst->function_id));
    memcpy(inst->request_id, job->request_id, sizeof(inst->request_id));

    if (fca_state_number(&agent->state, &inst->number, err) != 0) {
        return -1;
    }

    snprintf(inst->worker_id, sizeof(inst->worker_id), "%s-%" PRIu64,
             agent->conf.node_id, inst->number);

    memset(&slot, 0, sizeof(slot));
    memcpy(slot.worker_id, inst->worker_id, sizeof(slot.worker_id));
    memcpy(slot.request_id, inst->request_id, sizeof(slot.request_id));
    slot.version = inst->spec.version;

    inst->slot_value = fcf_slot_encode(&slot);
    inst->images = malloc(sizeof(*images));
    inst->timer = loop->timer_new(loop, fca_instance_timer, inst);
    inst->extend_timer = loop->timer_new(loop, fca_instance_extend, inst);
    inst->retry = loop->timer_new(loop, fca_instance_retry, inst);

    if (!inst->slot_value || !inst->images || !inst->timer
        || !inst->extend_timer || !inst->retry)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a VM");
    }

    *inst->images = *images;

    return 0;
}

int
fca_instance_new(fca_t *agent, fca_job_t *job, const fcf_spec_t *spec,
    int declared, const fca_images_t *images, fcf_err_t *err)
{
    fca_instance_t  *inst;

    inst = calloc(1, sizeof(*inst));
    if (inst == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a VM");
    }

    inst->agent = agent;
    inst->spec = *spec;
    inst->declared = declared;
    inst->slot = inst->slot_tried = -1;
    inst->probe.fd = -1;
    inst->born = fca_now(agent);
    TAILQ_INSERT_TAIL(&agent->instances, inst, link);

    if (fca_instance_fill(inst, job, images, err) != 0) {
        fca_instance_free(inst);
        return -1;
    }

    inst->port = fca_pool_take(&agent->ports, fca_now(agent));
    if (inst->port == 0) {
        fca_instance_free(inst);
        return fcf_err_set(err, FCF_E_LIMIT, "no port is free");
    }

    fca_capacity_take(&agent->capacity, spec->cpu, spec->memory_mb);
    inst->booting = 1;
    inst->job = job;

    fca_inst_log(inst, FCF_LOG_INFO, "job taken: %d vCPUs, %d MB, version "
                 "%" PRId64, spec->cpu, spec->memory_mb, spec->version);

    agent->loop.timer_set(inst->timer,
                          fca_instance_timeout(inst, FCA_S_CLAIMED));
    agent->loop.timer_set(inst->extend_timer, FCA_EXTEND_MS);
    fca_claim_start(inst);
    fca_agent_vms_changed(agent);

    return 0;
}

/* everything that lives outside this process is gone already */
void
fca_instance_free(fca_instance_t *inst)
{
    size_t        i;
    fcf_timer_t  *timers[] = { inst->timer, inst->extend_timer, inst->retry };

    for (i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
        if (timers[i]) {
            inst->agent->loop.timer_free(timers[i]);
        }
    }

    fca_probe_stop(inst);

    TAILQ_REMOVE(&inst->agent->instances, inst, link);
    free(inst->slot_value);
    free(inst->images);
    free(inst);
}

int
fca_instance_boots(fca_t *agent, const char *function_id,
    const char *request_id)
{
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &agent->instances, link) {
        if (inst->booting && strcmp(inst->request_id, request_id) == 0
            && strcmp(inst->function_id, function_id) == 0)
        {
            return 1;
        }
    }

    return 0;
}

int
fca_instance_revive(fca_t *agent, const char *function_id, int64_t version)
{
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &agent->instances, link) {
        if (inst->state == FCA_S_DRAINING && inst->spec.version == version
            && strcmp(inst->function_id, function_id) == 0)
        {
            fca_instance_event(inst, FCA_E_DEMAND, NULL);
            return 1;
        }
    }

    return 0;
}

unsigned
fca_instances_without_nic(fca_t *agent)
{
    unsigned         n = 0;
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &agent->instances, link) {
        n += inst->state == FCA_S_CLAIMED || inst->nic_state == FCA_NIC_TAKING;
    }

    return n;
}

void
fca_instances_put(fca_t *agent)
{
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &agent->instances, link) {
        if (inst->state > FCA_S_CLAIMED && inst->state < FCA_S_STOPPING) {
            fca_put(inst);
        }
    }
}

static int
fca_instance_unwanted(const fca_instance_t *inst, const fcf_spec_t *spec)
{
    const fca_instance_t  *other;

    if (spec == NULL) {
        return inst->declared;
    }

    if (inst->spec.version >= spec->version) {
        return 0;
    }

    TAILQ_FOREACH(other, &inst->agent->instances, link) {
        if (other->state == FCA_S_REGISTERED
            && other->spec.version > inst->spec.version
            && strcmp(other->function_id, inst->function_id) == 0)
        {
            return 1;
        }
    }

    return 0;
}

void
fca_instances_spec(fca_t *agent, const char *function_id)
{
    fca_instance_t    *inst;
    const fcf_spec_t  *spec;

    spec = fca_specs_get(agent->specs, function_id);

    TAILQ_FOREACH(inst, &agent->instances, link) {
        if (strcmp(inst->function_id, function_id) != 0
            || (inst->state != FCA_S_REGISTERED
                && inst->state != FCA_S_DRAINING)
            || !fca_instance_unwanted(inst, spec))
        {
            continue;
        }

        fca_inst_log(inst, FCF_LOG_INFO, spec ? "a newer version is ready"
                     : "the function is not declared any more");
        fca_instance_event(inst, FCA_E_DRAIN, NULL);
    }
}

void
fca_instances_stop(fca_t *agent, int hurry)
{
    fca_instance_t  *inst;

    /* nothing is removed from the list before the loop's next turn */
    TAILQ_FOREACH(inst, &agent->instances, link) {
        if (hurry || inst->state != FCA_S_STOPPING) {
            fca_instance_event(inst, FCA_E_ABORT, NULL);
        }
    }
}

void
fca_instances_abandon(fca_t *agent)
{
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &agent->instances, link) {
        fca_inst_log(inst, FCF_LOG_ERROR, "does not end, in state %s",
                     fca_state_name(inst->state));

        if (inst->vmm && !inst->vmm_exited) {
            fca_vmm_kill(inst->vmm);
        }
    }
}
