#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_admit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_cert.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ctx.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_handler.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_headers.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_keep.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_limit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_reply.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_stale.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_tls.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_wait.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


/* tries that nginx remembers of a request */
#define NGX_HTTP_FCFAAS_STATES  32


static ngx_int_t ngx_http_fcfaas_peer_get(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_fcfaas_peer_reset(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
static ngx_int_t ngx_http_fcfaas_peer_bound(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc, ngx_http_fcfaas_instance_t *instance);
static ngx_int_t ngx_http_fcfaas_peer_name(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
static void ngx_http_fcfaas_peer_collapse(ngx_http_request_t *r);
static void ngx_http_fcfaas_peer_refused(ngx_http_fcfaas_peer_t *fp);
static void ngx_http_fcfaas_peer_again(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
static void ngx_http_fcfaas_peer_failed(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
static void ngx_http_fcfaas_peer_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);


ngx_int_t
ngx_http_fcfaas_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_upstream_t         *u;
    ngx_http_fcfaas_ctx_t       *ctx;
    ngx_http_fcfaas_keep_t      *keep;
    ngx_http_fcfaas_peer_t      *fp;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    u = r->upstream;
    ctx = ngx_http_fcfaas_handler_passed(r);

    if (ctx == NULL) {
        flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);

        if (flcf->id == NULL) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "upstream \"%V\" is for locations with \"fcfaas\" "
                          "only", &us->host);
        } else {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "fcfaas: a subrequest's function is not there any "
                          "more");
        }

        return NGX_ERROR;
    }

    fp = ngx_http_fcfaas_ctx_peer(ctx);
    if (fp == NULL) {
        return NGX_ERROR;
    }

    fp->ctx = ctx;
    fp->upstream = u;
    keep = ngx_http_conf_upstream_srv_conf(us, ngx_http_fcfaas_module);
    fp->keep = keep->max ? keep : NULL;
    fp->own_conf = u->conf;
    fp->bell = (ngx_socket_t) -1;
    fp->process_header = u->process_header;
    fp->reinit_request = u->reinit_request;

    if (ngx_http_fcfaas_headers_add(fp) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_fcfaas_limit_conf(fp) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->peer = fp;

    u->process_header = ngx_http_fcfaas_reply_header;
    u->reinit_request = ngx_http_fcfaas_reply_reinit;

    u->peer.data = fp;
    u->peer.get = ngx_http_fcfaas_peer_get;
    u->peer.free = ngx_http_fcfaas_peer_free;
    u->peer.tries = NGX_HTTP_FCFAAS_TRIES;

#if (NGX_SSL || NGX_COMPAT)
    u->peer.set_session = ngx_http_fcfaas_tls_set_session;
    u->peer.save_session = ngx_http_fcfaas_tls_save_session;
#endif

    ngx_http_fcfaas_count(ctx->waiter.pool->worker, PASSED);

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_peer_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_fcfaas_peer_t  *fp = data;

    ngx_http_fcfaas_waiter_t    *wt;
    ngx_http_fcfaas_instance_t  *instance;

    wt = &fp->ctx->waiter;

    ngx_http_fcfaas_peer_reset(fp, pc);

    if (fp->busy) {
        return ngx_http_fcfaas_wait_busy(pc);
    }

    if (fp->ended) {
        return ngx_http_fcfaas_wait_answer(fp, pc);
    }

    ngx_http_fcfaas_park_count(wt);
    ngx_http_fcfaas_peer_collapse(fp->ctx->request);

    ngx_http_fcfaas_route_again(wt);

    if (!wt->turn && ngx_http_fcfaas_admit_overdue(wt)) {
        ngx_http_fcfaas_answer_timeout(wt, &wt->answer);
        return ngx_http_fcfaas_wait_answer(fp, pc);
    }

    instance = NULL;

    if (wt->turn || !ngx_http_fcfaas_admit_behind(wt)) {
        instance = ngx_http_fcfaas_slots_bind(wt->pool, wt);
    }

    wt->turn = 0;

    if (instance) {
        return ngx_http_fcfaas_peer_bound(fp, pc, instance);
    }

    if (ngx_http_fcfaas_slots_hopeless(wt->pool, wt)) {
        return ngx_http_fcfaas_wait_busy(pc);
    }

    return ngx_http_fcfaas_wait(fp, pc);
}


/* whatever was tried before, or waited for, is over */
static void
ngx_http_fcfaas_peer_reset(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_http_fcfaas_wait_over(fp);

    fp->unsent = 0;
    fp->answered = 0;

    pc->cached = 0;
    pc->connection = NULL;

    if (fp->reinit) {
        /* nginx then starts over with the request and its body */
        fp->upstream->request_sent = 1;
    }
}


/* the instance that it goes to, from here until ngx_http_fcfaas_peer_free() */
static ngx_int_t
ngx_http_fcfaas_peer_bound(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc, ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = fp->ctx;

    fp->instance = instance;
    fp->bound = ngx_current_msec;
    ctx->version = instance->version ? instance->version
                                     : instance->pool->version;
    ngx_queue_insert_tail(&instance->requests, &fp->queue);

    pc->sockaddr = &instance->sockaddr.sockaddr;
    pc->socklen = instance->socklen;

    ctx->waiter.attempts++;

    if (ngx_http_fcfaas_limit_start(fp) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "fcfaas peer: \"%V\" at %V", &ctx->id, &instance->name);

    if (ngx_http_fcfaas_peer_name(fp, pc) != NGX_OK) {
        return NGX_ERROR;
    }

    return fp->keep ? ngx_http_fcfaas_keep_take(fp, pc) : NGX_OK;
}


/* the instance may be gone when the log is written */
static ngx_int_t
ngx_http_fcfaas_peer_name(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_str_t  *name, *known;

    known = &fp->instance->name;

    if (pc->name
        && pc->name->len == known->len
        && ngx_memcmp(pc->name->data, known->data, known->len) == 0)
    {
        /* the same again */
        return NGX_OK;
    }

    /* those of all tries are there then */

    name = &fp->name;

    if (name->len || known->len > sizeof(fp->name_data)) {

        name = ngx_palloc(fp->ctx->request->pool,
                          sizeof(ngx_str_t) + known->len);
        if (name == NULL) {
            return NGX_ERROR;
        }

        name->data = (u_char *) name + sizeof(ngx_str_t);

    } else {
        name->data = fp->name_data;
    }

    name->len = known->len;
    ngx_memcpy(name->data, known->data, known->len);

    pc->name = name;
    fp->ctx->instance = *name;

    return NGX_OK;
}


/*
 * nginx notes each try, for $upstream_addr and the like, until the request
 * ends: of one that is sent to and fro for long, the last ones are kept.
 */

static void
ngx_http_fcfaas_peer_collapse(ngx_http_request_t *r)
{
    ngx_uint_t                  n;
    ngx_http_upstream_state_t  *state;

    n = r->upstream_states->nelts;

    if (n <= NGX_HTTP_FCFAAS_STATES) {
        return;
    }

    state = r->upstream_states->elts;
    state[n - 2] = state[n - 1];

    r->upstream_states->nelts--;
    r->upstream->state = &state[n - 2];
}


static void
ngx_http_fcfaas_peer_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_fcfaas_peer_t  *fp = data;

    ngx_uint_t                   ended;
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_instance_t  *instance;

    instance = fp->instance;

    if (instance == NULL) {
        return;
    }

    ended = 1;

    if ((state & NGX_PEER_FAILED) == 0) {
        ngx_http_fcfaas_keep_give(fp, pc);
    }

    if ((state & (NGX_PEER_FAILED|NGX_PEER_NEXT)) == 0) {
        ngx_http_fcfaas_limit_stop(fp);

    } else if (fp->unsent) {
        ended = 0;

    } else if (state & NGX_PEER_NEXT) {
        ngx_http_fcfaas_peer_failed(fp, pc);

    } else if (pc->connection == NULL || pc->connection->sent == 0) {
        ngx_http_fcfaas_peer_refused(fp);
        ngx_http_fcfaas_cert_theirs(fp, pc);
        ngx_http_fcfaas_peer_again(fp, pc);
        ended = 0;

    } else if (ngx_http_fcfaas_stale(fp, pc)) {
        ngx_http_fcfaas_peer_again(fp, pc);
        ended = 0;

    } else {
        ngx_http_fcfaas_peer_failed(fp, pc);
    }

    if (!ended) {
        /* none of it was work */
        fp->ctx->waiter.waited += ngx_current_msec - fp->bound;

        if (fp->ctx->waiter.nfailed == 0) {
            ngx_http_fcfaas_limit_stop(fp);
        }
    }

    fp->instance = NULL;
    ngx_queue_remove(&fp->queue);

    pool = instance->pool;
    pool->refs++;

    ngx_http_fcfaas_slots_unbind(instance, ended);
    ngx_http_fcfaas_park_kick(pool);

    pool->refs--;
    ngx_http_fcfaas_pool_release(pool);
}


static void
ngx_http_fcfaas_peer_refused(ngx_http_fcfaas_peer_t *fp)
{
    ngx_http_fcfaas_count(fp->ctx->waiter.pool->worker, REFUSED);
    ngx_http_fcfaas_slots_refused(fp->instance);
}


/* nothing has arrived: whatever the method, another may take it */
static void
ngx_http_fcfaas_peer_again(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_http_upstream_t  *u;

    u = fp->upstream;

    if (ngx_http_fcfaas_wait_conf(fp) != NGX_OK) {
        pc->tries = 0;
        return;
    }

    if (!u->request_sent) {
        return;
    }

    if (fp->ctx->request->request_body_no_buffering) {
        ngx_http_fcfaas_peer_body_gone(fp);
    }

    fp->reinit = 1;
    u->request_sent = 0;
    pc->tries = ngx_max(pc->tries, 1);
}


void
ngx_http_fcfaas_peer_body_gone(ngx_http_fcfaas_peer_t *fp)
{
    ngx_http_fcfaas_answer_body_gone(&fp->ctx->waiter.answer);

    fp->ended = 1;
}


/* a part of the request, or all of it, has left */
static void
ngx_http_fcfaas_peer_failed(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_connection_t          *c;
    ngx_http_fcfaas_waiter_t  *wt;

    wt = &fp->ctx->waiter;

    if (pc->tries) {
        pc->tries--;
    }

    if ((!pc->cached || fp->answered)
        && wt->nfailed < sizeof(wt->failed) / sizeof(wt->failed[0]))
    {
        wt->failed[wt->nfailed++] = fp->instance->serial;
    }

    c = pc->connection;

    if (c && (c->read->timedout || c->write->timedout)) {
        ngx_http_fcfaas_limit_over(fp, pc);

    } else {
        ngx_http_fcfaas_cert_ours(fp, pc);
    }
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
