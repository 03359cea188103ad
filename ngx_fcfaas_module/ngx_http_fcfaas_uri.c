/*
 * $fcfaas_uri.  What nginx matches locations against is decoded and
 * normalised; what goes to the function is not.  So the end of the function's
 * name is found in the decoded path, and carried over to the raw one by
 * decoding it again with a note of where each character came from.
 */

#include "ngx_fcfaas_module/ngx_http_fcfaas_uri.h"


typedef struct {
    u_char      *text;          /* decoded and normalised */
    uint32_t    *end;           /* of each character, in the raw path;
                                   NULL: they are the same */
    size_t       len;
} ngx_http_fcfaas_path_t;


static size_t ngx_http_fcfaas_uri_path_len(ngx_str_t *raw);
static ngx_int_t ngx_http_fcfaas_uri_decode(ngx_http_request_t *r,
    ngx_str_t *raw, ngx_http_fcfaas_path_t *path);
static ngx_uint_t ngx_http_fcfaas_uri_segment(ngx_http_fcfaas_path_t *path);
static ngx_int_t ngx_http_fcfaas_uri_captured(ngx_http_request_t *r,
    ngx_str_t *id, ngx_http_fcfaas_path_t *path, size_t *end);
static ngx_int_t ngx_http_fcfaas_uri_named(ngx_str_t *id,
    ngx_http_fcfaas_path_t *path, size_t *end);


ngx_int_t
ngx_http_fcfaas_uri(ngx_http_request_t *r, ngx_str_t *id, ngx_str_t *uri)
{
    size_t                   end, offset;
    u_char                  *p;
    ngx_str_t                raw, args;
    ngx_http_fcfaas_path_t   path;

    raw.data = r->unparsed_uri.data;
    raw.len = ngx_http_fcfaas_uri_path_len(&r->unparsed_uri);

    args.data = raw.data + raw.len;
    args.len = r->unparsed_uri.len - raw.len;

    p = ngx_strlchr(args.data, args.data + args.len, '#');
    if (p) {
        args.len = p - args.data;
    }

    if (raw.len == r->uri.len
        && ngx_memcmp(raw.data, r->uri.data, raw.len) == 0)
    {
        /* as it is almost always: each character stands for itself */
        path.text = raw.data;
        path.end = NULL;
        path.len = raw.len;

    } else if (ngx_http_fcfaas_uri_decode(r, &raw, &path) != NGX_OK) {
        return NGX_ERROR;
    }

    offset = 0;

    if (ngx_http_fcfaas_uri_captured(r, id, &path, &end) == NGX_OK
        || ngx_http_fcfaas_uri_named(id, &path, &end) == NGX_OK)
    {
        offset = path.end ? path.end[end - 1] : end;
    }

    /* a name that the path does not show: the whole path is the function's */

    raw.data += offset;
    raw.len -= offset;

    if (raw.len && raw.data[0] == '/') {
        uri->data = raw.data;
        uri->len = raw.len + args.len;
        return NGX_OK;
    }

    if (raw.len == 0 && args.len == 0) {
        ngx_str_set(uri, "/");
        return NGX_OK;
    }

    uri->data = ngx_pnalloc(r->pool, 1 + raw.len + args.len);
    if (uri->data == NULL) {
        return NGX_ERROR;
    }

    p = uri->data;
    *p++ = '/';
    p = ngx_cpymem(p, raw.data, raw.len);
    p = ngx_cpymem(p, args.data, args.len);

    uri->len = p - uri->data;

    return NGX_OK;
}


static size_t
ngx_http_fcfaas_uri_path_len(ngx_str_t *raw)
{
    size_t  i;

    for (i = 0; i < raw->len; i++) {
        if (raw->data[i] == '?' || raw->data[i] == '#') {
            break;
        }
    }

    return i;
}


static ngx_int_t
ngx_http_fcfaas_uri_decode(ngx_http_request_t *r, ngx_str_t *raw,
    ngx_http_fcfaas_path_t *path)
{
    u_char                     ch;
    size_t                     i;
    ngx_int_t                  n;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

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
            && (ngx_http_fcfaas_uri_segment(path)
                || (cscf->merge_slashes
                    && path->len && path->text[path->len - 1] == '/')))
        {
            path->end[path->len - 1] = i;
            continue;
        }

        path->text[path->len] = ch;
        path->end[path->len] = i;
        path->len++;
    }

    (void) ngx_http_fcfaas_uri_segment(path);

    return NGX_OK;
}


/* takes out a "." or ".." that ends here, and what it steps over: 1 if the
 * path ends with a slash now */
static ngx_uint_t
ngx_http_fcfaas_uri_segment(ngx_http_fcfaas_path_t *path)
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


/* by the captures of the location's regular expression */
static ngx_int_t
ngx_http_fcfaas_uri_captured(ngx_http_request_t *r, ngx_str_t *id,
    ngx_http_fcfaas_path_t *path, size_t *end)
{
#if (NGX_PCRE)
    int         from, to;
    ngx_uint_t  i;

    for (i = 2; i + 1 < r->ncaptures; i += 2) {

        from = r->captures[i];
        to = r->captures[i + 1];

        if (from < 0
            || (size_t) to > path->len
            || (size_t) (to - from) != id->len
            || ngx_memcmp(r->captures_data, path->text, to) != 0
            || ngx_memcmp(path->text + from, id->data, id->len) != 0)
        {
            continue;
        }

        *end = to;

        return NGX_OK;
    }
#endif

    return NGX_DECLINED;
}


/* the first segment that reads so */
static ngx_int_t
ngx_http_fcfaas_uri_named(ngx_str_t *id, ngx_http_fcfaas_path_t *path,
    size_t *end)
{
    size_t  i, to;

    for (i = 0; i + id->len < path->len; i++) {

        to = i + 1 + id->len;

        if (path->text[i] == '/'
            && (to == path->len || path->text[to] == '/')
            && ngx_memcmp(path->text + i + 1, id->data, id->len) == 0)
        {
            *end = to;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}
