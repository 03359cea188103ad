/* The gateway of the settings, and what it says of itself. */

#ifndef _FCC_GATEWAY_H_INCLUDED_
#define _FCC_GATEWAY_H_INCLUDED_

#include "cli/http.h"

/* What is at a URL of it, as JSON, to be freed; NULL: something else.  date_s:
 * NULL, or see fcf_http.h */
int fcc_gateway_ask(fcc_t *fcc, const char *url, unsigned timeout_ms,
    long *status, json_t **out, int64_t *date_s, fcf_err_t *err)
    fcf_must_check;
/* of itself, to be freed; NULL: not to us */
json_t *fcc_gateway_status(fcc_t *fcc, unsigned timeout_ms);

/* Until all its workers have seen a revision of etcd, a moment at most: what
 * they have not is told.  One that says nothing of itself is not waited for. */
void fcc_gateway_wait(fcc_t *fcc, int64_t revision);

#endif /* _FCC_GATEWAY_H_INCLUDED_ */
