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

/* How many bytes that were sent over a TCP socket its peer's host has not
 * acknowledged, also when it is closed; -1: not known. */
int64_t ngx_http_fcfaas_tcp_unacked(int fd);

#endif /* _NGX_HTTP_FCFAAS_STALE_H_INCLUDED_ */
