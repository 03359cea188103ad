#include "ngx_fcfaas_module/ngx_http_fcfaas_handler.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_admit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ctx.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_headers.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_nodes.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_path.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_phase.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_registry.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_traffic.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


static ngx_int_t ngx_http_fcfaas_name(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx, ngx_http_fcfaas_function_t **f);
static ngx_int_t ngx_http_fcfaas_bad_name(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx);
static ngx_int_t ngx_http_fcfaas_choose(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx, ngx_http_fcfaas_loc_conf_t *flcf,
    ngx_http_fcfaas_function_t *f);
static ngx_http_fcfaas_function_t *ngx_http_fcfaas_function(
    ngx_http_fcfaas_ctx_t *ctx, ngx_http_fcfaas_loc_conf_t *flcf,
    ngx_http_fcfaas_function_t *f);
static ngx_int_t ngx_http_fcfaas_pass(ngx_http_fcfaas_ctx_t *ctx);
static ngx_int_t ngx_http_fcfaas_cold(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx);
static ngx_int_t ngx_http_fcfaas_refuse(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx);


ngx_int_t
ngx_http_fcfaas_id_handler(ngx_http_request_t *r)
{
    ngx_http_fcfaas_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);

    if (flcf->id == NULL
        || flcf->capture == NGX_CONF_UNSET
        || ngx_http_get_module_ctx(r, ngx_http_fcfaas_module))
    {
        return NGX_DECLINED;
    }

    return ngx_http_fcfaas_ctx_given(r, flcf) ? NGX_DECLINED : NGX_ERROR;
}


ngx_int_t
ngx_http_fcfaas_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_fcfaas_ctx_t       *ctx;
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_function_t  *f;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);

    if (flcf->id == NULL) {
        return flcf->node ? ngx_http_fcfaas_nodes_phase(r) : NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_fcfaas_module);

    if (ctx && ctx->stage == NGX_HTTP_FCFAAS_PASSED) {
        return NGX_DECLINED;
    }

    if (ctx == NULL || flcf->capture == NGX_CONF_UNSET) {

        ctx = ngx_http_fcfaas_ctx_given(r, flcf);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    rc = ngx_http_fcfaas_name(r, ctx, &f);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_fcfaas_choose(r, ctx, flcf, f);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_fcfaas_refuse(r, ctx);
    }

    pool = ctx->waiter.pool;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        /* its body may take long */
        (void) ngx_http_fcfaas_share_ticket(&ctx->waiter);
    }

    if (ngx_http_fcfaas_admit_later(r)) {
        ctx->stage = NGX_HTTP_FCFAAS_PASSED;
        return NGX_DECLINED;
    }

    if (!ngx_http_fcfaas_share_waited(pool)
        && ngx_http_fcfaas_slots_any(pool))
    {
        if (ctx->waiter.want->outdated) {
            ngx_http_fcfaas_ask_look(ctx->waiter.want);
        }

        return ngx_http_fcfaas_pass(ctx);
    }

    return ngx_http_fcfaas_cold(r, ctx);
}


/* whether there can be such a function, and the one in the table or NULL;
 * NGX_DECLINED: ctx->waiter.answer says why not */
static ngx_int_t
ngx_http_fcfaas_name(ngx_http_request_t *r, ngx_http_fcfaas_ctx_t *ctx,
    ngx_http_fcfaas_function_t **f)
{
    ngx_int_t                  rc;
    fcp_str_t                  uri;
    ngx_http_fcfaas_worker_t  *w;

    w = ctx->conf->worker;

    ctx->id = ctx->given;
    rc = ngx_http_fcfaas_route_parse(&ctx->id, &ctx->waiter.version);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "fcfaas handler: \"%V\"", &ctx->id);

    ngx_http_fcfaas_headers_drop(r);

    *f = w ? ngx_http_fcfaas_table_find(w, ctx->id.data, ctx->id.len) : NULL;

    /* no name comes into the table without that */

    if (*f == NULL && !fcf_id_valid((char *) ctx->id.data, ctx->id.len)) {
        return ngx_http_fcfaas_bad_name(r, ctx);
    }

    if (rc != NGX_OK) {
        ngx_http_fcfaas_answer_bad_version(&ctx->waiter.answer);
        return NGX_DECLINED;
    }

    uri = ngx_http_fcfaas_path_str(&r->uri);

    if (!r->valid_unparsed_uri && fcp_path_dots(&uri)) {

        /* from an argument, say, by a rewrite: there is no way to write that
         * down that would not take the function elsewhere */

        ngx_http_fcfaas_answer_bad_path(&ctx->waiter.answer);
        return NGX_DECLINED;
    }

    if (w == NULL) {
        /* requests come to processes that began with one */
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "fcfaas: this worker has no registry");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_http_fcfaas_ctx_t *
ngx_http_fcfaas_handler_passed(ngx_http_request_t *r)
{
    ngx_http_fcfaas_ctx_t       *ctx;
    ngx_http_fcfaas_function_t  *f;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_fcfaas_module);

    if (ctx == NULL) {
        ctx = ngx_http_fcfaas_ctx_cloned(r);
    }

    if (ctx == NULL || ctx->stage == NGX_HTTP_FCFAAS_PASSED) {
        return ctx;
    }

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);

    /* its parent has been here, but things may have changed since */

    if (flcf->id == NULL
        || ngx_http_fcfaas_name(r, ctx, &f) != NGX_OK
        || ngx_http_fcfaas_choose(r, ctx, flcf, f) != NGX_OK)
    {
        return NULL;
    }

    ctx->stage = NGX_HTTP_FCFAAS_PASSED;

    return ctx;
}


static ngx_int_t
ngx_http_fcfaas_bad_name(ngx_http_request_t *r, ngx_http_fcfaas_ctx_t *ctx)
{
    u_char  *p, *last;

    /* shown in the answer and the log: bounded, and printable */

    ctx->id.len = ngx_min(ctx->id.len, 2 * FCF_ID_MAX);
    ctx->id.data = ngx_pstrdup(r->pool, &ctx->id);

    if (ctx->id.data == NULL) {
        return NGX_ERROR;
    }

    for (p = ctx->id.data, last = p + ctx->id.len; p < last; p++) {
        if (*p < 0x20 || *p >= 0x7f) {
            *p = '?';
        }
    }

    ngx_http_fcfaas_answer_bad_name(&ctx->waiter.answer);

    return NGX_DECLINED;
}


/* the instances that it is for; NGX_DECLINED: ctx->waiter.answer says why
 * there are none */
static ngx_int_t
ngx_http_fcfaas_choose(ngx_http_request_t *r, ngx_http_fcfaas_ctx_t *ctx,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_http_fcfaas_function_t *f)
{
    ngx_int_t                  rc;
    ngx_str_t                  sticky;
    ngx_http_fcfaas_waiter_t  *wt;

    wt = &ctx->waiter;
    wt->timeout = flcf->park_timeout;

    f = ngx_http_fcfaas_function(ctx, flcf, f);
    if (f == NULL) {
        return NGX_DECLINED;
    }

    if (flcf->sticky) {

        if (ngx_http_complex_value(r, flcf->sticky, &sticky) != NGX_OK) {
            return NGX_ERROR;
        }

        wt->point = ngx_http_fcfaas_traffic_point(&sticky);
    }

    rc = ngx_http_fcfaas_route(f, wt);

    if (rc == NGX_DECLINED) {
        ngx_http_fcfaas_answer_unknown_version(&wt->answer);
    }

    if (rc != NGX_OK) {
        /* it may have been made for this request */
        ngx_http_fcfaas_table_release(f);
    }

    return rc;
}


/* the one in the table, or a new one; NULL: ctx->waiter.answer says why not */
static ngx_http_fcfaas_function_t *
ngx_http_fcfaas_function(ngx_http_fcfaas_ctx_t *ctx,
    ngx_http_fcfaas_loc_conf_t *flcf, ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_worker_t  *w;

    w = ctx->conf->worker;
    ctx->waiter.undeclared = !flcf->declared;

    if (f && !f->declared && !flcf->declared) {
        f->spec.cpu = flcf->cpu;
        f->spec.memory = flcf->memory;
    }

    if (f && (flcf->declared ? f->declared
                             : ngx_http_fcfaas_registry_known(f)))
    {
        return f;
    }

    if (w->listed && flcf->declared) {
        ngx_http_fcfaas_answer_unknown(&ctx->waiter.answer);
        return NULL;
    }

    if (f && f->named) {
        return f;
    }

    if (w->nnamed >= NGX_HTTP_FCFAAS_NAMES_MAX) {
        ngx_http_fcfaas_answer_names(&ctx->waiter.answer);
        return NULL;
    }

    f = ngx_http_fcfaas_table_get(w, ctx->id.data, ctx->id.len);

    if (f == NULL) {
        ngx_http_fcfaas_answer_names(&ctx->waiter.answer);
        return NULL;
    }

    f->named = 1;
    w->nnamed++;

    if (!flcf->declared) {
        f->spec.cpu = flcf->cpu;
        f->spec.memory = flcf->memory;
    }

    return f;
}


static ngx_int_t
ngx_http_fcfaas_pass(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_count(ctx->waiter.pool->worker, WARM);

    ctx->waiter.counted = 1;
    ctx->stage = NGX_HTTP_FCFAAS_PASSED;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_fcfaas_cold(ngx_http_request_t *r, ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_http_fcfaas_pool_t  *pool;

    pool = ctx->waiter.pool;

    if (pool->worker->listed) {
        ngx_http_fcfaas_park_count(&ctx->waiter);
    }

    if (ngx_http_fcfaas_admit(ctx) != NGX_OK) {
        return ngx_http_fcfaas_refuse(r, ctx);
    }

    pool->refs++;

    /* the request may be gone afterwards */
    rc = ngx_http_fcfaas_phase_park(r, ctx);

    /* somebody may have left the queue since it was last looked at */
    ngx_http_fcfaas_park_kick(pool);

    pool->refs--;
    ngx_http_fcfaas_pool_release(pool);

    return rc;
}


static ngx_int_t
ngx_http_fcfaas_refuse(ngx_http_request_t *r, ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_finalize_request(r, ngx_http_fcfaas_answer(r, ctx));

    return NGX_DONE;
}
