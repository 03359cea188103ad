/*
 * The agent as a whole: what its parts share.  Private to agent/'s control
 * side; everything here belongs to the control thread.
 */

#ifndef _FCA_AGENT_H_INCLUDED_
#define _FCA_AGENT_H_INCLUDED_

#include "agent/admin/admin.h"
#include "agent/base/dir.h"
#include "agent/base/notify.h"
#include "agent/base/signals.h"
#include "agent/functions.h"
#include "agent/lines.h"
#include "agent/health.h"
#include "agent/instance/adopt.h"
#include "agent/limits.h"
#include "agent/orders.h"

typedef enum { FCA_RUNNING = 0, FCA_HANDING_OVER, FCA_STOP_VMS,
               FCA_STOP_KEYS, FCA_STOPPED } fca_phase_e;

typedef struct {
    fca_conf_t            conf;
    uv_loop_t             uv;
    fcf_loop_t            loop;
    fca_signals_t        *signals;
    fcf_timer_t          *stop_timer;

    fca_state_t           state;
    fca_run_dir_t         run;
    fca_capacity_t        capacity;
    fca_pool_t            ports;
    fca_limits_t          limits;
    fca_notify_t          notify;

    fcf_http_t           *http;
    fca_cache_t          *cache;        /* of images */
    fcf_timer_t          *sweep;        /* of those that nothing names */
    unsigned              sweep_part;   /* whose turn it is; 0: none is under
                                           way */
    int                   sweep_wanted;
    fcf_etcd_t           *etcd;
    fcf_redis_t          *redis;
    fca_vmm_conf_t        vmm;
    char                  vmm_version[FCA_VMM_VERSION_MAX];

    fca_node_t           *node;
    fca_jobs_t           *jobs;
    fca_health_t         *health;
    fca_instances_t       all;          /* with network, routes, specs, ... */

    fca_functions_t       functions;
    fca_lines_t          *lines;
    fca_admin_t          *admin;        /* NULL: none is wanted */
    fca_orders_t         *orders;
    fca_legacy_t         *legacy;       /* until it is adopted */

    int                   draining;     /* no jobs, until told to resume */
    fca_phase_e           phase;
    int                   proxy_ends;   /* and is waited for */
    uint64_t              stop_since;
    uint64_t              empty_since;  /* loop ms, of the end; 0: not yet */
    int                   hurried;      /* VMs are killed */
    int                   announced;    /* READY was said */
    int                   status;       /* of the process */
} fca_t;

/* Runs the agent until it is told to stop; the process's exit status. */
int fca_agent_run(fca_conf_t *conf);

/* agent_legacy.c */
/* The lease that an earlier agent held lives a while longer: before anything
 * slow. */
void fca_agent_keep_lease(fca_t *agent);
/* what an earlier agent left is found, and ended where it cannot go on; and
 * the guests' network */
int fca_agent_open_host(fca_t *agent, fcf_err_t *err) fcf_must_check;
void fca_agent_adopt(fca_t *agent);

/* agent_reload.c: on SIGHUP */
void fca_agent_reload(fca_t *agent);

/* agent_stop.c */
/* SIGTERM and SIGINT begin the end from now on; SIGHUP has the settings read
 * again. */
int fca_agent_stop_init(fca_t *agent, fcf_err_t *err);
/* arg: the agent.  Said why already: it stops, with a status that says so. */
void fca_agent_fatal(void *arg);
/* arg: the agent.  It takes no jobs and ends its VMs, or takes them again. */
void fca_agent_drain(void *arg, int draining);

#endif /* _FCA_AGENT_H_INCLUDED_ */
