/* What the files of node*.c share. */

#ifndef _FCA_NODE_INT_H_INCLUDED_
#define _FCA_NODE_INT_H_INCLUDED_

#include "agent/store/node.h"

#define FCA_NODE_KEEPALIVE_MS  (FCF_LEASE_TTL_S * 1000 / 3)

typedef enum {
    FCA_NODE_KEEP = 0,          /* the lease of the life before, if it lives */
    FCA_NODE_KEYS,              /* what stands under it and has no VM goes */
    FCA_NODE_REVOKE,            /* or leases of the life before */
    FCA_NODE_GRANT,
    FCA_NODE_CLAIM,             /* the key, if absent */
    FCA_NODE_LIVE,
    FCA_NODE_STOPPING,
    FCA_NODE_STOPPED
} fca_node_step_e;

struct fca_node_s {
    fca_node_conf_t      conf;
    fca_node_handler_t   handler;
    fcf_loop_t          *loop;
    fca_node_step_e      step;
    int64_t              lease;         /* 0: none */
    uint64_t             lease_seen;    /* known to live; loop ms */
    uint64_t             leases;
    fcf_etcd_call_t     *call;          /* of the step */
    fcf_etcd_call_t     *keepalive, *refresh;
    fcf_timer_t         *retry, *keepalive_timer, *refresh_timer;
    unsigned             backoff;
    int64_t              old[FCA_STATE_LEASES_MAX];
    size_t               nold;
    uint64_t             taken_since;   /* another holds the key; 0: no */
    int                  said;          /* this trouble was logged */

    char                *value, *previous;  /* last put, or being put; and
                                               the one before */
    int                  ran;           /* the key was ours once */
    unsigned             quarrels;      /* in a row: others' values replaced */
    uint64_t             quarrel_since;
};

/* node.c: the next step, at once; or the same, after a pause */
void fca_node_goto(fca_node_t *node, fca_node_step_e step);
void fca_node_again(fca_node_t *node, const char *what, const fcf_err_t *err);

/* node_keep.c: KEEP and KEYS */
void fca_node_keep_step(fca_node_t *node);

/* node_key.c */
void fca_node_claim(fca_node_t *node);
void fca_node_refresh(void *arg);

#endif /* _FCA_NODE_INT_H_INCLUDED_ */
