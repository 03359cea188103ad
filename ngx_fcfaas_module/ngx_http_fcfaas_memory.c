#include "ngx_fcfaas_module/ngx_http_fcfaas_memory.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ctx.h"


/* of a stream of HTTP/2 or 3, whose body comes whether it is read or not */
#define NGX_HTTP_FCFAAS_STREAM_WINDOW  65536


static size_t ngx_http_fcfaas_memory_body(ngx_http_request_t *r);


size_t
ngx_http_fcfaas_memory(ngx_http_request_t *r)
{
    size_t                     n;
    ngx_http_connection_t     *hc;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    hc = r->http_connection;

    n = cscf->connection_pool_size + cscf->request_pool_size
        + ngx_http_fcfaas_ctx_size;

    if (r->header_in) {
        n += r->header_in->end - r->header_in->start;
    }

    if (hc) {
        n += hc->nbusy * cscf->large_client_header_buffers.size;
    }

    return n + ngx_http_fcfaas_memory_body(r);
}


static size_t
ngx_http_fcfaas_memory_body(ngx_http_request_t *r)
{
    off_t                      length;
    size_t                     most;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    most = clcf->client_body_buffer_size;
    length = r->headers_in.content_length_n;

    if (r->http_version > NGX_HTTP_VERSION_11) {
        most = ngx_max(most, NGX_HTTP_FCFAAS_STREAM_WINDOW);
    }

    if (r->headers_in.chunked) {
        return most;
    }

    return length > 0 ? (size_t) ngx_min(length, (off_t) most) : 0;
}
