/*
 * The balancer: what "fcfaas" in an upstream block does with a request.
 */

#ifndef _NGX_HTTP_FCFAAS_PEER_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_PEER_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* "ip:port" */
#define NGX_HTTP_FCFAAS_PEER_NAME  (NGX_INET6_ADDRSTRLEN + sizeof("[]:65535"))

/* of requests with a longer head, in their pool */
#define NGX_HTTP_FCFAAS_PEER_HEAD  640

/* one of a peer's events, made when it is needed: most requests need none */
typedef struct {
    ngx_event_t                  event;
    ngx_http_fcfaas_peer_t      *peer;
} ngx_http_fcfaas_peer_event_t;

#define ngx_http_fcfaas_peer_of(ev)                                         \
    ((ngx_queue_data(ev, ngx_http_fcfaas_peer_event_t, event))->peer)

/* bytes of earlier requests over a connection without TLS, and of their
 * answers */
typedef struct {
    off_t                        sent;
    off_t                        received;
} ngx_http_fcfaas_carried_t;

/* what a warm request touches comes first, what its answer does before that */
struct ngx_http_fcfaas_peer_s {
    ngx_http_fcfaas_ctx_t       *ctx;
    ngx_http_upstream_t         *upstream;
    ngx_http_fcfaas_instance_t  *instance;      /* bound now, or NULL */
    ngx_int_t                  (*process_header)(ngx_http_request_t *r);
    unsigned                     unsent:1;      /* the answer said so */
    unsigned                     reinit:1;      /* something was sent once */
    unsigned                     answered:1;    /* a header has come */
    unsigned                     ended:1;       /* the waiter's answer
                                                   is to be sent */
    unsigned                     busy:1;        /* nginx's own way out */
    unsigned                     cacheable:1;   /* see _wait.c */
    ngx_socket_t                 bell;          /* see _wait.c; -1: none */
    ngx_queue_t                  queue;         /* in instance->requests */
    ngx_http_fcfaas_keep_t      *keep;          /* NULL: nginx's "keepalive",
                                                   or none */
    ngx_http_fcfaas_carried_t    carried;       /* if keep: by the connection,
                                                   before this request */
    ngx_http_upstream_conf_t    *own_conf;      /* the location's */
    ngx_http_upstream_conf_t    *conf;          /* see _upconf.c */
    ngx_event_t                 *limit;         /* see _limit.c; NULL: none */
    ngx_msec_t                   bound;         /* to instance, since */
    ngx_int_t                  (*reinit_request)(ngx_http_request_t *r);
    ngx_event_t                 *end;           /* posted: see _wait.c; NULL:
                                                   none */
    ngx_http_upstream_conf_t    *waiting_conf;  /* ours: see _wait.c */
    ngx_str_t                    name;          /* of the first instance */
    u_char                       name_data[NGX_HTTP_FCFAAS_PEER_NAME];
    u_char                       head[NGX_HTTP_FCFAAS_PEER_HEAD];
                                                /* see _headers.c */
};

/* of the upstream: ngx_http_upstream_peer_t.init */
ngx_int_t ngx_http_fcfaas_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);

/* The instance has vanished without draining: requests to it that have no
 * byte of an answer fail, as if their connections had been cut. */
void ngx_http_fcfaas_peer_vanished(ngx_http_fcfaas_instance_t *instance);

/* No instance has taken the request, but its body, which was streamed, is gone:
 * that is its answer, when nginx asks for the next peer. */
void ngx_http_fcfaas_peer_body_gone(ngx_http_fcfaas_peer_t *fp);

/* An event that lives as long as the request, neither set nor posted; for its
 * handler ngx_http_fcfaas_peer_of() is the peer.  NULL: out of memory. */
ngx_event_t *ngx_http_fcfaas_peer_event(ngx_http_fcfaas_peer_t *fp,
    ngx_event_handler_pt handler);

/* The request ends: gives back what the upstream module does not. */
void ngx_http_fcfaas_peer_cleanup(ngx_http_fcfaas_ctx_t *ctx);

#endif /* _NGX_HTTP_FCFAAS_PEER_H_INCLUDED_ */
