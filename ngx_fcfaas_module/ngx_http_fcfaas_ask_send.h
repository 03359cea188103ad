/*
 * One call of the asking script: for at most one more instance of a pool.
 */

#ifndef _NGX_HTTP_FCFAAS_ASK_SEND_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_ASK_SEND_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* of a pool, over all workers of this gateway */
typedef struct {
    ngx_uint_t                   waiting;       /* that no free slot takes */
    ngx_uint_t                   least;         /* instances, in any case */
    ngx_uint_t                   live;
    ngx_uint_t                   wanted;        /* instances, in all */
    ngx_uint_t                   failed;        /* starts, in a row */
} ngx_http_fcfaas_demand_t;

typedef struct {
    ngx_http_fcfaas_pool_t      *pool;
    ngx_uint_t                   wanted;
    ngx_uint_t                   attempt;       /* 1: none has failed */
    char                         request_id[FCF_REQUEST_ID_MAX + 1];
} ngx_http_fcfaas_ask_call_t;

/* done runs exactly once, with the call as arg, which it is to free; the pool
 * has to outlive that.  NGX_ERROR: out of memory, done does not run. */
ngx_int_t ngx_http_fcfaas_ask_send(ngx_http_fcfaas_pool_t *pool,
    const ngx_http_fcfaas_demand_t *demand, fcf_redis_pt done);

#endif /* _NGX_HTTP_FCFAAS_ASK_SEND_H_INCLUDED_ */
