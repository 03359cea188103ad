/*
 * What a worker process runs beside its requests: the watch on etcd, the
 * connection to Redis, the table they fill.
 */

#ifndef _NGX_HTTP_FCFAAS_WORKER_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_WORKER_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"

/* of all workers, as of now */
typedef struct {
    uint64_t                     totals[NGX_HTTP_FCFAAS_NCOUNTERS];
    ngx_uint_t                   parked;
    ngx_uint_t                   oldest_parked; /* its age, ms */
    ngx_http_fcfaas_refused_t    refused;
    ngx_uint_t                   n;
    ngx_http_fcfaas_stat_t       stats[NGX_HTTP_FCFAAS_WORKERS_MAX];
} ngx_http_fcfaas_stats_t;

/* init_process and exit_process.  A remote that is down is no reason for a
 * worker not to start: NGX_ERROR is for memory only. */
ngx_int_t ngx_http_fcfaas_worker_start(ngx_cycle_t *cycle);
void ngx_http_fcfaas_worker_stop(ngx_cycle_t *cycle);

/* What all of them reported, this one just now; also those that are shutting
 * down.  Of the pool; NULL: no memory. */
ngx_http_fcfaas_stats_t *ngx_http_fcfaas_worker_stats(
    ngx_http_fcfaas_main_conf_t *fmcf, ngx_pool_t *pool);

#endif /* _NGX_HTTP_FCFAAS_WORKER_H_INCLUDED_ */
