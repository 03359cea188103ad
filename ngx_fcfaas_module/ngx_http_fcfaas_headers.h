#ifndef _NGX_HTTP_FCFAAS_HEADERS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_HEADERS_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* A client's X-Fcfaas-* are not passed on. */
void ngx_http_fcfaas_headers_drop(ngx_http_request_t *r);

/* Ours are, in the request that r->upstream has ready. */
ngx_int_t ngx_http_fcfaas_headers_add(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx);

#endif /* _NGX_HTTP_FCFAAS_HEADERS_H_INCLUDED_ */
