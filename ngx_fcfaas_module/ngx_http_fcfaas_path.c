#include "ngx_fcfaas_module/ngx_http_fcfaas_path.h"


typedef struct {
    u_char      *text;          /* decoded and normalised */
    uint32_t    *end;           /* of each character, in the raw path */
    size_t       len;
} ngx_http_fcfaas_path_t;


static ngx_int_t ngx_http_fcfaas_path_decode(ngx_http_request_t *r,
    ngx_str_t *raw, ngx_http_fcfaas_path_t *path);
static ngx_uint_t ngx_http_fcfaas_path_segment(ngx_http_fcfaas_path_t *path);
static ngx_uint_t ngx_http_fcfaas_path_merges(ngx_http_request_t *r);
static void ngx_http_fcfaas_path_escape(ngx_http_request_t *r,
    ngx_str_t *args);


size_t
ngx_http_fcfaas_path_len(ngx_str_t *uri)
{
    size_t  i;

    for (i = 0; i < uri->len; i++) {
        if (uri->data[i] == '?' || uri->data[i] == '#') {
            break;
        }
    }

    return i;
}


ngx_int_t
ngx_http_fcfaas_path_offset(ngx_http_request_t *r, ngx_str_t *raw, size_t cut,
    size_t *offset)
{
    ngx_http_fcfaas_path_t  path;

    if (ngx_http_fcfaas_path_decode(r, raw, &path) != NGX_OK) {
        return NGX_ERROR;
    }

    if (path.len != r->uri.len
        || ngx_memcmp(path.text, r->uri.data, path.len) != 0)
    {
        return NGX_DECLINED;
    }

    *offset = cut ? path.end[cut - 1] : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_path_decode(ngx_http_request_t *r, ngx_str_t *raw,
    ngx_http_fcfaas_path_t *path)
{
    u_char      ch;
    size_t      i;
    ngx_int_t   n;
    ngx_uint_t  merge;

    merge = ngx_http_fcfaas_path_merges(r);

    path->len = 0;
    path->text = ngx_pnalloc(r->pool, raw->len + 1);
    path->end = ngx_palloc(r->pool, (raw->len + 1) * sizeof(uint32_t));

    if (path->text == NULL || path->end == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < raw->len; /* void */) {

        ch = raw->data[i++];

        if (ch == '%' && i + 2 <= raw->len) {
            n = ngx_hextoi(raw->data + i, 2);

            if (n != NGX_ERROR) {
                ch = (u_char) n;
                i += 2;
            }
        }

        if (ch == '/'
            && (ngx_http_fcfaas_path_segment(path)
                || (merge && path->len && path->text[path->len - 1] == '/')))
        {
            path->end[path->len - 1] = i;
            continue;
        }

        path->text[path->len] = ch;
        path->end[path->len] = i;
        path->len++;
    }

    if (ngx_http_fcfaas_path_segment(path)) {
        path->end[path->len - 1] = raw->len;
    }

    return NGX_OK;
}


/* takes out a "." or ".." that ends here, and what it steps over: 1 if the
 * path ends with a slash now */
static ngx_uint_t
ngx_http_fcfaas_path_segment(ngx_http_fcfaas_path_t *path)
{
    size_t  start, len;

    for (start = path->len; start && path->text[start - 1] != '/'; start--) {
        /* void */
    }

    len = path->len - start;

    if (start == 0 || len == 0 || len > 2
        || path->text[start] != '.' || path->text[path->len - 1] != '.')
    {
        return 0;
    }

    path->len = start;

    if (len == 2 && start > 1) {
        do {
            path->len--;
        } while (path->text[path->len - 1] != '/');
    }

    return 1;
}


static ngx_uint_t
ngx_http_fcfaas_path_merges(ngx_http_request_t *r)
{
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    return cscf->merge_slashes;
}


ngx_int_t
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


ngx_uint_t
ngx_http_fcfaas_path_dots(ngx_str_t *path)
{
    u_char  *p, *last, *end;

    p = path->data;
    last = p + path->len;

    for ( ;; ) {

        end = ngx_strlchr(p, last, '/');
        if (end == NULL) {
            end = last;
        }

        if ((end - p == 1 && p[0] == '.')
            || (end - p == 2 && p[0] == '.' && p[1] == '.'))
        {
            return 1;
        }

        if (end == last) {
            return 0;
        }

        p = end + 1;
    }
}


void
ngx_http_fcfaas_path_args(ngx_http_request_t *r, ngx_str_t *args)
{
    u_char  *p;

    args->len = ngx_http_fcfaas_path_len(&r->unparsed_uri);
    args->data = r->unparsed_uri.data + args->len;
    args->len = r->unparsed_uri.len - args->len;

    p = ngx_strlchr(args->data, args->data + args->len, '#');
    if (p) {
        args->len = p - args->data;
    }

    if (r->valid_unparsed_uri
        && r->args.len == (args->len ? args->len - 1 : 0)
        && (args->len == 0
            || ngx_memcmp(args->data + 1, r->args.data, r->args.len) == 0))
    {
        return;
    }

    ngx_http_fcfaas_path_escape(r, args);
}


/* r->args may be made of decoded text: what would end a request line, or
 * begin another part of it, is escaped; out of memory: nothing is left */
static void
ngx_http_fcfaas_path_escape(ngx_http_request_t *r, ngx_str_t *args)
{
    u_char  *p, ch;
    size_t   i;

    static u_char  hex[] = "0123456789ABCDEF";

    args->len = 0;

    if (r->args.len == 0) {
        return;
    }

    args->data = ngx_pnalloc(r->pool, 1 + 3 * r->args.len);
    if (args->data == NULL) {
        return;
    }

    p = args->data;
    *p++ = '?';

    for (i = 0; i < r->args.len; i++) {
        ch = r->args.data[i];

        if (ch > 0x20 && ch < 0x7f && ch != '#') {
            *p++ = ch;
            continue;
        }

        *p++ = '%';
        *p++ = hex[ch >> 4];
        *p++ = hex[ch & 0xf];
    }

    args->len = p - args->data;
}
