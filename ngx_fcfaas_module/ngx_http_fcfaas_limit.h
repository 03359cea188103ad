#ifndef _NGX_HTTP_FCFAAS_LIMIT_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_LIMIT_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

/*
 * The spec's timeout_s: from when the request is first on its way to an
 * instance (what it takes to boot one is a matter of the park timeout), and
 * instead of nginx's read and send timeouts; 0: those hold.  What has timed
 * out is not sent again.
 */

/* for init_peer: the conf that u->conf is to be */
ngx_int_t ngx_http_fcfaas_limit_conf(ngx_http_fcfaas_peer_t *fp);
/* once more does nothing; NGX_ERROR: out of memory */
ngx_int_t ngx_http_fcfaas_limit_start(ngx_http_fcfaas_peer_t *fp);
void ngx_http_fcfaas_limit_stop(ngx_http_fcfaas_peer_t *fp);
/* an upgraded connection has an idle limit instead */
ngx_int_t ngx_http_fcfaas_limit_upgrade(ngx_http_fcfaas_peer_t *fp);
/* for peer.free: nginx's own timeout has come */
void ngx_http_fcfaas_limit_over(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);

#endif /* _NGX_HTTP_FCFAAS_LIMIT_H_INCLUDED_ */
