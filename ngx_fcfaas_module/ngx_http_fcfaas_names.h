/*
 * Things found by a name: a tree of nodes that lie in them.
 */

#ifndef _NGX_HTTP_FCFAAS_NAMES_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_NAMES_H_INCLUDED_

#include <ngx_config.h>
#include <ngx_core.h>

typedef struct {
    ngx_rbtree_node_t    node;
    const u_char        *name;          /* the owner's, as long as it is in */
} ngx_http_fcfaas_name_t;

typedef struct {
    ngx_rbtree_t         tree;
    ngx_rbtree_node_t    sentinel;
} ngx_http_fcfaas_names_t;

void ngx_http_fcfaas_names_init(ngx_http_fcfaas_names_t *names);
void ngx_http_fcfaas_names_add(ngx_http_fcfaas_names_t *names,
    ngx_http_fcfaas_name_t *name, const u_char *text);
void ngx_http_fcfaas_names_del(ngx_http_fcfaas_names_t *names,
    ngx_http_fcfaas_name_t *name);

/* NULL: there is none.  Of several of the same name, any. */
ngx_http_fcfaas_name_t *ngx_http_fcfaas_names_find(
    ngx_http_fcfaas_names_t *names, const u_char *text);
/* In an order that stays: the one after that name, which need not be there
 * any more; the first one after NULL; NULL: that was the last. */
ngx_http_fcfaas_name_t *ngx_http_fcfaas_names_after(
    ngx_http_fcfaas_names_t *names, const u_char *text);

#endif /* _NGX_HTTP_FCFAAS_NAMES_H_INCLUDED_ */
