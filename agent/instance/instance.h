/*
 * One VM's life, from a job to nothing left of it.  States, events and what
 * happens on each are in instance_table.c; each state's work in
 * instance_boot.c (slot to ready), instance_serve.c (registered, draining)
 * and instance_stop.c (the way back); instance_keys.c is what it says to
 * etcd.
 */

#ifndef _FCA_INSTANCE_H_INCLUDED_
#define _FCA_INSTANCE_H_INCLUDED_

#include "agent/base/capacity.h"
#include "agent/base/conf.h"
#include "agent/base/pool.h"
#include "agent/base/state.h"
#include "agent/net/net.h"
#include "agent/proxy/proxy.h"
#include "agent/store/failures.h"
#include "agent/store/jobs.h"
#include "agent/store/keys.h"
#include "agent/vmm/image.h"
#include "agent/vmm/vmm.h"

typedef struct fca_instance_s  fca_instance_t;

/* All instances of this node, and what they live on. */
typedef struct {
    const fca_conf_t              *conf;
    fcf_loop_t                    *loop;
    fca_state_t                   *state;
    fca_capacity_t                *capacity;
    fca_pool_t                    *ports;
    fca_net_t                     *net;
    fca_proxy_t                   *proxy;       /* NULL: it ended, and all
                                                   routes with it */
    const fca_vmm_conf_t          *vmm;
    fca_specs_t                   *specs;
    fca_failures_t                *failures;
    fca_keyring_t                 *keyring;
    /* one more, one less, or one has booted */
    void                         (*changed)(void *arg);
    void                          *arg;

    TAILQ_HEAD(, fca_instance_s)   list;
    uint64_t                       illegal;     /* events refused by the state
                                                   table */
} fca_instances_t;

/* Takes capacity and a port; the job is the instance's from then on.  On
 * failure nothing was taken. */
int fca_instance_new(fca_instances_t *all, fca_job_t *job,
    const fcf_spec_t *spec, int declared, const fca_images_t *images,
    fcf_err_t *err) fcf_must_check;

/* an instance of this function and request is on its way up */
int fca_instance_boots(fca_instances_t *all, const char *function_id,
    const char *request_id);
/* An idle instance of this function and version that was being drained
 * serves again: 1; 0 if there is none. */
int fca_instance_revive(fca_instances_t *all, const char *function_id,
    int64_t version);
/* those that will need an address and have none yet */
unsigned fca_instances_without_nic(fca_instances_t *all);

/* the node has a new lease: all keys are put again */
void fca_instances_put(fca_instances_t *all);
/* the function's spec came, changed or went */
void fca_instances_spec(fca_instances_t *all, const char *function_id);
/* the agent ends: what boots is given up and its job given back, what serves
 * is drained; hurry: killed */
void fca_instances_stop(fca_instances_t *all, int hurry);
/* SIGKILL for every VMM that there still is; the process is about to end */
void fca_instances_abandon(fca_instances_t *all);

#endif /* _FCA_INSTANCE_H_INCLUDED_ */
