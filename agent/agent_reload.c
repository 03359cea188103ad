/* SIGHUP: what can be changed while the agent runs. */

#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "agent/base/log.h"

static void
fca_reload_differs(void *arg, const char *name, int taken)
{
    (void) arg;
    fca_log(taken ? FCF_LOG_INFO : FCF_LOG_WARN, NULL,
            taken ? "%s: taken" : "%s: changes when the agent is started "
            "again", name);
}

void
fca_agent_reload(fca_t *agent)
{
    fcf_err_t          err;
    const fca_conf_t  *conf = &agent->conf;

    fca_log(FCF_LOG_INFO, NULL, "reading the settings again");

    if (fca_conf_reload(&agent->conf, fca_reload_differs, agent, &err) != 0
        || fca_capacity_limits(&agent->capacity, conf->cpu_overcommit,
                               conf->memory_reserve_mb, conf->max_vms,
                               conf->max_boots, &err) != 0)
    {
        fca_log(FCF_LOG_ERROR, NULL, "settings not taken: %s", err.msg);
        return;
    }

    fca_log_init(STDERR_FILENO, conf->log_level, conf->node_id);
    fca_routes_access(agent->all.routes, conf->token,
                      conf->token ? strlen(conf->token) : 0, conf->allow,
                      conf->nallow);
    fca_node_changed(agent->node);
    fca_jobs_kick(agent->jobs);
}
