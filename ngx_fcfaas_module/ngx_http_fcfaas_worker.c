#include "ngx_fcfaas_module/ngx_http_fcfaas_worker.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ctx.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_loop.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_nodes.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_probe.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_registry.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_state.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_tls.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_visit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"

#include <curl/curl.h>


#define NGX_HTTP_FCFAAS_TICK          1000
/* functions with min_instances looked at in a turn, and the time between */
#define NGX_HTTP_FCFAAS_TURN            16
#define NGX_HTTP_FCFAAS_TURN_TIME        2
#define NGX_HTTP_FCFAAS_REDIS_CONNECT 1000
#define NGX_HTTP_FCFAAS_REDIS_TIMEOUT 1500


static ngx_http_fcfaas_worker_t *ngx_http_fcfaas_worker_create(
    ngx_cycle_t *cycle, ngx_http_fcfaas_main_conf_t *fmcf);
static ngx_int_t ngx_http_fcfaas_worker_etcd(ngx_http_fcfaas_worker_t *w);
static ngx_int_t ngx_http_fcfaas_worker_redis(ngx_http_fcfaas_worker_t *w);
static const char **ngx_http_fcfaas_worker_strings(ngx_pool_t *pool,
    ngx_array_t *a);
static void ngx_http_fcfaas_worker_report(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_worker_tick(ngx_event_t *ev);
static void ngx_http_fcfaas_worker_minimum(ngx_event_t *ev);


#define ngx_http_fcfaas_cstr(s)  ((s)->len ? (char *) (s)->data : NULL)


ngx_int_t
ngx_http_fcfaas_worker_start(ngx_cycle_t *cycle)
{
    ngx_http_fcfaas_worker_t     *w;
    ngx_http_fcfaas_main_conf_t  *fmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    fmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_fcfaas_module);

    if (fmcf == NULL || !fmcf->used) {
        return NGX_OK;
    }

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "fcfaas: curl_global_init() failed");
        return NGX_ERROR;
    }

    w = ngx_http_fcfaas_worker_create(cycle, fmcf);
    if (w == NULL) {
        return NGX_ERROR;
    }

    fmcf->worker = w;

    if (ngx_http_fcfaas_worker_redis(w) != NGX_OK
        || ngx_http_fcfaas_worker_etcd(w) != NGX_OK
        || ngx_http_fcfaas_state_start(w) != NGX_OK
        || ngx_http_fcfaas_registry_start(w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_fcfaas_worker_report(w);
    ngx_add_timer(&w->tick, NGX_HTTP_FCFAAS_TICK);

    if (ngx_worker == 0) {
        ngx_add_timer(&w->minimum_event, NGX_HTTP_FCFAAS_TICK);
    }

    return NGX_OK;
}


static ngx_http_fcfaas_worker_t *
ngx_http_fcfaas_worker_create(ngx_cycle_t *cycle,
    ngx_http_fcfaas_main_conf_t *fmcf)
{
    ngx_http_fcfaas_worker_t  *w;

    w = ngx_pcalloc(cycle->pool, sizeof(ngx_http_fcfaas_worker_t));
    if (w == NULL) {
        return NULL;
    }

    w->conf = fmcf;
    w->pool = cycle->pool;
    w->log = cycle->log;
    w->prefix = (char *) fmcf->prefix.data;

    if (ngx_http_fcfaas_table_init(w) != NGX_OK) {
        return NULL;
    }

    w->kick_event.handler = ngx_http_fcfaas_park_kick_handler;
    w->kick_event.data = (void *) &ngx_http_fcfaas_no_connection;
    w->kick_event.log = w->log;

    w->tick.handler = ngx_http_fcfaas_worker_tick;
    w->tick.data = (void *) &ngx_http_fcfaas_no_connection;
    w->tick.log = w->log;
    w->tick.cancelable = 1;

    w->minimum_event.handler = ngx_http_fcfaas_worker_minimum;
    w->minimum_event.data = (void *) &ngx_http_fcfaas_no_connection;
    w->minimum_event.log = w->log;
    w->minimum_event.cancelable = 1;

    ngx_http_fcfaas_visit_init(w);

    /* nginx has not looked at the clock since it was started */
    ngx_time_update();
    w->began = ngx_current_msec;

    w->stat = ngx_http_fcfaas_zone_join(fmcf->shm_zone, w->pool);
    if (w->stat == NULL) {
        return NULL;
    }

    w->loop = ngx_http_fcfaas_loop_create(w->pool, w->log);

    if (w->loop == NULL || ngx_http_fcfaas_share_start(w) != NGX_OK) {
        return NULL;
    }

    return w;
}


static ngx_int_t
ngx_http_fcfaas_worker_etcd(ngx_http_fcfaas_worker_t *w)
{
    fcf_err_t                     err;
    fcf_etcd_conf_t               conf;
    ngx_http_fcfaas_main_conf_t  *fmcf;

    fmcf = w->conf;

    ngx_memzero(&conf, sizeof(fcf_etcd_conf_t));

    conf.endpoints = ngx_http_fcfaas_worker_strings(w->pool, fmcf->etcd);
    if (conf.endpoints == NULL) {
        return NGX_ERROR;
    }

    conf.nendpoints = fmcf->etcd->nelts;
    conf.user = ngx_http_fcfaas_cstr(&fmcf->etcd_user);
    conf.password = ngx_http_fcfaas_cstr(&fmcf->etcd_password);
    conf.ca = ngx_http_fcfaas_cstr(&fmcf->etcd_ca);
    conf.cert = ngx_http_fcfaas_cstr(&fmcf->etcd_cert);
    conf.key = ngx_http_fcfaas_cstr(&fmcf->etcd_key);
    conf.pem = 1;

    w->etcd = fcf_etcd_new(w->loop, &conf, &err);

    if (w->etcd == NULL) {
        ngx_log_error(NGX_LOG_EMERG, w->log, 0, "fcfaas: etcd: %s", err.msg);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_worker_redis(ngx_http_fcfaas_worker_t *w)
{
    fcf_err_t                     err;
    fcf_redis_conf_t              conf;
    ngx_http_fcfaas_main_conf_t  *fmcf;

    fmcf = w->conf;

    ngx_memzero(&conf, sizeof(fcf_redis_conf_t));

    conf.addrs = ngx_http_fcfaas_worker_strings(w->pool, fmcf->redis);
    if (conf.addrs == NULL) {
        return NGX_ERROR;
    }

    conf.naddrs = fmcf->redis->nelts;
    conf.db = (int) fmcf->redis_db;
    conf.user = ngx_http_fcfaas_cstr(&fmcf->redis_user);
    conf.password = ngx_http_fcfaas_cstr(&fmcf->redis_password);
    conf.connect_timeout_ms = NGX_HTTP_FCFAAS_REDIS_CONNECT;
    conf.timeout_ms = NGX_HTTP_FCFAAS_REDIS_TIMEOUT;

    w->redis = fcf_redis_new(w->loop, &conf, &err);

    if (w->redis == NULL) {
        ngx_log_error(NGX_LOG_EMERG, w->log, 0, "fcfaas: Redis: %s", err.msg);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static const char **
ngx_http_fcfaas_worker_strings(ngx_pool_t *pool, ngx_array_t *a)
{
    ngx_str_t    *elts;
    ngx_uint_t    i;
    const char  **strings;

    strings = ngx_palloc(pool, a->nelts * sizeof(char *));
    if (strings == NULL) {
        return NULL;
    }

    elts = a->elts;

    for (i = 0; i < a->nelts; i++) {
        strings[i] = (char *) elts[i].data;
    }

    return strings;
}


void
ngx_http_fcfaas_worker_stop(ngx_cycle_t *cycle)
{
    ngx_http_fcfaas_worker_t     *w;
    ngx_http_fcfaas_main_conf_t  *fmcf;

    fmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_fcfaas_module);

    if (fmcf == NULL || fmcf->worker == NULL) {
        return;
    }

    w = fmcf->worker;
    w->closing = 1;

    ngx_http_fcfaas_state_stop(w);

    if (w->sync) {
        fcf_sync_free(w->sync);
    }

    if (w->etcd) {
        fcf_etcd_free(w->etcd);
    }

    if (w->redis) {
        fcf_redis_free(w->redis);
    }

    ngx_http_fcfaas_nodes_done(w);
    ngx_http_fcfaas_probe_done(w);
    ngx_http_fcfaas_tls_done(w);
    ngx_http_fcfaas_visit_done(w);
    ngx_http_fcfaas_share_stop(w);
    ngx_http_fcfaas_loop_destroy(w->loop);
    ngx_http_fcfaas_table_done(w);
    ngx_http_fcfaas_ctx_done(w);
    ngx_http_fcfaas_share_end(w);
    ngx_http_fcfaas_zone_leave(fmcf->shm_zone, w->stat);

    fmcf->worker = NULL;

    curl_global_cleanup();
}


/* brings this worker's entry in the zone up to date */
static void
ngx_http_fcfaas_worker_report(ngx_http_fcfaas_worker_t *w)
{
    ngx_queue_t                 *q;
    ngx_msec_t                   age;
    fcf_etcd_stat_t              etcd;
    fcf_sync_stat_t              sync;
    fcf_redis_stat_t             redis;
    ngx_http_fcfaas_stat_t      *stat;
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_waiter_t    *waiter;

    stat = w->stat;

    fcf_etcd_stat(w->etcd, &etcd);
    fcf_sync_stat(w->sync, &sync);
    fcf_redis_stat(w->redis, &redis);

    stat->busy = w->nbusy;
    stat->member = w->shared.index;
    stat->alone = w->shared.alone || w->shared.index == FCZ_NONE;
    stat->functions = w->nfunctions;
    stat->specs = w->nspecs;
    stat->instances = w->ninstances;
    stat->etcd_state = sync.state;
    stat->etcd_healthy = etcd.healthy;
    stat->revision = sync.revision;
    stat->events = sync.events;
    stat->lists = sync.lists;
    stat->etcd_reconnects = sync.reconnects;
    stat->etcd_idle_ms = sync.idle_ms;
    stat->redis_connected = redis.connected;
    stat->redis_reconnects = redis.reconnects;
    stat->oldest_parked = 0;

    for (q = ngx_queue_head(&w->waiting);
         q != ngx_queue_sentinel(&w->waiting);
         q = ngx_queue_next(q))
    {
        pool = ngx_queue_data(q, ngx_http_fcfaas_pool_t, waiting);
        waiter = ngx_queue_data(ngx_queue_head(&pool->waiters),
                                ngx_http_fcfaas_waiter_t, queue);

        age = ngx_current_msec - waiter->arrived;
        stat->oldest_parked = ngx_max(stat->oldest_parked, age);
    }
}


static void
ngx_http_fcfaas_worker_tick(ngx_event_t *ev)
{
    ngx_http_fcfaas_worker_t  *w;

    w = ngx_queue_data(ev, ngx_http_fcfaas_worker_t, tick);

    w->stat = ngx_http_fcfaas_zone_again(w->conf->shm_zone, w->stat);
    ngx_http_fcfaas_worker_report(w);

    ngx_add_timer(ev, NGX_HTTP_FCFAAS_TICK);
}


/* one worker of a gateway sees to what shall always run, in turns */
static void
ngx_http_fcfaas_worker_minimum(ngx_event_t *ev)
{
    ngx_uint_t                   n;
    ngx_queue_t                 *q;
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_worker_t    *w;
    ngx_http_fcfaas_function_t  *f;

    w = ngx_queue_data(ev, ngx_http_fcfaas_worker_t, minimum_event);

    if (ngx_exiting) {
        return;
    }

    if (w->nminimum == 0) {
        /* a new round */
        w->nminimum = w->nminima;
    }

    for (n = 0; n < NGX_HTTP_FCFAAS_TURN && w->nminimum; n++) {

        if (ngx_queue_empty(&w->minimum)) {
            w->nminimum = 0;
            break;
        }

        w->nminimum--;

        q = ngx_queue_head(&w->minimum);
        f = ngx_queue_data(q, ngx_http_fcfaas_function_t, minimum);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w->minimum, q);

        pool = ngx_http_fcfaas_pool_get(f, 0);

        if (pool) {
            ngx_http_fcfaas_ask_look(pool);
        }
    }

    ngx_add_timer(ev, w->nminimum ? NGX_HTTP_FCFAAS_TURN_TIME
                                  : NGX_HTTP_FCFAAS_TICK);
}


ngx_http_fcfaas_stats_t *
ngx_http_fcfaas_worker_stats(ngx_http_fcfaas_main_conf_t *fmcf,
    ngx_pool_t *pool)
{
    ngx_uint_t                i;
    ngx_http_fcfaas_stats_t  *all;

    all = ngx_palloc(pool, sizeof(ngx_http_fcfaas_stats_t));
    if (all == NULL) {
        return NULL;
    }

    if (fmcf->worker) {
        ngx_http_fcfaas_worker_report(fmcf->worker);
    }

    all->n = ngx_http_fcfaas_zone_read(fmcf->shm_zone, all->stats,
                                       all->totals);
    ngx_http_fcfaas_zone_last_refused(fmcf->shm_zone, &all->refused);
    all->parked = 0;
    all->oldest_parked = 0;

    for (i = 0; i < all->n; i++) {
        all->parked += all->stats[i].parked;
        all->oldest_parked = ngx_max(all->oldest_parked,
                                     all->stats[i].oldest_parked);
    }

    return all;
}
