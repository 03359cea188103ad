/*
 * The proxy module's settings, as one request to a function needs them.  Its
 * own are shared by all requests of a location (and the pointer is a tag of
 * nginx's keepalive pools), so each variant is made once per worker and kept.
 */

#ifndef _NGX_HTTP_FCFAAS_UPCONF_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_UPCONF_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Connecting is bounded; timeout, if not 0, replaces the read and send
 * timeouts.  NULL: out of memory. */
ngx_http_upstream_conf_t *ngx_http_fcfaas_upconf(ngx_http_request_t *r,
    ngx_http_fcfaas_worker_t *w, ngx_http_upstream_conf_t *conf,
    ngx_msec_t timeout);

#endif /* _NGX_HTTP_FCFAAS_UPCONF_H_INCLUDED_ */
