#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_headers.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_limit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_wait.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


static ngx_int_t ngx_http_fcfaas_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_fcfaas_peer_get(ngx_peer_connection_t *pc,
    void *data);
static ngx_int_t ngx_http_fcfaas_peer_name(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
static void ngx_http_fcfaas_peer_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
#if (NGX_SSL || NGX_COMPAT)
static ngx_int_t ngx_http_fcfaas_peer_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_fcfaas_peer_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif
static ngx_int_t ngx_http_fcfaas_peer_process_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_fcfaas_peer_reinit(ngx_http_request_t *r);
static ngx_table_elt_t *ngx_http_fcfaas_peer_unsent_header(
    ngx_http_upstream_t *u);
static ngx_int_t ngx_http_fcfaas_peer_unsent(ngx_http_request_t *r,
    ngx_http_fcfaas_peer_t *fp, ngx_table_elt_t *h);
static ngx_int_t ngx_http_fcfaas_peer_body_gone(ngx_http_request_t *r,
    ngx_table_elt_t *h);


ngx_int_t
ngx_http_fcfaas_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
#if (NGX_HTTP_UPSTREAM_ZONE)
    if (us->shm_zone) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"zone\" has no use beside \"fcfaas\" in upstream "
                      "\"%V\" in %s:%ui", &us->host, us->file_name, us->line);
        return NGX_ERROR;
    }
#endif

    if (us->servers->nelts > 1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"server\" has no use beside \"fcfaas\" in upstream "
                      "\"%V\" in %s:%ui", &us->host, us->file_name, us->line);
        return NGX_ERROR;
    }

#if (nginx_version >= 1029007)

    /* "keepalive" no longer stands in as a balancer, so it is not that */

    if (us->peer.init_upstream != ngx_http_fcfaas_init_upstream) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"sticky\", or another balancer, has no use beside "
                      "\"fcfaas\" in upstream \"%V\" in %s:%ui",
                      &us->host, us->file_name, us->line);
        return NGX_ERROR;
    }

#endif

    us->peer.init = ngx_http_fcfaas_init_peer;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_upstream_t     *u;
    ngx_http_fcfaas_ctx_t   *ctx;
    ngx_http_fcfaas_peer_t  *fp;

    u = r->upstream;
    ctx = ngx_http_get_module_ctx(r, ngx_http_fcfaas_module);

    if (ctx == NULL || ctx->function == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "upstream \"%V\" is for locations with \"fcfaas\" only",
                      &us->host);
        return NGX_ERROR;
    }

    fp = ngx_pcalloc(r->pool, sizeof(ngx_http_fcfaas_peer_t));
    if (fp == NULL) {
        return NGX_ERROR;
    }

    fp->ctx = ctx;
    fp->upstream = u;
    fp->conf = u->conf;
    fp->bell = (ngx_socket_t) -1;
    fp->process_header = u->process_header;
    fp->reinit_request = u->reinit_request;

    if (ngx_http_fcfaas_headers_add(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->peer = fp;

    /*
     * A copy of the conf for each request would do this more politely, but
     * it is a tag of nginx's own keepalive pools.
     */

    if (u->conf->connect_timeout > NGX_HTTP_FCFAAS_CONNECT_TIMEOUT) {
        u->conf->connect_timeout = NGX_HTTP_FCFAAS_CONNECT_TIMEOUT;
    }

    u->process_header = ngx_http_fcfaas_peer_process_header;
    u->reinit_request = ngx_http_fcfaas_peer_reinit;

    u->peer.data = fp;
    u->peer.get = ngx_http_fcfaas_peer_get;
    u->peer.free = ngx_http_fcfaas_peer_free;
    u->peer.tries = NGX_HTTP_FCFAAS_TRIES;

#if (NGX_SSL || NGX_COMPAT)
    u->peer.set_session = ngx_http_fcfaas_peer_set_session;
    u->peer.save_session = ngx_http_fcfaas_peer_save_session;
#endif

    ngx_http_fcfaas_limit_start(fp);

    ngx_http_fcfaas_count(ctx->function->worker, PASSED);

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_peer_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_fcfaas_peer_t  *fp = data;

    ngx_http_fcfaas_instance_t  *instance;

    ngx_http_fcfaas_wait_over(fp);

    fp->unsent = 0;
    fp->answered = 0;

    pc->cached = 0;
    pc->connection = NULL;

    if (fp->reinit) {
        /* nginx then starts over with the request and its body */
        fp->upstream->request_sent = 1;
    }

    instance = ngx_http_fcfaas_slots_bind(fp->ctx->function);

    if (instance == NULL) {
        return ngx_http_fcfaas_wait(fp, pc);
    }

    fp->instance = instance;
    ngx_queue_insert_tail(&instance->requests, &fp->queue);

    pc->sockaddr = &instance->sockaddr.sockaddr;
    pc->socklen = instance->socklen;

    fp->ctx->attempts++;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "fcfaas peer: \"%V\" at %V", &fp->ctx->id, &instance->name);

    return ngx_http_fcfaas_peer_name(fp, pc);
}


/* the instance may be gone when the log is written */
static ngx_int_t
ngx_http_fcfaas_peer_name(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_str_t  *name;

    name = &fp->name;

    if (name->len == 0) {
        name->data = fp->name_data;

    } else {
        name = ngx_palloc(fp->ctx->request->pool,
                          sizeof(ngx_str_t) + NGX_SOCKADDR_STRLEN);
        if (name == NULL) {
            return NGX_ERROR;
        }

        name->data = (u_char *) name + sizeof(ngx_str_t);
    }

    name->len = fp->instance->name.len;
    ngx_memcpy(name->data, fp->instance->name.data, name->len);

    pc->name = name;
    fp->ctx->instance = *name;

    return NGX_OK;
}


static void
ngx_http_fcfaas_peer_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_fcfaas_peer_t  *fp = data;

    ngx_uint_t                   ended;
    ngx_http_upstream_t         *u;
    ngx_http_fcfaas_instance_t  *instance;

    instance = fp->instance;

    if (instance == NULL) {
        return;
    }

    u = fp->upstream;
    ended = 1;

    if (state & NGX_PEER_FAILED) {

        if (fp->unsent) {
            ended = 0;

        } else if (pc->connection == NULL || pc->connection->sent == 0) {

            /* nothing has left: whatever the method, another may take it */

            ngx_http_fcfaas_count(fp->ctx->function->worker, REFUSED);
            ngx_http_fcfaas_slots_refused(instance);
            ended = 0;

            /* what was read of a body that is streamed is gone, though */

            if (u->request_sent
                && !fp->ctx->request->request_body_no_buffering)
            {
                fp->reinit = 1;
                u->request_sent = 0;
            }

        } else if (pc->tries) {
            pc->tries--;
        }

    } else {
        ngx_http_fcfaas_limit_stop(fp);
    }

    fp->instance = NULL;
    ngx_queue_remove(&fp->queue);

    ngx_http_fcfaas_slots_unbind(instance, ended);
    ngx_http_fcfaas_park_kick(fp->ctx->function);
}


#if (NGX_SSL || NGX_COMPAT)

/* TLS sessions are not kept: an instance, and with it its port, may be another
 * one by the next time */

static ngx_int_t
ngx_http_fcfaas_peer_set_session(ngx_peer_connection_t *pc, void *data)
{
    return NGX_OK;
}


static void
ngx_http_fcfaas_peer_save_session(ngx_peer_connection_t *pc, void *data)
{
    /* void */
}

#endif


static ngx_int_t
ngx_http_fcfaas_peer_process_header(ngx_http_request_t *r)
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

    if (u->process_header != ngx_http_fcfaas_peer_process_header) {
        fp->process_header = u->process_header;
        u->process_header = ngx_http_fcfaas_peer_process_header;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (u->headers_in.status_n == NGX_HTTP_SERVICE_UNAVAILABLE) {

        h = ngx_http_fcfaas_peer_unsent_header(u);

        if (h) {
            return ngx_http_fcfaas_peer_unsent(r, fp, h);
        }
    }

    if (fp->instance && ngx_http_fcfaas_slots_good(fp->instance)) {
        ngx_http_fcfaas_park_kick(ctx->function);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_peer_reinit(ngx_http_request_t *r)
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
    u->process_header = ngx_http_fcfaas_peer_process_header;

    return rc;
}


static ngx_table_elt_t *
ngx_http_fcfaas_peer_unsent_header(ngx_http_upstream_t *u)
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
ngx_http_fcfaas_peer_unsent(ngx_http_request_t *r, ngx_http_fcfaas_peer_t *fp,
    ngx_table_elt_t *h)
{
    ngx_str_t                    why;
    ngx_http_fcfaas_instance_t  *instance;

    why = h->value;
    instance = fp->instance;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "fcfaas: \"%V\" was not sent to the function at %V: %V",
                  &fp->ctx->id, &fp->ctx->instance, &why);

    ngx_http_fcfaas_count(fp->ctx->function->worker, UNSENT);

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
        instance->draining = 1;

    } else {
        ngx_http_fcfaas_slots_refused(instance);
    }

    if (r->request_body_no_buffering
        && (r->headers_in.content_length_n > 0 || r->headers_in.chunked))
    {
        return ngx_http_fcfaas_peer_body_gone(r, h);
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


/* a body that was streamed cannot be sent again: the client may do so */
static ngx_int_t
ngx_http_fcfaas_peer_body_gone(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    static u_char  lowcase[] = "retry-after";

    ngx_str_set(&h->key, "Retry-After");
    ngx_str_set(&h->value, "1");
    h->lowcase_key = lowcase;
    h->hash = ngx_hash_key(lowcase, sizeof(lowcase) - 1);

    return NGX_OK;
}


void
ngx_http_fcfaas_peer_vanished(ngx_http_fcfaas_instance_t *instance)
{
    ngx_queue_t             *q;
    ngx_connection_t        *c;
    ngx_http_fcfaas_peer_t  *fp;

    for (q = ngx_queue_head(&instance->requests);
         q != ngx_queue_sentinel(&instance->requests);
         q = ngx_queue_next(q))
    {
        fp = ngx_queue_data(q, ngx_http_fcfaas_peer_t, queue);
        c = fp->upstream->peer.connection;

        if (fp->answered || c == NULL) {
            continue;
        }

        /* seen by nginx as the end of the stream, on the loop's next turn */

        if (shutdown(c->fd, SHUT_RDWR) == -1 && ngx_socket_errno != ENOTCONN) {
            ngx_log_error(NGX_LOG_ERR, c->log, ngx_socket_errno,
                          "fcfaas: shutdown() failed");
        }
    }
}


void
ngx_http_fcfaas_peer_cleanup(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_peer_t  *fp;

    fp = ctx->peer;

    if (fp == NULL) {
        return;
    }

    ctx->peer = NULL;

    ngx_http_fcfaas_limit_stop(fp);
    ngx_http_fcfaas_wait_cleanup(fp);
}
