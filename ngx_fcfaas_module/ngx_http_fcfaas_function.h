/*
 * The directive "fcfaas" of a location: which function, and which part of the
 * path is its name.
 */

#ifndef _NGX_HTTP_FCFAAS_FUNCTION_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_FUNCTION_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

char *ngx_http_fcfaas_function_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* the part of merge_loc_conf that belongs to it */
void ngx_http_fcfaas_function_merge(ngx_conf_t *cf,
    ngx_http_fcfaas_loc_conf_t *prev, ngx_http_fcfaas_loc_conf_t *conf);

#endif /* _NGX_HTTP_FCFAAS_FUNCTION_H_INCLUDED_ */
