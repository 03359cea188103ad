#include "ngx_fcfaas_module/ngx_http_fcfaas_variables.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ctx.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_uri.h"


static ngx_int_t ngx_http_fcfaas_uri_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_fcfaas_function_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_fcfaas_version_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_fcfaas_request_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_fcfaas_start_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_fcfaas_wait_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_fcfaas_instance_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_fcfaas_attempts_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static const ngx_http_variable_t  ngx_http_fcfaas_vars[] = {

    /* not to be kept: a subrequest, or another location, has its own */
    { ngx_string("fcfaas_uri"), NULL, ngx_http_fcfaas_uri_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("fcfaas_function_id"), NULL,
      ngx_http_fcfaas_function_id_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("fcfaas_version"), NULL, ngx_http_fcfaas_version_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("fcfaas_request_id"), NULL,
      ngx_http_fcfaas_request_id_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("fcfaas_start"), NULL, ngx_http_fcfaas_start_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("fcfaas_wait"), NULL, ngx_http_fcfaas_wait_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("fcfaas_instance"), NULL, ngx_http_fcfaas_instance_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("fcfaas_attempts"), NULL, ngx_http_fcfaas_attempts_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_fcfaas_add_variables(ngx_conf_t *cf)
{
    return ngx_http_fcfaas_variables_add(cf, ngx_http_fcfaas_vars);
}


ngx_int_t
ngx_http_fcfaas_variables_add(ngx_conf_t *cf, const ngx_http_variable_t *v)
{
    ngx_str_t             name;
    ngx_http_variable_t  *var;

    for ( /* void */ ; v->name.len; v++) {

        name = v->name;

        var = ngx_http_add_variable(cf, &name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


u_char *
ngx_http_fcfaas_request_id(ngx_http_fcfaas_ctx_t *ctx)
{
    if (ctx->request_id[0] == '\0') {
        fcf_request_id_new((char *) ctx->request_id);
    }

    return ctx->request_id;
}


static ngx_int_t
ngx_http_fcfaas_uri_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                    id, uri;
    ngx_http_fcfaas_ctx_t       *ctx;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_fcfaas_module);

    if (ctx) {
        id = ctx->given;

    } else {
        flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);

        if (flcf->id == NULL) {
            v->not_found = 1;
            return NGX_OK;
        }

        if (ngx_http_fcfaas_uri_id(r, flcf, &id) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_fcfaas_uri(r, &id, &uri) != NGX_OK) {

        /* nginx takes a variable that fails for an empty one, and proxy_pass
         * would go on with all of r->uri: this is no port, and ends in 500 */

        ngx_str_set(&uri, ":0");
    }

    return ngx_http_fcfaas_variable_value(v, uri.data, uri.len);
}


static ngx_int_t
ngx_http_fcfaas_function_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_fcfaas_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_fcfaas_variable_value(v, ctx->id.data, ctx->id.len);
}


static ngx_int_t
ngx_http_fcfaas_version_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    int64_t                 version;
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_fcfaas_ctx(r);
    version = 0;

    if (ctx) {
        /* of the instance; before there is one, of where it goes */
        version = ctx->version == 0 && ctx->waiter.pool
                  ? ctx->waiter.pool->version : ctx->version;
    }

    if (version == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_fcfaas_variable_value(v, p,
                                          ngx_sprintf(p, "%L", version) - p);
}


static ngx_int_t
ngx_http_fcfaas_request_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *id;
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_fcfaas_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    id = ngx_http_fcfaas_request_id(ctx);

    return ngx_http_fcfaas_variable_value(v, id, ngx_strlen(id));
}


static ngx_int_t
ngx_http_fcfaas_start_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_fcfaas_ctx(r);

    if (ctx == NULL || ctx->waiter.pool == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_fcfaas_variable_value(v,
                           (u_char *) (ctx->waiter.cold ? "cold" : "warm"), 4);
}


static ngx_int_t
ngx_http_fcfaas_wait_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    ngx_msec_t              ms;
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_fcfaas_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ms = ctx->waiter.waited;

    if (ctx->waiter.queued) {
        ms += ngx_current_msec - ctx->waiter.since;
    }

    return ngx_http_fcfaas_variable_value(v, p,
                 ngx_sprintf(p, "%T.%03M", (time_t) ms / 1000, ms % 1000) - p);
}


static ngx_int_t
ngx_http_fcfaas_instance_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_fcfaas_ctx(r);

    if (ctx == NULL || ctx->instance.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_fcfaas_variable_value(v, ctx->instance.data,
                                          ctx->instance.len);
}


static ngx_int_t
ngx_http_fcfaas_attempts_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_http_fcfaas_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_fcfaas_variable_value(v, p,
                           ngx_sprintf(p, "%ui", ctx->waiter.attempts) - p);
}


ngx_int_t
ngx_http_fcfaas_variable_value(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
