/*
 * What concerns all instances of a function, or all functions, in turns of
 * the loop, so that none takes long however many there are: removing what a
 * list did not name, and looking again at those that follow the spec.
 */

#ifndef _NGX_HTTP_FCFAAS_VISIT_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_VISIT_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

void ngx_http_fcfaas_visit_init(ngx_http_fcfaas_worker_t *w);

/* A list has ended: what it did not name goes, unless it is part of another
 * that has begun: then that one's end decides. */
void ngx_http_fcfaas_visit_sweep(ngx_http_fcfaas_worker_t *w);

/* The version or the concurrency of the spec is another one: instances that do
 * not have their own take it over. */
void ngx_http_fcfaas_visit_instances(ngx_http_fcfaas_function_t *f);
/* 1 if that is not over yet; then ngx_http_fcfaas_route_look() follows */
ngx_uint_t ngx_http_fcfaas_visit_pending(ngx_http_fcfaas_function_t *f);
/* the function goes */
void ngx_http_fcfaas_visit_forget(ngx_http_fcfaas_function_t *f);
/* the worker ends */
void ngx_http_fcfaas_visit_done(ngx_http_fcfaas_worker_t *w);

#endif /* _NGX_HTTP_FCFAAS_VISIT_H_INCLUDED_ */
