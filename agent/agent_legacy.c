/* What an earlier run of the agent left behind, met when this one begins. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "agent/agent_int.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/host.h"
#include "agent/instance/record.h"

/* etcd is asked to keep the lease before anything slow is done, and waited
 * for only so long */
#define FCA_KEEP_MS  1000
/* more at once have the processors to wait for, not the kernel's lock */
#define FCA_TAPS_AHEAD  4

typedef struct {
    fcf_etcd_call_t  *call;             /* NULL: answered */
    int               late;
} fca_keep_t;

static void
fca_legacy_kept(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_keep_t  *keep = arg;

    (void) reply;
    (void) err;                 /* the node asks again, and for ever */
    keep->call = NULL;
}

static void
fca_legacy_late(void *arg)
{
    fca_keep_t  *keep = arg;

    keep->late = 1;
}

void
fca_agent_keep_lease(fca_t *agent)
{
    int64_t       lease;
    fca_keep_t    keep = { NULL, 0 };
    fcf_loop_t   *loop = &agent->loop;
    fcf_timer_t  *limit;

    if (!agent->conf.adopt
        || fca_state_leases_load(&agent->state, &lease, 1) == 0)
    {
        return;
    }

    limit = loop->timer_new(loop, fca_legacy_late, &keep);
    if (limit == NULL) {
        return;
    }

    keep.call = fcf_etcd_lease_keepalive(agent->etcd, lease, fca_legacy_kept,
                                         &keep);
    loop->timer_set(limit, FCA_KEEP_MS);

    while (keep.call && !keep.late) {
        uv_run(&agent->uv, UV_RUN_ONCE);
    }

    if (keep.call) {
        fcf_etcd_cancel(keep.call);
    }

    loop->timer_free(limit);
}

/* "<node_id>-<n>": ours, and ended.  1: another node's, which stays. */
static int
fca_legacy_strange(void *arg, const fca_vmm_left_t *left)
{
    size_t        n;
    const fca_t  *agent = arg;

    n = strlen(agent->conf.node_id);

    if (strncmp(left->worker_id, agent->conf.node_id, n) == 0
        && left->worker_id[n] == '-'
        && strchr(left->worker_id + n + 1, '-') == NULL)
    {
        return 0;
    }

    if (left->pidfd >= 0) {
        close(left->pidfd);
    }

    return 1;
}

/* run_dir was another: no VM of today's is reached by the paths there */
static int
fca_legacy_elsewhere(fca_t *agent, fcf_err_t *err)
{
    int             n = 0;
    fcf_err_t       why;
    fca_run_dir_t  *run = &agent->run;

    if (run->before) {
        n = fca_vmm_reclaim(run->before, fca_legacy_strange, agent, err);
    }

    if (n > 0) {
        fca_log(FCF_LOG_WARN, NULL, "ended %d VMs in %s, which was run_dir",
                n, run->before);
    }

    if (n < 0) {
        return -1;
    }

    /* without it the next one looks there again */
    if (fca_run_dir_note(run, agent->conf.run_dir, &agent->state, &why) != 0) {
        fca_log(FCF_LOG_WARN, NULL, "where VMs are is not noted: %s",
                why.msg);
    }

    return 0;
}

/* ends what is not gone on with */
static int
fca_legacy_reclaim(fca_t *agent, fcf_err_t *err)
{
    int  n;

    n = fca_vmm_reclaim(agent->conf.run_dir,
                        agent->legacy ? fca_legacy_keep : NULL,
                        agent->legacy, err);

    if (n > 0) {
        fca_log(FCF_LOG_WARN, NULL, "ended %d VMs that a killed agent left",
                n);
    }

    return n < 0 ? -1 : fca_legacy_elsewhere(agent, err);
}

static int
fca_legacy_net(fca_t *agent, fcf_err_t *err)
{
    fca_net_conf_t  conf;

    fca_host_net(&conf, &agent->conf);
    conf.ahead = FCA_TAPS_AHEAD;
    conf.lost = fca_agent_nic_lost;
    conf.arg = agent;
    conf.keep = fca_legacy_nics(agent->legacy);
    conf.nkeep = fca_legacy_count(agent->legacy);

    agent->all.net = fca_net_open(&agent->uv, &conf, err);

    return agent->all.net ? 0 : fcf_err_wrap(err, "network");
}

/* A network that cannot be had with what goes on, since the records do not
 * tell the truth, is had without it. */
int
fca_agent_open_host(fca_t *agent, fcf_err_t *err)
{
    fcf_err_t  why;

    if (fca_boot_id(agent->all.boot_id, err) != 0) {
        return -1;
    }

    if (agent->conf.adopt) {
        agent->legacy = fca_legacy_new(agent->conf.node_id, err);
        if (agent->legacy == NULL) {
            return -1;
        }
    }

    if (fca_legacy_reclaim(agent, err) != 0) {
        return -1;
    }

    if (fca_legacy_net(agent, &why) == 0) {
        return 0;
    }

    if (fca_legacy_count(agent->legacy) == 0) {
        *err = why;
        return -1;
    }

    fca_log(FCF_LOG_ERROR, NULL, "no VM of the earlier run can go on: %s",
            why.msg);
    fca_legacy_free(agent->legacy);
    agent->legacy = NULL;

    return fca_legacy_reclaim(agent, err) != 0
           || fca_legacy_net(agent, err) != 0 ? -1 : 0;
}

void
fca_agent_adopt(fca_t *agent)
{
    if (agent->legacy) {
        fca_legacy_adopt(agent->legacy, &agent->all, agent->jobs);
        fca_legacy_free(agent->legacy);
        agent->legacy = NULL;

        /* what is declared may have been told before they were met */
        if (fca_specs_known(agent->all.specs)) {
            fca_instances_specs(&agent->all);
        }
    }

    if (agent->draining) {      /* it was told so before they were met */
        fca_instances_stop(&agent->all, 0);
    }
}
