/*
 * The compute nodes, for people who look: fcfaas_nodes lists them, and
 * fcfaas_node with $fcfaas_node_admin lets nginx's own proxy ask one of them.
 * Nothing that serves functions depends on it: /workers/ is read when somebody
 * asks, and kept for a second.
 */

#ifndef _NGX_HTTP_FCFAAS_NODES_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_NODES_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* "fcfaas_nodes" */
ngx_int_t ngx_http_fcfaas_nodes_handler(ngx_http_request_t *r);

/* the directive "fcfaas_node" */
char *ngx_http_fcfaas_nodes_conf_node(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

ngx_int_t ngx_http_fcfaas_nodes_add_variables(ngx_conf_t *cf);

/* in the phase of those who wait, where there is "fcfaas_node": waits until it
 * is known where the node is; 404 where there is none of that name */
ngx_int_t ngx_http_fcfaas_nodes_phase(ngx_http_request_t *r);

/* exit_process, after the etcd client has ended */
void ngx_http_fcfaas_nodes_done(ngx_http_fcfaas_worker_t *w);

#endif /* _NGX_HTTP_FCFAAS_NODES_H_INCLUDED_ */
