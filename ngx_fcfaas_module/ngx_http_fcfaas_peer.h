/*
 * The balancer: "fcfaas" in an upstream block.
 */

#ifndef _NGX_HTTP_FCFAAS_PEER_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_PEER_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

struct ngx_http_fcfaas_peer_s {
    ngx_http_fcfaas_ctx_t       *ctx;
    ngx_http_upstream_t         *upstream;
    ngx_http_fcfaas_instance_t  *instance;      /* bound now, or NULL */
    ngx_queue_t                  queue;         /* in instance->requests */
    ngx_http_upstream_conf_t    *own_conf;      /* the location's */
    ngx_http_upstream_conf_t    *conf;          /* see _upconf.c */
    ngx_http_upstream_conf_t    *waiting_conf;  /* ours: see _wait.c */
    ngx_event_t                  limit;         /* see _limit.c */
    ngx_event_t                  end;           /* posted: see _wait.c */
    ngx_msec_t                   bound;         /* to instance, since */
    ngx_socket_t                 bell;          /* see _wait.c; -1: none */
    ngx_int_t                  (*process_header)(ngx_http_request_t *r);
    ngx_int_t                  (*reinit_request)(ngx_http_request_t *r);
    ngx_str_t                    name;
    unsigned                     unsent:1;      /* the answer said so */
    unsigned                     reinit:1;      /* something was sent once */
    unsigned                     answered:1;    /* a header has come */
    unsigned                     ended:1;       /* the waiter's answer
                                                   is to be sent */
    unsigned                     busy:1;        /* nginx's own way out */
    unsigned                     cacheable:1;   /* see _wait.c */
    u_char                       name_data[NGX_SOCKADDR_STRLEN];
};

ngx_int_t ngx_http_fcfaas_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);

/* The instance has vanished without draining: requests to it that have no
 * byte of an answer fail, as if their connections had been cut. */
void ngx_http_fcfaas_peer_vanished(ngx_http_fcfaas_instance_t *instance);

/* No instance has taken the request, but its body, which was streamed, is gone:
 * that is its answer, when nginx asks for the next peer. */
void ngx_http_fcfaas_peer_body_gone(ngx_http_fcfaas_peer_t *fp);

/* The request ends: gives back what the upstream module does not. */
void ngx_http_fcfaas_peer_cleanup(ngx_http_fcfaas_ctx_t *ctx);

#endif /* _NGX_HTTP_FCFAAS_PEER_H_INCLUDED_ */
