/*
 * $fcfaas_traceparent and $fcfaas_tracestate: the client's trace, with a
 * parent id of this gateway's own, or a new trace.
 */

#ifndef _NGX_HTTP_FCFAAS_TRACE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_TRACE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

ngx_int_t ngx_http_fcfaas_trace_add_variables(ngx_conf_t *cf);

#endif /* _NGX_HTTP_FCFAAS_TRACE_H_INCLUDED_ */
