#ifndef _NGX_HTTP_FCFAAS_FAILURE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_FAILURE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* A boot for this function has failed: tried again, or told to those who
 * wait; from the third in a row on, spaced 1, 2, 4 ... 30 s.  The caller holds
 * a reference to f. */
void ngx_http_fcfaas_failure(ngx_http_fcfaas_function_t *f,
    const char *request_id, const fcf_failure_t *failure);
/* An instance came up, and its port took no connection ever. */
void ngx_http_fcfaas_failure_unreachable(ngx_http_fcfaas_instance_t *instance);
/* An instance has answered: the row is over. */
void ngx_http_fcfaas_failure_over(ngx_http_fcfaas_function_t *f);

/* The failure that answers newcomers now; NULL: none. */
const ngx_http_fcfaas_answer_t *ngx_http_fcfaas_failure_now(
    ngx_http_fcfaas_function_t *f);

#endif /* _NGX_HTTP_FCFAAS_FAILURE_H_INCLUDED_ */
