#ifndef _NGX_HTTP_FCFAAS_FAILURE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_FAILURE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* A boot for this pool has failed: tried again, or told to those who
 * wait; from the third in a row on, spaced 1, 2, 4 ... 30 s.  The caller holds
 * a reference to the pool. */
void ngx_http_fcfaas_failure(ngx_http_fcfaas_pool_t *pool,
    const char *request_id, const fcf_failure_t *failure);
/* One that was before this worker's first list, or before this list: it is told
 * to whoever comes while starts are still spaced for it. */
void ngx_http_fcfaas_failure_before(ngx_http_fcfaas_pool_t *pool,
    const fcf_failure_t *failure);
/* An instance came up, and its port took no connection ever. */
void ngx_http_fcfaas_failure_unreachable(ngx_http_fcfaas_instance_t *instance);
/* The certificate of an instance's node is refused: "text" says so. */
void ngx_http_fcfaas_failure_refused(ngx_http_fcfaas_pool_t *pool,
    const ngx_str_t *text);
/* An instance has answered: the row is over. */
void ngx_http_fcfaas_failure_over(ngx_http_fcfaas_pool_t *pool);

/* The failure that answers newcomers now; NULL: none. */
const ngx_http_fcfaas_answer_t *ngx_http_fcfaas_failure_now(
    ngx_http_fcfaas_pool_t *pool);

/* The last one, if it came at that time or later; NULL: there is none. */
const ngx_http_fcfaas_answer_t *ngx_http_fcfaas_failure_since(
    ngx_http_fcfaas_pool_t *pool, ngx_msec_t time);
/* Frees what it keeps; the pool goes. */
void ngx_http_fcfaas_failure_forget(ngx_http_fcfaas_pool_t *pool);

#endif /* _NGX_HTTP_FCFAAS_FAILURE_H_INCLUDED_ */
