/* Whether this host can start a VM, by starting one: a number, a port, a
 * network device, files, the VMM's process and its API, up to the guest's
 * start, and until it is reached over the bridge.  Nothing is asked of a
 * function. */

#ifndef _FCA_SELFCHECK_H_INCLUDED_
#define _FCA_SELFCHECK_H_INCLUDED_

#include "agent/instance/instance.h"

typedef struct fca_selfcheck_s  fca_selfcheck_t;

/* err NULL: it can.  Nothing of the check is left then. */
typedef void (*fca_selfcheck_pt)(void *arg, const fcf_err_t *err);

fca_selfcheck_t *fca_selfcheck_new(fca_instances_t *all,
    fca_selfcheck_pt done, void *arg, fcf_err_t *err);
/* ends what it may just be doing, and calls done all the same */
void fca_selfcheck_stop(fca_selfcheck_t *check);
/* done was called, or nothing can call back any more */
void fca_selfcheck_free(fca_selfcheck_t *check);

void fca_selfcheck_start(fca_selfcheck_t *check);

#endif /* _FCA_SELFCHECK_H_INCLUDED_ */
