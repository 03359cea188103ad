/*
 * Whether this host boots a guest at all, with all that a VM of a function
 * has: its directory below run_dir, drives, a TAP on the bridge, through the
 * firewall; vm/init then prints a word and waits to be reached.  Where the
 * network or a runtime image is missing (which fca_check() tells), or an agent
 * holds state_dir, it is kernel and initramfs alone.
 */

#ifndef _FCA_TRIAL_H_INCLUDED_
#define _FCA_TRIAL_H_INCLUDED_

#include "agent/base/conf.h"
#include "agent/vmm/vmm.h"

typedef struct {
    unsigned    ms;                     /* until the guest was there */
    int         unreached;              /* the guest came up, but no answer of
                                           its came over the bridge */
    const char *alone;                  /* why without drives and network, or
                                           NULL */
    char        version[FCA_VMM_VERSION_MAX];   /* the VMM's, "" if unknown */
} fca_trial_result_t;

/* Blocks for timeout_s at most, and some moments to clean up. */
int fca_trial(const fca_conf_t *conf, int timeout_s,
    fca_trial_result_t *result, fcf_err_t *err) fcf_must_check;

#endif /* _FCA_TRIAL_H_INCLUDED_ */
