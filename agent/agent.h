/*
 * The agent as a whole: what its parts share.  Private to agent/'s control
 * side; everything here belongs to the control thread.
 */

#ifndef _FCA_AGENT_H_INCLUDED_
#define _FCA_AGENT_H_INCLUDED_

#include "agent/base/notify.h"
#include "agent/instance/instance.h"

#define FCA_VERSION         "0.1.0"

typedef enum { FCA_RUNNING = 0, FCA_STOP_VMS, FCA_STOP_KEYS, FCA_STOPPED }
    fca_phase_e;

typedef struct {
    fca_conf_t            conf;
    uv_loop_t             uv;
    fcf_loop_t            loop;
    uv_signal_t           sigterm, sigint;
    fcf_timer_t          *stop_timer;

    fca_state_t           state;
    fca_capacity_t        capacity;
    fca_pool_t            ports;
    fca_notify_t          notify;

    fcf_http_t           *http;
    fcf_etcd_t           *etcd;
    fcf_redis_t          *redis;
    fca_vmm_conf_t        vmm;

    fca_node_t           *node;
    fca_jobs_t           *jobs;
    fca_instances_t       all;          /* with network, proxy, specs, ... */

    fca_phase_e           phase;
    uint64_t              stop_since;
    int                   hurried;      /* VMs are killed */
    int                   announced;    /* READY was said */
    int                   status;       /* of the process */
} fca_t;

/* Runs the agent until it is told to stop; the process's exit status. */
int fca_agent_run(fca_conf_t *conf);

#endif /* _FCA_AGENT_H_INCLUDED_ */
