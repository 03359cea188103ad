#ifndef _NGX_HTTP_FCFAAS_LIMIT_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_LIMIT_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

/* The spec's timeout_s, from the arrival of the request; what of it went by
 * before the balancer counts, but does not end the request there. */
void ngx_http_fcfaas_limit_start(ngx_http_fcfaas_peer_t *fp);
void ngx_http_fcfaas_limit_stop(ngx_http_fcfaas_peer_t *fp);

#endif /* _NGX_HTTP_FCFAAS_LIMIT_H_INCLUDED_ */
