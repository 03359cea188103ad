/* The agent's start. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent_int.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/host.h"
#include "agent/status.h"

#define FCA_PORT_REST_MS    2000

static void
fca_agent_log(fcf_log_e level, const char *msg)
{
    fca_log(level, NULL, "%s", msg);
}

/* what was there before this run, and keeps it from being lost */
static int
fca_agent_open_state(fca_t *agent, fcf_err_t *err)
{
    fcf_etcd_conf_t    etcd;
    const fca_conf_t  *conf = &agent->conf;

    if (fca_capacity_init(&agent->capacity, conf->cpu_overcommit,
                          conf->memory_reserve_mb, conf->max_vms,
                          conf->max_boots, err) != 0
        || fca_state_open(&agent->state, conf->state_dir, err) != 0
        || fca_run_dir_open(&agent->run, conf->run_dir, &agent->state, err)
           != 0
        || fca_state_async(&agent->state, &agent->uv, err) != 0
        || fca_pool_init(&agent->ports, (uint32_t) conf->port_first,
                         (uint32_t) conf->port_last,
                         agent->state.next / FCA_STATE_BLOCK,
                         FCA_PORT_REST_MS, err) != 0)
    {
        return -1;
    }

    fca_host_etcd(&etcd, conf);
    agent->etcd = fcf_etcd_new(&agent->loop, &etcd, err);
    if (agent->etcd == NULL) {
        return -1;
    }

    fca_agent_keep_lease(agent);

    return 0;
}

static int
fca_agent_open_redis(fca_t *agent, fcf_err_t *err)
{
    const fca_conf_t    *conf = &agent->conf;
    fcf_redis_conf_t     redis;
    fca_jobs_conf_t      jobs = {
        .loop = &agent->loop, .redis_conf = &redis,
        .specs = agent->all.specs, .prefix = conf->prefix,
        .node_id = conf->node_id, .adopt = conf->adopt,
    };
    fca_jobs_handler_t   handler = { fca_agent_ready, fca_agent_room,
                                     fca_agent_place, agent };

    fca_host_redis(&redis, conf);
    agent->redis = jobs.redis = fcf_redis_new(&agent->loop, &redis, err);
    if (agent->redis == NULL) {
        return -1;
    }

    redis.quiet = 1;
    agent->jobs = fca_jobs_new(&jobs, &handler, err);

    return agent->jobs ? 0 : -1;
}

static int
fca_agent_open_etcd(fca_t *agent, fcf_err_t *err)
{
    fca_instances_t      *all = &agent->all;
    const fca_conf_t     *conf = &agent->conf;
    fca_failures_conf_t   failures = { &agent->loop, NULL, conf->prefix,
                                       conf->node_id };
    fca_node_conf_t       node = { &agent->loop, NULL, &agent->state,
                                   conf->prefix, conf->node_id };
    fca_node_handler_t    on_node = { fca_agent_worker, fca_agent_live,
                                      fca_agent_fatal, NULL, agent };
    fca_keyring_conf_t    ring = { &agent->loop, NULL, NULL, conf->prefix };
    fca_specs_handler_t   on_specs = { fca_agent_spec, fca_agent_node,
                                       fca_agent_specs, agent };

    if (conf->adopt) {
        on_node.owns = fca_agent_owns;
    }

    failures.etcd = node.etcd = ring.etcd = all->etcd = agent->etcd;

    if ((all->failures = fca_failures_new(&failures, err)) == NULL
        || (agent->node = fca_node_new(&node, &on_node, err)) == NULL)
    {
        return -1;
    }

    ring.node = agent->node;

    if ((all->keyring = fca_keyring_new(&ring, err)) == NULL
        || (all->specs = fca_specs_new(agent->etcd, conf->prefix, &on_specs,
                                       err)) == NULL)
    {
        return -1;
    }

    return 0;
}

/* which also bound what this node can promise */
static int
fca_agent_open_limits(fca_t *agent, fcf_err_t *err)
{
    fca_bounds_t  bounds;

    if (fca_limits_open(&agent->limits, &agent->conf, err) != 0) {
        return -1;
    }

    agent->capacity.vm_pids = FCA_VMM_PIDS;
    fca_host_bounds(&bounds, agent->limits.cgroups);
    (void) fca_capacity_look(&agent->capacity, &bounds);

    return 0;
}

/* Only now is there something to register for. */
static void
fca_agent_proxy_up(void *arg)
{
    fca_t  *agent = arg;

    if (agent->phase == FCA_HANDING_OVER) {
        return;                 /* all of it is the next one's */
    }

    if (agent->phase == FCA_RUNNING) {
        fca_agent_adopt(agent);
    }

    fca_routes_settle(agent->all.routes);

    if (agent->phase == FCA_RUNNING) {
        fca_node_start(agent->node);
    }
}

static void
fca_agent_proxy_ended(void *arg)
{
    fca_t  *agent = arg;

    agent->proxy_ends = 0;
}

static int
fca_agent_open_snaps(fca_t *agent, fcf_err_t *err)
{
    char  dir[PATH_MAX];

    if (fca_dir_path(dir, sizeof(dir), "state_dir", agent->conf.state_dir,
                     "snapshots", err) != 0)
    {
        return -1;
    }

    fca_snaps_cpu(agent->all.cpu_model, sizeof(agent->all.cpu_model));
    agent->all.snaps = fca_snaps_new(&agent->uv, dir,
                                     (uint64_t) agent->conf.snapshots_mb
                                     << 20, err);

    return agent->all.snaps ? 0 : -1;
}

static int
fca_agent_open_lines(fca_t *agent, fcf_err_t *err)
{
    const fca_conf_t  *conf = &agent->conf;
    fca_lines_conf_t   lines = {
        .each = (size_t) conf->log_kb << 10,
        .all = (size_t) conf->log_mb << 20,
        .age_ms = (int64_t) conf->log_hours * 3600 * 1000,
    };

    agent->lines = fca_lines_new(&lines, fca_unix_ms(), err);

    return agent->lines ? 0 : -1;
}

static int
fca_agent_open_vms(fca_t *agent, fcf_err_t *err)
{
    fca_instances_t   *all = &agent->all;
    const fca_conf_t  *conf = &agent->conf;
    fca_routes_conf_t  routes;
    char               dir[PATH_MAX];

    agent->http = fcf_http_new(&agent->loop, err);
    if (agent->http == NULL || fca_agent_open_lines(agent, err) != 0) {
        return -1;
    }

    if (fca_agent_open_images(agent, err) != 0) {
        return -1;
    }

    if (fca_dir_path(dir, sizeof(dir), "state_dir", conf->state_dir,
                     "runtimes", err) != 0
        || (all->looker = fca_looker_new(&agent->uv, conf, agent->cache, dir,
                                         err)) == NULL)
    {
        return -1;
    }

    if (conf->snapshots && fca_agent_open_snaps(agent, err) != 0) {
        return -1;
    }

    fca_host_vmm(&agent->vmm, conf, &agent->uv);
    agent->vmm.version = agent->vmm_version;
    agent->vmm.http = agent->http;
    agent->vmm.cgroups = agent->limits.cgroups;
    agent->vmm.jail = agent->limits.jail;

    all->conf = conf;
    all->loop = &agent->loop;
    all->state = &agent->state;
    all->capacity = &agent->capacity;
    all->ports = &agent->ports;
    all->uids = agent->limits.jail ? &agent->limits.uids : NULL;
    all->vmm = &agent->vmm;
    all->changed = fca_agent_changed;
    all->said = fca_agent_vm_said;
    all->ended = fca_agent_vm_ended;
    all->closed = fca_agent_route_closed;
    all->failed = fca_agent_failed;
    all->well = fca_agent_well;
    all->doubt = fca_agent_doubt;
    all->arg = agent;

    fca_host_routes(&routes, conf, &agent->loop, &agent->uv);
    routes.up = fca_agent_proxy_up;
    routes.ended = fca_agent_proxy_ended;
    routes.arg = agent;
    all->routes = fca_routes_new(&routes, err);
    if (all->routes == NULL) {
        return -1;
    }

    agent->health = fca_health_new(all, fca_agent_health, agent, err);

    return agent->health ? 0 : -1;
}

static const char *
fca_agent_state(void *arg)
{
    const fca_t  *agent = arg;

    return agent->phase != FCA_RUNNING ? "stopping"
           : agent->draining ? "draining"
           : agent->announced ? "ready" : "starting";
}

static unsigned
fca_agent_vms(void *arg)
{
    const fca_t  *agent = arg;

    return (unsigned) (agent->capacity.vms
                       + (int) fca_legacy_count(agent->legacy));
}

/* without it (a full disk, say) the agent runs as well */
static void
fca_agent_open_orders(fca_t *agent)
{
    fcf_err_t             err;
    fca_orders_handler_t  handler = { fca_agent_drain, fca_agent_state,
                                      fca_agent_vms, agent };

    agent->orders = fca_orders_new(&agent->loop, agent->conf.state_dir,
                                   &handler, &err);
    if (agent->orders == NULL) {
        fca_log(FCF_LOG_WARN, NULL, "no orders are taken: %s", err.msg);
    }
}

/* VMs that cannot be ended: no loop can run any more that would tell them
 * something, so nothing is taken apart either.  The next start reclaims. */
static void
fca_agent_give_up(fca_t *agent)
{
    if (TAILQ_EMPTY(&agent->all.list) && LIST_EMPTY(&agent->all.ahead)) {
        return;
    }

    fca_instances_abandon(&agent->all);
    fca_log(FCF_LOG_ERROR, NULL, "some VMs did not end; the next start "
            "reclaims them");
    _exit(1);
}

static void
fca_agent_close(fca_t *agent)
{
    fca_admin_free(agent->admin);
    fca_specs_free(agent->all.specs);
    fca_node_free(agent->node);
    fca_failures_free(agent->all.failures);
    fca_keyring_free(agent->all.keyring);

    if (agent->redis) {
        fcf_redis_free(agent->redis);
    }

    fca_jobs_free(agent->jobs);
    fca_health_free(agent->health);

    agent->proxy_ends |= fca_routes_free(agent->all.routes);
    fca_looker_free(agent->all.looker);
    fca_agent_close_images(agent);
    fca_snaps_free(agent->all.snaps);

    if (agent->etcd) {
        fcf_etcd_free(agent->etcd);
    }

    if (agent->http) {
        fcf_http_free(agent->http);
    }

    if (agent->all.net) {
        fca_net_close(agent->all.net, 1);
    }

    fca_functions_free(&agent->functions);
    fca_lines_free(agent->lines);
    fca_legacy_free(agent->legacy);
    fca_orders_free(agent->orders);
    fca_notify_free(&agent->notify);

    if (agent->stop_timer) {
        agent->loop.timer_free(agent->stop_timer);
    }

    fca_pool_free(&agent->ports);

    fca_run_dir_close(&agent->run);

    if (agent->state.dir) {
        fca_state_close(&agent->state);
    }

    fca_signals_free(agent->signals);

    while (agent->proxy_ends) {
        uv_run(&agent->uv, UV_RUN_ONCE);
    }

    fca_loop_end(&agent->uv);
    fca_limits_close(&agent->limits);
}

static void
fca_agent_say_open(const fca_conf_t *conf)
{
    if (conf->nallow == 0 && conf->token == NULL) {
        fca_log(FCF_LOG_WARN, NULL, "neither allow nor token_file is set: "
                "who reaches a VM's port is served, so they are opened on "
                "loopback alone");
    }
}

int
fca_agent_run(fca_conf_t *conf)
{
    fca_t      agent;
    fcf_err_t  err;

    memset(&agent, 0, sizeof(agent));
    agent.conf = *conf;
    agent.run.lock = agent.run.before_lock = -1;
    TAILQ_INIT(&agent.all.list);
    fca_functions_init(&agent.functions);

    if (uv_loop_init(&agent.uv) != 0) {
        fca_log(FCF_LOG_ERROR, NULL, "no event loop");
        return 1;
    }

    fca_loop_init(&agent.loop, &agent.uv, fca_agent_log);

    if (fca_agent_stop_init(&agent, &err) != 0
        || fca_agent_open_state(&agent, &err) != 0
        || fca_agent_open_host(&agent, &err) != 0
        || fca_agent_open_limits(&agent, &err) != 0
        || fca_agent_open_vms(&agent, &err) != 0
        || fca_agent_open_etcd(&agent, &err) != 0
        || fca_agent_open_redis(&agent, &err) != 0
        || fca_status_open(&agent, &err) != 0)
    {
        fca_log(FCF_LOG_ERROR, NULL, "cannot start: %s", err.msg);
        agent.status = 1;

    } else {
        fca_log(FCF_LOG_INFO, NULL, "fcfaas-agent %s starts", FCF_VERSION);
        fca_agent_say_open(conf);
        fca_agent_open_orders(&agent);
        uv_run(&agent.uv, UV_RUN_DEFAULT);
        fca_agent_give_up(&agent);
        fca_log(FCF_LOG_INFO, NULL, "stopped");
    }

    fca_agent_close(&agent);
    *conf = agent.conf;         /* some of it may be another's memory now */

    return agent.status;
}
