/*
 * Certificates that one side of TLS to a node does not take: whose, at which
 * node, and why.
 */

#ifndef _NGX_HTTP_FCFAAS_CERT_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_CERT_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

/* Nothing was sent over "pc": it is told if that was for the node's. */
void ngx_http_fcfaas_cert_theirs(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);

/* Something was, and has failed.  If that was for ours, it is told, and is the
 * request's answer when nginx asks for the next peer. */
void ngx_http_fcfaas_cert_ours(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);

/* An answer has come over "pc", so that both have taken the other's. */
void ngx_http_fcfaas_cert_taken(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);

#endif /* _NGX_HTTP_FCFAAS_CERT_H_INCLUDED_ */
