/*
 * Which instance takes a request, and how many there is room for.  "busy"
 * counts the requests of this worker only: an instance shared by several
 * workers or gateways may be over-booked by them, which its agent answers
 * with "busy".
 */

#ifndef _NGX_HTTP_FCFAAS_SLOTS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_SLOTS_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

#define NGX_HTTP_FCFAAS_NO_LIMIT  ((ngx_uint_t) 1 << 30)

/* Binds a slot of the least busy instance: NULL if there is none free.  One
 * that has failed this request is not tried again by it. */
ngx_http_fcfaas_instance_t *ngx_http_fcfaas_slots_bind(
    ngx_http_fcfaas_pool_t *pool, ngx_http_fcfaas_waiter_t *wt);
/* Gives it back; the instance must not be used afterwards.  ended: a request
 * was served there, so that there is room for another. */
void ngx_http_fcfaas_slots_unbind(ngx_http_fcfaas_instance_t *instance,
    ngx_uint_t ended);

/* Counts anew: after what etcd says of an instance has changed, or what it
 * says of the function.  Which have no slot free, which are not as usual: so
 * most questions need no walk over all of them. */
void ngx_http_fcfaas_slots_note(ngx_http_fcfaas_instance_t *instance);
void ngx_http_fcfaas_slots_note_all(ngx_http_fcfaas_pool_t *pool);

/* 1 if bind would find one; wt NULL: for any request */
ngx_uint_t ngx_http_fcfaas_slots_any(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt);
/* 1 if what there is lives on and has failed this request, and nothing else
 * is starting */
ngx_uint_t ngx_http_fcfaas_slots_hopeless(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_waiter_t *wt);
/* free slots, at most NGX_HTTP_FCFAAS_NO_LIMIT */
ngx_uint_t ngx_http_fcfaas_slots_free(ngx_http_fcfaas_pool_t *pool);
/* instances that count as there: not draining, of the current version, not
 * refusing for longer than a restart takes */
ngx_uint_t ngx_http_fcfaas_slots_live(ngx_http_fcfaas_pool_t *pool);
/* instances that may take a request now or later, of any version */
ngx_uint_t ngx_http_fcfaas_slots_ready(ngx_http_fcfaas_pool_t *pool);
/* slots somebody is booting a VM for */
ngx_uint_t ngx_http_fcfaas_slots_booting(ngx_http_fcfaas_pool_t *pool);

/* 1 if it has refused for longer than a restart takes */
ngx_uint_t ngx_http_fcfaas_slots_lost(ngx_http_fcfaas_instance_t *instance);

/* What an attempt told of an instance: ngx_http_fcfaas_verdict.c. */
void ngx_http_fcfaas_slots_refused(ngx_http_fcfaas_instance_t *instance);
void ngx_http_fcfaas_slots_full(ngx_http_fcfaas_instance_t *instance);
/* 1 if it was avoided before */
ngx_uint_t ngx_http_fcfaas_slots_good(ngx_http_fcfaas_instance_t *instance);

/* ms until an instance that is avoided now may be tried again; 0: none is */
ngx_msec_t ngx_http_fcfaas_slots_retry(ngx_http_fcfaas_pool_t *pool);

#endif /* _NGX_HTTP_FCFAAS_SLOTS_H_INCLUDED_ */
