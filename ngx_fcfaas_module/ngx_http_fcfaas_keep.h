/*
 * Connections to instances that are kept between requests ("fcfaas
 * keepalive=" in an upstream): nginx's own "keepalive" looks through all of
 * them for each request, here each instance has its own.
 */

#ifndef _NGX_HTTP_FCFAAS_KEEP_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_KEEP_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

/* of an upstream: our srv conf */
struct ngx_http_fcfaas_keep_s {
    ngx_uint_t                   max;           /* 0: none */
    ngx_uint_t                   requests;      /* over one of them */
    ngx_msec_t                   time;          /* that it may be used */
    ngx_msec_t                   timeout;       /* ... and idle */
    ngx_queue_t                  kept;          /* the one used last first */
    ngx_queue_t                  free;
    ngx_event_t                  timer;         /* for the last of kept: they
                                                   have none of their own */
};

/* what it takes to keep "max" of them */
ngx_int_t ngx_http_fcfaas_keep_init(ngx_conf_t *cf,
    ngx_http_fcfaas_keep_t *keep);

/* One that is kept, as the connection of "pc": NGX_DONE; NGX_OK: none is. */
ngx_int_t ngx_http_fcfaas_keep_take(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
/* The connection of a request that is through with it, if it may serve
 * another: then "pc" has none any more. */
void ngx_http_fcfaas_keep_give(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
/* The instance goes, and what is kept of it. */
void ngx_http_fcfaas_keep_end(ngx_http_fcfaas_instance_t *instance);

#endif /* _NGX_HTTP_FCFAAS_KEEP_H_INCLUDED_ */
