#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "t/fuzz/nginx/read_uri.h"


/* what ngx_http_parse.c calls, but not for a request line */

void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}

#define FCT_NOT_CALLED(type, name, args)                                    \
    type name args { abort(); }

FCT_NOT_CALLED(void *, ngx_pnalloc, (ngx_pool_t *pool, size_t size))
FCT_NOT_CALLED(ngx_int_t, ngx_strncasecmp,
               (u_char *s1, u_char *s2, size_t n))
FCT_NOT_CALLED(u_char *, ngx_strlcasestrn,
               (u_char *s1, u_char *last, u_char *s2, size_t n))
FCT_NOT_CALLED(void, ngx_unescape_uri,
               (u_char **dst, u_char **src, size_t size, ngx_uint_t type))


/* as ngx_http_process_request_uri() does it */
static int
fct_process(ngx_http_request_t *r, fct_uri_t *uri, unsigned merge)
{
    r->uri.data = r->uri_start;
    r->uri.len = (r->args_start ? r->args_start - 1 : r->uri_end)
                 - r->uri_start;

    if (r->complex_uri || r->quoted_uri || r->empty_path_in_uri) {

        if (r->empty_path_in_uri) {
            r->uri.len++;
        }

        /* one more: the parser takes out what it has written too much */

        uri->decoded = malloc(r->uri.len + 1);
        if (uri->decoded == NULL) {
            abort();
        }

        r->uri.data = uri->decoded;

        if (ngx_http_parse_complex_uri(r, merge) != NGX_OK) {
            return -1;
        }
    }

    uri->text.data = r->uri.data;
    uri->text.len = r->uri.len;
    uri->raw.data = r->uri_start;
    uri->raw.len = r->uri_end - r->uri_start;
    uri->path = !r->empty_path_in_uri;

    if (r->args_start && r->uri_end > r->args_start) {
        r->args.data = r->args_start;
        r->args.len = r->uri_end - r->args_start;
    }

    uri->args.data = r->args.data;
    uri->args.len = r->args.len;

    return 0;
}


int
fct_read_uri(fct_uri_t *uri, const void *target, size_t len, unsigned merge)
{
    ngx_buf_t           b;
    ngx_log_t           log;
    ngx_connection_t    c;
    ngx_http_request_t  r;

    static const char  method[] = "GET ", version[] = " HTTP/1.1\r\n";

    memset(uri, 0, sizeof(fct_uri_t));
    memset(&b, 0, sizeof(ngx_buf_t));
    memset(&log, 0, sizeof(ngx_log_t));
    memset(&c, 0, sizeof(ngx_connection_t));
    memset(&r, 0, sizeof(ngx_http_request_t));

    uri->line = malloc(sizeof(method) + sizeof(version) + len);
    if (uri->line == NULL) {
        abort();
    }

    b.pos = b.last = uri->line;
    b.last = ngx_cpymem(b.last, method, sizeof(method) - 1);
    b.last = ngx_cpymem(b.last, target, len);
    b.last = ngx_cpymem(b.last, version, sizeof(version) - 1);

    c.log = &log;
    r.connection = &c;

    /* all of it: a target with a line's end in it is another request */

    if (ngx_http_parse_request_line(&r, &b) == NGX_OK && b.pos == b.last
        && fct_process(&r, uri, merge) == 0)
    {
        return 0;
    }

    fct_uri_free(uri);
    return -1;
}


void
fct_uri_free(fct_uri_t *uri)
{
    free(uri->line);
    free(uri->decoded);
}
