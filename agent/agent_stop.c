/* The agent's end: jobs go back, VMs end, keys go, in this order and within
 * bounds. */

#include <signal.h>
#include "agent/agent.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"

#define FCA_STOP_CHECK_MS   20
#define FCA_STOP_HURRY_MS   20000       /* then VMs are killed */
#define FCA_STOP_GIVEUP_MS  30000
#define FCA_STOP_KEYS_MS    3000        /* for etcd and Redis at the end */

/* The proxy goes first, with all its routes: what lingers ends now. */
static void
fca_agent_hurry(fca_t *agent, const char *why)
{
    if (agent->hurried || agent->phase != FCA_STOP_VMS) {
        return;
    }

    agent->hurried = 1;
    fca_log(FCF_LOG_WARN, NULL, "%s: VMs are killed", why);

    fca_routes_free(agent->all.routes);
    agent->all.routes = NULL;
    fca_instances_stop(&agent->all, 1);
}

static void
fca_agent_stop(fca_t *agent)
{
    if (agent->phase != FCA_RUNNING) {
        fca_agent_hurry(agent, "told to stop again");
        return;
    }

    fca_log(FCF_LOG_INFO, NULL, "stopping: %d VMs", agent->capacity.vms);
    fca_notify_stopping(&agent->notify);

    agent->phase = FCA_STOP_VMS;
    agent->stop_since = fca_now(&agent->loop);
    fca_jobs_stop(agent->jobs);
    fca_node_changed(agent->node);
    fca_instances_stop(&agent->all, 0);
    agent->loop.timer_set(agent->stop_timer, 0);
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

/* Looks, a few times a second, how far the end has come. */
static void
fca_agent_stop_check(void *arg)
{
    fca_t     *agent = arg;
    uint64_t   ms;

    ms = fca_now(&agent->loop) - agent->stop_since;

    if (agent->phase == FCA_STOP_VMS) {
        if (ms >= FCA_STOP_HURRY_MS) {
            fca_agent_hurry(agent, "the end takes too long");
        }

        if ((TAILQ_EMPTY(&agent->all.list)
             && ((fca_jobs_stopped(agent->jobs)
                  && !fca_keyring_pending(agent->all.keyring))
                 || ms >= FCA_STOP_KEYS_MS))
            || ms >= FCA_STOP_GIVEUP_MS)
        {
            agent->phase = FCA_STOP_KEYS;
            agent->stop_since = fca_now(&agent->loop);
            ms = 0;
            fca_jobs_leave(agent->jobs);
            fca_failures_stop(agent->all.failures);
            fca_node_stop(agent->node);
        }
    }

    if (agent->phase == FCA_STOP_KEYS
        && (ms >= FCA_STOP_KEYS_MS
            || (fca_jobs_left(agent->jobs)
                && fca_failures_stopped(agent->all.failures)
                && fca_node_stopped(agent->node))))
    {
        agent->phase = FCA_STOPPED;
        uv_stop(&agent->uv);
        return;
    }

    agent->loop.timer_set(agent->stop_timer, FCA_STOP_CHECK_MS);
}

static void
fca_agent_signal(uv_signal_t *handle, int signo)
{
    fca_log(FCF_LOG_INFO, NULL, "signal %d", signo);
    fca_agent_stop(handle->data);
}

int
fca_agent_stop_init(fca_t *agent, fcf_err_t *err)
{
    uv_signal_init(&agent->uv, &agent->sigterm);
    uv_signal_init(&agent->uv, &agent->sigint);
    agent->sigterm.data = agent->sigint.data = agent;

    if (uv_signal_start(&agent->sigterm, fca_agent_signal, SIGTERM) != 0
        || uv_signal_start(&agent->sigint, fca_agent_signal, SIGINT) != 0)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "signals");
    }

    agent->stop_timer = agent->loop.timer_new(&agent->loop,
                                              fca_agent_stop_check, agent);
    if (agent->stop_timer == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    return fca_notify_init(&agent->notify, &agent->loop, err);
}
