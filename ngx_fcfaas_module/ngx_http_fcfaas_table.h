/*
 * The functions of one worker, by id, and their instances: memory and
 * look-up, no judgement.
 */

#ifndef _NGX_HTTP_FCFAAS_TABLE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_TABLE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

ngx_int_t ngx_http_fcfaas_table_init(ngx_http_fcfaas_worker_t *w);
/* frees every function, whatever holds it */
void ngx_http_fcfaas_table_done(ngx_http_fcfaas_worker_t *w);

/* id must be valid.  find: NULL if unknown; get: made if unknown, NULL when
 * out of memory */
ngx_http_fcfaas_function_t *ngx_http_fcfaas_table_find(
    ngx_http_fcfaas_worker_t *w, const u_char *id, size_t len);
ngx_http_fcfaas_function_t *ngx_http_fcfaas_table_get(
    ngx_http_fcfaas_worker_t *w, const u_char *id, size_t len);

/* the one after that, which is held on to, in order of their making; NULL: the
 * first, or there is none */
ngx_http_fcfaas_function_t *ngx_http_fcfaas_table_next(
    ngx_http_fcfaas_worker_t *w, ngx_http_fcfaas_function_t *f);

/* Frees the function if nothing holds it any more: no pool, nothing in etcd.
 * Ends every use of the pointer by the caller. */
void ngx_http_fcfaas_table_release(ngx_http_fcfaas_function_t *f);

ngx_http_fcfaas_instance_t *ngx_http_fcfaas_table_instance(
    ngx_http_fcfaas_function_t *f, const char *worker_id);
/* the one after that worker_id, which need not be there any more; "" for the
 * first, NULL after the last */
ngx_http_fcfaas_instance_t *ngx_http_fcfaas_table_instance_after(
    ngx_http_fcfaas_function_t *f, const u_char *worker_id);

/* It counts nowhere before ngx_http_fcfaas_slots_note(). */
ngx_http_fcfaas_instance_t *ngx_http_fcfaas_table_instance_add(
    ngx_http_fcfaas_pool_t *pool, const char *worker_id);
/* takes it out of its pool; the memory goes with its last request */
void ngx_http_fcfaas_table_instance_del(ngx_http_fcfaas_instance_t *instance);
/* into another pool of its function, with the requests that are in it; the
 * pool it was in may be gone afterwards */
void ngx_http_fcfaas_table_instance_move(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_pool_t *pool);
/* after busy went down */
void ngx_http_fcfaas_table_instance_release(
    ngx_http_fcfaas_instance_t *instance);

#endif /* _NGX_HTTP_FCFAAS_TABLE_H_INCLUDED_ */
