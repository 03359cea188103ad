#ifndef _NGX_HTTP_FCFAAS_HEADERS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_HEADERS_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

/* A client's X-Fcfaas-* are not passed on. */
void ngx_http_fcfaas_headers_drop(ngx_http_request_t *r);

/* Ours are, in the request that fp->upstream has ready; it is in fp->head then,
 * or in r->pool. */
ngx_int_t ngx_http_fcfaas_headers_add(ngx_http_fcfaas_peer_t *fp);

#endif /* _NGX_HTTP_FCFAAS_HEADERS_H_INCLUDED_ */
