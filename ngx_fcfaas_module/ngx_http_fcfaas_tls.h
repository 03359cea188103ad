/*
 * TLS to instances.  Its end is their node's, not theirs: a session that was
 * made for one of a node's instances spares all of them most of a handshake.
 */

#ifndef _NGX_HTTP_FCFAAS_TLS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_TLS_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

#if (NGX_SSL || NGX_COMPAT)

/* for u->peer */
ngx_int_t ngx_http_fcfaas_tls_set_session(ngx_peer_connection_t *pc,
    void *data);
void ngx_http_fcfaas_tls_save_session(ngx_peer_connection_t *pc, void *data);

#endif

/* the worker ends */
void ngx_http_fcfaas_tls_done(ngx_http_fcfaas_worker_t *w);

#endif /* _NGX_HTTP_FCFAAS_TLS_H_INCLUDED_ */
