/*
 * $fcfaas_uri.  What nginx matches locations against (r->uri) is decoded and
 * normalised; what goes to the function is not.  How much of r->uri goes is
 * a matter of position only: the segments up to the capture that gave the
 * id, or as many as "strip=" says.  The end of that is carried over to the
 * client's own path by decoding it with a note of where each character came
 * from; and what is left must read, to nginx's own parser, exactly as the
 * rest of r->uri does.  Else, as after a rewrite, r->uri itself is encoded.
 * So what locations have checked is what the function gets.
 */

#include "ngx_fcfaas_module/ngx_http_fcfaas_uri.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_path.h"


/* groups of a location's regular expression that need no allocation */
#define NGX_HTTP_FCFAAS_GROUPS  10


static size_t ngx_http_fcfaas_uri_cut(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *id);
static size_t ngx_http_fcfaas_uri_named(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *id);
static ngx_int_t ngx_http_fcfaas_uri_segment(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *segment);
#if (NGX_PCRE)
static ngx_int_t ngx_http_fcfaas_uri_match(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *segment);
#endif
static ngx_int_t ngx_http_fcfaas_uri_raw(ngx_http_request_t *r, size_t cut,
    ngx_str_t *path);
static ngx_int_t ngx_http_fcfaas_uri_encoded(ngx_http_request_t *r,
    size_t cut, ngx_str_t *path);
static ngx_int_t ngx_http_fcfaas_uri_join(ngx_http_request_t *r,
    ngx_str_t *path, ngx_str_t *uri);


ngx_int_t
ngx_http_fcfaas_uri_id(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *id)
{
    ngx_http_variable_value_t  *v;

    if (flcf->behind) {

        if (ngx_http_fcfaas_uri_segment(r, flcf, id) != NGX_OK) {
            ngx_str_set(id, "");
        }

        return NGX_OK;
    }

    if (flcf->variable == NGX_CONF_UNSET) {
        return ngx_http_complex_value(r, flcf->id, id);
    }

    /* what a capture holds stays where it is, whatever becomes of the
     * variable */

    v = ngx_http_get_flushed_variable(r, flcf->variable);

    if (v == NULL || v->not_found) {
        ngx_str_set(id, "");
        return NGX_OK;
    }

    id->data = v->data;
    id->len = v->len;

    return NGX_OK;
}


ngx_int_t
ngx_http_fcfaas_uri(ngx_http_request_t *r, ngx_str_t *id, ngx_str_t *uri)
{
    size_t                       cut;
    ngx_int_t                    rc;
    ngx_str_t                    path;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);

    cut = ngx_http_fcfaas_uri_cut(r, flcf, id);

    rc = ngx_http_fcfaas_uri_raw(r, cut, &path);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_fcfaas_uri_encoded(r, cut, &path);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_fcfaas_uri_join(r, &path, uri);
}


/* how many characters of r->uri are not for the function */
static size_t
ngx_http_fcfaas_uri_cut(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *id)
{
    fcp_str_t  text;

    if (flcf->strip != NGX_CONF_UNSET) {
        text = ngx_http_fcfaas_path_str(&r->uri);
        return fcp_path_strip(&text, flcf->strip);
    }

    if (flcf->behind || flcf->capture != NGX_CONF_UNSET) {
        return ngx_http_fcfaas_uri_named(r, flcf, id);
    }

    return 0;
}


/*
 * The end of the segment that is the id, in the URI as it is now: what
 * r->captures and the variable hold may come from another one, of an "if" or
 * a subrequest.
 */

static size_t
ngx_http_fcfaas_uri_named(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *id)
{
    size_t     to;
    ngx_str_t  segment;

    if (flcf->behind && id->data == r->uri.data + flcf->lead.len) {
        /* as it is almost always: it was taken from there */
        segment = *id;

    } else if (ngx_http_fcfaas_uri_segment(r, flcf, &segment) != NGX_OK) {

#if (NGX_PCRE)
        if (flcf->behind
            || ngx_http_fcfaas_uri_match(r, flcf, &segment) != NGX_OK)
#endif
        {
            return 0;
        }
    }

    to = segment.data + segment.len - r->uri.data;

    if (segment.len != id->len
        || to > r->uri.len
        || ngx_memcmp(segment.data, id->data, id->len) != 0
        || (to < r->uri.len && r->uri.data[to] != '/'))
    {
        return 0;
    }

    return to;
}


/* behind the location's path, or in the common shape of an expression, without
 * another run of it */
static ngx_int_t
ngx_http_fcfaas_uri_segment(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *segment)
{
    u_char  *p;
    size_t   lead;

    lead = flcf->lead.len;

    if (lead == 0
        || r->uri.len <= lead
        || r->uri.data[lead] == '/'
        || ngx_memcmp(r->uri.data, flcf->lead.data, lead) != 0)
    {
        return NGX_DECLINED;
    }

    segment->data = r->uri.data + lead;
    segment->len = r->uri.len - lead;

    p = memchr(segment->data, '/', segment->len);

    if (p) {
        segment->len = p - segment->data;
    }

    return NGX_OK;
}


#if (NGX_PCRE)

static ngx_int_t
ngx_http_fcfaas_uri_match(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *segment)
{
    int        *captures;
    int         groups[NGX_HTTP_FCFAAS_GROUPS * 3];
    ngx_int_t   n;
    ngx_uint_t  size;

    size = (flcf->regex->ncaptures + 1) * 3;
    captures = groups;

    if (size > NGX_HTTP_FCFAAS_GROUPS * 3) {
        captures = ngx_palloc(r->pool, size * sizeof(int));
        if (captures == NULL) {
            return NGX_ERROR;
        }
    }

    n = ngx_regex_exec(flcf->regex->regex, &r->uri, captures, size);

    if (n < 0
        || flcf->capture >= 2 * n
        || captures[flcf->capture] < 0)
    {
        return NGX_DECLINED;
    }

    segment->data = r->uri.data + captures[flcf->capture];
    segment->len = captures[flcf->capture + 1] - captures[flcf->capture];

    return NGX_OK;
}

#endif


/* NGX_DECLINED: not to be told from what the client wrote */
static ngx_int_t
ngx_http_fcfaas_uri_raw(ngx_http_request_t *r, size_t cut, ngx_str_t *path)
{
    ngx_str_t  raw;
    fcp_str_t  uri;

    if (!r->valid_unparsed_uri) {
        return NGX_DECLINED;
    }

    if (r->uri.data == r->unparsed_uri.data) {

        /* as it is almost always: there was nothing to decode, and nginx's
         * parser left it where the client wrote it */

        path->data = r->uri.data + cut;
        path->len = r->uri.len - cut;
        return NGX_OK;
    }

    uri = ngx_http_fcfaas_path_str(&r->unparsed_uri);

    raw.data = r->unparsed_uri.data;
    raw.len = fcp_path_len(&uri);

    return ngx_http_fcfaas_path_rest(r, &raw, cut, path);
}


static ngx_int_t
ngx_http_fcfaas_uri_encoded(ngx_http_request_t *r, size_t cut,
    ngx_str_t *path)
{
    u_char     *p;
    size_t      n;
    fcp_str_t   text;
    ngx_str_t   rest;

    rest.data = r->uri.data + cut;
    rest.len = r->uri.len - cut;

    text = ngx_http_fcfaas_path_str(&rest);

    if (fcp_path_dots(&text)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "fcfaas: \"%V\" has \".\" or \"..\" segments: "
                      "not passed on", &r->uri);
        return NGX_ERROR;
    }

    n = 2 * ngx_escape_uri(NULL, rest.data, rest.len, NGX_ESCAPE_URI);

    path->data = ngx_pnalloc(r->pool, 1 + rest.len + n);
    if (path->data == NULL) {
        return NGX_ERROR;
    }

    p = path->data;

    if (rest.len && rest.data[0] != '/') {
        *p++ = '/';
    }

    p = (u_char *) ngx_escape_uri(p, rest.data, rest.len, NGX_ESCAPE_URI);
    path->len = p - path->data;

    return NGX_OK;
}


/* with arguments: the client's own, unless they were changed */
static ngx_int_t
ngx_http_fcfaas_uri_join(ngx_http_request_t *r, ngx_str_t *path,
    ngx_str_t *uri)
{
    ngx_str_t  args;
    fcp_str_t  head, tail;

    ngx_http_fcfaas_path_args(r, &args);

    if (path->len + args.len == 0) {
        ngx_str_set(uri, "/");
        return NGX_OK;
    }

    if (path->len && path->data + path->len == args.data) {
        /* they follow it where it stands */
        uri->data = path->data;
        uri->len = path->len + args.len;
        return NGX_OK;
    }

    uri->data = ngx_pnalloc(r->pool, path->len + args.len + 1);
    if (uri->data == NULL) {
        return NGX_ERROR;
    }

    head = ngx_http_fcfaas_path_str(path);
    tail = ngx_http_fcfaas_path_str(&args);
    uri->len = fcp_path_join(uri->data, &head, &tail);

    return NGX_OK;
}
