/* What /metrics says.  docs/reference.md lists the names. */

#ifndef _FCA_METRICS_H_INCLUDED_
#define _FCA_METRICS_H_INCLUDED_

#include "agent/agent.h"

/* 0, or what went wrong with the buffer */
int fca_metrics(fca_t *agent, fcf_buf_t *out);

#endif /* _FCA_METRICS_H_INCLUDED_ */
