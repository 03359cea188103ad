/* What the files of agent*.c share: what goes into the tables of callbacks of
 * its parts.  arg is the fca_t. */

#ifndef _FCA_AGENT_INT_H_INCLUDED_
#define _FCA_AGENT_INT_H_INCLUDED_

#include "agent/agent.h"

/* store/specs.h */
void fca_agent_spec(void *arg, const char *function_id);
void fca_agent_specs(void *arg);
void fca_agent_node(void *arg, const char *node_id, const fcf_kv_t *kv);

/* store/node.h */
char *fca_agent_worker(void *arg);
void fca_agent_live(void *arg);
int fca_agent_owns(void *arg, const fcf_key_t *key);

/* store/jobs.h */
int fca_agent_ready(void *arg);
int fca_agent_room(void *arg);
fca_verdict_e fca_agent_place(void *arg, fca_job_t *job);

/* instance/instance.h */
void fca_agent_changed(void *arg);
void fca_agent_vm_said(void *arg, const fca_instance_said_t *said);
void fca_agent_vm_ended(void *arg, const fca_instance_view_t *view);
void fca_agent_route_closed(void *arg, const fca_instance_view_t *view);
void fca_agent_failed(void *arg, const char *why);
void fca_agent_well(void *arg);
int fca_agent_doubt(void *arg, const char *function_id, const char *why);

/* net/net.h */
void fca_agent_nic_lost(void *arg, const fca_nic_t *nic, const fcf_err_t *why);

/* health.h */
void fca_agent_health(void *arg);

/* agent_images.c */
int fca_agent_open_images(fca_t *agent, fcf_err_t *err) fcf_must_check;
/* a spec changed: perhaps one is named no more */
void fca_agent_images_changed(fca_t *agent);
void fca_agent_close_images(fca_t *agent);

#endif /* _FCA_AGENT_INT_H_INCLUDED_ */
