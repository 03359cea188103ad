/*
 * Paths as clients write them, against what nginx makes of them.
 */

#ifndef _NGX_HTTP_FCFAAS_PATH_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_PATH_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"
#include "ngx_fcfaas_module/path/fcp_path.h"

/* What is left of the raw path behind the first "cut" characters of r->uri:
 * in it, or in r->pool.  NGX_DECLINED: r->uri was not made from that, or what
 * is left would not read as the rest of r->uri. */
ngx_int_t ngx_http_fcfaas_path_rest(ngx_http_request_t *r, ngx_str_t *raw,
    size_t cut, ngx_str_t *path);

/* The arguments with their "?", or nothing: in r->unparsed_uri, if they are
 * still the client's, without anything that a request line cannot have. */
void ngx_http_fcfaas_path_args(ngx_http_request_t *r, ngx_str_t *args);

static ngx_inline fcp_str_t
ngx_http_fcfaas_path_str(ngx_str_t *text)
{
    fcp_str_t  str;

    str.data = text->data;
    str.len = text->len;

    return str;
}

#endif /* _NGX_HTTP_FCFAAS_PATH_H_INCLUDED_ */
