/*
 * This node in etcd: its lease, kept alive, and /workers/<node_id>, created
 * only if absent.  A lost lease is replaced, the key put again, and the agent
 * told, for ever; only a key that somebody else holds for longer than a lease
 * lives ends the agent.
 */

#ifndef _FCA_NODE_H_INCLUDED_
#define _FCA_NODE_H_INCLUDED_

#include "agent/agent.h"

fca_node_t *fca_node_new(fca_t *agent, fcf_err_t *err);
/* revokes what a killed agent left, then goes for a lease */
void fca_node_start(fca_node_t *node);
/* drops everything on the spot, calls nothing */
void fca_node_free(fca_node_t *node);

/* 0: none at present, or the key is not ours yet */
int64_t fca_node_lease(const fca_node_t *node);
/* a put under the lease was refused: find out now whether it lives */
void fca_node_doubt(fca_node_t *node);
/* capacity or state changed: the key is put again soon */
void fca_node_changed(fca_node_t *node);

/* Revokes the lease.  True when that is done or cannot be. */
void fca_node_stop(fca_node_t *node);
int fca_node_stopped(const fca_node_t *node);

#endif /* _FCA_NODE_H_INCLUDED_ */
