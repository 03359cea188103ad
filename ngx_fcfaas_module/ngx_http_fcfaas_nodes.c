#include "ngx_fcfaas_module/ngx_http_fcfaas_nodes_int.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_variables.h"


static json_t *ngx_http_fcfaas_nodes_find(ngx_http_request_t *r);
static ngx_int_t ngx_http_fcfaas_nodes_admin(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static const ngx_http_variable_t  ngx_http_fcfaas_nodes_vars[] = {

    { ngx_string("fcfaas_node_admin"), NULL, ngx_http_fcfaas_nodes_admin,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_fcfaas_nodes_add_variables(ngx_conf_t *cf)
{
    return ngx_http_fcfaas_variables_add(cf, ngx_http_fcfaas_nodes_vars);
}


char *
ngx_http_fcfaas_nodes_conf_node(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_fcfaas_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_fcfaas_module);
    fmcf->used = 1;

    return ngx_http_set_complex_value_slot(cf, cmd, conf);
}


ngx_int_t
ngx_http_fcfaas_nodes_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_fcfaas_nodes_t  *nodes;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    nodes = ngx_http_fcfaas_nodes_get(r);
    if (nodes == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_fcfaas_nodes_fresh(nodes)) {
        return ngx_http_fcfaas_nodes_send(r);
    }

    rc = ngx_http_fcfaas_nodes_wait(r, nodes, 1);
    if (rc != NGX_OK) {
        return rc;
    }

    r->main->count++;

    return NGX_DONE;
}


ngx_int_t
ngx_http_fcfaas_nodes_phase(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_fcfaas_nodes_t     *nodes;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);

    if (flcf->node == NULL) {
        return NGX_DECLINED;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    nodes = ngx_http_fcfaas_nodes_get(r);
    if (nodes == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_http_fcfaas_nodes_fresh(nodes)) {
        rc = ngx_http_fcfaas_nodes_wait(r, nodes, 0);
        return rc == NGX_OK ? NGX_AGAIN : rc;
    }

    if (nodes->list == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_fcfaas_nodes_find(r) ? NGX_DECLINED : NGX_HTTP_NOT_FOUND;
}


/* what is known: with a list that is old, how old; why there is no other */
ngx_int_t
ngx_http_fcfaas_nodes_send(ngx_http_request_t *r)
{
    char                     *text;
    size_t                    i;
    json_t                   *answer, *list, *node;
    ngx_str_t                 body, type;
    ngx_http_complex_value_t  cv;
    ngx_http_fcfaas_nodes_t  *nodes;

    nodes = ngx_http_fcfaas_nodes_get(r);
    if (nodes == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    list = json_array();

    json_array_foreach(nodes->list, i, node) {
        json_array_append(list, json_object_get(node, "told"));
    }

    answer = json_pack("{s:I, s:s, s:o}", "age_ms",
                       nodes->list == NULL ? (json_int_t) -1
                       : (json_int_t) (ngx_current_msec - nodes->listed),
                       "error", nodes->why ? nodes->why : "", "nodes", list);
    text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = ngx_strlen(text);
    body.data = ngx_pnalloc(r->pool, body.len);

    if (body.data) {
        ngx_memcpy(body.data, text, body.len);
    }

    free(text);

    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&type, "application/json");
    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    cv.value = body;

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


/* the node that the location names, if it is known and can be asked */
static json_t *
ngx_http_fcfaas_nodes_find(ngx_http_request_t *r)
{
    size_t                       i;
    json_t                      *node;
    ngx_str_t                    name;
    const char                  *id;
    ngx_http_fcfaas_nodes_t     *nodes;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);
    nodes = ngx_http_fcfaas_nodes_get(r);

    if (flcf->node == NULL || nodes == NULL
        || ngx_http_complex_value(r, flcf->node, &name) != NGX_OK)
    {
        return NULL;
    }

    json_array_foreach(nodes->list, i, node) {

        id = json_string_value(json_object_get(node, "id"));

        if (ngx_strlen(id) == name.len
            && ngx_memcmp(id, name.data, name.len) == 0)
        {
            return json_string_length(json_object_get(node, "admin"))
                   ? node : NULL;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_fcfaas_nodes_admin(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    json_t     *node;
    ngx_str_t   admin;

    node = ngx_http_fcfaas_nodes_find(r);

    if (node == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    /* the list may go while the request is under way */

    node = json_object_get(node, "admin");
    admin.len = json_string_length(node);
    admin.data = (u_char *) json_string_value(node);

    v->data = ngx_pstrdup(r->pool, &admin);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = admin.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
