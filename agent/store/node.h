/*
 * This node in etcd: its lease, kept alive, and /workers/<node_id>, created
 * only if absent: at the start a key that another agent holds for longer than a
 * lease lives ends this one.  Afterwards nothing that somebody writes there
 * does: a lost lease is replaced, the key put again, and the agent told, for
 * ever.
 */

#ifndef _FCA_NODE_H_INCLUDED_
#define _FCA_NODE_H_INCLUDED_

#include "agent/base/state.h"
#include "client/fcf_etcd.h"

typedef struct fca_node_s  fca_node_t;

typedef struct {
    fcf_loop_t   *loop;
    fcf_etcd_t   *etcd;
    fca_state_t  *state;                /* notes the lease */
    const char   *prefix, *node_id;
} fca_node_conf_t;

typedef struct {
    /* what to put, malloc'd; NULL: out of memory */
    char  *(*value)(void *arg);
    /* a lease, and our key is put: each time */
    void   (*live)(void *arg);
    /* somebody else holds the key; that was said */
    void   (*fatal)(void *arg);
    /* A key under the lease of the last life: is it a VM's that goes on?  If
     * not, it is deleted.  NULL: that lease is not kept but revoked. */
    int    (*owns)(void *arg, const fcf_key_t *key);
    void    *arg;
} fca_node_handler_t;

fca_node_t *fca_node_new(const fca_node_conf_t *conf,
    const fca_node_handler_t *handler, fcf_err_t *err);
/* keeps or revokes the lease that the last life left, then goes for one if it
 * has none */
void fca_node_start(fca_node_t *node);
/* drops everything on the spot, calls nothing */
void fca_node_free(fca_node_t *node);

/* 0: none at present, or the key is not ours yet */
int64_t fca_node_lease(const fca_node_t *node);
/* since the lease was last known to live, in ms; -1: there is none */
int64_t fca_node_lease_age(const fca_node_t *node);
/* how many leases there were */
uint64_t fca_node_leases(const fca_node_t *node);
/* a put under the lease was refused: find out now whether it lives */
void fca_node_doubt(fca_node_t *node);
/* capacity or state changed: the key is put again soon */
void fca_node_changed(fca_node_t *node);
/* What stands there now; NULL: nothing.  What is not ours is replaced. */
void fca_node_seen(fca_node_t *node, const fcf_kv_t *kv);

/* Revokes the lease.  True when that is done or cannot be. */
void fca_node_stop(fca_node_t *node);
int fca_node_stopped(const fca_node_t *node);

#endif /* _FCA_NODE_H_INCLUDED_ */
