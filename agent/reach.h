/* Whether a guest that was booted for a trial is there: it says the word on
 * its console, and is reached over the bridge. */

#ifndef _FCA_REACH_H_INCLUDED_
#define _FCA_REACH_H_INCLUDED_

#include "agent/vmm/vmm.h"

typedef struct {
    int  up;                            /* the word was said */
    int  fd;                            /* a connection under way, or -1 */
} fca_reach_t;

void fca_reach_init(fca_reach_t *reach);
/* nic NULL: the word alone.  1: it is there; 0: not yet, ask again; -1: it
 * cannot be tried, err says why. */
int fca_reach(fca_reach_t *reach, const fca_vmm_t *vmm, const fca_nic_t *nic,
    fcf_err_t *err) fcf_must_check;
/* as it was after fca_reach_init(); never too often */
void fca_reach_end(fca_reach_t *reach);
/* what has not come in time */
const char *fca_reach_late(const fca_reach_t *reach);

#endif /* _FCA_REACH_H_INCLUDED_ */
