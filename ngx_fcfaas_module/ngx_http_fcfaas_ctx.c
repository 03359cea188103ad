#include "ngx_fcfaas_module/ngx_http_fcfaas_ctx.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


/* that are kept ready */
#define NGX_HTTP_FCFAAS_CTX_ROOMS  256


/*
 * Not from the request's pool, where it would often be what does not fit any
 * more: another piece of that costs as much as all that the module does until
 * the request is passed on.  The last one given back is taken first.
 */

struct ngx_http_fcfaas_ctx_room_s {
    ngx_http_fcfaas_ctx_room_t  *next;          /* valid while it is ready */
    unsigned                     peered:1;      /* peer is used */
    ngx_http_fcfaas_ctx_t        ctx;
    ngx_http_fcfaas_peer_t       peer;          /* its first one */
};

const size_t  ngx_http_fcfaas_ctx_size = sizeof(ngx_http_fcfaas_ctx_room_t);


static ngx_http_fcfaas_ctx_t *ngx_http_fcfaas_ctx_create(
    ngx_http_request_t *r);
static ngx_http_fcfaas_ctx_t *ngx_http_fcfaas_ctx_take(
    ngx_http_fcfaas_worker_t *w, ngx_log_t *log);
static void ngx_http_fcfaas_ctx_give(ngx_http_fcfaas_ctx_t *ctx);
static void ngx_http_fcfaas_ctx_undo(ngx_http_fcfaas_ctx_t *ctx);
static ngx_int_t ngx_http_fcfaas_ctx_id(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *id);
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

    ctx = ngx_http_fcfaas_ctx_take(fmcf->worker, r->connection->log);
    if (ctx == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_fcfaas_ctx_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ctx->waiter.arrived = ngx_current_msec;
    ctx->waiter.log = r->connection->log;
    ctx->conf = fmcf;

    ngx_http_set_ctx(r, ctx, ngx_http_fcfaas_module);

    return ctx;
}


static ngx_http_fcfaas_ctx_t *
ngx_http_fcfaas_ctx_take(ngx_http_fcfaas_worker_t *w, ngx_log_t *log)
{
    ngx_http_fcfaas_ctx_room_t  *room;

    if (w && w->rooms) {
        room = w->rooms;
        w->rooms = room->next;
        w->nrooms--;

    } else {
        room = ngx_alloc(sizeof(ngx_http_fcfaas_ctx_room_t), log);
        if (room == NULL) {
            return NULL;
        }
    }

    ngx_memzero(room, sizeof(ngx_http_fcfaas_ctx_room_t));

    return &room->ctx;
}


static void
ngx_http_fcfaas_ctx_give(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_ctx_room_t  *room;
#if !(NGX_DEBUG_PALLOC)
    ngx_http_fcfaas_worker_t    *w;
#endif

    room = ngx_queue_data(ctx, ngx_http_fcfaas_ctx_room_t, ctx);

#if !(NGX_DEBUG_PALLOC)

    /* a build that is to show what is used after its end uses none again */

    w = ctx->conf->worker;

    if (w && w->nrooms < NGX_HTTP_FCFAAS_CTX_ROOMS) {
        room->next = w->rooms;
        w->rooms = room;
        w->nrooms++;
        return;
    }

#endif

    ngx_free(room);
}


void
ngx_http_fcfaas_ctx_done(ngx_http_fcfaas_worker_t *w)
{
    ngx_http_fcfaas_ctx_room_t  *room;

    while ((room = w->rooms) != NULL) {
        w->rooms = room->next;
        ngx_free(room);
    }
}


ngx_http_fcfaas_peer_t *
ngx_http_fcfaas_ctx_peer(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_ctx_room_t  *room;

    room = ngx_queue_data(ctx, ngx_http_fcfaas_ctx_room_t, ctx);

    if (room->peered) {
        return ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_fcfaas_peer_t));
    }

    room->peered = 1;

    return &room->peer;
}


/* with what the location says is the function's name */
ngx_http_fcfaas_ctx_t *
ngx_http_fcfaas_ctx_given(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf)
{
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_fcfaas_ctx_create(r);

    if (ctx == NULL
        || ngx_http_fcfaas_ctx_id(r, flcf, &ctx->given) != NGX_OK)
    {
        return NULL;
    }

    return ctx;
}


/* what a capture holds stays where it is, whatever becomes of the variable */
static ngx_int_t
ngx_http_fcfaas_ctx_id(ngx_http_request_t *r,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_str_t *id)
{
    ngx_http_variable_value_t  *v;

    if (flcf->variable == NGX_CONF_UNSET) {
        return ngx_http_complex_value(r, flcf->id, id);
    }

    v = ngx_http_get_flushed_variable(r, flcf->variable);

    if (v == NULL || v->not_found) {
        ngx_str_set(id, "");
        return NGX_OK;
    }

    id->data = v->data;
    id->len = v->len;

    return NGX_OK;
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
