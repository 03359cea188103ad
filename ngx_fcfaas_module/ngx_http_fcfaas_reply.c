#include "ngx_fcfaas_module/ngx_http_fcfaas_reply.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_cert.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_limit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_probe.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_wait.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


extern ngx_module_t  ngx_http_proxy_module;


static ngx_table_elt_t *ngx_http_fcfaas_reply_find(
    ngx_http_upstream_t *u);
static void ngx_http_fcfaas_reply_heard(ngx_http_fcfaas_peer_t *fp);
static ngx_int_t ngx_http_fcfaas_reply_unsent(ngx_http_request_t *r,
    ngx_http_fcfaas_peer_t *fp, ngx_table_elt_t *h);


void
ngx_http_fcfaas_reply_merge(ngx_conf_t *cf)
{
    ngx_http_upstream_conf_t  *ucf;

    /* the first member of the proxy module's conf */
    ucf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_proxy_module);

    ucf->ignore_headers |= NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT
                           |NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES
                           |NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE
                           |NGX_HTTP_UPSTREAM_IGN_XA_CHARSET;

    if (!ucf->buffering) {
        ucf->change_buffering = 0;
    }
}


ngx_int_t
ngx_http_fcfaas_reply_header(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_table_elt_t         *h;
    ngx_http_upstream_t     *u;
    ngx_http_fcfaas_ctx_t   *ctx;
    ngx_http_fcfaas_peer_t  *fp;

    u = r->upstream;
    ctx = ngx_http_get_module_ctx(r, ngx_http_fcfaas_module);
    fp = ctx->peer;

    fp->answered = 1;

    rc = fp->process_header(r);

    /* the proxy module goes on with another handler after the status line */

    if (u->process_header != ngx_http_fcfaas_reply_header) {
        fp->process_header = u->process_header;
        u->process_header = ngx_http_fcfaas_reply_header;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (u->headers_in.status_n == NGX_HTTP_SERVICE_UNAVAILABLE) {

        h = ngx_http_fcfaas_reply_find(u);

        if (h) {
            return ngx_http_fcfaas_reply_unsent(r, fp, h);
        }
    }

    ngx_http_fcfaas_reply_heard(fp);

    if (fp->instance && !fp->instance->proven) {
        fp->instance->proven = 1;
        ngx_http_fcfaas_failure_over(fp->instance->pool);
    }

    if (fp->instance && ngx_http_fcfaas_slots_good(fp->instance)) {
        ngx_http_fcfaas_park_kick(fp->instance->pool);
    }

    if (u->upgrade && ngx_http_fcfaas_limit_upgrade(fp) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_fcfaas_reply_reinit(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_http_upstream_t     *u;
    ngx_http_fcfaas_ctx_t   *ctx;
    ngx_http_fcfaas_peer_t  *fp;

    u = r->upstream;
    ctx = ngx_http_get_module_ctx(r, ngx_http_fcfaas_module);
    fp = ctx->peer;

    rc = fp->reinit_request(r);

    fp->process_header = u->process_header;
    u->process_header = ngx_http_fcfaas_reply_header;

    return rc;
}


static void
ngx_http_fcfaas_reply_heard(ngx_http_fcfaas_peer_t *fp)
{
    if (fp->instance == NULL) {
        /* out of nginx's cache */
        return;
    }

#if (NGX_SSL || NGX_COMPAT)
    if (fp->upstream->peer.connection->ssl) {
        fp->ctx->waiter.pool->worker->tls = 1;
    }
#endif

    ngx_http_fcfaas_cert_taken(fp, &fp->upstream->peer);
    ngx_http_fcfaas_probe_heard(fp->instance);
}


static ngx_table_elt_t *
ngx_http_fcfaas_reply_find(ngx_http_upstream_t *u)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &u->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof(FCF_HDR_UNSENT) - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) FCF_HDR_UNSENT,
                               sizeof(FCF_HDR_UNSENT) - 1) == 0)
        {
            return &h[i];
        }
    }
}


/* the agent says that its guest has seen nothing of this request */
static ngx_int_t
ngx_http_fcfaas_reply_unsent(ngx_http_request_t *r, ngx_http_fcfaas_peer_t *fp,
    ngx_table_elt_t *h)
{
    ngx_str_t                    why;
    ngx_http_fcfaas_instance_t  *instance;

    why = h->value;
    instance = fp->instance;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "fcfaas: \"%V\" was not sent to the function at %V: %V",
                  &fp->ctx->id, &fp->ctx->instance, &why);

    ngx_http_fcfaas_count(fp->ctx->waiter.pool->worker, UNSENT);

    if (instance == NULL) {
        return NGX_OK;
    }

    if (why.len == sizeof(FCF_UNSENT_BUSY) - 1
        && ngx_strncmp(why.data, FCF_UNSENT_BUSY, why.len) == 0)
    {
        ngx_http_fcfaas_slots_full(instance);

    } else if (why.len == sizeof(FCF_UNSENT_DRAINING) - 1
               && ngx_strncmp(why.data, FCF_UNSENT_DRAINING, why.len) == 0)
    {
        ngx_http_fcfaas_slots_away(instance);

    } else {
        ngx_http_fcfaas_slots_refused(instance);
        ngx_http_fcfaas_probe_denied(instance);
    }

    if (r->request_body_no_buffering
        && (r->headers_in.content_length_n > 0 || r->headers_in.chunked))
    {
        ngx_http_fcfaas_peer_body_gone(fp);
    }

    if (ngx_http_fcfaas_wait_conf(fp) != NGX_OK) {
        return NGX_ERROR;
    }

    fp->unsent = 1;
    fp->reinit = 1;
    fp->upstream->request_sent = 0;

    /* nginx goes on with the next peer: there is no other word for it */

    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}
