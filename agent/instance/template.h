/*
 * The template of a snapshot: a VM that is booted for it, with the images of
 * one that serves, and never registered.  One at a time, and only where there
 * is room for it; nothing of it outlives the agent.
 */

#ifndef _FCA_TEMPLATE_H_INCLUDED_
#define _FCA_TEMPLATE_H_INCLUDED_

#include <inttypes.h>
#include "agent/instance/instance_int.h"
#include "agent/vmm/guest_config.h"
#include "agent/vmm/vmm_ask.h"

#define FCA_TEMPLATE_STATES(X)                                              \
    X(LOOKING,   "looking",   10000)                                        \
    X(NETWORK,   "network",   10000)                                        \
    X(SPAWN,     "spawn",     15000)                                        \
    X(CONFIGURE, "configure", 15000)                                        \
    X(BOOT,      "boot",      0)        /* the spec's: until it is asked */ \
    X(SETTLE,    "settle",    300)      /* what the asking left behind */   \
    X(SAVE,      "save",      60000)                                        \
    X(KEEP,      "keep",      120000)   /* copied, digested, synced */      \
    X(END,       "end",       15000)                                        \
    X(GONE,      "gone",      1)

typedef enum {
#define FCA_X(id, name, ms)  FCA_T_##id,
    FCA_TEMPLATE_STATES(FCA_X)
#undef FCA_X
    FCA_T_N
} fca_template_state_e;

#define FCA_TEMPLATE_EVENTS(X)                                              \
    X(IMAGES)                                                               \
    X(ENV)                                                                  \
    X(NIC)                                                                  \
    X(SPAWNED)                                                              \
    X(CONFIGURED)                                                           \
    X(BOOTED)                                                               \
    X(ASKED)                                                                \
    X(SAVED)                                                                \
    X(KEPT)                                                                 \
    X(FAILED)                                                               \
    X(EXIT)                                                                 \
    X(STEP)                                                                 \
    X(STOP)                                                                 \
    X(TIMEOUT)

typedef enum {
#define FCA_X(id)  FCA_TE_##id,
    FCA_TEMPLATE_EVENTS(FCA_X)
#undef FCA_X
    FCA_TE_N
} fca_template_event_e;

typedef void (*fca_template_pt)(fca_template_t *t, const fcf_err_t *err);

extern const fca_template_pt  fca_template_table[FCA_T_N][FCA_TE_N];

/* one that serves: a snapshot of its version is made, if it is to have one,
 * there is none, and there is room */
void fca_template_consider(fca_instance_t *inst);
/* 1: one is being made of this image */
int fca_template_runs(const fca_instances_t *all, const char *sha256);
/* the agent ends, or is drained */
void fca_template_stop(fca_instances_t *all);
/* SIGKILL, and nothing else: the process is about to end */
void fca_template_abandon(const fca_instances_t *all);

/* what its snapshot would be of; key "": it is to have none */
void fca_inst_snap_id(fca_instance_t *inst, const fca_images_t *images);

#endif /* _FCA_TEMPLATE_H_INCLUDED_ */
