#include "ngx_fcfaas_module/ngx_http_fcfaas_names.h"


#define ngx_http_fcfaas_names_of(n)                                         \
    (ngx_queue_data(n, ngx_http_fcfaas_name_t, node))


static void ngx_http_fcfaas_names_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_http_fcfaas_names_compare(ngx_rbtree_key_t key,
    const u_char *text, ngx_rbtree_node_t *node);


void
ngx_http_fcfaas_names_init(ngx_http_fcfaas_names_t *names)
{
    ngx_rbtree_init(&names->tree, &names->sentinel,
                    ngx_http_fcfaas_names_insert);
}


void
ngx_http_fcfaas_names_add(ngx_http_fcfaas_names_t *names,
    ngx_http_fcfaas_name_t *name, const u_char *text)
{
    name->name = text;
    name->node.key = ngx_murmur_hash2((u_char *) text, ngx_strlen(text));

    ngx_rbtree_insert(&names->tree, &name->node);
}


void
ngx_http_fcfaas_names_del(ngx_http_fcfaas_names_t *names,
    ngx_http_fcfaas_name_t *name)
{
    ngx_rbtree_delete(&names->tree, &name->node);
}


static void
ngx_http_fcfaas_names_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t  **p;

    for ( ;; ) {

        p = ngx_http_fcfaas_names_compare(node->key,
                               ngx_http_fcfaas_names_of(node)->name, temp) < 0
            ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_int_t
ngx_http_fcfaas_names_compare(ngx_rbtree_key_t key, const u_char *text,
    ngx_rbtree_node_t *node)
{
    if (key != node->key) {
        return key < node->key ? -1 : 1;
    }

    return ngx_strcmp(text, ngx_http_fcfaas_names_of(node)->name);
}


ngx_http_fcfaas_name_t *
ngx_http_fcfaas_names_find(ngx_http_fcfaas_names_t *names, const u_char *text)
{
    ngx_int_t           rc;
    ngx_rbtree_key_t    key;
    ngx_rbtree_node_t  *node;

    key = ngx_murmur_hash2((u_char *) text, ngx_strlen(text));
    node = names->tree.root;

    while (node != &names->sentinel) {

        rc = ngx_http_fcfaas_names_compare(key, text, node);

        if (rc == 0) {
            return ngx_http_fcfaas_names_of(node);
        }

        node = rc < 0 ? node->left : node->right;
    }

    return NULL;
}


ngx_http_fcfaas_name_t *
ngx_http_fcfaas_names_after(ngx_http_fcfaas_names_t *names,
    const u_char *text)
{
    ngx_rbtree_key_t    key;
    ngx_rbtree_node_t  *node, *found;

    key = text ? ngx_murmur_hash2((u_char *) text, ngx_strlen(text)) : 0;
    node = names->tree.root;
    found = NULL;

    while (node != &names->sentinel) {

        if (text == NULL
            || ngx_http_fcfaas_names_compare(key, text, node) < 0)
        {
            found = node;
            node = node->left;

        } else {
            node = node->right;
        }
    }

    return found ? ngx_http_fcfaas_names_of(found) : NULL;
}
