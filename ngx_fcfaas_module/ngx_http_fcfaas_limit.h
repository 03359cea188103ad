#ifndef _NGX_HTTP_FCFAAS_LIMIT_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_LIMIT_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

/* The spec's timeout_s, from when the request is first on its way to an
 * instance: what it takes to boot one is a matter of the park timeout. */
void ngx_http_fcfaas_limit_start(ngx_http_fcfaas_peer_t *fp);
void ngx_http_fcfaas_limit_stop(ngx_http_fcfaas_peer_t *fp);

#endif /* _NGX_HTTP_FCFAAS_LIMIT_H_INCLUDED_ */
