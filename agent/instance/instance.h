/*
 * One VM's life, from a job to nothing left of it.  States, events and what
 * happens on each are in instance_table.c; each state's work in
 * instance_claim.c (slot), instance_boot.c (network to ready),
 * instance_serve.c (registered, draining) and instance_stop.c (the way
 * back); instance_put.c keeps its keys in etcd.
 */

#ifndef _FCA_INSTANCE_H_INCLUDED_
#define _FCA_INSTANCE_H_INCLUDED_

#include "agent/agent.h"
#include "agent/vmm/image.h"
#include "agent/store/jobs.h"

/* Takes capacity and a port; the job is the instance's from then on.  On
 * failure nothing was taken. */
int fca_instance_new(fca_t *agent, fca_job_t *job, const fcf_spec_t *spec,
    int declared, const fca_images_t *images, fcf_err_t *err) fcf_must_check;

/* an instance of this function and request is on its way up */
int fca_instance_boots(fca_t *agent, const char *function_id,
    const char *request_id);
/* An idle instance of this function and version that was being drained
 * serves again: 1; 0 if there is none. */
int fca_instance_revive(fca_t *agent, const char *function_id,
    int64_t version);
/* those that will need an address and have none yet */
unsigned fca_instances_without_nic(fca_t *agent);

/* the node has a new lease: all keys are put again */
void fca_instances_put(fca_t *agent);
/* the function's spec came, changed or went */
void fca_instances_spec(fca_t *agent, const char *function_id);
/* the agent ends: what boots is given up and its job given back, what serves
 * is drained; hurry: killed */
void fca_instances_stop(fca_t *agent, int hurry);
/* SIGKILL for every VMM that there still is; the process is about to end */
void fca_instances_abandon(fca_t *agent);

/* Deletions that etcd has not taken yet (after an instance's end, too). */
int fca_unputs_pending(const fca_t *agent);
void fca_unputs_free(fca_t *agent);

#endif /* _FCA_INSTANCE_H_INCLUDED_ */
