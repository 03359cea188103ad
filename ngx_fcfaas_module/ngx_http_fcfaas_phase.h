#ifndef _NGX_HTTP_FCFAAS_PHASE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_PHASE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Parks a request in its phase: NGX_AGAIN or NGX_DONE, or an HTTP status. */
ngx_int_t ngx_http_fcfaas_phase_park(ngx_http_request_t *r,
    ngx_http_fcfaas_ctx_t *ctx);

#endif /* _NGX_HTTP_FCFAAS_PHASE_H_INCLUDED_ */
