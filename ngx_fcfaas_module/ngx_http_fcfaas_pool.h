/*
 * Pools: the instances of one version of a function, those who wait for them,
 * and what is asked and told about them.
 */

#ifndef _NGX_HTTP_FCFAAS_POOL_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_POOL_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* The pool of a version; 0 is that of the spec (where there is none, of no
 * version at all).  find: NULL if there is none; get: made if there is none,
 * NULL when out of memory.  One without anything in it goes with its last
 * reference. */
ngx_http_fcfaas_pool_t *ngx_http_fcfaas_pool_find(
    ngx_http_fcfaas_function_t *f, int64_t version);
ngx_http_fcfaas_pool_t *ngx_http_fcfaas_pool_get(
    ngx_http_fcfaas_function_t *f, int64_t version);

/* The pool of what an agent says is of that version: what is not declared has
 * no versions, whatever it makes of that.  Otherwise as get. */
ngx_http_fcfaas_pool_t *ngx_http_fcfaas_pool_home(
    ngx_http_fcfaas_function_t *f, int64_t version);

/* Frees the pool if nothing holds it any more: no reference, no instance,
 * nobody waiting, nothing asked, no requests that go there by the spec; and
 * its function if it was the last thing there.  Ends every use of both
 * pointers by the caller. */
void ngx_http_fcfaas_pool_release(ngx_http_fcfaas_pool_t *pool);
/* The same for all pools of a function that the caller holds a reference
 * to. */
void ngx_http_fcfaas_pool_release_all(ngx_http_fcfaas_function_t *f);
/* the worker ends: frees it, whatever holds it */
void ngx_http_fcfaas_pool_free(ngx_http_fcfaas_pool_t *pool);

/* calls back for each pool of f; the handler must not release any */
typedef void (*ngx_http_fcfaas_pool_pt)(ngx_http_fcfaas_pool_t *pool);
void ngx_http_fcfaas_pool_each(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_pool_pt handler);

#endif /* _NGX_HTTP_FCFAAS_POOL_H_INCLUDED_ */
