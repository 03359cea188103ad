/*
 * Paths as clients write them, against what nginx makes of them.
 */

#ifndef _NGX_HTTP_FCFAAS_PATH_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_PATH_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* of a raw URI: what stands before arguments or a fragment */
size_t ngx_http_fcfaas_path_len(ngx_str_t *uri);

/* Where the first "cut" characters of r->uri end in the raw path that it was
 * made from.  NGX_DECLINED: it was not made from that. */
ngx_int_t ngx_http_fcfaas_path_offset(ngx_http_request_t *r, ngx_str_t *raw,
    size_t cut, size_t *offset);

/* NGX_OK if nginx's parser makes "text" of the raw path ("" is "/"), else
 * NGX_DECLINED */
ngx_int_t ngx_http_fcfaas_path_reads(ngx_http_request_t *r, ngx_str_t *raw,
    ngx_str_t *text);

/* 1 if a segment is "." or ".." */
ngx_uint_t ngx_http_fcfaas_path_dots(ngx_str_t *path);

/* The arguments with their "?", or nothing: in r->unparsed_uri, if they are
 * still the client's, without anything that a request line cannot have. */
void ngx_http_fcfaas_path_args(ngx_http_request_t *r, ngx_str_t *args);

#endif /* _NGX_HTTP_FCFAAS_PATH_H_INCLUDED_ */
