#ifndef _NGX_HTTP_FCFAAS_CONF_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_CONF_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* directive parsers: ngx_command_t.set */
char *ngx_http_fcfaas_conf_etcd(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_fcfaas_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_fcfaas_conf_prefix(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_fcfaas_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_fcfaas_conf_token_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_fcfaas_conf_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_fcfaas_conf_metrics(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_fcfaas_conf_nodes(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

#endif /* _NGX_HTTP_FCFAAS_CONF_H_INCLUDED_ */
