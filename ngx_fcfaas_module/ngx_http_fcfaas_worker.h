/*
 * What a worker process runs beside its requests: the watch on etcd, the
 * connection to Redis, the table they fill.
 */

#ifndef _NGX_HTTP_FCFAAS_WORKER_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_WORKER_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* init_process and exit_process.  A remote that is down is no reason for a
 * worker not to start: NGX_ERROR is for memory only. */
ngx_int_t ngx_http_fcfaas_worker_start(ngx_cycle_t *cycle);
void ngx_http_fcfaas_worker_stop(ngx_cycle_t *cycle);

/* brings this worker's entry in the zone up to date */
void ngx_http_fcfaas_worker_report(ngx_http_fcfaas_worker_t *w);

#endif /* _NGX_HTTP_FCFAAS_WORKER_H_INCLUDED_ */
