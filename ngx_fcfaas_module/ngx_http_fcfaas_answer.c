#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_boots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_variables.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


#define ngx_http_fcfaas_answer_set(a, s, e, m, again)                       \
    (a)->status = s;                                                        \
    (a)->error = e;                                                         \
    ngx_str_set(&(a)->message, m);                                          \
    ngx_str_null(&(a)->detail);                                             \
    (a)->retry_after = again


static ngx_int_t ngx_http_fcfaas_answer_headers(ngx_http_request_t *r,
    ngx_http_fcfaas_answer_t *a);
static ngx_int_t ngx_http_fcfaas_answer_header(ngx_http_request_t *r,
    const char *key, u_char *value, size_t len);
static ngx_buf_t *ngx_http_fcfaas_answer_body(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx);
static void ngx_http_fcfaas_answer_count(ngx_http_fcfaas_ctx_t *ctx);


ngx_int_t
ngx_http_fcfaas_answer(ngx_http_request_t *r, ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    ngx_chain_t                out;
    ngx_http_fcfaas_answer_t  *a;

    a = &ctx->waiter.answer;

    ctx->stage = NGX_HTTP_FCFAAS_ANSWERED;
    ngx_http_fcfaas_answer_count(ctx);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "fcfaas: \"%V\": %s: %ui %s: %V%s%V", &ctx->id,
                  ngx_http_fcfaas_request_id(ctx), a->status, a->error,
                  &a->message, a->detail.len ? ": " : "", &a->detail);

    if (r != r->main
        || ngx_http_fcfaas_answer_replaced(r, a->status))
    {
        return a->status;
    }

    if (ngx_http_fcfaas_answer_headers(r, a) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->expect_tested = 1;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    b = ngx_http_fcfaas_answer_body(r, ctx);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = a->status;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* as ngx_http_special_response_handler() would choose */
ngx_uint_t
ngx_http_fcfaas_answer_replaced(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->error_page || clcf->error_pages == NULL || r->uri_changes == 0) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_fcfaas_answer_headers(ngx_http_request_t *r,
    ngx_http_fcfaas_answer_t *a)
{
    u_char  *p;

    if (ngx_http_fcfaas_answer_header(r, FCF_HDR_ERROR, (u_char *) a->error,
                                      ngx_strlen(a->error))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (a->retry_after == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_fcfaas_answer_header(r, "Retry-After", p,
                                 ngx_sprintf(p, "%ui", a->retry_after) - p);
}


static ngx_int_t
ngx_http_fcfaas_answer_header(ngx_http_request_t *r, const char *key,
    u_char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) key;
    h->key.len = ngx_strlen(key);
    h->value.data = value;
    h->value.len = len;

    return NGX_OK;
}


static ngx_buf_t *
ngx_http_fcfaas_answer_body(ngx_http_request_t *r, ngx_http_fcfaas_ctx_t *ctx)
{
    size_t                       len;
    u_char                      *request_id;
    ngx_buf_t                   *b;
    ngx_str_t                   *message, *id, detail;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);

    message = &ctx->waiter.answer.message;
    id = &ctx->id;
    detail = ctx->waiter.answer.detail;

    if (!flcf->error_details) {
        detail.len = 0;
    }

    request_id = ngx_http_fcfaas_request_id(ctx);

    len = sizeof("{\"error\":\"\",\"message\":\": \","
                 "\"function_id\":\"\",\"request_id\":\"\"}\n")
          + ngx_strlen(ctx->waiter.answer.error)
          + message->len
          + ngx_escape_json(NULL, message->data, message->len)
          + detail.len
          + ngx_escape_json(NULL, detail.data, detail.len)
          + id->len
          + ngx_escape_json(NULL, id->data, id->len)
          + ngx_strlen(request_id);

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NULL;
    }

    b->last = ngx_sprintf(b->last, "{\"error\":\"%s\",\"message\":\"",
                          ctx->waiter.answer.error);
    b->last = (u_char *) ngx_escape_json(b->last, message->data,
                                         message->len);

    if (detail.len) {
        b->last = ngx_cpymem(b->last, ": ", 2);
        b->last = (u_char *) ngx_escape_json(b->last, detail.data,
                                             detail.len);
    }

    b->last = ngx_sprintf(b->last, "\",\"function_id\":\"");
    b->last = (u_char *) ngx_escape_json(b->last, id->data, id->len);
    b->last = ngx_sprintf(b->last, "\",\"request_id\":\"%s\"}\n", request_id);

    b->last_buf = 1;
    b->last_in_chain = 1;

    return b;
}


static void
ngx_http_fcfaas_answer_count(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_worker_t  *w;

    w = ctx->conf->worker;

    if (w == NULL) {
        return;
    }

    switch (ctx->waiter.answer.status) {

    case NGX_HTTP_BAD_REQUEST:
        ngx_http_fcfaas_count(w, BAD_NAME);
        break;

    case NGX_HTTP_NOT_FOUND:
        ngx_http_fcfaas_count(w, UNKNOWN);
        break;

    case NGX_HTTP_TOO_MANY_REQUESTS:
        ngx_http_fcfaas_count(w, LIMITED);
        break;

    case NGX_HTTP_BAD_GATEWAY:
        ngx_http_fcfaas_count(w, FAILED);
        break;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        ngx_http_fcfaas_count(w, UNAVAILABLE);
        break;

    default: /* NGX_HTTP_GATEWAY_TIME_OUT */
        ngx_http_fcfaas_count(w, TIMEOUT);
        break;
    }
}


void
ngx_http_fcfaas_answer_bad_name(ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_BAD_REQUEST, "bad_name",
        "not a function name: a name is 1 to 64 of a-z, 0-9, \".\", \"_\" "
        "and \"-\", begins and ends with a letter or digit, and has no "
        "\"..\"", 0);
}


void
ngx_http_fcfaas_answer_bad_path(ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_BAD_REQUEST, "bad_path",
        "the path that was made of the request has \".\" or \"..\" segments",
        0);
}


void
ngx_http_fcfaas_answer_unknown(ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_NOT_FOUND, "unknown_function",
        "no function of this name is declared", 0);
}


void
ngx_http_fcfaas_answer_bad_version(ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_BAD_REQUEST, "bad_version",
        "what stands behind \"@\" is not a version: that is a number from 1 "
        "on", 0);
}


void
ngx_http_fcfaas_answer_unknown_version(ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_NOT_FOUND, "unknown_version",
        "there is no such version of this function", 0);
}


void
ngx_http_fcfaas_answer_limit(ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_TOO_MANY_REQUESTS, "park_limit",
        "too many requests are waiting for an instance already", 1);
}


void
ngx_http_fcfaas_answer_names(ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_SERVICE_UNAVAILABLE,
        "too_many_names", "too many undeclared functions are being asked for",
        2);
}


void
ngx_http_fcfaas_answer_redis(ngx_http_fcfaas_answer_t *a,
    ngx_http_fcfaas_worker_t *w)
{
    if (w->redis_why.len == 0) {
        ngx_http_fcfaas_answer_set(a, NGX_HTTP_SERVICE_UNAVAILABLE,
            "redis_unavailable", "cannot ask for an instance: Redis is away",
            2);
        return;
    }

    ngx_http_fcfaas_answer_set(a, NGX_HTTP_SERVICE_UNAVAILABLE,
        "redis_unavailable", "cannot ask for an instance: Redis refuses", 2);

    a->detail = w->redis_why;
}


void
ngx_http_fcfaas_answer_body_gone(ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_SERVICE_UNAVAILABLE, "body_gone",
        "the instance did not take the request, and its body was streamed: "
        "send it again", 1);
}


void
ngx_http_fcfaas_answer_slow(ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_GATEWAY_TIME_OUT, "timeout",
        "the function did not answer within its timeout_s, or what nginx "
        "allows where that is 0", 0);
}


void
ngx_http_fcfaas_answer_certificate(ngx_http_fcfaas_answer_t *a,
    const ngx_str_t *detail)
{
    ngx_http_fcfaas_answer_set(a, NGX_HTTP_BAD_GATEWAY, "certificate",
        "the instance's node refuses this gateway's certificate", 0);
    a->detail = *detail;
}


void
ngx_http_fcfaas_answer_timeout(ngx_http_fcfaas_waiter_t *wt,
    ngx_http_fcfaas_answer_t *a)
{
    ngx_http_fcfaas_pool_t          *pool;
    const ngx_http_fcfaas_answer_t  *last, *known;

    pool = wt->pool;

    if (!pool->worker->listed && !ngx_http_fcfaas_slots_ready(pool)) {
        ngx_http_fcfaas_answer_set(a, NGX_HTTP_SERVICE_UNAVAILABLE,
            "etcd_unavailable", "the list of functions has not come yet: "
            "etcd does not answer", 2);
        return;
    }

    known = ngx_http_fcfaas_boots_known(wt->want);

    if (known && !ngx_http_fcfaas_slots_ready(pool)) {
        ngx_http_fcfaas_answer_set(a, NGX_HTTP_GATEWAY_TIME_OUT,
            "park_timeout", "no instance became ready in time: the one that "
            "is being started takes no connections yet", 0);
        a->detail = known->detail;
        return;
    }

    last = ngx_http_fcfaas_failure_since(wt->want, wt->arrived);

    if (last) {
        /* the best that is known of why it had to wait */
        ngx_http_fcfaas_answer_set(a, NGX_HTTP_GATEWAY_TIME_OUT,
            "park_timeout", "no instance became free in time, and the last "
            "one that was to be started did not start", 0);
        a->detail = last->detail;
        return;
    }

    if (ngx_http_fcfaas_slots_ready(pool)
        || ngx_http_fcfaas_slots_booting(wt->want))
    {
        ngx_http_fcfaas_answer_set(a, NGX_HTTP_GATEWAY_TIME_OUT,
            "park_timeout", "no instance became free in time", 0);
        return;
    }

    if (pool->worker->redis_bad) {
        ngx_http_fcfaas_answer_redis(a, pool->worker);
        return;
    }

    ngx_http_fcfaas_answer_set(a, NGX_HTTP_SERVICE_UNAVAILABLE,
        "not_taken", "no agent took the job in time", 2);
}
