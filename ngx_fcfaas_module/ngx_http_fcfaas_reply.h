/*
 * What comes back from an instance: the head of a function's answer, or its
 * agent's word that the function has seen nothing of the request.
 */

#ifndef _NGX_HTTP_FCFAAS_REPLY_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_REPLY_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

/* of a location with "fcfaas", once the proxy module has merged its own: its
 * functions do not steer nginx by X-Accel-*, but for X-Accel-Buffering: no */
void ngx_http_fcfaas_reply_merge(ngx_conf_t *cf);

/* u->process_header and u->reinit_request; those of the proxy module, which
 * they call, are in the peer */
ngx_int_t ngx_http_fcfaas_reply_header(ngx_http_request_t *r);
ngx_int_t ngx_http_fcfaas_reply_reinit(ngx_http_request_t *r);

#endif /* _NGX_HTTP_FCFAAS_REPLY_H_INCLUDED_ */
