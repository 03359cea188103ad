/*
 * What is kept of a request: made once for each location that it comes to, and
 * undone by one clean-up handler, whatever ends the request.
 */

#ifndef _NGX_HTTP_FCFAAS_CTX_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_CTX_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* bytes that one takes beside the request's pool */
extern const size_t  ngx_http_fcfaas_ctx_size;

/* The ctx of this request, also after an internal redirect has wiped the
 * module contexts; NULL: it never came to the handler. */
ngx_http_fcfaas_ctx_t *ngx_http_fcfaas_ctx(ngx_http_request_t *r);

/* A new one, with what the location says is the function's name; NULL: out of
 * memory. */
ngx_http_fcfaas_ctx_t *ngx_http_fcfaas_ctx_given(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf);

/* The same, for a subrequest that nginx began where its parent was, behind the
 * handler: a part of a "slice", or one that makes a cached answer anew in the
 * background.  NULL: this is none. */
ngx_http_fcfaas_ctx_t *ngx_http_fcfaas_ctx_cloned(ngx_http_request_t *r);

/* A new peer of it, filled with zeros up to name_data; NULL: out of memory. */
ngx_http_fcfaas_peer_t *ngx_http_fcfaas_ctx_peer(ngx_http_fcfaas_ctx_t *ctx);

/* The worker ends: what is ready for further requests goes. */
void ngx_http_fcfaas_ctx_done(ngx_http_fcfaas_worker_t *w);

#endif /* _NGX_HTTP_FCFAAS_CTX_H_INCLUDED_ */
