/* How the agent's run ends: it stops all, or it hands over to the next; and
 * what empties a node without an end. */

#include <signal.h>
#include <unistd.h>
#include "agent/agent.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"

#define FCA_STOP_CHECK_MS   20
#define FCA_STOP_HURRY_MS   20000       /* then VMs are killed */
#define FCA_STOP_GIVEUP_MS  30000
#define FCA_STOP_TELL_MS    3000        /* for etcd and Redis, after the VMs */
/* for the leases to be revoked: then they have ended by themselves */
#define FCA_STOP_KEYS_MS    (FCF_LEASE_TTL_S * 1000)
#define FCA_HANDOVER_MS     3000        /* then the next one finds the rest */

/* The proxy goes first, with all its routes: what lingers ends now. */
static void
fca_agent_hurry(fca_t *agent, const char *why)
{
    if (agent->hurried || agent->phase != FCA_STOP_VMS) {
        return;
    }

    agent->hurried = 1;
    fca_log(FCF_LOG_WARN, NULL, "%s: VMs are killed", why);

    agent->proxy_ends = fca_routes_free(agent->all.routes);
    agent->all.routes = NULL;
    fca_instances_stop(&agent->all, 1);
}

static void
fca_agent_end(fca_t *agent, fca_phase_e phase)
{
    fca_notify_stopping(&agent->notify);

    agent->phase = phase;
    agent->stop_since = fca_now(&agent->loop);
    fca_jobs_stop(agent->jobs);
    fca_health_stop(agent->health);
    agent->loop.timer_set(agent->stop_timer, 0);
}

static void
fca_agent_stop(fca_t *agent)
{
    fca_log(FCF_LOG_INFO, NULL, "stopping: %d VMs", agent->capacity.vms);

    fca_agent_end(agent, FCA_STOP_VMS);
    fca_routes_ending(agent->all.routes);
    fca_node_changed(agent->node);
    fca_instances_stop(&agent->all, 0);
}

static void
fca_agent_hand_over(fca_t *agent)
{
    fca_log(FCF_LOG_INFO, NULL, "handing over: %d VMs", agent->capacity.vms);

    fca_agent_end(agent, FCA_HANDING_OVER);
    fca_instances_unbegun(&agent->all);
}

/* Everything is as the next one expects it, which is to say as after a kill;
 * what was waited for were only answers.  Nothing is taken apart. */
static void
fca_agent_handed_over(fca_t *agent)
{
    fca_log(FCF_LOG_INFO, NULL, "handed over: %d VMs go on",
            agent->capacity.vms);
    fca_instances_leave(&agent->all);
    fca_orders_free(agent->orders);
    _exit(agent->status);
}

/* An emptied node leaves nothing to the next. */
static void
fca_agent_told(fca_t *agent)
{
    if (agent->phase == FCA_HANDING_OVER) {
        fca_agent_handed_over(agent);

    } else if (agent->phase != FCA_RUNNING) {
        fca_agent_hurry(agent, "told to stop again");

    } else if (agent->conf.adopt
               && !(agent->draining && agent->capacity.vms == 0
                    && fca_legacy_count(agent->legacy) == 0))
    {
        fca_agent_hand_over(agent);

    } else {
        fca_agent_stop(agent);
    }
}

void
fca_agent_fatal(void *arg)
{
    fca_t  *agent = arg;

    agent->status = 1;

    if (agent->phase == FCA_RUNNING) {
        fca_agent_stop(agent);
    }
}

void
fca_agent_drain(void *arg, int draining)
{
    fca_t  *agent = arg;

    if (agent->phase != FCA_RUNNING || agent->draining == draining) {
        return;
    }

    fca_log(FCF_LOG_INFO, NULL, draining ? "draining: %d VMs"
                                         : "takes jobs again: %d VMs",
            agent->capacity.vms);

    agent->draining = draining;
    fca_node_changed(agent->node);

    if (draining) {
        fca_instances_stop(&agent->all, 0);
    } else {
        fca_jobs_kick(agent->jobs);
    }
}

/* Nothing of any VM is left, and who waits for one was told, if he can be. */
static int
fca_agent_emptied(fca_t *agent)
{
    uint64_t  now = fca_now(&agent->loop);

    if (!TAILQ_EMPTY(&agent->all.list) || agent->all.template
        || !LIST_EMPTY(&agent->all.ahead)
        || !fca_health_stopped(agent->health)) {
        return 0;
    }

    if (agent->empty_since == 0) {
        agent->empty_since = now;
    }

    return now - agent->empty_since >= FCA_STOP_TELL_MS
           || (fca_jobs_stopped(agent->jobs)
               && !fca_keyring_pending(agent->all.keyring));
}

/* the node's turn */
static void
fca_agent_stop_keys(fca_t *agent)
{
    agent->phase = FCA_STOP_KEYS;
    agent->stop_since = fca_now(&agent->loop);
    fca_jobs_leave(agent->jobs);
    fca_failures_stop(agent->all.failures);
    fca_node_stop(agent->node);
}

static int
fca_agent_keys_gone(const fca_t *agent, uint64_t ms)
{
    return (ms >= FCA_STOP_TELL_MS || fca_jobs_left(agent->jobs))
           && (ms >= FCA_STOP_KEYS_MS
               || (fca_failures_stopped(agent->all.failures)
                   && fca_node_stopped(agent->node)))
           && !agent->proxy_ends;
}

/* Looks, a few times a second, how far the end has come. */
static void
fca_agent_stop_check(void *arg)
{
    fca_t     *agent = arg;
    uint64_t   ms;

    ms = fca_now(&agent->loop) - agent->stop_since;

    if (agent->phase == FCA_HANDING_OVER
        && (ms >= FCA_HANDOVER_MS
            || (fca_jobs_told(agent->jobs)
                && fca_instances_settled(&agent->all)
                && !fca_keyring_pending(agent->all.keyring))))
    {
        fca_agent_handed_over(agent);
    }

    if (agent->phase == FCA_STOP_VMS) {
        if (ms >= FCA_STOP_HURRY_MS) {
            fca_agent_hurry(agent, "the end takes too long");
        }

        if (fca_agent_emptied(agent) || ms >= FCA_STOP_GIVEUP_MS) {
            fca_agent_stop_keys(agent);
            ms = 0;
        }
    }

    if (agent->phase == FCA_STOP_KEYS && fca_agent_keys_gone(agent, ms)) {
        agent->phase = FCA_STOPPED;
        uv_stop(&agent->uv);
        return;
    }

    agent->loop.timer_set(agent->stop_timer, FCA_STOP_CHECK_MS);
}

static void
fca_agent_signal(void *arg, int signo)
{
    fca_t  *agent = arg;

    if (signo == SIGHUP) {
        if (agent->jobs) {
            fca_agent_reload(agent);
        }

        return;
    }

    fca_log(FCF_LOG_INFO, NULL, "signal %d", signo);

    if (agent->jobs == NULL) {
        _exit(0);               /* nothing of this run is there yet */
    }

    fca_agent_told(agent);
}

int
fca_agent_stop_init(fca_t *agent, fcf_err_t *err)
{
    agent->signals = fca_signals_new(&agent->uv, fca_agent_signal, agent,
                                     err);
    if (agent->signals == NULL) {
        return -1;
    }

    agent->stop_timer = agent->loop.timer_new(&agent->loop,
                                              fca_agent_stop_check, agent);
    if (agent->stop_timer == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    return fca_notify_init(&agent->notify, &agent->loop, err);
}
