/*
 * Whether a request may wait for an instance, and where.
 */

#ifndef _NGX_HTTP_FCFAAS_ADMIT_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_ADMIT_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Before a request waits for the first time.  NGX_DECLINED: it is not to
 * wait, ctx->waiter.answer says why. */
ngx_int_t ngx_http_fcfaas_admit(ngx_http_fcfaas_ctx_t *ctx);

/* 1 if nginx may answer without the function, from its cache say, or if the
 * request is a subrequest: such a one waits in the balancer only. */
ngx_uint_t ngx_http_fcfaas_admit_later(ngx_http_request_t *r);

/* 1 if somebody who waits was there before this request */
ngx_uint_t ngx_http_fcfaas_admit_behind(ngx_http_fcfaas_waiter_t *wt);

/* 1 if all that was not work, waits and hops between instances, has used up
 * the park timeout */
ngx_uint_t ngx_http_fcfaas_admit_overdue(ngx_http_fcfaas_waiter_t *wt);

#endif /* _NGX_HTTP_FCFAAS_ADMIT_H_INCLUDED_ */
