/* One HTTP request, waited for. */

#ifndef _FCC_HTTP_H_INCLUDED_
#define _FCC_HTTP_H_INCLUDED_

#include "cli/fcc.h"
#include "client/fcf_http.h"
#include "contract/fcf_buf.h"

/* on_done of the call is ours.  Its body goes to on_data, or into *body, to be
 * freed, which may be NULL then.  -1: there was no whole answer. */
int fcc_http(fcc_t *fcc, const fcf_http_call_t *call, long *status,
    fcf_buf_t *body, fcf_err_t *err) fcf_must_check;

/* The same; *out: what of JSON its body is, up to so many bytes, to be freed;
 * NULL: none. */
int fcc_http_json(fcc_t *fcc, const fcf_http_call_t *call, size_t max,
    long *status, json_t **out, fcf_err_t *err) fcf_must_check;
/* connections that are kept from one request to the next */
void fcc_http_close(fcc_t *fcc);

#endif /* _FCC_HTTP_H_INCLUDED_ */
