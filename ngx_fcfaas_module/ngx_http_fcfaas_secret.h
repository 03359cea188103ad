/*
 * Files with passwords, tokens and certificates: read by the master, since
 * workers may not be allowed to.
 */

#ifndef _NGX_HTTP_FCFAAS_SECRET_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_SECRET_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* the first line of a file, without what ends it; followed by NUL */
ngx_int_t ngx_http_fcfaas_secret_line(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *path, ngx_str_t *secret);
/* all of a file in PEM, followed by NUL */
ngx_int_t ngx_http_fcfaas_secret_pem(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *path, ngx_str_t *pem);

#endif /* _NGX_HTTP_FCFAAS_SECRET_H_INCLUDED_ */
