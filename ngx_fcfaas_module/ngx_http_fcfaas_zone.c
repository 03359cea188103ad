#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


static uint64_t ngx_http_fcfaas_zone_started(ngx_pid_t pid);
static void ngx_http_fcfaas_zone_reap_locked(ngx_http_fcfaas_zone_t *zone);
static void ngx_http_fcfaas_zone_fold_locked(ngx_http_fcfaas_zone_t *zone,
    ngx_http_fcfaas_stat_t *stat);


ngx_int_t
ngx_http_fcfaas_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t         *shpool;
    ngx_http_fcfaas_zone_t  *zone;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        /* a reload: the workers before still write there */
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    zone = ngx_slab_calloc(shpool, sizeof(ngx_http_fcfaas_zone_t));
    if (zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "fcfaas_zone \"%V\" is too small",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    shpool->data = zone;
    shm_zone->data = zone;

    return NGX_OK;
}


ngx_http_fcfaas_stat_t *
ngx_http_fcfaas_zone_join(ngx_shm_zone_t *shm_zone, ngx_pool_t *pool)
{
    ngx_uint_t               i;
    ngx_slab_pool_t         *shpool;
    ngx_http_fcfaas_stat_t  *stat;
    ngx_http_fcfaas_zone_t  *zone;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    zone = shm_zone->data;
    stat = NULL;

    ngx_shmtx_lock(&shpool->mutex);

    ngx_http_fcfaas_zone_reap_locked(zone);

    for (i = 0; i < NGX_HTTP_FCFAAS_WORKERS_MAX; i++) {
        if (zone->stats[i].pid == 0) {
            stat = &zone->stats[i];
            ngx_memzero(stat, sizeof(ngx_http_fcfaas_stat_t));
            stat->worker = ngx_worker;
            stat->started = ngx_http_fcfaas_zone_started(ngx_pid);
            stat->pid = ngx_pid;
            break;
        }
    }

    ngx_shmtx_unlock(&shpool->mutex);

    if (stat) {
        return stat;
    }

    ngx_log_error(NGX_LOG_WARN, pool->log, 0,
                  "fcfaas_zone \"%V\" has no room for one more worker: "
                  "the status page will miss this one", &shm_zone->shm.name);

    return ngx_pcalloc(pool, sizeof(ngx_http_fcfaas_stat_t));
}


void
ngx_http_fcfaas_zone_leave(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_stat_t *stat)
{
    ngx_slab_pool_t         *shpool;
    ngx_http_fcfaas_zone_t  *zone;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    zone = shm_zone->data;

    if (stat < zone->stats
        || stat >= zone->stats + NGX_HTTP_FCFAAS_WORKERS_MAX)
    {
        return;
    }

    ngx_shmtx_lock(&shpool->mutex);
    ngx_http_fcfaas_zone_fold_locked(zone, stat);
    ngx_shmtx_unlock(&shpool->mutex);
}


ngx_uint_t
ngx_http_fcfaas_zone_read(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_stat_t *stats, uint64_t *totals)
{
    ngx_uint_t               i, j, n;
    ngx_slab_pool_t         *shpool;
    ngx_http_fcfaas_zone_t  *zone;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    zone = shm_zone->data;
    n = 0;

    ngx_shmtx_lock(&shpool->mutex);

    ngx_http_fcfaas_zone_reap_locked(zone);

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

    ngx_shmtx_unlock(&shpool->mutex);

    return n;
}


ngx_uint_t
ngx_http_fcfaas_zone_parked(ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t               i, n;
    ngx_http_fcfaas_zone_t  *zone;

    zone = shm_zone->data;

    for (i = 0, n = 0; i < NGX_HTTP_FCFAAS_WORKERS_MAX; i++) {
        if (zone->stats[i].pid) {
            n += zone->stats[i].parked;
        }
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

        if (stat->pid
            && ((kill(stat->pid, 0) == -1 && ngx_errno == ESRCH)
                || stat->started
                   != ngx_http_fcfaas_zone_started(stat->pid)))
        {
            ngx_http_fcfaas_zone_fold_locked(zone, stat);
        }
    }
}


/* when a process was started, which no other with its pid shares; 0: unknown */
static uint64_t
ngx_http_fcfaas_zone_started(ngx_pid_t pid)
{
    char       *p, path[sizeof("/proc//stat") + NGX_INT64_LEN];
    char        text[512];
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_uint_t  field;

    *ngx_sprintf((u_char *) path, "/proc/%P/stat", pid) = '\0';

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, text, sizeof(text) - 1);
    (void) ngx_close_file(fd);

    text[n > 0 ? n : 0] = '\0';

    /* the second field is a name, which may have anything in it */

    p = strrchr(text, ')');

    for (field = 2; p && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }

    return p ? strtoull(p + 1, NULL, 10) : 0;
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
