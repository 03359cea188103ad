/* Whether this host boots a guest at all: kernel and initramfs alone, no
 * drive, no network, and the word that vm/init then prints. */

#ifndef _FCA_TRIAL_H_INCLUDED_
#define _FCA_TRIAL_H_INCLUDED_

#include "agent/base/conf.h"

#define FCA_TRIAL_ARG   "fcfaas.trial=1"
#define FCA_TRIAL_WORD  "fcfaas-trial-ok"

/* Blocks for timeout_s at most.  0: it boots, within *ms milliseconds. */
int fca_trial(const fca_conf_t *conf, int timeout_s, unsigned *ms,
    fcf_err_t *err) fcf_must_check;

#endif /* _FCA_TRIAL_H_INCLUDED_ */
