/*
 * Kept connections that the instance's side had closed by the time a request
 * was sent over them: nobody has seen that request.
 */

#ifndef _NGX_HTTP_FCFAAS_STALE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_STALE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

/* 1 if not a byte of the request has arrived over "pc", whose connection has
 * failed before an answer */
ngx_uint_t ngx_http_fcfaas_stale(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);

#endif /* _NGX_HTTP_FCFAAS_STALE_H_INCLUDED_ */
