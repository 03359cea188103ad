/*
 * This worker's end of what all workers share (zone/): slots, places of those
 * who wait, asks and failures, and the bell by which others say that there is
 * something to look at.
 */

#ifndef _NGX_HTTP_FCFAAS_SHARE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_SHARE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

ngx_int_t ngx_http_fcfaas_share_start(ngx_http_fcfaas_worker_t *w);
/* before the loop goes; share_end after all pools and instances have gone */
void ngx_http_fcfaas_share_stop(ngx_http_fcfaas_worker_t *w);
void ngx_http_fcfaas_share_end(ngx_http_fcfaas_worker_t *w);

/* ngx_http_fcfaas_share_bell.c: the zone is looked at again in ms at the
 * latest; what it has to say is logged.  A pool is behind while others come
 * first: it is looked at when they had their time. */
void ngx_http_fcfaas_share_soon(ngx_http_fcfaas_worker_t *w, ngx_msec_t ms);
void ngx_http_fcfaas_share_events(ngx_http_fcfaas_worker_t *w);
void ngx_http_fcfaas_share_behind(ngx_http_fcfaas_pool_t *pool);
void ngx_http_fcfaas_share_ahead(ngx_http_fcfaas_pool_t *pool);

/* With their memory: the handles in it.  Of an instance "shared.pool" is that
 * of the pool where it is now. */
void ngx_http_fcfaas_share_pool(ngx_http_fcfaas_pool_t *pool);
void ngx_http_fcfaas_share_pool_done(ngx_http_fcfaas_pool_t *pool);
void ngx_http_fcfaas_share_instance(ngx_http_fcfaas_instance_t *instance);
void ngx_http_fcfaas_share_instance_done(
    ngx_http_fcfaas_instance_t *instance);

/* A slot of the instance, limit: 0 for no limit.  NGX_OK: share_give once;
 * NGX_BUSY: all are taken, by whatever worker; NGX_AGAIN: somebody older who
 * waits in another one comes first, or counts are being restored: it is
 * looked at again by itself.  share_peek takes none. */
ngx_int_t ngx_http_fcfaas_share_take(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_waiter_t *wt, ngx_uint_t limit);
ngx_int_t ngx_http_fcfaas_share_peek(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_waiter_t *wt, ngx_uint_t limit);
void ngx_http_fcfaas_share_give(ngx_http_fcfaas_instance_t *instance);
/* Tells the slots (ngx_http_fcfaas_slots_room) which instances of the pool
 * that were full with others' requests have room again; returns how many. */
ngx_uint_t ngx_http_fcfaas_share_room(ngx_http_fcfaas_pool_t *pool);

/* The place in the order of arrival over all workers, for one that has none
 * yet from here on: share_take gives one too. */
uint64_t ngx_http_fcfaas_share_ticket(ngx_http_fcfaas_waiter_t *wt);
/* Takes a place among those who wait, if less than limit wait for the pool
 * and total (0: any number) in all workers: NGX_OK, NGX_DECLINED.  It is kept
 * until share_leave, and taken by share_join where it has not been. */
ngx_int_t ngx_http_fcfaas_share_admit(ngx_http_fcfaas_waiter_t *wt,
    ngx_uint_t limit, ngx_uint_t total);
/* it is in the queue of its pool now; it is not any more */
void ngx_http_fcfaas_share_join(ngx_http_fcfaas_waiter_t *wt);
void ngx_http_fcfaas_share_leave(ngx_http_fcfaas_waiter_t *wt);
/* how many want the pool, wherever they wait, and how many of its starts have
 * failed in a row, in all workers */
ngx_uint_t ngx_http_fcfaas_share_wanted(ngx_http_fcfaas_pool_t *pool,
    ngx_uint_t *failed);
/* As fcz_ask(): 1 if this worker is to ask, and says by share_asked what came
 * of it; else it looks again in *ms. */
ngx_uint_t ngx_http_fcfaas_share_ask(ngx_http_fcfaas_pool_t *pool,
    ngx_uint_t live, ngx_uint_t wanted, ngx_msec_t *ms);
void ngx_http_fcfaas_share_asked(ngx_http_fcfaas_pool_t *pool, fcz_ask_e what,
    ngx_uint_t wanted);
void ngx_http_fcfaas_share_forget(ngx_http_fcfaas_pool_t *pool);
/* what this gateway calls its demand in Redis: 33 bytes */
void ngx_http_fcfaas_share_id(ngx_http_fcfaas_worker_t *w, char *id);

/* A start that failed, told once for each name by however many workers (hash
 * of the job's or the instance's): how many in a row, in all workers, and ms
 * until the next may be, 0 at once. */
ngx_uint_t ngx_http_fcfaas_share_failed(ngx_http_fcfaas_pool_t *pool,
    uint64_t what, ngx_msec_t *ms);
/* What others have told of failures: as share_failed, without one more. */
ngx_uint_t ngx_http_fcfaas_share_failing(ngx_http_fcfaas_pool_t *pool,
    ngx_msec_t *ms);
void ngx_http_fcfaas_share_succeeded(ngx_http_fcfaas_pool_t *pool);
uint64_t ngx_http_fcfaas_share_hash(ngx_http_fcfaas_worker_t *w,
    const char *name);

/* 1 if somebody waits for it in any worker; without a lock */
ngx_uint_t ngx_http_fcfaas_share_waited(ngx_http_fcfaas_pool_t *pool);

#endif /* _NGX_HTTP_FCFAAS_SHARE_H_INCLUDED_ */
