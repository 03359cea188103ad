/*
 * Answers of the module's own: JSON, with X-Fcfaas-Error, so that they can be
 * told from a function's.  error_page may replace them.
 */

#ifndef _NGX_HTTP_FCFAAS_ANSWER_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_ANSWER_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Sends ctx->waiter.answer.  The result is for ngx_http_finalize_request(). */
ngx_int_t ngx_http_fcfaas_answer(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx);
/* 1 if an error_page takes the place of an answer with this status */
ngx_uint_t ngx_http_fcfaas_answer_replaced(ngx_http_request_t *r,
    ngx_uint_t status);

/* The answers there are; messages are static, details the
 * pool's. */
void ngx_http_fcfaas_answer_bad_name(ngx_http_fcfaas_answer_t *a);
void ngx_http_fcfaas_answer_bad_path(ngx_http_fcfaas_answer_t *a);
void ngx_http_fcfaas_answer_unknown(ngx_http_fcfaas_answer_t *a);
void ngx_http_fcfaas_answer_bad_version(ngx_http_fcfaas_answer_t *a);
void ngx_http_fcfaas_answer_unknown_version(ngx_http_fcfaas_answer_t *a);
void ngx_http_fcfaas_answer_limit(ngx_http_fcfaas_answer_t *a);
void ngx_http_fcfaas_answer_names(ngx_http_fcfaas_answer_t *a);
/* Redis is away, or answers, but not as it should */
void ngx_http_fcfaas_answer_redis(ngx_http_fcfaas_answer_t *a,
    ngx_http_fcfaas_worker_t *w);
void ngx_http_fcfaas_answer_body_gone(ngx_http_fcfaas_answer_t *a);
void ngx_http_fcfaas_answer_slow(ngx_http_fcfaas_answer_t *a);
/* detail: which node, and why; it lives as long as the request */
void ngx_http_fcfaas_answer_certificate(ngx_http_fcfaas_answer_t *a,
    const ngx_str_t *detail);
/* the park timeout has passed: what there was no time for */
void ngx_http_fcfaas_answer_timeout(ngx_http_fcfaas_waiter_t *wt,
    ngx_http_fcfaas_answer_t *a);

#endif /* _NGX_HTTP_FCFAAS_ANSWER_H_INCLUDED_ */
