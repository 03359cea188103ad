/*
 * The API socket: HTTP/1.1 over a unix socket, keepalive, pipelined requests
 * one after the other.  A request whose answer comes later holds back its own
 * connection only; if its client leaves, the answer is dropped.
 */

#ifndef _FCV_HTTP_H_INCLUDED_
#define _FCV_HTTP_H_INCLUDED_

#include "vm/vmm/api.h"

#define FCV_HTTP_CONNS     16
#define FCV_HTTP_BODY_MAX  51200        /* Firecracker's default */

typedef struct fcv_http_s  fcv_http_t;

/* Binds path, which must not exist, and listens.  loop and api outlive it. */
fcv_http_t *fcv_http_open(fcv_loop_t *loop, fcv_api_t *api, const char *path,
    fcf_err_t *err);
/* writes what can be written of answers under way, closes */
void fcv_http_close(fcv_http_t *http);

#endif /* _FCV_HTTP_H_INCLUDED_ */
