#include "ngx_fcfaas_module/ngx_http_fcfaas_path.h"


static ngx_uint_t ngx_http_fcfaas_path_merges(ngx_http_request_t *r);
static ngx_int_t ngx_http_fcfaas_path_reads(ngx_http_request_t *r,
    ngx_str_t *raw, ngx_str_t *text);
static void ngx_http_fcfaas_path_behind(ngx_http_request_t *r,
    ngx_str_t *args);
static void ngx_http_fcfaas_path_escape(ngx_http_request_t *r,
    ngx_str_t *args);


ngx_int_t
ngx_http_fcfaas_path_rest(ngx_http_request_t *r, ngx_str_t *raw, size_t cut,
    ngx_str_t *path)
{
    void       *work;
    ngx_str_t   text;
    fcp_str_t   from, reads, rest;

    work = ngx_palloc(r->pool, fcp_path_work(raw->len));
    if (work == NULL) {
        return NGX_ERROR;
    }

    from = ngx_http_fcfaas_path_str(raw);
    reads = ngx_http_fcfaas_path_str(&r->uri);

    if (fcp_path_rest(&rest, &from, &reads, cut,
                      ngx_http_fcfaas_path_merges(r), work)
        != 0)
    {
        return NGX_DECLINED;
    }

    path->data = (u_char *) rest.data;
    path->len = rest.len;

    text.data = r->uri.data + cut;
    text.len = r->uri.len - cut;

    return ngx_http_fcfaas_path_reads(r, path, &text);
}


static ngx_uint_t
ngx_http_fcfaas_path_merges(ngx_http_request_t *r)
{
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    return cscf->merge_slashes;
}


/* NGX_OK if nginx's parser makes "text" of the raw path ("" is "/"), else
 * NGX_DECLINED */
static ngx_int_t
ngx_http_fcfaas_path_reads(ngx_http_request_t *r, ngx_str_t *raw,
    ngx_str_t *text)
{
    u_char              *p;
    ngx_str_t            path;
    ngx_http_request_t   parser;

    static ngx_str_t  root = ngx_string("/");

    if (raw->len == 0) {
        return text->len == 0 ? NGX_OK : NGX_DECLINED;
    }

    if (text->len == 0) {
        text = &root;
    }

    /* the parser looks at one character behind the path */

    p = ngx_pnalloc(r->pool, 2 * (raw->len + 1));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&parser, sizeof(ngx_http_request_t));

    parser.connection = r->connection;
    parser.uri_start = p;
    parser.uri_end = ngx_cpymem(p, raw->data, raw->len);
    *parser.uri_end = ' ';

    parser.uri.data = parser.uri_end + 1;
    *parser.uri.data = '\0';

    if (ngx_http_parse_complex_uri(&parser, ngx_http_fcfaas_path_merges(r))
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    path = parser.uri;

    return path.len == text->len
           && ngx_memcmp(path.data, text->data, path.len) == 0
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_fcfaas_path_args(ngx_http_request_t *r, ngx_str_t *args)
{
    ngx_http_fcfaas_path_behind(r, args);

    if (r->valid_unparsed_uri
        && r->args.len == (args->len ? args->len - 1 : 0)
        && (args->len == 0
            || ngx_memcmp(args->data + 1, r->args.data, r->args.len) == 0))
    {
        return;
    }

    ngx_http_fcfaas_path_escape(r, args);
}


/* the client's own */
static void
ngx_http_fcfaas_path_behind(ngx_http_request_t *r, ngx_str_t *args)
{
    ngx_str_t  *raw;
    fcp_str_t   uri, own;

    raw = &r->unparsed_uri;

    if (r->uri.data == raw->data
        && (r->uri.len == raw->len
            || (r->uri.len < raw->len && raw->data[r->uri.len] == '?')))
    {
        /* where nginx's parser has left the path, it has seen no fragment */

        args->data = raw->data + r->uri.len;
        args->len = raw->len - r->uri.len;
        return;
    }

    uri = ngx_http_fcfaas_path_str(raw);
    fcp_path_args(&uri, &own);

    args->data = (u_char *) own.data;
    args->len = own.len;
}


/* r->args may be made of decoded text: what would end a request line, or
 * begin another part of it, is escaped; out of memory: nothing is left */
static void
ngx_http_fcfaas_path_escape(ngx_http_request_t *r, ngx_str_t *args)
{
    fcp_str_t  text;

    args->len = 0;

    if (r->args.len == 0) {
        return;
    }

    args->data = ngx_pnalloc(r->pool, 1 + 3 * r->args.len);
    if (args->data == NULL) {
        return;
    }

    text = ngx_http_fcfaas_path_str(&r->args);

    args->data[0] = '?';
    args->len = 1 + fcp_path_escape_args(args->data + 1, &text);
}
