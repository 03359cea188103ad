/* An instance that serves: looked at each tick, drained, revived. */

#include <inttypes.h>
#include <string.h>
#include "agent/base/clock.h"
#include "agent/instance/template.h"

/* connects that the guest refused or left unanswered, in a row */
#define FCA_REFUSED_MAX  3
/* requests that took the function's timeout_s, in a row */
#define FCA_TIMEOUTS_MAX  3

/* The job ends when the record says that the VM serves: should the agent die
 * before, the next one does the job again, since it does not go on with a VM
 * that is recorded as on its way. */
void
fca_inst_job_done(fca_instance_t *inst)
{
    if (inst->job && (inst->record == NULL || !fca_later_busy(inst->record))) {
        fca_job_finish(inst->job, FCA_JOB_DONE);
        inst->job = NULL;
    }
}

FCA_ACTION(registered)
{
    fca_instances_t  *all = inst->all;

    (void) err;

    /* its slot alone, under another lease */
    if (inst->proxy_awaited) {
        return;
    }

    fca_instance_set(inst, FCA_S_REGISTERED, event);

    inst->graceful = 1;
    inst->booting = 0;
    fca_capacity_booted(all->capacity);
    all->loop->timer_stop(inst->extend_timer);
    inst->job->revision = fca_keys_revision(inst->keys);
    fca_inst_job_done(inst);

    fca_inst_log(inst, FCF_LOG_INFO, "registered after %" PRIu64 " ms%s: port "
                 "%u, slot %d", fca_now(all->loop) - inst->born,
                 inst->was_restored ? ", of a snapshot" : "", inst->port,
                 fca_keys_slot(inst->keys));

    all->well(all->arg);
    all->changed(all->arg);
    fca_instances_spec(all, inst->function_id);
}

/* what the function's spec says now, if it is still there */
static void
fca_limits(const fca_instance_t *inst, int *min_instances, int *idle_s)
{
    const fcf_spec_t  *spec;

    spec = fca_specs_get(inst->all->specs, inst->function_id);
    if (spec == NULL || spec->version != inst->spec.version) {
        spec = &inst->spec;
    }

    *min_instances = inst->named ? 0 : spec->min_instances;
    *idle_s = spec->idle_timeout_s;
}

/* 1: it takes no connections, or answers nothing, and is replaced */
static int
fca_hung(fca_instance_t *inst)
{
    const fca_route_stat_t  *stat = fca_route_stat(inst->route);

    if (atomic_load(&stat->refused) >= FCA_REFUSED_MAX) {
        fca_inst_log(inst, FCF_LOG_WARN, "the guest took none of the last "
                     "%d connections; replacing it", FCA_REFUSED_MAX);

    } else if (atomic_load(&stat->timeouts) >= FCA_TIMEOUTS_MAX) {
        fca_inst_log(inst, FCF_LOG_WARN, "the last %d requests took longer "
                     "than timeout_s; replacing it", FCA_TIMEOUTS_MAX);

    } else {
        return 0;
    }

    fca_instance_event(inst, FCA_E_DRAIN, NULL);

    return 1;
}

FCA_ACTION(tick)
{
    int                      min_instances, idle_s;
    uint64_t                 idle, last, limit, left, now, requests;
    fcf_loop_t              *loop = inst->all->loop;
    const fca_route_stat_t  *stat = fca_route_stat(inst->route);

    (void) err;

    if (fca_hung(inst)) {
        return;
    }

    fca_vmm_follow(inst->vmm);      /* a guest that refused it at first */
    fca_inst_look_back(inst);
    fca_template_consider(inst);

    fca_limits(inst, &min_instances, &idle_s);
    limit = (uint64_t) idle_s * 1000;
    left = fca_instance_timeout(inst, FCA_S_REGISTERED);

    /* in this order: what comes in between is counted, and the data loop's
     * stamp is never later than our clock */
    requests = atomic_load(&stat->requests);

    if (fca_keys_slot(inst->keys) >= min_instances
        && atomic_load(&stat->inflight) == 0) {
        last = atomic_load(&stat->last_ms);
        now = fca_monotonic_ms();
        idle = now > last ? now - last : 0;

        if (idle >= limit && !fca_keys_busy(inst->keys)) {
            fca_inst_log(inst, FCF_LOG_INFO, "idle for %" PRIu64 " ms", idle);
            inst->requests = requests;
            inst->drain_put = 0;
            fca_instance_set(inst, FCA_S_DRAINING, event);
            /* waits for etcd first: without it nobody would know */
            loop->timer_set(inst->timer, 10000);
            fca_inst_put(inst, FCF_INSTANCE_DRAINING);
            return;
        }

        if (idle < limit && limit - idle < left) {
            left = limit - idle;
        }
    }

    loop->timer_set(inst->timer, left);
}

FCA_ACTION(revive)
{
    (void) err;
    fca_inst_log(inst, FCF_LOG_INFO, "revived: %s", fca_event_name(event));

    if (inst->drain_on) {
        inst->drain_on = 0;
        fca_route_drain(inst->route, 0, NULL, NULL);
    }

    fca_instance_set(inst, FCA_S_REGISTERED, event);
    fca_inst_put(inst, FCF_INSTANCE_READY);
}

/* gateways are being told; what is on its way comes within a moment */
FCA_ACTION(idle_put)
{
    (void) event;
    (void) err;
    inst->drain_put = 1;
    inst->all->loop->timer_set(inst->timer, fca_state_ms(FCA_S_DRAINING));
}

/* nothing has come since it was found idle */
static int
fca_still_idle(const fca_instance_t *inst)
{
    const fca_route_stat_t  *stat = fca_route_stat(inst->route);

    return atomic_load(&stat->inflight) == 0
           && atomic_load(&stat->requests) == inst->requests;
}

void
fca_inst_route_drained(void *arg)
{
    fca_instance_t  *inst = arg;

    inst->drain_asked = 0;
    fca_instance_event(inst, FCA_E_DRAINED, NULL);
}

/* One last look is needed once the proxy has shut the door; until it says so,
 * a request may slip in. */
FCA_ACTION(idle_over)
{
    /* as long as etcd has not taken the state nothing may end */
    if (!inst->drain_put || !fca_still_idle(inst)) {
        fca_on_revive(inst, event, err);
        return;
    }

    inst->all->loop->timer_set(inst->timer, fca_state_ms(FCA_S_DRAINING));

    if (!inst->drain_on && !inst->drain_asked) {
        inst->drain_on = inst->drain_asked = 1;
        fca_route_drain(inst->route, 1, fca_inst_route_drained, inst);
    }
}

FCA_ACTION(idle_drained)
{
    /* of a drain that was taken back: this one is asked for at the timer */
    if (!inst->drain_on) {
        return;
    }

    if (fca_still_idle(inst)) {
        fca_stop_begin(inst, event);
        return;
    }

    fca_on_revive(inst, event, err);
}

/* no way back from here: it is old, unwanted, broken, or the agent ends */
FCA_ACTION(drain)
{
    (void) err;
    fca_inst_log(inst, FCF_LOG_INFO, "stopping: %s", fca_event_name(event));
    fca_stop_begin(inst, event);
}

FCA_ACTION(died)
{
    char  console[FCA_CONSOLE_KEEP];

    fca_vmm_console(inst->vmm, console, sizeof(console));
    fca_inst_log(inst, FCF_LOG_ERROR, "the VM died%s%s; console: %s",
                 err ? ": " : "", err ? err->msg : "", console);
    fca_stop_begin(inst, event);
}
