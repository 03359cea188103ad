#ifndef _NGX_HTTP_FCFAAS_LOOP_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_LOOP_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* The loop of contract/ on nginx's events: see fcf_loop.h for its rules.
 * Lives in the pool; NULL: out of memory. */
fcf_loop_t *ngx_http_fcfaas_loop_create(ngx_pool_t *pool, ngx_log_t *log);

/* Takes down what its users left behind; nothing is called. */
void ngx_http_fcfaas_loop_destroy(fcf_loop_t *loop);

#endif /* _NGX_HTTP_FCFAAS_LOOP_H_INCLUDED_ */
