#ifndef _NGX_HTTP_FCFAAS_HANDLER_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_HANDLER_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* PREACCESS: an id that is a capture of the location is taken down before
 * subrequests, which share the variables, match locations of their own. */
ngx_int_t ngx_http_fcfaas_id_handler(ngx_http_request_t *r);

/* PRECONTENT: behind access control, before anything is read or sent. */
ngx_int_t ngx_http_fcfaas_handler(ngx_http_request_t *r);

/* The ctx of a request that is about to go to an instance; NULL: it is of no
 * location with "fcfaas", or for a function that is there no more. */
ngx_http_fcfaas_ctx_t *ngx_http_fcfaas_handler_passed(ngx_http_request_t *r);

#endif /* _NGX_HTTP_FCFAAS_HANDLER_H_INCLUDED_ */
