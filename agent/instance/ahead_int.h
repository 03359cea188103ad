/* What ahead.c, which chooses, and ahead_life.c, one's life, share. */

#ifndef _FCA_AHEAD_INT_H_INCLUDED_
#define _FCA_AHEAD_INT_H_INCLUDED_

#include "agent/instance/ahead.h"

struct fca_ahead_s {
    LIST_ENTRY(fca_ahead_s)  link;
    fca_instances_t         *all;
    fca_snap_id_t            id;
    fca_snap_origin_t        origin;    /* of the snapshot that it loads */
    int64_t                  generation;
    uint64_t                 number;
    char                     worker_id[FCF_WORKER_ID_MAX + 1];
    fca_log_ctx_t            log;
    uint32_t                 uid;       /* of the pool; 0: none */
    int                      memory_mb; /* all that it may take */
    fca_vmm_t               *vmm;
    fca_nic_e                nic_state;
    fca_nic_t                nic;       /* held: its snapshot is loaded, or
                                           about to be */
    unsigned                 there:1;   /* its API answers */
    unsigned                 loaded:1;
    unsigned                 ending:1;
    unsigned                 exited:1;
};

/* One more in the list, if that can be; *snap is copied. */
void fca_ahead_start(fca_instances_t *all, const fca_ahead_want_t *want,
    const fca_snap_t *snap);
/* there is memory for a guest that is nobody's */
int fca_ahead_may_load(const fca_ahead_t *a);
/* one that waits without a guest gets one, or waits on where that cannot be */
void fca_ahead_load(fca_ahead_t *a);
/* It goes: out of the list once nothing is left of it, later than this call
 * returns.  Once more is as well. */
void fca_ahead_end(fca_ahead_t *a);

#endif /* _FCA_AHEAD_INT_H_INCLUDED_ */
