/*
 * What a request that waits holds in this worker's memory.
 */

#ifndef _NGX_HTTP_FCFAAS_MEMORY_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_MEMORY_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* Bytes, at most and roughly: pools, the request's head, and of its body what
 * nginx keeps in memory (the rest goes into a file). */
size_t ngx_http_fcfaas_memory(ngx_http_request_t *r);

#endif /* _NGX_HTTP_FCFAAS_MEMORY_H_INCLUDED_ */
