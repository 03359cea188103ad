#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


/* between signs of life where nobody waits */
#define NGX_HTTP_FCFAAS_SHARE_BEAT  1000
/* pools, or instances, taken from the zone at once */
#define NGX_HTTP_FCFAAS_SHARE_TURN    16

#define ngx_http_fcfaas_share_of(p)                                         \
    ngx_queue_data(p, ngx_http_fcfaas_pool_t, shared)


static uint64_t ngx_http_fcfaas_share_oldest(ngx_http_fcfaas_pool_t *pool);
static void ngx_http_fcfaas_share_listen(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_share_rung(void *arg, unsigned events);
static void ngx_http_fcfaas_share_timer(ngx_event_t *ev);
static void ngx_http_fcfaas_share_look(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_share_soon(ngx_http_fcfaas_worker_t *w,
    ngx_msec_t ms);
static void ngx_http_fcfaas_share_events(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_share_full(ngx_http_fcfaas_worker_t *w);
static ngx_int_t ngx_http_fcfaas_share_code(ngx_http_fcfaas_pool_t *pool,
    fcz_rc_e rc);


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


void
ngx_http_fcfaas_share_pool(ngx_http_fcfaas_pool_t *pool)
{
    u_char     version[NGX_INT64_LEN + 1];
    fcz_key_t  key;

    *ngx_sprintf(version, "%L", pool->version) = '\0';

    fcz_key(pool->worker->shared.zone, &key,
            (char *) pool->function->id.data, (char *) version);
    fcz_pool_init(&pool->shared, &key);
}


void
ngx_http_fcfaas_share_pool_done(ngx_http_fcfaas_pool_t *pool)
{
    fcz_pool_done(&pool->worker->shared, &pool->shared);
}


void
ngx_http_fcfaas_share_instance(ngx_http_fcfaas_instance_t *instance)
{
    fcz_key_t                    key;
    ngx_http_fcfaas_function_t  *f;

    f = instance->function;

    fcz_key(f->worker->shared.zone, &key, (char *) f->id.data,
            (char *) instance->worker_id);
    fcz_slot_init(&instance->shared, NULL, &key);
}


void
ngx_http_fcfaas_share_instance_done(ngx_http_fcfaas_instance_t *instance)
{
    fcz_slot_done(&instance->function->worker->shared, &instance->shared);
}


ngx_int_t
ngx_http_fcfaas_share_take(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_waiter_t *wt, ngx_uint_t limit)
{
    fcz_rc_e                   rc;
    ngx_http_fcfaas_worker_t  *w;

    w = instance->function->worker;

    rc = fcz_bind(&w->shared, &instance->shared, limit, wt->ticket,
                  !wt->turn && !wt->queued);

    if (rc == FCZ_OK && w->shared.events == 0) {
        return NGX_OK;
    }

    return ngx_http_fcfaas_share_code(instance->pool, rc);
}


ngx_int_t
ngx_http_fcfaas_share_peek(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_waiter_t *wt, ngx_uint_t limit)
{
    fcz_rc_e  rc;

    rc = fcz_peek(&instance->function->worker->shared, &instance->shared,
                  limit, wt->ticket, 0);

    return ngx_http_fcfaas_share_code(instance->pool, rc);
}


static ngx_int_t
ngx_http_fcfaas_share_code(ngx_http_fcfaas_pool_t *pool, fcz_rc_e rc)
{
    ngx_http_fcfaas_worker_t  *w;

    w = pool->worker;

    if (w->shared.events) {
        ngx_http_fcfaas_share_events(w);
    }

    switch (rc) {

    case FCZ_OK:
        return NGX_OK;

    case FCZ_FULL:
        return NGX_BUSY;

    default: /* FCZ_BEHIND, FCZ_SETTLING */
        pool->behind = 1;
        ngx_http_fcfaas_share_soon(w, FCZ_OFFER_MS);
        return NGX_AGAIN;
    }
}


void
ngx_http_fcfaas_share_give(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_worker_t  *w;

    w = instance->function->worker;

    fcz_release(&w->shared, &instance->shared);

    if (!LIST_EMPTY(&w->shared.offers)) {
        ngx_http_fcfaas_share_soon(w, FCZ_OFFER_MS);
    }

    if (w->shared.events) {
        ngx_http_fcfaas_share_events(w);
    }
}


ngx_uint_t
ngx_http_fcfaas_share_room(ngx_http_fcfaas_pool_t *pool)
{
    uint32_t     i, n;
    fcz_slot_t  *slots[NGX_HTTP_FCFAAS_SHARE_TURN];

    n = fcz_room(&pool->worker->shared, &pool->shared, slots,
                 NGX_HTTP_FCFAAS_SHARE_TURN);

    for (i = 0; i < n; i++) {
        ngx_http_fcfaas_slots_room(ngx_queue_data(slots[i],
                                       ngx_http_fcfaas_instance_t, shared));
    }

    return n;
}


uint64_t
ngx_http_fcfaas_share_ticket(ngx_http_fcfaas_worker_t *w)
{
    return fcz_ticket(w->shared.zone);
}


ngx_int_t
ngx_http_fcfaas_share_admit(ngx_http_fcfaas_waiter_t *wt, ngx_uint_t limit,
    ngx_uint_t total)
{
    ngx_http_fcfaas_pool_t  *pool;

    pool = wt->pool;

    if (!wt->placed) {

        if (fcz_wait_add(&pool->worker->shared, &pool->shared,
                         (uint32_t) limit, (uint32_t) total) != FCZ_OK)
        {
            return NGX_DECLINED;
        }

        wt->placed = 1;
    }

    return NGX_OK;
}


void
ngx_http_fcfaas_share_join(ngx_http_fcfaas_waiter_t *wt)
{
    wt->wants = 1;
    fcz_want(&wt->pool->worker->shared, &wt->want->shared, 1,
             wt->want != wt->pool);

    (void) ngx_http_fcfaas_share_admit(wt, 0, 0);

    fcz_wait_head(&wt->pool->worker->shared, &wt->pool->shared,
                  ngx_http_fcfaas_share_oldest(wt->pool));
    ngx_http_fcfaas_share_soon(wt->pool->worker, FCZ_LOOK_MS);
}


void
ngx_http_fcfaas_share_leave(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_pool_t  *pool;

    if (!wt->placed) {
        return;
    }

    wt->placed = 0;
    pool = wt->pool;

    if (wt->wants) {
        wt->wants = 0;
        fcz_want(&pool->worker->shared, &wt->want->shared, -1,
                 wt->want != pool);
    }

    fcz_wait_sub(&pool->worker->shared, &pool->shared,
                 ngx_http_fcfaas_share_oldest(pool));
}


static uint64_t
ngx_http_fcfaas_share_oldest(ngx_http_fcfaas_pool_t *pool)
{
    ngx_queue_t               *q;
    ngx_http_fcfaas_waiter_t  *wt;

    if (ngx_queue_empty(&pool->waiters)) {
        return FCZ_NO_TICKET;
    }

    q = ngx_queue_head(&pool->waiters);
    wt = ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue);

    return wt->ticket;
}


ngx_uint_t
ngx_http_fcfaas_share_waited(ngx_http_fcfaas_pool_t *pool)
{
    return fcz_waited(&pool->worker->shared, &pool->shared);
}


static void
ngx_http_fcfaas_share_rung(void *arg, unsigned events)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    uint32_t                 i, n;
    uint64_t                 rings;
    fcz_pool_t              *pools[NGX_HTTP_FCFAAS_SHARE_TURN];
    ngx_http_fcfaas_pool_t  *pool;

    if (read(fcz_bell(&w->shared), &rings, sizeof(rings)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, w->log, ngx_errno,
                      "fcfaas: the bell cannot be read");
    }

    do {
        n = fcz_heard(&w->shared, pools, NGX_HTTP_FCFAAS_SHARE_TURN);

        for (i = 0; i < n; i++) {
            pool = ngx_http_fcfaas_share_of(pools[i]);

            (void) ngx_http_fcfaas_share_room(pool);
            ngx_http_fcfaas_park_kick(pool);
        }

    } while (n);

    ngx_http_fcfaas_share_events(w);
}


static void
ngx_http_fcfaas_share_timer(ngx_event_t *ev)
{
    ngx_msec_t                 ms;
    ngx_http_fcfaas_worker_t  *w;

    w = ngx_queue_data(ev, ngx_http_fcfaas_worker_t, share_timer);

    fcz_beat(&w->shared);
    fcz_offers(&w->shared);

    ngx_http_fcfaas_share_listen(w);
    ngx_http_fcfaas_share_events(w);
    ngx_http_fcfaas_share_look(w);

    ms = ngx_queue_empty(&w->waiting) ? NGX_HTTP_FCFAAS_SHARE_BEAT
                                      : FCZ_LOOK_MS;

    if (!LIST_EMPTY(&w->shared.offers)) {
        ms = FCZ_OFFER_MS;
    }

    ngx_http_fcfaas_share_soon(w, ms);
}


/* those who were told to let others go first, and, more seldom, all who wait
 * and have instances: a bell may have been missed */
static void
ngx_http_fcfaas_share_look(ngx_http_fcfaas_worker_t *w)
{
    ngx_uint_t               all;
    ngx_queue_t             *q;
    ngx_http_fcfaas_pool_t  *pool;

    all = ngx_http_fcfaas_past(w->share_looked + FCZ_LOOK_MS);

    if (all) {
        w->share_looked = ngx_current_msec;
    }

    for (q = ngx_queue_head(&w->waiting);
         q != ngx_queue_sentinel(&w->waiting);
         q = ngx_queue_next(q))
    {
        pool = ngx_queue_data(q, ngx_http_fcfaas_pool_t, waiting);

        if (pool->behind || (all && pool->nlisted)) {
            pool->behind = 0;
            (void) ngx_http_fcfaas_share_room(pool);
            ngx_http_fcfaas_park_kick(pool);
        }
    }
}


static void
ngx_http_fcfaas_share_soon(ngx_http_fcfaas_worker_t *w, ngx_msec_t ms)
{
    if (w->share_timer.timer_set) {

        if ((ngx_msec_int_t) (w->share_timer.timer.key
                              - (ngx_current_msec + ms)) <= 0)
        {
            return;
        }

        ngx_del_timer(&w->share_timer);
    }

    if (!w->closing) {
        ngx_add_timer(&w->share_timer, ms);
    }
}


static void
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
