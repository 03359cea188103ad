#include "ngx_fcfaas_module/ngx_http_fcfaas_phase.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"


#define NGX_HTTP_FCFAAS_LARGE_BODY  32768


/* c->quic is there */
#if (nginx_version >= 1025000 && (NGX_QUIC || NGX_COMPAT))
#define NGX_HTTP_FCFAAS_QUIC  1
#else
#define NGX_HTTP_FCFAAS_QUIC  0
#endif


extern ngx_module_t  ngx_http_proxy_module;


static ngx_int_t ngx_http_fcfaas_phase_watch(ngx_http_request_t *r);
static void ngx_http_fcfaas_phase_write(ngx_http_request_t *r);
static ngx_uint_t ngx_http_fcfaas_phase_large(ngx_http_request_t *r);
static ngx_int_t ngx_http_fcfaas_phase_read(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx);
static void ngx_http_fcfaas_phase_body(ngx_http_request_t *r);
static void ngx_http_fcfaas_phase_resume(ngx_http_fcfaas_waiter_t *wt);
static void ngx_http_fcfaas_phase_answer(ngx_http_fcfaas_waiter_t *wt);
static ngx_uint_t ngx_http_fcfaas_phase_ended(ngx_http_fcfaas_ctx_t *ctx);


ngx_int_t
ngx_http_fcfaas_phase_park(ngx_http_request_t *r, ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_waiter_t  *wt;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "fcfaas park: \"%V\"", &ctx->id);

    /* the ctx's clean-up handler takes it out of the queue when the client
     * leaves */

    wt = &ctx->waiter;
    wt->wake = ngx_http_fcfaas_phase_resume;
    wt->refuse = ngx_http_fcfaas_phase_answer;

    ctx->stage = NGX_HTTP_FCFAAS_PARKED;
    ngx_http_fcfaas_park_join(wt);

    ngx_http_fcfaas_ask_look(wt->want);

    if (ngx_http_fcfaas_phase_large(r)) {
        return ngx_http_fcfaas_phase_read(r, ctx);
    }

    if (ngx_http_fcfaas_phase_watch(r) != NGX_OK) {
        ngx_http_fcfaas_park_leave(&ctx->waiter);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_AGAIN;
}


/* a client that leaves ends the request */
static ngx_int_t
ngx_http_fcfaas_phase_watch(ngx_http_request_t *r)
{
    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_fcfaas_phase_write;

#if (NGX_HTTP_FCFAAS_QUIC)
    if (r->connection->quic && r->connection->write->error) {
        /* since its body was being read */
        ngx_post_event(r->connection->write, &ngx_posted_events);
    }
#endif

    return NGX_OK;
}


/* A client of HTTP/3 that has sent all there is leaves by wanting no answer
 * any more, which nginx tells as an error of writing. */

static void
ngx_http_fcfaas_phase_write(ngx_http_request_t *r)
{
#if (NGX_HTTP_FCFAAS_QUIC)
    ngx_connection_t  *c;

    c = r->connection;

    if (c->quic && c->write->error) {
        c->read->error = 1;
        ngx_http_test_reading(r);
    }
#endif
}


/*
 * The end of a client's stream hides behind a body that does not fit into the
 * socket's buffers.  Such a body is read while the request is parked, unless
 * the proxy module shall stream it.
 */

static ngx_uint_t
ngx_http_fcfaas_phase_large(ngx_http_request_t *r)
{
    ngx_http_upstream_conf_t  *ucf;

    if (r != r->main
        || (!r->headers_in.chunked
            && r->headers_in.content_length_n < NGX_HTTP_FCFAAS_LARGE_BODY))
    {
        return 0;
    }

    /* the first member of the proxy module's conf */
    ucf = ngx_http_get_module_loc_conf(r, ngx_http_proxy_module);

    return ucf->request_buffering;
}


static ngx_int_t
ngx_http_fcfaas_phase_read(ngx_http_request_t *r, ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->reading = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_fcfaas_phase_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_fcfaas_park_leave(&ctx->waiter);
        return rc;
    }

    ctx->read_handler = r->read_event_handler;

    /* gives back the count that reading the body took */
    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


/* the body is there; its turn, or an answer, may have come before */
static void
ngx_http_fcfaas_phase_body(ngx_http_request_t *r)
{
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_fcfaas_module);

    if (ctx == NULL || !ctx->reading) {
        /* another location's request by now */
        return;
    }

    ctx->reading = 0;

    if (ctx->refused) {
        ngx_http_finalize_request(r, ngx_http_fcfaas_answer(r, ctx));
        return;
    }

    if (ctx->waiter.queued) {
        if (ngx_http_fcfaas_phase_watch(r) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static void
ngx_http_fcfaas_phase_resume(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_queue_data(wt, ngx_http_fcfaas_ctx_t, waiter);
    r = ctx->request;
    c = r->connection;

    if (ngx_http_fcfaas_phase_ended(ctx)) {
        return;
    }

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "fcfaas resume: \"%V\"", &ctx->id);

    ctx->stage = NGX_HTTP_FCFAAS_PASSED;
    wt->turn = 1;

    if (ctx->reading) {
        /* ngx_http_fcfaas_phase_body() goes on */
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        ngx_http_core_run_phases(r);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_fcfaas_phase_answer(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_str_t              *detail;
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_queue_data(wt, ngx_http_fcfaas_ctx_t, waiter);
    r = ctx->request;
    c = r->connection;

    if (ngx_http_fcfaas_phase_ended(ctx)) {
        return;
    }

    ngx_http_set_log_request(c->log, r);

    if (ctx->reading
        && ngx_http_fcfaas_answer_replaced(r, wt->answer.status))
    {
        /*
         * The location of an error_page would take what there is of the body
         * for the whole; ngx_http_fcfaas_phase_body() goes on.  The detail
         * may belong to the function, and change until then.
         */

        ctx->refused = 1;
        detail = &wt->answer.detail;
        detail->data = ngx_pstrdup(r->pool, detail);

        if (detail->data == NULL) {
            detail->len = 0;
        }

        return;
    }

    ngx_http_finalize_request(r, ngx_http_fcfaas_answer(r, ctx));
    ngx_http_run_posted_requests(c);
}


/*
 * nginx itself may have ended a request whose body could not be read, or
 * taken it to another location: it only waits to be freed.
 */

static ngx_uint_t
ngx_http_fcfaas_phase_ended(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    return ngx_http_get_module_ctx(r, ngx_http_fcfaas_module) != ctx
           || (ctx->reading && r->read_event_handler != ctx->read_handler);
}
