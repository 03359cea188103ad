/* What this node can still give to VMs.  Plain accounting: what was taken for
 * a VM is given back when nothing of it is left; and what the host and its
 * groups leave of that, as last looked at. */

#ifndef _FCA_CAPACITY_H_INCLUDED_
#define _FCA_CAPACITY_H_INCLUDED_

#include "agent/base/bounds.h"

typedef struct {
    int       cpu, memory_mb, max_vms, max_boots;       /* the limits */
    int       cpu_used, memory_mb_used, vms, boots;
    int       overcommit, reserve_mb;
    int       vm_pids;                  /* what one VM may take */
    fca_bounds_t  bounds;
} fca_capacity_t;

typedef enum {
    FCA_FITS = 0,
    FCA_FITS_LATER,             /* something must end first */
    FCA_FITS_NEVER              /* not even on the empty node */
} fca_fit_e;

/* overcommit: vCPUs per CPU; reserve_mb: kept for the host.  Refuses a host
 * that has nothing to give. */
int fca_capacity_init(fca_capacity_t *c, int overcommit, int reserve_mb,
    int max_vms, int max_boots, fcf_err_t *err) fcf_must_check;

/* the same for one in use, which may be over them then */
int fca_capacity_limits(fca_capacity_t *c, int overcommit, int reserve_mb,
    int max_vms, int max_boots, fcf_err_t *err) fcf_must_check;

/* What there is now, whoever uses it.  1: cpu or memory_mb is another. */
int fca_capacity_look(fca_capacity_t *c, const fca_bounds_t *bounds);
/* it forgets what others have left */
void fca_capacity_own(fca_capacity_t *c);

fca_fit_e fca_capacity_fit(const fca_capacity_t *c, int cpu, int memory_mb);
/* MB that nobody has taken; below 0 in a group that is over its limit */
int fca_capacity_memory_left(const fca_capacity_t *c);
/* a VM that begins to boot; it must fit */
void fca_capacity_take(fca_capacity_t *c, int cpu, int memory_mb);
/* one that boots or has booted already, whether it fits or not */
void fca_capacity_adopt(fca_capacity_t *c, int cpu, int memory_mb);
void fca_capacity_booted(fca_capacity_t *c);
void fca_capacity_give(fca_capacity_t *c, int cpu, int memory_mb);

#endif /* _FCA_CAPACITY_H_INCLUDED_ */
