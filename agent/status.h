/* What the admin listener shows of this agent. */

#ifndef _FCA_STATUS_H_INCLUDED_
#define _FCA_STATUS_H_INCLUDED_

#include "agent/agent.h"

/* Opens the listener, if the settings name one. */
int fca_status_open(fca_t *agent, fcf_err_t *err) fcf_must_check;

#endif /* _FCA_STATUS_H_INCLUDED_ */
