#ifndef _NGX_HTTP_FCFAAS_URI_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_URI_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* The function's name, or "name@version", as the location says; empty: there
 * is none.  NGX_ERROR: out of memory. */
ngx_int_t ngx_http_fcfaas_uri_id(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *id);

/*
 * $fcfaas_uri: the rest of the path behind the function's name, as the client
 * wrote it, with arguments; begins with "/".  In r->pool.  NGX_ERROR also for
 * a path that cannot be written down so that it means what nginx's locations
 * have checked.
 */
ngx_int_t ngx_http_fcfaas_uri(ngx_http_request_t *r, ngx_str_t *id,
    ngx_str_t *uri);

#endif /* _NGX_HTTP_FCFAAS_URI_H_INCLUDED_ */
