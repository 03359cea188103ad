/* What others see of instances: one by one, and counted. */

#include <inttypes.h>
#include <string.h>
#include "agent/instance/instance_int.h"
#include "agent/instance/template.h"

_Static_assert(FCA_S_READY + 1 == FCA_START_STATES,
               "a start is what lies before registered");

const char *
fca_start_state_name(size_t i)
{
    return fca_state_name((fca_instance_state_e) i);
}

void
fca_instance_look(const fca_instance_t *inst, fca_instance_view_pt look,
    void *arg)
{
    fca_instance_view_t  view = {
        .function_id = inst->function_id, .worker_id = inst->worker_id,
        .state = fca_state_name(inst->state), .version = inst->spec.version,
        .slot = inst->keys ? fca_keys_slot(inst->keys) : -1,
        .port = inst->port,
        .age_ms = fca_now(inst->all->loop) - inst->born,
        .stat = inst->route && inst->all->routes
                ? fca_route_stat(inst->route) : NULL,
        .vmm = inst->vmm,
    };

    if (inst->nic_state == FCA_NIC_HELD) {
        view.address = inst->nic.address;
    }

    if (inst->vmm && !inst->vmm_exited) {
        view.pid = fca_vmm_pid(inst->vmm) > 0 ? fca_vmm_pid(inst->vmm) : 0;
    }

    look(arg, &view);
}

void
fca_inst_said(void *arg, fca_stream_e stream, const char *data, size_t len,
    uint64_t dropped)
{
    fca_instance_t       *inst = arg;
    fca_instance_said_t   said = {
        .function_id = inst->function_id, .worker_id = inst->worker_id,
        .version = inst->spec.version, .stream = stream, .data = data,
        .len = len, .dropped = dropped,
    };

    if (dropped > 0 && !inst->flooded) {
        inst->flooded = 1;
        fca_inst_log(inst, FCF_LOG_WARN, "prints faster than is kept: %"
                     PRIu64 " bytes are lost; no more is said of it", dropped);
    }

    inst->all->said(inst->all->arg, &said);
}

void
fca_instances_each(const fca_instances_t *all, fca_instance_view_pt each,
    void *arg)
{
    const fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &all->list, link) {
        fca_instance_look(inst, each, arg);
    }
}

void
fca_instance_count(fca_instance_t *inst, fca_instance_state_e next)
{
    uint64_t            now = fca_now(inst->all->loop);
    fca_start_stats_t  *stats = &inst->all->stats;

    if (next > inst->state && next <= FCA_S_REGISTERED
        && next != FCA_S_FALLBACK && inst->state < FCA_S_REGISTERED)
    {
        fca_hist_add(&stats->state[inst->state], now - inst->since);

        if (next == FCA_S_REGISTERED) {
            fca_hist_add(&stats->start, now - inst->born);

            if (inst->was_restored) {
                fca_hist_add(&stats->restore, now - inst->born);
                stats->restored++;
            } else {
                stats->booted++;
            }
        }
    }

    inst->since = now;
}

int
fca_instances_run(const fca_instances_t *all, const char *sha256)
{
    const fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &all->list, link) {
        /* of one whose VM is gone, the port and the NIC may be there still */
        if (fcf_spec_names(&inst->spec, sha256)
            && !(inst->state == FCA_S_STOPPING && inst->vmm == NULL))
        {
            return 1;
        }
    }

    return fca_template_runs(all, sha256);
}
