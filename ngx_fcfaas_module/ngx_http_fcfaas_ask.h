/*
 * Asking for instances: one job at a time per pool and gateway, by whichever
 * worker sees more waiting than was asked for, through the script that lets
 * several gateways agree.
 */

#ifndef _NGX_HTTP_FCFAAS_ASK_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_ASK_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Compares who waits with what there is, asks for what is missing, and looks
 * again by itself while somebody waits.  Never calls back inline. */
void ngx_http_fcfaas_ask_look(ngx_http_fcfaas_pool_t *pool);

/* 1 while a call is under way, which the pool has to outlive */
ngx_uint_t ngx_http_fcfaas_ask_busy(ngx_http_fcfaas_pool_t *pool);
/* the pool goes */
void ngx_http_fcfaas_ask_end(ngx_http_fcfaas_pool_t *pool);

/* What was asked for before says nothing any more: an instance or a slot
 * has gone, a boot has failed, the spec is another one. */
void ngx_http_fcfaas_ask_forget(ngx_http_fcfaas_pool_t *pool);

/* Looks again in ms, 0: in a while; sooner if that was said before.  Lets
 * ask_tick release the function that only a failure keeps. */
void ngx_http_fcfaas_ask_later(ngx_http_fcfaas_pool_t *pool, ngx_msec_t ms);

#endif /* _NGX_HTTP_FCFAAS_ASK_H_INCLUDED_ */
