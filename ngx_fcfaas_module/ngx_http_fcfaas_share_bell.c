/*
 * What comes from the zone by itself: bells, offers that nobody took, and what
 * is to be logged.
 */

#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


/* between signs of life where nobody waits */
#define NGX_HTTP_FCFAAS_SHARE_BEAT  1000
/* pools taken from the zone at once */
#define NGX_HTTP_FCFAAS_SHARE_TURN    16
/* pools with waiters looked at in a turn, and ms between turns */
#define NGX_HTTP_FCFAAS_SHARE_LOOKS  256
#define NGX_HTTP_FCFAAS_SHARE_LOOK     2

#define ngx_http_fcfaas_share_of(p)                                         \
    ngx_queue_data(p, ngx_http_fcfaas_pool_t, shared)


static void ngx_http_fcfaas_share_listen(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_share_rung(void *arg, unsigned events);
static void ngx_http_fcfaas_share_timer(ngx_event_t *ev);
static ngx_uint_t ngx_http_fcfaas_share_look(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_share_look_at(ngx_http_fcfaas_pool_t *pool);
static void ngx_http_fcfaas_share_full(ngx_http_fcfaas_worker_t *w);


ngx_int_t
ngx_http_fcfaas_share_start(ngx_http_fcfaas_worker_t *w)
{
    if (fcz_join(&w->shared,
                 ngx_http_fcfaas_zone_shared(w->conf->shm_zone)) == -1)
    {
        return NGX_ERROR;
    }

    w->share_timer.handler = ngx_http_fcfaas_share_timer;
    w->share_timer.data = (void *) &ngx_http_fcfaas_no_connection;
    w->share_timer.log = w->log;
    w->share_timer.cancelable = 1;

    ngx_http_fcfaas_share_listen(w);
    ngx_add_timer(&w->share_timer, NGX_HTTP_FCFAAS_SHARE_BEAT);

    return NGX_OK;
}


/* one that came when there were too many may get its bell later */
static void
ngx_http_fcfaas_share_listen(ngx_http_fcfaas_worker_t *w)
{
    int  fd;

    fd = fcz_bell(&w->shared);

    if (fd == -1 || w->share_io) {
        return;
    }

    w->share_io = w->loop->io_add(w->loop, fd, ngx_http_fcfaas_share_rung, w);

    if (w->share_io) {
        (void) w->loop->io_set(w->share_io, FCF_READ);
    }
}


void
ngx_http_fcfaas_share_stop(ngx_http_fcfaas_worker_t *w)
{
    if (w->share_io) {
        w->loop->io_del(w->share_io);
        w->share_io = NULL;
    }

    if (w->share_timer.timer_set) {
        ngx_del_timer(&w->share_timer);
    }
}


void
ngx_http_fcfaas_share_end(ngx_http_fcfaas_worker_t *w)
{
    if (w->shared.zone) {
        fcz_leave(&w->shared);
    }
}


static void
ngx_http_fcfaas_share_rung(void *arg, unsigned events)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    uint32_t     i, n;
    uint64_t     rings;
    fcz_pool_t  *pools[NGX_HTTP_FCFAAS_SHARE_TURN];

    if (read(fcz_bell(&w->shared), &rings, sizeof(rings)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, w->log, ngx_errno,
                      "fcfaas: the bell cannot be read");
    }

    do {
        n = fcz_heard(&w->shared, pools, NGX_HTTP_FCFAAS_SHARE_TURN);

        for (i = 0; i < n; i++) {
            ngx_http_fcfaas_share_look_at(ngx_http_fcfaas_share_of(pools[i]));
        }

    } while (n);

    if (!LIST_EMPTY(&w->shared.offers)) {
        ngx_http_fcfaas_share_soon(w, FCZ_OFFER_MS);
    }

    ngx_http_fcfaas_share_events(w);
}


static void
ngx_http_fcfaas_share_timer(ngx_event_t *ev)
{
    ngx_uint_t                 more;
    ngx_msec_t                 ms;
    ngx_http_fcfaas_worker_t  *w;

    w = ngx_queue_data(ev, ngx_http_fcfaas_worker_t, share_timer);

    fcz_beat(&w->shared);
    fcz_offers(&w->shared);

    ngx_http_fcfaas_share_listen(w);
    ngx_http_fcfaas_share_events(w);
    more = ngx_http_fcfaas_share_look(w);

    ms = ngx_queue_empty(&w->waiting) ? NGX_HTTP_FCFAAS_SHARE_BEAT
                                      : FCZ_LOOK_MS;

    if (!LIST_EMPTY(&w->shared.offers)) {
        ms = FCZ_OFFER_MS;
    }

    if (more) {
        ms = NGX_HTTP_FCFAAS_SHARE_LOOK;
    }

    ngx_http_fcfaas_share_soon(w, ms);
}


/* Those who were told to let others go first, and, more seldom, all who wait
 * and have instances: a bell may have been missed.  1: there are more. */
static ngx_uint_t
ngx_http_fcfaas_share_look(ngx_http_fcfaas_worker_t *w)
{
    ngx_uint_t               n;
    ngx_queue_t             *q;
    ngx_http_fcfaas_pool_t  *pool;

    if (ngx_http_fcfaas_past(w->share_looked + FCZ_LOOK_MS)) {
        w->share_looked = ngx_current_msec;
        w->share_round++;
    }

    for (n = 0; n < NGX_HTTP_FCFAAS_SHARE_LOOKS; n++) {

        if (!ngx_queue_empty(&w->behind)) {

            q = ngx_queue_head(&w->behind);
            pool = ngx_queue_data(q, ngx_http_fcfaas_pool_t, behind);

            ngx_http_fcfaas_share_ahead(pool);
            ngx_http_fcfaas_share_look_at(pool);
            continue;
        }

        /* each that was looked at in this round goes to the end */

        q = ngx_queue_head(&w->waiting);

        if (q == ngx_queue_sentinel(&w->waiting)) {
            return 0;
        }

        pool = ngx_queue_data(q, ngx_http_fcfaas_pool_t, waiting);

        if (pool->looked == w->share_round) {
            return 0;
        }

        pool->looked = w->share_round;

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w->waiting, q);

        if (pool->nlisted) {
            ngx_http_fcfaas_share_look_at(pool);
        }
    }

    return 1;
}


static void
ngx_http_fcfaas_share_look_at(ngx_http_fcfaas_pool_t *pool)
{
    (void) ngx_http_fcfaas_share_room(pool);
    ngx_http_fcfaas_park_kick(pool);
}


void
ngx_http_fcfaas_share_behind(ngx_http_fcfaas_pool_t *pool)
{
    if (!pool->in_behind) {
        pool->in_behind = 1;
        ngx_queue_insert_tail(&pool->worker->behind, &pool->behind);
    }

    ngx_http_fcfaas_share_soon(pool->worker, FCZ_OFFER_MS);
}


void
ngx_http_fcfaas_share_ahead(ngx_http_fcfaas_pool_t *pool)
{
    if (pool->in_behind) {
        pool->in_behind = 0;
        ngx_queue_remove(&pool->behind);
    }
}


void
ngx_http_fcfaas_share_soon(ngx_http_fcfaas_worker_t *w, ngx_msec_t ms)
{
    if (ngx_http_fcfaas_sooner(&w->share_timer, ms) && !w->closing) {
        ngx_add_timer(&w->share_timer, ms);
    }
}


void
ngx_http_fcfaas_share_events(ngx_http_fcfaas_worker_t *w)
{
    uint32_t  events;

    events = w->shared.events;
    w->shared.events = 0;

    if (events & FCZ_E_ALONE) {
        ngx_log_error(NGX_LOG_WARN, w->log, 0,
                      "fcfaas_zone \"%V\" is held by process %uD, which "
                      "stands still: this worker counts slots and waiting "
                      "requests for itself", &w->conf->zone_name,
                      w->shared.alone_by);
    }

    if (events & FCZ_E_EPOCH) {
        ngx_log_error(NGX_LOG_WARN, w->log, 0,
                      "fcfaas_zone \"%V\": a worker died while it held it, "
                      "the others count anew", &w->conf->zone_name);
    }

    if (events & FCZ_E_TOGETHER) {
        ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                      "fcfaas_zone \"%V\" is shared again",
                      &w->conf->zone_name);
    }

    if (events & FCZ_E_BROKEN) {
        ngx_log_error(NGX_LOG_ALERT, w->log, 0,
                      "fcfaas_zone \"%V\": a count below zero",
                      &w->conf->zone_name);
    }

    if (events & FCZ_E_FULL) {
        ngx_http_fcfaas_share_full(w);
    }
}


static void
ngx_http_fcfaas_share_full(ngx_http_fcfaas_worker_t *w)
{
    size_t      size;
    fcz_stat_t  stat;

    fcz_stat(&w->shared, &stat);

    /* twice what is in use, or known to be */

    size = ngx_max(fcz_size(2 * ngx_max(stat.slots_max,
                                        (uint32_t) w->ninstances)),
                   2 * w->conf->zone_size);

    ngx_log_error(NGX_LOG_WARN, w->log, 0,
                  "fcfaas_zone \"%V\" is full (%uD instances): more of them "
                  "are counted by each worker for itself; %uzm would do",
                  &w->conf->zone_name, stat.slots_max,
                  size / (1024 * 1024) + 1);
}
