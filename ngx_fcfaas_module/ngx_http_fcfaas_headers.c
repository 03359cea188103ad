#include "ngx_fcfaas_module/ngx_http_fcfaas_headers.h"


/*
 * X-Fcfaas-* speak for the gateway, so a client's are not passed on.  An
 * element of the list cannot be taken out (others are pointed at, and parts
 * are shared with subrequests); named Keep-Alive it is one that the proxy
 * module never passes.
 */

void
ngx_http_fcfaas_headers_drop(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static u_char  name[] = "Keep-Alive";
    static u_char  lowcase[] = "keep-alive";
    static u_char  prefix[] = "x-fcfaas-";

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len < sizeof(prefix) - 1
            || h[i].lowcase_key[0] != 'x'
            || ngx_strncmp(h[i].lowcase_key, prefix, sizeof(prefix) - 1) != 0)
        {
            continue;
        }

        h[i].hash = ngx_hash_key(lowcase, sizeof(lowcase) - 1);
        h[i].lowcase_key = lowcase;
        h[i].key.data = name;
        h[i].key.len = sizeof(name) - 1;
        h[i].value.len = 0;
    }
}


/*
 * Puts the gateway's own headers behind the request line that the proxy
 * module made, whatever proxy_set_header and proxy_pass_request_headers say,
 * and without touching r->headers_in, which subrequests share.
 */

ngx_int_t
ngx_http_fcfaas_headers_add(ngx_http_fcfaas_peer_t *fp)
{
    u_char     *p, *start, *last;
    size_t      size;
    ngx_buf_t  *b;
    ngx_str_t  *id, *token;

    static u_char  version[] = " HTTP/1.";

    id = &fp->ctx->waiter.pool->function->id;
    token = &fp->ctx->conf->token;

    b = fp->upstream->request_bufs->buf;

    p = memchr(b->pos, LF, b->last - b->pos);

    if (p == NULL || p - b->pos < (ssize_t) sizeof(version) + 1
        || ngx_memcmp(p - 1 - sizeof(version), version, sizeof(version) - 1)
           != 0)
    {
        ngx_log_error(NGX_LOG_ERR, fp->ctx->request->connection->log, 0,
                      "\"fcfaas\" upstreams speak HTTP/1 only: use "
                      "\"proxy_pass\" with \"proxy_http_version 1.1\"");
        return NGX_ERROR;
    }

    p++;

    size = b->last - b->pos
           + sizeof(FCF_HDR_FUNCTION ": " CRLF) - 1 + id->len
           + sizeof(FCF_HDR_TOKEN ": " CRLF) - 1 + token->len;

    start = size <= sizeof(fp->head)
            ? fp->head : ngx_pnalloc(fp->ctx->request->pool, size);

    if (start == NULL) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(start, b->pos, p - b->pos);

    last = ngx_cpymem(last, FCF_HDR_FUNCTION ": ",
                      sizeof(FCF_HDR_FUNCTION ": ") - 1);
    last = ngx_cpymem(last, id->data, id->len);
    *last++ = CR;
    *last++ = LF;

    if (token->len) {
        last = ngx_cpymem(last, FCF_HDR_TOKEN ": ",
                          sizeof(FCF_HDR_TOKEN ": ") - 1);
        last = ngx_cpymem(last, token->data, token->len);
        *last++ = CR;
        *last++ = LF;
    }

    last = ngx_cpymem(last, p, b->last - p);

    /* start too: nginx goes back there to send it once more */

    b->start = start;
    b->pos = start;
    b->last = last;
    b->end = start + size;

    return NGX_OK;
}
