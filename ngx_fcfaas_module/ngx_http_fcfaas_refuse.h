/*
 * Answers for all who wait for a function, however many, in turns of the loop.
 */

#ifndef _NGX_HTTP_FCFAAS_REFUSE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_REFUSE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Those that arrived at "before" or earlier; the first ones at once.  The
 * function may be gone afterwards unless the caller holds a reference. */
void ngx_http_fcfaas_refuse_all(ngx_http_fcfaas_pool_t *pool,
    ngx_msec_t before, const ngx_http_fcfaas_answer_t *answer);
/* The next ones; returns what is left of limit. */
ngx_uint_t ngx_http_fcfaas_refuse_rest(ngx_http_fcfaas_pool_t *pool,
    ngx_uint_t limit);
void ngx_http_fcfaas_refuse_forget(ngx_http_fcfaas_pool_t *pool);

#endif /* _NGX_HTTP_FCFAAS_REFUSE_H_INCLUDED_ */
