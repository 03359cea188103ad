#ifndef _FCA_LISTEN_H_INCLUDED_
#define _FCA_LISTEN_H_INCLUDED_

#include <netinet/in.h>
#include "contract/fcf_err.h"

#define FCA_BACKLOG  1024

/* A bound and listening socket that does not block; -1 and FCF_E_EXISTS if the
 * port is taken by somebody.  Port 0: any that is free. */
int fca_listen(struct in_addr addr, unsigned port, fcf_err_t *err);

#endif /* _FCA_LISTEN_H_INCLUDED_ */
