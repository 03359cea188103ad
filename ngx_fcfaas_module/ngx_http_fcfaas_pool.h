/*
 * Pools: the instances of one version of a function, those who wait for them,
 * and what is asked and told about them.
 */

#ifndef _NGX_HTTP_FCFAAS_POOL_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_POOL_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Made if there is none; NULL: out of memory.  One without anything in it
 * goes with its last reference. */
ngx_http_fcfaas_pool_t *ngx_http_fcfaas_pool_get(
    ngx_http_fcfaas_function_t *f);

/* Frees the pool if nothing holds it any more: no reference, no instance,
 * nobody waiting, nothing asked; and its function if it was the last thing
 * there.  Ends every use of both pointers by the caller. */
void ngx_http_fcfaas_pool_release(ngx_http_fcfaas_pool_t *pool);
/* the worker ends: frees it, whatever holds it */
void ngx_http_fcfaas_pool_free(ngx_http_fcfaas_pool_t *pool);

#endif /* _NGX_HTTP_FCFAAS_POOL_H_INCLUDED_ */
