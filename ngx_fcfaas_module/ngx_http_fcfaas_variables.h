#ifndef _NGX_HTTP_FCFAAS_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_VARIABLES_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

ngx_int_t ngx_http_fcfaas_add_variables(ngx_conf_t *cf);

/* those of a table that ends with ngx_http_null_variable */
ngx_int_t ngx_http_fcfaas_variables_add(ngx_conf_t *cf,
    const ngx_http_variable_t *v);
/* a value that is kept; NGX_OK */
ngx_int_t ngx_http_fcfaas_variable_value(ngx_http_variable_value_t *v,
    u_char *data, size_t len);

/* this request's id, made when it is first asked for; with NUL */
u_char *ngx_http_fcfaas_request_id(ngx_http_fcfaas_ctx_t *ctx);

#endif /* _NGX_HTTP_FCFAAS_VARIABLES_H_INCLUDED_ */
