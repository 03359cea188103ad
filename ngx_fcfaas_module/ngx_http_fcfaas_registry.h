/*
 * What etcd says, applied to the table of this worker.
 */

#ifndef _NGX_HTTP_FCFAAS_REGISTRY_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_REGISTRY_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Starts the watch; the table fills from the loop. */
ngx_int_t ngx_http_fcfaas_registry_start(ngx_http_fcfaas_worker_t *w);

/* After something was applied to a function: who waits is looked at.  The
 * caller's reference goes, and the function with it if that was the last. */
void ngx_http_fcfaas_registry_done(ngx_http_fcfaas_function_t *f);

/* up to which revision of etcd all that it says of instances is in the table;
 * 0: not known */
int64_t ngx_http_fcfaas_registry_seen(ngx_http_fcfaas_worker_t *w);

/* 1 if something may be sent to the function, or made of it */
ngx_uint_t ngx_http_fcfaas_registry_known(ngx_http_fcfaas_function_t *f);

#endif /* _NGX_HTTP_FCFAAS_REGISTRY_H_INCLUDED_ */
