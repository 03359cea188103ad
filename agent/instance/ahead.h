/*
 * VMMs started ahead: one for a version that starts from a snapshot, so that a
 * restore begins with its end.  Each is a process with a directory of its own,
 * and a guest that is loaded and paused, on a NIC outside the bridge; where
 * there is no memory or no address to spare, no guest.  They take nothing of
 * the node's capacity: a start that needs what one has gets it.  There are as
 * many as the setting vmms_ahead says, of the versions that were used last;
 * none outlives the agent.
 */

#ifndef _FCA_AHEAD_H_INCLUDED_
#define _FCA_AHEAD_H_INCLUDED_

#include "agent/instance/instance_int.h"

/* What one is started for; all of it is valid during the call alone. */
typedef struct {
    const fca_snap_id_t  *id;
    const fcf_spec_t     *spec;
    const fca_images_t   *images;
} fca_ahead_want_t;

/* Starts one, if there is a snapshot and none ahead for it; the one that was
 * used longest ago may have to go. */
void fca_ahead_want(fca_instances_t *all, const fca_ahead_want_t *want);
/* the same, but no other goes for it */
void fca_ahead_fill(fca_instances_t *all, const fca_ahead_want_t *want);
/* One that is there for this version, or NULL.  It stays where it is. */
fca_ahead_t *fca_ahead_find(fca_instances_t *all, const char *function_id,
    const fcf_spec_t *spec);
/* it has a guest, and with it a NIC */
int fca_ahead_loaded(const fca_ahead_t *ahead);
/* the instance has its number from now on */
uint64_t fca_ahead_number(const fca_ahead_t *ahead);
/* Process, name, user and NIC are inst's from now on, and inst->ahead says
 * whose they were. */
void fca_ahead_take(fca_ahead_t *ahead, fca_instance_t *inst);
/* the instance's process lives, and is of the snapshot that it is to load */
int fca_ahead_fits(const fca_instance_t *inst);
/* something was given back: those load that could not before */
void fca_ahead_load_more(fca_instances_t *all);
/* What a start needs that those have which are not its own (but, may be NULL):
 * memory is there at once, */
void fca_ahead_yield_memory(fca_instances_t *all, const fca_ahead_t *but,
    int memory_mb);
/* one address in a moment, if there is one: all->changed() tells */
void fca_ahead_yield_nic(fca_instances_t *all, const fca_ahead_t *but);
/* addresses that they have */
unsigned fca_ahead_nics(const fca_instances_t *all);
/* as fca_instances_nic_lost() */
void fca_ahead_nic_lost(fca_instances_t *all, const fca_nic_t *nic);
/* those go whose snapshot is gone */
void fca_ahead_prune(fca_instances_t *all);
/* all of them go; and at once, since the process is about to end */
void fca_ahead_stop(fca_instances_t *all);
void fca_ahead_abandon(const fca_instances_t *all);
unsigned fca_ahead_count(const fca_instances_t *all);

#endif /* _FCA_AHEAD_H_INCLUDED_ */
