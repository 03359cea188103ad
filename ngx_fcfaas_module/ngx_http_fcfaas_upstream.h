/*
 * "fcfaas" in an upstream block, as it is configured.
 */

#ifndef _NGX_HTTP_FCFAAS_UPSTREAM_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_UPSTREAM_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* our srv conf, an ngx_http_fcfaas_keep_t */
void *ngx_http_fcfaas_upstream_create_conf(ngx_conf_t *cf);
/* the directive */
char *ngx_http_fcfaas_upstream_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* At postconfiguration: nobody else keeps the connections that we are to
 * keep. */
ngx_int_t ngx_http_fcfaas_upstream_check(ngx_conf_t *cf);

#endif /* _NGX_HTTP_FCFAAS_UPSTREAM_H_INCLUDED_ */
