/* Shared by ngx_http_fcfaas_nodes*.c only. */

#ifndef _NGX_HTTP_FCFAAS_NODES_INT_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_NODES_INT_H_INCLUDED_

#include <jansson.h>

#include "ngx_fcfaas_module/ngx_http_fcfaas_nodes.h"

/* of a worker process */
struct ngx_http_fcfaas_nodes_s {
    ngx_http_fcfaas_worker_t    *worker;
    json_t                      *list;          /* NULL: never came; of each
                                                   what a client is told, and
                                                   where it is asked */
    ngx_msec_t                   listed;        /* when that was; valid if so */
    ngx_msec_t                   looked;        /* when the last answer, good
                                                   or bad, was; if "answered" */
    fcf_etcd_call_t             *call;          /* NULL: none is under way */
    const char                  *why;           /* static; NULL: all is well */
    ngx_queue_t                  waiting;
    unsigned                     answered:1;
};

/* ngx_http_fcfaas_nodes_list.c */
/* made when it is asked for first; NULL: no memory, or no worker process */
ngx_http_fcfaas_nodes_t *ngx_http_fcfaas_nodes_get(ngx_http_request_t *r);
/* what is known need not be asked for again */
ngx_uint_t ngx_http_fcfaas_nodes_fresh(ngx_http_fcfaas_nodes_t *nodes);
/* The request is gone on with when there is a list, or none comes: content
 * says that it is to be answered, else it goes on in its phases.  A client
 * that leaves meanwhile ends it. */
ngx_int_t ngx_http_fcfaas_nodes_wait(ngx_http_request_t *r,
    ngx_http_fcfaas_nodes_t *nodes, ngx_uint_t content);

/* ngx_http_fcfaas_nodes.c */
/* what is known: with a list that is old, how old; why there is no other */
ngx_int_t ngx_http_fcfaas_nodes_send(ngx_http_request_t *r);

#endif /* _NGX_HTTP_FCFAAS_NODES_INT_H_INCLUDED_ */
