/* What VMs are held in: control groups, and jails with users of their own. */

#ifndef _FCA_LIMITS_H_INCLUDED_
#define _FCA_LIMITS_H_INCLUDED_

#include "agent/base/conf.h"
#include "agent/base/pool.h"
#include "agent/vmm/vmm_cgroup.h"
#include "agent/vmm/vmm_jail.h"

typedef struct {
    fca_cgroups_t   *cgroups;
    fca_jail_t      *jail;              /* NULL: VMs run without */
    fca_pool_t       uids;              /* counted from jail_uid_first, 1 on */
} fca_limits_t;

/* After the VMs of an earlier life were ended.  Says what there is. */
int fca_limits_open(fca_limits_t *limits, const fca_conf_t *conf,
    fcf_err_t *err) fcf_must_check;
/* also of a zeroed one that was never opened */
void fca_limits_close(fca_limits_t *limits);

/* The two by themselves, for the check, beside which an agent may run: look is
 * 1 there. */
fca_cgroups_t *fca_limits_cgroups(const fca_conf_t *conf, int look,
    fcf_err_t *err);
fca_jail_t *fca_limits_jail(const fca_conf_t *conf, fcf_err_t *err);

#endif /* _FCA_LIMITS_H_INCLUDED_ */
