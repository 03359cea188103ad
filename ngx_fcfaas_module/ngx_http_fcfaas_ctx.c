#include "ngx_fcfaas_module/ngx_http_fcfaas_ctx.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_uri.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


const size_t  ngx_http_fcfaas_ctx_size = sizeof(ngx_http_fcfaas_ctx_t)
                                        + sizeof(ngx_http_fcfaas_peer_t);


static ngx_http_fcfaas_ctx_t *ngx_http_fcfaas_ctx_create(
    ngx_http_request_t *r);
static void ngx_http_fcfaas_ctx_give(ngx_http_fcfaas_ctx_t *ctx);
static void ngx_http_fcfaas_ctx_undo(ngx_http_fcfaas_ctx_t *ctx);
static void ngx_http_fcfaas_ctx_cleanup(void *data);


static ngx_http_fcfaas_ctx_t *
ngx_http_fcfaas_ctx_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_fcfaas_ctx_t        *ctx;
    ngx_http_fcfaas_main_conf_t  *fmcf;

    fmcf = ngx_http_get_module_main_conf(r, ngx_http_fcfaas_module);

    /* of the pool, so that the ctx is whole when the log is written */

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    ctx = ngx_http_fcfaas_room_take(fmcf->worker ? &fmcf->worker->ctxs : NULL,
                                    sizeof(ngx_http_fcfaas_ctx_t),
                                    r->connection->log);
    if (ctx == NULL) {
        return NULL;
    }

    ngx_memzero(ctx, sizeof(ngx_http_fcfaas_ctx_t));

    cln->handler = ngx_http_fcfaas_ctx_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ctx->waiter.arrived = ngx_current_msec;
    ctx->waiter.log = r->connection->log;
    ctx->conf = fmcf;

    ngx_http_set_ctx(r, ctx, ngx_http_fcfaas_module);

    return ctx;
}


static void
ngx_http_fcfaas_ctx_give(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_worker_t  *w;

    w = ctx->conf->worker;

    if (ctx->peer_room) {
        ngx_http_fcfaas_room_give(w ? &w->peers : NULL, ctx->peer_room);
    }

    ngx_http_fcfaas_room_give(w ? &w->ctxs : NULL, ctx);
}


void
ngx_http_fcfaas_ctx_done(ngx_http_fcfaas_worker_t *w)
{
    ngx_http_fcfaas_rooms_done(&w->ctxs);
    ngx_http_fcfaas_rooms_done(&w->peers);
}


ngx_http_fcfaas_peer_t *
ngx_http_fcfaas_ctx_peer(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_peer_t  *fp;

    if (ctx->peer_room) {
        /* nginx goes to another upstream */
        fp = ngx_palloc(ctx->request->pool, sizeof(ngx_http_fcfaas_peer_t));

    } else {
        fp = ngx_http_fcfaas_room_take(&ctx->conf->worker->peers,
                                       sizeof(ngx_http_fcfaas_peer_t),
                                       ctx->waiter.log);
        ctx->peer_room = fp;
    }

    if (fp) {
        ngx_memzero(fp, offsetof(ngx_http_fcfaas_peer_t, name_data));
    }

    return fp;
}


/* with what the location says is the function's name */
ngx_http_fcfaas_ctx_t *
ngx_http_fcfaas_ctx_given(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf)
{
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_fcfaas_ctx_create(r);

    if (ctx == NULL
        || ngx_http_fcfaas_uri_id(r, flcf, &ctx->given) != NGX_OK)
    {
        return NULL;
    }

    return ctx;
}


static void
ngx_http_fcfaas_ctx_cleanup(void *data)
{
    ngx_http_fcfaas_ctx_undo(data);
    ngx_http_fcfaas_ctx_give(data);
}


static void
ngx_http_fcfaas_ctx_undo(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_pool_t    *pool;
    ngx_http_fcfaas_waiter_t  *wt;

    wt = &ctx->waiter;
    pool = wt->pool;

    /* without a worker the table has gone, and the pool with it */

    if (pool == NULL || ctx->conf->worker == NULL) {
        return;
    }

    if (wt->queued) {
        ngx_http_fcfaas_count(pool->worker, LEFT);
        ngx_http_fcfaas_park_leave(wt);
    }

    /* admitted, and something failed before it was in the queue */
    ngx_http_fcfaas_share_leave(wt);
    ngx_http_fcfaas_peer_cleanup(ctx);

    ngx_http_fcfaas_route_end(wt);
}


ngx_http_fcfaas_ctx_t *
ngx_http_fcfaas_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_fcfaas_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_fcfaas_ctx_cleanup) {
            ctx = cln->data;

            if (ctx->request == r) {
                return ctx;
            }
        }
    }

    return ngx_http_fcfaas_ctx_cloned(r);
}


ngx_http_fcfaas_ctx_t *
ngx_http_fcfaas_ctx_cloned(ngx_http_request_t *r)
{
    ngx_http_phase_handler_t    *ph;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);
    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    ph = &cmcf->phase_engine.handlers[r->phase_handler];

    if (r == r->main
        || flcf->id == NULL
        || ph->checker != ngx_http_core_content_phase)
    {
        return NULL;
    }

    return ngx_http_fcfaas_ctx_given(r, flcf);
}
