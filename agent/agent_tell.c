/* What the agent's parts tell the whole. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "agent/agent_int.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/place.h"

static void
fca_agent_announce(fca_t *agent)
{
    if (!agent->announced && fca_node_lease(agent->node)
        && fca_specs_known(agent->all.specs))
    {
        agent->announced = 1;
        fca_log(FCF_LOG_INFO, NULL, "ready: %d vCPUs, %d MB",
                agent->capacity.cpu, agent->capacity.memory_mb);
        fca_notify_ready(&agent->notify);
        agent->all.changed(agent);
    }
}

void
fca_agent_spec(void *arg, const char *function_id)
{
    fca_t  *agent = arg;

    fca_instances_spec(&agent->all, function_id);
    fca_agent_images_changed(agent);

    if (agent->phase == FCA_RUNNING) {
        fca_jobs_kick(agent->jobs);     /* one may wait for this */
    }
}

void
fca_agent_specs(void *arg)
{
    fca_t  *agent = arg;

    fca_instances_specs(&agent->all);
    fca_agent_images_changed(agent);
    fca_jobs_kick(agent->jobs);
    fca_agent_announce(agent);
}

void
fca_agent_node(void *arg, const char *node_id, const fcf_kv_t *kv)
{
    fca_t  *agent = arg;

    if (strcmp(node_id, agent->conf.node_id) == 0) {
        fca_node_seen(agent->node, kv);

    } else if (agent->phase == FCA_RUNNING
               && !fca_health_good(agent->health))
    {
        fca_jobs_kick(agent->jobs);     /* the last that was well may be ill */
    }
}

/* Ill, as all are that live: whoever asks is to hear of it. */
static int
fca_agent_all_ill(const fca_t *agent)
{
    size_t              i;
    const fca_specs_t  *specs = agent->all.specs;

    if (!fca_health_reason(agent->health) || !fca_specs_fresh(specs)) {
        return 0;
    }

    for (i = 0; i < fca_specs_nodes(specs); i++) {
        if (fca_specs_node_ready(specs, i)
            && strcmp(fca_specs_node(specs, i), agent->conf.node_id) != 0)
        {
            return 0;
        }
    }

    return 1;
}

void
fca_agent_live(void *arg)
{
    fca_t  *agent = arg;

    fca_instances_put(&agent->all);
    fca_jobs_start(agent->jobs);
    fca_agent_announce(agent);
}

void
fca_agent_changed(void *arg)
{
    fca_t  *agent = arg;

    fca_notify_status(&agent->notify, "%d VMs, %d of them starting",
                      agent->capacity.vms, agent->capacity.boots);
    fca_node_changed(agent->node);
    fca_orders_changed(agent->orders);

    if (agent->phase == FCA_RUNNING) {
        fca_jobs_kick(agent->jobs);
    }
}

void
fca_agent_vm_said(void *arg, const fca_instance_said_t *said)
{
    fca_t  *agent = arg;

    fca_lines_said(agent->lines, said, fca_unix_ms());
}

void
fca_agent_vm_ended(void *arg, const fca_instance_view_t *view)
{
    fca_t  *agent = arg;

    fca_lines_ended(agent->lines, view->worker_id, fca_unix_ms());
    fca_functions_ended(&agent->functions, view);
}

void
fca_agent_route_closed(void *arg, const fca_instance_view_t *view)
{
    fca_t  *agent = arg;

    fca_functions_closed(&agent->functions, view);
}

int
fca_agent_owns(void *arg, const fcf_key_t *key)
{
    fca_t  *agent = arg;

    return fca_instances_own(&agent->all, key);
}

int
fca_agent_ready(void *arg)
{
    fca_t  *agent = arg;

    return fca_node_lease(agent->node) && fca_specs_known(agent->all.specs)
           && !agent->draining
           && (fca_health_good(agent->health) || fca_agent_all_ill(agent));
}

void
fca_agent_failed(void *arg, const char *why)
{
    fca_t  *agent = arg;

    if (agent->phase == FCA_RUNNING) {
        fca_health_failed(agent->health, why);
    }
}

int
fca_agent_doubt(void *arg, const char *function_id, const char *why)
{
    fca_t  *agent = arg;

    return agent->phase == FCA_RUNNING
           && fca_health_guest(agent->health, function_id, why);
}

void
fca_agent_well(void *arg)
{
    fca_t  *agent = arg;

    fca_health_well(agent->health);
}

int
fca_agent_room(void *arg)
{
    fca_t  *agent = arg;

    /* to be told no there is room for everybody */
    return !fca_health_good(agent->health) || fca_place_room(&agent->all);
}

fca_verdict_e
fca_agent_place(void *arg, fca_job_t *job)
{
    fca_t  *agent = arg;

    if (!fca_health_good(agent->health)) {
        /* it may have begun to doubt itself at the job before */
        if (!fca_agent_all_ill(agent)) {
            return FCA_JOB_WAITS;
        }

        fca_place_ill(&agent->all, job, fca_health_reason(agent->health));
        return FCA_JOB_MINE;
    }

    return fca_place(&agent->all, job);
}

static void
fca_agent_admin_address(const fca_conf_t *conf, char *buf, size_t size)
{
    char                ip[INET_ADDRSTRLEN];
    struct sockaddr_in  admin = fca_conf_tell_admin(conf);

    if (admin.sin_port) {
        inet_ntop(AF_INET, &admin.sin_addr, ip, sizeof(ip));
        snprintf(buf, size, "%s:%d", ip, ntohs(admin.sin_port));
    }
}

/* it may quote what a VMM said */
static void
fca_agent_reason(char *out, const char *reason)
{
    size_t  i;

    for (i = 0; reason[i] && i < FCF_REASON_MAX - 1; i++) {
        out[i] = reason[i] < ' ' || reason[i] > '~' ? '?' : reason[i];
    }

    out[i] = '\0';
}

char *
fca_agent_worker(void *arg)
{
    const fca_t           *agent = arg;
    fcf_worker_t           worker;
    const fca_capacity_t  *c = &agent->capacity;

    memset(&worker, 0, sizeof(worker));

    inet_ntop(AF_INET, &agent->conf.advertise, worker.address,
              sizeof(worker.address));
    fca_agent_admin_address(&agent->conf, worker.admin,
                            sizeof(worker.admin));
    memcpy(worker.vmm_version, agent->vmm_version,
           sizeof(worker.vmm_version));
    worker.cpu = c->cpu;
    worker.memory_mb = c->memory_mb;
    worker.cpu_free = c->cpu - c->cpu_used;
    worker.memory_mb_free = c->memory_mb - c->memory_mb_used;
    worker.vms = c->vms;
    worker.state = agent->phase < FCA_STOP_VMS && !agent->draining
                   ? FCF_WORKER_READY : FCF_WORKER_DRAINING;

    if (worker.state == FCF_WORKER_READY && fca_health_reason(agent->health)) {
        worker.state = FCF_WORKER_ILL;
        fca_agent_reason(worker.reason, fca_health_reason(agent->health));
    }

    snprintf(worker.agent_version, sizeof(worker.agent_version), "%s",
             FCF_VERSION);

    return fcf_worker_encode(&worker);
}

void
fca_agent_nic_lost(void *arg, const fca_nic_t *nic, const fcf_err_t *why)
{
    fca_t  *agent = arg;

    fca_instances_nic_lost(&agent->all, nic, why);
}

void
fca_agent_health(void *arg)
{
    fca_t  *agent = arg;

    fca_node_changed(agent->node);

    if (agent->phase == FCA_RUNNING) {
        fca_jobs_kick(agent->jobs);
    }
}
