/*
 * Which instance of a pool takes a request, and how many there is room for.
 * Those of this worker are known here, those of the others are asked of the
 * zone (ngx_http_fcfaas_share.h) when one is to be bound.  An instance shared
 * by several gateways may be over-booked by them, which its agent answers with
 * "busy".  No question walks over the instances.
 */

#ifndef _NGX_HTTP_FCFAAS_SLOTS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_SLOTS_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Binds a slot of an instance (ngx_http_fcfaas_pick.h says which): NULL if
 * there is none free.  One that has failed this request is not tried again by
 * it. */
ngx_http_fcfaas_instance_t *ngx_http_fcfaas_slots_bind(
    ngx_http_fcfaas_pool_t *pool, ngx_http_fcfaas_waiter_t *wt);
/* Gives it back; the instance must not be used afterwards.  ended: a request
 * was served there, so that there is room for another. */
void ngx_http_fcfaas_slots_unbind(ngx_http_fcfaas_instance_t *instance,
    ngx_uint_t ended);

/* For the table: it comes, and goes.  note: counts it anew, after what etcd
 * says of it or of the function has changed. */
void ngx_http_fcfaas_slots_add(ngx_http_fcfaas_instance_t *instance);
void ngx_http_fcfaas_slots_del(ngx_http_fcfaas_instance_t *instance);
void ngx_http_fcfaas_slots_note(ngx_http_fcfaas_instance_t *instance);

/* A new worker lists instances before specs: in between it does not know what
 * the function takes at once, for how long, and which of two versions requests
 * are for.  From a state file it knows the latter as it was.  So they wait for
 * the list, if that comes soon, and not for room. */
ngx_uint_t ngx_http_fcfaas_slots_unlisted(ngx_http_fcfaas_pool_t *pool);

static ngx_inline ngx_uint_t
ngx_http_fcfaas_slots_unsure(ngx_http_fcfaas_pool_t *pool)
{
    return !pool->worker->listed && ngx_http_fcfaas_slots_unlisted(pool);
}

/* 1 if bind would find one for this request, in the zone too */
ngx_uint_t ngx_http_fcfaas_slots_peek(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt);
/* 1 if one seems free, for all that is known here */
ngx_uint_t ngx_http_fcfaas_slots_any(ngx_http_fcfaas_pool_t *pool);
/* 1 if what there is lives on and has failed this request, and nothing else
 * is starting */
ngx_uint_t ngx_http_fcfaas_slots_hopeless(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt);
/* free slots, at most NGX_HTTP_FCFAAS_NO_LIMIT */
ngx_uint_t ngx_http_fcfaas_slots_free(ngx_http_fcfaas_pool_t *pool);
/* instances that count as there: not draining, not refusing for longer than a
 * restart takes, their keys not gone for longer than a new lease takes */
ngx_uint_t ngx_http_fcfaas_slots_live(ngx_http_fcfaas_pool_t *pool);
/* instances that may take a request now or later */
ngx_uint_t ngx_http_fcfaas_slots_ready(ngx_http_fcfaas_pool_t *pool);
/* slots somebody is booting a VM for */
ngx_uint_t ngx_http_fcfaas_slots_booting(ngx_http_fcfaas_pool_t *pool);

/* 1 if it has refused for longer than a restart takes */
ngx_uint_t ngx_http_fcfaas_slots_lost(ngx_http_fcfaas_instance_t *instance);

/* ms until an instance that is avoided now may be tried again; 0: none is */
ngx_msec_t ngx_http_fcfaas_slots_retry(ngx_http_fcfaas_pool_t *pool);

/* What an attempt told of an instance: ngx_http_fcfaas_verdict.c. */
void ngx_http_fcfaas_slots_refused(ngx_http_fcfaas_instance_t *instance);
void ngx_http_fcfaas_slots_full(ngx_http_fcfaas_instance_t *instance);
void ngx_http_fcfaas_slots_away(ngx_http_fcfaas_instance_t *instance);
/* 1 if it was avoided before */
ngx_uint_t ngx_http_fcfaas_slots_good(ngx_http_fcfaas_instance_t *instance);
/* its time aside is over */
void ngx_http_fcfaas_slots_due(ngx_http_fcfaas_instance_t *instance);

/* Others than this worker have taken all its slots: not to be picked for
 * 100 ms, or until there is room again. */
void ngx_http_fcfaas_slots_taken(ngx_http_fcfaas_instance_t *instance);
void ngx_http_fcfaas_slots_room(ngx_http_fcfaas_instance_t *instance);

#endif /* _NGX_HTTP_FCFAAS_SLOTS_H_INCLUDED_ */
