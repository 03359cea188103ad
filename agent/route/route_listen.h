#ifndef _FCA_ROUTE_LISTEN_H_INCLUDED_
#define _FCA_ROUTE_LISTEN_H_INCLUDED_

#include <netinet/in.h>
#include "contract/fcf_err.h"

/* a bound and listening socket for a route; -1 and FCF_E_EXISTS if the port
 * is taken by somebody */
int fca_route_listen(struct in_addr addr, unsigned port, fcf_err_t *err);

#endif /* _FCA_ROUTE_LISTEN_H_INCLUDED_ */
