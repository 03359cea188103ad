/*
 * Whether this node can start VMs.  Two starts in a row that failed for what
 * may be the host's fault make it doubt itself: it takes no jobs, and checks.
 * So do two functions in a row whose guests ran and did not come up.  If it
 * can start a VM it was the function; else it is ill, says why, and checks
 * again, ever less often.
 */

#ifndef _FCA_HEALTH_H_INCLUDED_
#define _FCA_HEALTH_H_INCLUDED_

#include "agent/instance/instance.h"

typedef struct fca_health_s  fca_health_t;

/* changed: jobs may be taken again, or may not, or illness was told */
fca_health_t *fca_health_new(fca_instances_t *all,
    void (*changed)(void *arg), void *arg, fcf_err_t *err);
void fca_health_free(fca_health_t *health);

/* a start failed, and why; one has come up */
void fca_health_failed(fca_health_t *health, const char *why);
void fca_health_well(fca_health_t *health);
/* a guest ran and did not come up; 1: none has since the last that did not, so
 * that it may as well be this host's fault */
int fca_health_guest(fca_health_t *health, const char *function_id,
    const char *why);

/* jobs may be taken */
int fca_health_good(const fca_health_t *health);
/* NULL: it is not ill */
const char *fca_health_reason(const fca_health_t *health);

/* no more checks; stopped: none is under way */
void fca_health_stop(fca_health_t *health);
int fca_health_stopped(const fca_health_t *health);

#endif /* _FCA_HEALTH_H_INCLUDED_ */
