/* What this node can still give to VMs.  Plain accounting: what was taken for
 * a VM is given back when nothing of it is left. */

#ifndef _FCA_CAPACITY_H_INCLUDED_
#define _FCA_CAPACITY_H_INCLUDED_

#include "contract/fcf_err.h"

typedef struct {
    int       cpu, memory_mb, max_vms, max_boots;       /* the limits */
    int       cpu_used, memory_mb_used, vms, boots;
    int       host_mb;                  /* MemAvailable as last looked at; -1:
                                           not known */
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

/* How much the host really has left, whoever uses it: of meminfo, a file like
 * /proc/meminfo (proc(5)).  The reserve is for what the host uses, which is
 * out of it already.  A file that cannot be read bounds nothing. */
void fca_capacity_look(fca_capacity_t *c, const char *meminfo);

fca_fit_e fca_capacity_fit(const fca_capacity_t *c, int cpu, int memory_mb);
/* a VM that begins to boot; it must fit */
void fca_capacity_take(fca_capacity_t *c, int cpu, int memory_mb);
/* one that boots or has booted already, whether it fits or not */
void fca_capacity_adopt(fca_capacity_t *c, int cpu, int memory_mb);
void fca_capacity_booted(fca_capacity_t *c);
void fca_capacity_give(fca_capacity_t *c, int cpu, int memory_mb);

#endif /* _FCA_CAPACITY_H_INCLUDED_ */
