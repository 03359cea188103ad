/* What fcfaas-proxy gives up before it meets a client. */

#ifndef _FCA_SANDBOX_H_INCLUDED_
#define _FCA_SANDBOX_H_INCLUDED_

#include "contract/fcf_err.h"

/* Root becomes user ("name", "uid" or "uid:gid"), with no other group; whoever
 * is not root stays who he is.  Fails rather than stay root. */
int fca_sandbox_user(const char *user, fcf_err_t *err) fcf_must_check;

/* For all threads, from now on: no capability, no new privileges, and only the
 * system calls that the proxy makes once it runs; any other ends the process
 * (SIGSYS). */
int fca_sandbox_enter(fcf_err_t *err) fcf_must_check;

/* What must be done before there is a second thread. */
void fca_sandbox_prepare(void);

#endif /* _FCA_SANDBOX_H_INCLUDED_ */
