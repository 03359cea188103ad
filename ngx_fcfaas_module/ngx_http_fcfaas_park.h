/*
 * The queue of those who wait for an instance of a pool, oldest first:
 * requests parked in the PRECONTENT phase, and requests held in the balancer.
 */

#ifndef _NGX_HTTP_FCFAAS_PARK_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_PARK_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

#define ngx_http_fcfaas_park_waiter(q)                                      \
    (ngx_queue_data(q, ngx_http_fcfaas_waiter_t, queue))

/* Joins the queue of its pool, with the deadline that its park timeout
 * leaves; the caller has set wake and refuse.  Its place is that of its
 * arrival, however late it joins. */
void ngx_http_fcfaas_park_join(ngx_http_fcfaas_waiter_t *wt);
/* Counts the request as warm or cold, by what there is now, once. */
void ngx_http_fcfaas_park_count(ngx_http_fcfaas_waiter_t *wt);
/* Goes to another pool of its function, where it has the same place, and takes
 * its references along. */
void ngx_http_fcfaas_park_move(ngx_http_fcfaas_waiter_t *wt,
    ngx_http_fcfaas_pool_t *pool, ngx_http_fcfaas_pool_t *want);
/* Leaves it, if it is there; safe in clean-up handlers. */
void ngx_http_fcfaas_park_leave(ngx_http_fcfaas_waiter_t *wt);
/* Sets the deadlines of all that wait in this worker by their park timeouts,
 * once the first list is there. */
void ngx_http_fcfaas_park_listed(ngx_http_fcfaas_worker_t *w);

/* Looks at the pool's queue soon, from the loop: something about it
 * changed.  Safe anywhere, cheap when nobody waits. */
void ngx_http_fcfaas_park_kick(ngx_http_fcfaas_pool_t *pool);
void ngx_http_fcfaas_park_kick_handler(ngx_event_t *ev);
/* Kicks it when an instance that is avoided may be tried again. */
void ngx_http_fcfaas_park_retry(ngx_http_fcfaas_pool_t *pool);
/* whether somebody who waits may have a new instance: the function is
 * declared, or a waiter's location does not ask for that */
ngx_uint_t ngx_http_fcfaas_park_allowed(ngx_http_fcfaas_pool_t *pool);

/* Answers one that waits.  The pool may be gone afterwards unless the
 * caller holds a reference. */
void ngx_http_fcfaas_park_refuse(ngx_http_fcfaas_waiter_t *wt,
    const ngx_http_fcfaas_answer_t *answer);

#endif /* _NGX_HTTP_FCFAAS_PARK_H_INCLUDED_ */
