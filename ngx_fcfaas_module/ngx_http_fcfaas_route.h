/*
 * Which version of a function a request goes to: the one that it asks for;
 * else one by the shares of "traffic"; else that of the spec.  As long as
 * that version has no instance that is ready, the newest that has one stands
 * in for it, but not for one that was asked for.
 */

#ifndef _NGX_HTTP_FCFAAS_ROUTE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_ROUTE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Splits "name@version"; NGX_DECLINED: that is no version. */
ngx_int_t ngx_http_fcfaas_route_parse(ngx_str_t *id, int64_t *version);

/* Sets pool and want of a waiter that is in no queue, by its version and
 * point.  NGX_DECLINED: there is no such version; NGX_ERROR: no memory. */
ngx_int_t ngx_http_fcfaas_route(ngx_http_fcfaas_function_t *f,
    ngx_http_fcfaas_waiter_t *wt);
/* The same again, if something has changed since; where that fails it stays
 * as it was. */
void ngx_http_fcfaas_route_again(ngx_http_fcfaas_waiter_t *wt);
/* Those who wait in this pool and belong elsewhere now go there. */
void ngx_http_fcfaas_route_waiters(ngx_http_fcfaas_pool_t *pool);
/* the waiter goes: gives back its references */
void ngx_http_fcfaas_route_end(ngx_http_fcfaas_waiter_t *wt);

/* Requests may belong elsewhere now: shares, or what is ready, changed. */
void ngx_http_fcfaas_route_changed(ngx_http_fcfaas_function_t *f);
/* Looks at what happened to the function: asks for versions that others stand
 * in for, and wakes those who wait.  Pools may be gone afterwards that nothing
 * holds. */
void ngx_http_fcfaas_route_look(ngx_http_fcfaas_function_t *f);

/* 1 if requests go to this pool by the spec */
ngx_uint_t ngx_http_fcfaas_route_share(ngx_http_fcfaas_pool_t *pool);
/* 1 if there is such a version: declared, or with instances */
ngx_uint_t ngx_http_fcfaas_route_known(ngx_http_fcfaas_function_t *f,
    int64_t version);
/* 1 if an agent would start an instance of it */
ngx_uint_t ngx_http_fcfaas_route_starts(ngx_http_fcfaas_pool_t *pool);

#endif /* _NGX_HTTP_FCFAAS_ROUTE_H_INCLUDED_ */
