/*
 * What etcd says of a function's slots: somebody is at work on each, and it
 * counts as booting until there is an instance of that worker.
 */

#ifndef _NGX_HTTP_FCFAAS_BOOTS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_BOOTS_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* The key of slot "number": of the pool's version.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_fcfaas_boots_put(ngx_http_fcfaas_pool_t *pool,
    ngx_int_t number, const fcf_slot_t *value);
/* The key is gone.  The pool that it counted for, which may be gone with its
 * next release; NULL: there was no such slot. */
ngx_http_fcfaas_pool_t *ngx_http_fcfaas_boots_del(
    ngx_http_fcfaas_function_t *f, ngx_int_t number);
/* What is known so far of a boot under way: name is its request's with
 * FCF_FAILURE_BOOTING behind it. */
void ngx_http_fcfaas_boots_said(ngx_http_fcfaas_function_t *f,
    const char *name, const fcf_failure_t *failure);
/* What is known of one of the pool's boots that are under way: NULL, or error
 * and detail, which live until the next event. */
const ngx_http_fcfaas_answer_t *ngx_http_fcfaas_boots_known(
    ngx_http_fcfaas_pool_t *pool);
/* The names of the pool's boots, each with a comma behind it, at most *left of
 * them: the end.  At p there is room for NGX_HTTP_FCFAAS_BOOT_NAME each. */
#define NGX_HTTP_FCFAAS_BOOT_NAME  (FCF_WORKER_ID_MAX + 1)
u_char *ngx_http_fcfaas_boots_names(ngx_http_fcfaas_pool_t *pool, u_char *p,
    ngx_uint_t *left);

/* Nothing comes of the boot for that request. */
void ngx_http_fcfaas_boots_failed(ngx_http_fcfaas_function_t *f,
    const char *request_id);
/* An instance has come (1) or gone (0). */
void ngx_http_fcfaas_boots_instance(ngx_http_fcfaas_function_t *f,
    const u_char *worker_id, ngx_uint_t there);

/* The function is declared now, or is not any more: its slots' keys may have
 * come before its spec. */
void ngx_http_fcfaas_boots_declared(ngx_http_fcfaas_function_t *f);

/* The next slot's number after that one, -1 for the first, and the generation
 * of the list or put that it is of; -1: that was the last. */
ngx_int_t ngx_http_fcfaas_boots_after(ngx_http_fcfaas_function_t *f,
    ngx_int_t number, ngx_uint_t *generation);

/* the function goes */
void ngx_http_fcfaas_boots_free(ngx_http_fcfaas_function_t *f);

#endif /* _NGX_HTTP_FCFAAS_BOOTS_H_INCLUDED_ */
