#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"

#include <sys/eventfd.h>


/* of the master, copied by each fork: the shared memory, and what cannot lie
 * in there; kept by the cycles that use it */
typedef struct {
    ngx_http_fcfaas_zone_t      *zone;
    ngx_uint_t                   refs;
    int                          bells[NGX_HTTP_FCFAAS_WORKERS_MAX];
} ngx_http_fcfaas_zone_ref_t;


static ngx_int_t ngx_http_fcfaas_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_fcfaas_zone_make(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_zone_ref_t *ref);
static ngx_int_t ngx_http_fcfaas_zone_bells(ngx_http_fcfaas_zone_ref_t *ref);
static void ngx_http_fcfaas_zone_cleanup(void *data);
static void ngx_http_fcfaas_zone_free(ngx_http_fcfaas_zone_ref_t *ref);
static ngx_http_fcfaas_stat_t *ngx_http_fcfaas_zone_place(
    ngx_http_fcfaas_zone_t *zone, int ms);
static void ngx_http_fcfaas_zone_begin(ngx_http_fcfaas_stat_t *stat);
static ngx_uint_t ngx_http_fcfaas_zone_has(ngx_http_fcfaas_zone_t *zone,
    ngx_http_fcfaas_stat_t *stat);
static void ngx_http_fcfaas_zone_reap_locked(ngx_http_fcfaas_zone_t *zone);
static void ngx_http_fcfaas_zone_fold_locked(ngx_http_fcfaas_zone_t *zone,
    ngx_http_fcfaas_stat_t *stat);


const ngx_http_fcfaas_counter_name_t
    ngx_http_fcfaas_counter_names[NGX_HTTP_FCFAAS_NCOUNTERS] =
{
#define NGX_HTTP_FCFAAS_X(id, group, name)  { group, name },
    NGX_HTTP_FCFAAS_COUNTERS(NGX_HTTP_FCFAAS_X)
#undef NGX_HTTP_FCFAAS_X
};


ngx_shm_zone_t *
ngx_http_fcfaas_zone_add(ngx_conf_t *cf, ngx_http_fcfaas_main_conf_t *fmcf)
{
    u_char              *p;
    size_t               len;
    ngx_str_t            name, *etcd;
    ngx_uint_t           i;
    ngx_shm_zone_t      *shm_zone;
    ngx_pool_cleanup_t  *cln;

    len = fmcf->zone_name.len + fmcf->prefix.len
          + sizeof("/fcfaas..//") + 2 * NGX_INT_T_LEN;
    etcd = fmcf->etcd->elts;

    for (i = 0; i < fmcf->etcd->nelts; i++) {
        len += etcd[i].len + 1;
    }

    name.data = ngx_pnalloc(cf->pool, len);
    if (name.data == NULL) {
        return NULL;
    }

    p = ngx_sprintf(name.data, "%V/fcfaas.%d.%d/%V/", &fmcf->zone_name,
                    NGX_HTTP_FCFAAS_ZONE_LAYOUT, FCZ_LAYOUT, &fmcf->prefix);

    for (i = 0; i < fmcf->etcd->nelts; i++) {
        p = ngx_sprintf(p, "%s%V", i ? "," : "", &etcd[i]);
    }

    name.len = p - name.data;

    shm_zone = ngx_shared_memory_add(cf, &name, fmcf->zone_size,
                                     &ngx_http_fcfaas_module);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (shm_zone == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_fcfaas_zone_cleanup;
    cln->data = shm_zone;

    shm_zone->init = ngx_http_fcfaas_zone_init;

    return shm_zone;
}


static ngx_int_t
ngx_http_fcfaas_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_fcfaas_zone_ref_t  *ref;

    if (data) {
        /* a reload: the workers before still write there */
        ref = data;
        ref->refs++;
        shm_zone->data = ref;
        return NGX_OK;
    }

    ref = ngx_calloc(sizeof(ngx_http_fcfaas_zone_ref_t), shm_zone->shm.log);
    if (ref == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_fcfaas_zone_bells(ref) != NGX_OK
        || ngx_http_fcfaas_zone_make(shm_zone, ref) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "cannot make fcfaas_zone \"%V\"",
                      &shm_zone->shm.name);
        ngx_http_fcfaas_zone_free(ref);
        return NGX_ERROR;
    }

    ref->refs = 1;
    shm_zone->data = ref;

    return NGX_OK;
}


/* all that nginx' slab allocator has is taken at once */
static ngx_int_t
ngx_http_fcfaas_zone_make(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_zone_ref_t *ref)
{
    void                    *mem;
    ngx_uint_t               pages;
    ngx_slab_pool_t         *shpool;
    ngx_http_fcfaas_zone_t  *zone;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    zone = ngx_slab_calloc(shpool, sizeof(ngx_http_fcfaas_zone_t));

    if (zone == NULL || fcz_mutex_init(&zone->lock) == -1) {
        return NGX_ERROR;
    }

    mem = NULL;
    shpool->log_nomem = 0;

    for (pages = shpool->pfree; pages && mem == NULL; pages--) {
        mem = ngx_slab_alloc(shpool, pages * ngx_pagesize);
    }

    if (mem == NULL) {
        return NGX_ERROR;
    }

    zone->shared = fcz_create(mem, (pages + 1) * ngx_pagesize, ref->bells);

    if (zone->shared == NULL) {
        return NGX_ERROR;
    }

    shpool->data = zone;
    ref->zone = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_zone_bells(ngx_http_fcfaas_zone_ref_t *ref)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_FCFAAS_WORKERS_MAX; i++) {
        ref->bells[i] = -1;
    }

    for (i = 0; i < NGX_HTTP_FCFAAS_WORKERS_MAX; i++) {
        ref->bells[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (ref->bells[i] == -1) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a cycle ends, or comes to nothing */
static void
ngx_http_fcfaas_zone_cleanup(void *data)
{
    ngx_shm_zone_t *shm_zone = data;

    ngx_http_fcfaas_zone_ref_t  *ref;

    ref = shm_zone->data;

    if (ref && --ref->refs == 0) {
        ngx_http_fcfaas_zone_free(ref);
    }
}


/* its workers have the bells, too, and the memory */
static void
ngx_http_fcfaas_zone_free(ngx_http_fcfaas_zone_ref_t *ref)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_FCFAAS_WORKERS_MAX; i++) {
        if (ref->bells[i] != -1) {
            (void) close(ref->bells[i]);
        }
    }

    ngx_free(ref);
}


ngx_http_fcfaas_zone_t *
ngx_http_fcfaas_zone(ngx_shm_zone_t *shm_zone)
{
    ngx_http_fcfaas_zone_ref_t  *ref;

    ref = shm_zone->data;

    return ref->zone;
}


fcz_t *
ngx_http_fcfaas_zone_shared(ngx_shm_zone_t *shm_zone)
{
    return ngx_http_fcfaas_zone(shm_zone)->shared;
}


ngx_uint_t
ngx_http_fcfaas_zone_lock(ngx_http_fcfaas_zone_t *zone, int ms)
{
    return fcz_mutex_lock(&zone->lock, ms) != EBUSY;
}


void
ngx_http_fcfaas_zone_unlock(ngx_http_fcfaas_zone_t *zone)
{
    (void) pthread_mutex_unlock(&zone->lock);
}


ngx_http_fcfaas_stat_t *
ngx_http_fcfaas_zone_join(ngx_shm_zone_t *shm_zone, ngx_pool_t *pool)
{
    ngx_http_fcfaas_stat_t  *stat;

    stat = ngx_http_fcfaas_zone_place(ngx_http_fcfaas_zone(shm_zone),
                                      NGX_HTTP_FCFAAS_ZONE_LOCK);
    if (stat) {
        return stat;
    }

    ngx_log_error(NGX_LOG_WARN, pool->log, 0,
                  "fcfaas_zone \"%V\" has no place for one more worker now: "
                  "the status page will miss this one until it has",
                  &shm_zone->shm.name);

    stat = ngx_palloc(pool, sizeof(ngx_http_fcfaas_stat_t));

    if (stat) {
        ngx_http_fcfaas_zone_begin(stat);
    }

    return stat;
}


ngx_http_fcfaas_stat_t *
ngx_http_fcfaas_zone_again(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_stat_t *stat)
{
    ngx_http_fcfaas_stat_t  *place;
    ngx_http_fcfaas_zone_t  *zone;

    zone = ngx_http_fcfaas_zone(shm_zone);

    if (ngx_http_fcfaas_zone_has(zone, stat)) {
        return stat;
    }

    place = ngx_http_fcfaas_zone_place(zone, 0);

    if (place == NULL) {
        return stat;
    }

    *place = *stat;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "fcfaas_zone \"%V\" has a place for this worker",
                  &shm_zone->shm.name);

    return place;
}


/* NULL: none is free, or that cannot be seen within ms */
static ngx_http_fcfaas_stat_t *
ngx_http_fcfaas_zone_place(ngx_http_fcfaas_zone_t *zone, int ms)
{
    ngx_uint_t               i;
    ngx_http_fcfaas_stat_t  *stat;

    if (!ngx_http_fcfaas_zone_lock(zone, ms)) {
        return NULL;
    }

    ngx_http_fcfaas_zone_reap_locked(zone);

    stat = NULL;

    for (i = 0; stat == NULL && i < NGX_HTTP_FCFAAS_WORKERS_MAX; i++) {
        if (zone->stats[i].pid == 0) {
            stat = &zone->stats[i];
            ngx_http_fcfaas_zone_begin(stat);
        }
    }

    ngx_http_fcfaas_zone_unlock(zone);

    return stat;
}


static void
ngx_http_fcfaas_zone_begin(ngx_http_fcfaas_stat_t *stat)
{
    ngx_memzero(stat, sizeof(ngx_http_fcfaas_stat_t));

    stat->worker = ngx_worker;
    stat->started = fcz_started(ngx_pid);
    stat->pid = ngx_pid;
}


static ngx_uint_t
ngx_http_fcfaas_zone_has(ngx_http_fcfaas_zone_t *zone,
    ngx_http_fcfaas_stat_t *stat)
{
    return stat >= zone->stats
           && stat < zone->stats + NGX_HTTP_FCFAAS_WORKERS_MAX;
}


void
ngx_http_fcfaas_zone_leave(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_stat_t *stat)
{
    ngx_http_fcfaas_zone_t  *zone;

    zone = ngx_http_fcfaas_zone(shm_zone);

    if (!ngx_http_fcfaas_zone_has(zone, stat)) {
        return;
    }

    if (ngx_http_fcfaas_zone_lock(zone, NGX_HTTP_FCFAAS_ZONE_LOCK)) {
        ngx_http_fcfaas_zone_fold_locked(zone, stat);
        ngx_http_fcfaas_zone_unlock(zone);
    }
}


ngx_uint_t
ngx_http_fcfaas_zone_read(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_stat_t *stats, uint64_t *totals)
{
    ngx_uint_t               i, j, n, locked;
    ngx_http_fcfaas_zone_t  *zone;

    zone = ngx_http_fcfaas_zone(shm_zone);
    n = 0;
    locked = ngx_http_fcfaas_zone_lock(zone, NGX_HTTP_FCFAAS_ZONE_LOCK);

    if (locked) {
        ngx_http_fcfaas_zone_reap_locked(zone);
    }

    ngx_memcpy(totals, zone->totals, sizeof(zone->totals));

    for (i = 0; i < NGX_HTTP_FCFAAS_WORKERS_MAX; i++) {

        if (zone->stats[i].pid == 0) {
            continue;
        }

        stats[n] = zone->stats[i];

        for (j = 0; j < NGX_HTTP_FCFAAS_NCOUNTERS; j++) {
            totals[j] += stats[n].counters[j];
        }

        n++;
    }

    if (locked) {
        ngx_http_fcfaas_zone_unlock(zone);
    }

    return n;
}


static void
ngx_http_fcfaas_zone_reap_locked(ngx_http_fcfaas_zone_t *zone)
{
    ngx_uint_t               i;
    ngx_http_fcfaas_stat_t  *stat;

    for (i = 0; i < NGX_HTTP_FCFAAS_WORKERS_MAX; i++) {

        stat = &zone->stats[i];

        if (stat->pid && fcz_dead(stat->pid, stat->started)) {
            ngx_http_fcfaas_zone_fold_locked(zone, stat);
        }
    }
}


static void
ngx_http_fcfaas_zone_fold_locked(ngx_http_fcfaas_zone_t *zone,
    ngx_http_fcfaas_stat_t *stat)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_FCFAAS_NCOUNTERS; i++) {
        zone->totals[i] += stat->counters[i];
    }

    ngx_memzero(stat, sizeof(ngx_http_fcfaas_stat_t));
}
