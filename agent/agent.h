/*
 * The agent as a whole: what its parts share.  Private to agent/'s control
 * side; everything here belongs to the control thread.
 */

#ifndef _FCA_AGENT_H_INCLUDED_
#define _FCA_AGENT_H_INCLUDED_

#include <sys/queue.h>
#include "agent/base/capacity.h"
#include "agent/base/conf.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/notify.h"
#include "agent/base/pool.h"
#include "agent/base/state.h"
#include "agent/proxy/proxy.h"
#include "agent/vmm/vmm.h"
#include "contract/fcf_codec.h"
#include "client/fcf_sync.h"

#define FCA_VERSION         "0.1.0"
#define FCA_PORT_REST_MS    60000
#define FCA_BACKOFF_MIN_MS  100
#define FCA_BACKOFF_MAX_MS  2000

typedef struct fca_s           fca_t;
typedef struct fca_specs_s     fca_specs_t;
typedef struct fca_node_s      fca_node_t;
typedef struct fca_jobs_s      fca_jobs_t;
typedef struct fca_failures_s  fca_failures_t;
typedef struct fca_instance_s  fca_instance_t;
typedef struct fca_unput_s     fca_unput_t;

typedef enum { FCA_RUNNING = 0, FCA_STOP_VMS, FCA_STOP_KEYS, FCA_STOPPED }
    fca_phase_e;

struct fca_s {
    fca_conf_t                            conf;
    uv_loop_t                             uv;
    fcf_loop_t                            loop;
    uv_signal_t                           sigterm, sigint;
    fcf_timer_t                          *stop_timer;

    fca_state_t                           state;
    fca_capacity_t                        capacity;
    fca_pool_t                            ports;
    fca_notify_t                          notify;

    fcf_http_t                           *http;
    fcf_etcd_t                           *etcd;
    fcf_redis_t                          *redis;
    fca_net_t                            *net;
    fca_proxy_t                          *proxy;
    fca_vmm_conf_t                        vmm;

    fca_specs_t                          *specs;
    fca_node_t                           *node;
    fca_failures_t                       *failures;
    fca_jobs_t                           *jobs;

    TAILQ_HEAD(, fca_instance_s)          instances;
    TAILQ_HEAD(, fca_unput_s)             unputs;   /* deletions under way */

    fca_phase_e                           phase;
    uint64_t                              stop_since;
    int                                   hurried;      /* VMs are killed */
    int                                   announced;    /* READY was said */
    int                                   status;       /* of the process */
    uint64_t                              illegal;      /* events refused by
                                                           the state table */
};

/* Runs the agent until it is told to stop; the process's exit status. */
int fca_agent_run(fca_conf_t *conf);

void fca_loop_end(uv_loop_t *uv);

/* The value of /workers/<node_id>, malloc'd; NULL: out of memory. */
char *fca_agent_worker(const fca_t *agent);

/* What the parts tell the whole. */
void fca_agent_node_live(fca_t *agent);     /* a lease, and our key is put */
void fca_agent_specs_live(fca_t *agent);    /* the first list is complete */
void fca_agent_fatal(fca_t *agent);         /* said why already: stop */
void fca_agent_vms_changed(fca_t *agent);   /* one more, one less, or booted */

static inline uint64_t
fca_now(fca_t *agent)
{
    return agent->loop.now(&agent->loop);
}

#endif /* _FCA_AGENT_H_INCLUDED_ */
