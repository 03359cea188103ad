#include "ngx_fcfaas_module/ngx_http_fcfaas_registry.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_apply.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_visit.h"


/* the prefixes that are watched; instances first: with them what is known
 * already can be served */
#define NGX_HTTP_FCFAAS_REGISTRY_FUNCTIONS  0
#define NGX_HTTP_FCFAAS_REGISTRY_SPECS      1


static void ngx_http_fcfaas_registry_begin(void *arg, size_t prefix);
static void ngx_http_fcfaas_registry_end(void *arg, size_t prefix);
static ngx_uint_t ngx_http_fcfaas_registry_list(size_t prefix);
static void ngx_http_fcfaas_registry_put(void *arg, const fcf_kv_t *kv);
static void ngx_http_fcfaas_registry_del(void *arg, const char *key,
    size_t len);
static void ngx_http_fcfaas_registry_state(void *arg, fcf_sync_state_e state,
    const char *why);


static const fcf_sync_handler_t  ngx_http_fcfaas_registry_handler = {
    .begin = ngx_http_fcfaas_registry_begin,
    .put = ngx_http_fcfaas_registry_put,
    .del = ngx_http_fcfaas_registry_del,
    .end = ngx_http_fcfaas_registry_end,
    .state = ngx_http_fcfaas_registry_state
};


ngx_int_t
ngx_http_fcfaas_registry_start(ngx_http_fcfaas_worker_t *w)
{
    char         specs[FCF_KEY_MAX], functions[FCF_KEY_MAX];
    fcf_err_t    err;
    const char  *prefixes[2];

    prefixes[NGX_HTTP_FCFAAS_REGISTRY_FUNCTIONS] =
                                    fcf_key_functions(functions, w->prefix);
    prefixes[NGX_HTTP_FCFAAS_REGISTRY_SPECS] = fcf_key_specs(specs, w->prefix);

    w->sync = fcf_sync_new(w->etcd, prefixes, 2,
                           &ngx_http_fcfaas_registry_handler, w, &err);

    if (w->sync == NULL) {
        ngx_log_error(NGX_LOG_CRIT, w->log, 0,
                      "fcfaas: cannot watch etcd: %s", err.msg);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_fcfaas_registry_known(ngx_http_fcfaas_function_t *f)
{
    return f->declared || f->ninstances;
}


static void
ngx_http_fcfaas_registry_begin(void *arg, size_t prefix)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    w->listing |= ngx_http_fcfaas_registry_list(prefix);

    if (prefix == NGX_HTTP_FCFAAS_REGISTRY_FUNCTIONS) {
        w->generation++;

    } else {
        w->spec_generation++;
    }
}


static void
ngx_http_fcfaas_registry_end(void *arg, size_t prefix)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    w->listing &= ~ngx_http_fcfaas_registry_list(prefix);
    w->seen |= ngx_http_fcfaas_registry_list(prefix);

    if (!w->listed && w->seen == NGX_HTTP_FCFAAS_LIST_ALL) {
        w->listed = 1;
        ngx_http_fcfaas_park_listed(w);
    }

    ngx_http_fcfaas_visit_sweep(w);

    if (prefix == NGX_HTTP_FCFAAS_REGISTRY_FUNCTIONS) {
        ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                      "fcfaas: %ui instances are there", w->ninstances);

    } else {
        ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                      "fcfaas: %ui functions are declared", w->nspecs);
    }
}


static ngx_uint_t
ngx_http_fcfaas_registry_list(size_t prefix)
{
    return prefix == NGX_HTTP_FCFAAS_REGISTRY_FUNCTIONS
           ? NGX_HTTP_FCFAAS_LIST_FUNCTIONS : NGX_HTTP_FCFAAS_LIST_SPECS;
}


void
ngx_http_fcfaas_registry_done(ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_route_look(f);

    f->refs--;
    ngx_http_fcfaas_table_release(f);
}


static void
ngx_http_fcfaas_registry_put(void *arg, const fcf_kv_t *kv)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    fcf_err_t                    err;
    fcf_key_t                    key;
    ngx_http_fcfaas_function_t  *f;

    fcf_key_parse(&key, w->prefix, kv->key, kv->key_len);

    if (!ngx_http_fcfaas_apply_wants(&key)) {
        return;
    }

    f = ngx_http_fcfaas_table_get(w, (u_char *) key.function_id,
                                  ngx_strlen(key.function_id));
    if (f == NULL) {
        return;
    }

    f->refs++;

    if (ngx_http_fcfaas_apply_put(f, &key, kv, &err) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, w->log, 0,
                      "fcfaas: ignored what etcd has at \"%s\": %s",
                      kv->key, err.msg);
        ngx_http_fcfaas_apply_bad(f, &key);
    }

    ngx_http_fcfaas_registry_done(f);
}


static void
ngx_http_fcfaas_registry_del(void *arg, const char *name, size_t len)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    fcf_key_t                    key;
    ngx_http_fcfaas_function_t  *f;

    fcf_key_parse(&key, w->prefix, name, len);

    f = ngx_http_fcfaas_table_find(w, (u_char *) key.function_id,
                                   ngx_strlen(key.function_id));
    if (f == NULL) {
        return;
    }

    f->refs++;

    ngx_http_fcfaas_apply_del(f, &key);
    ngx_http_fcfaas_registry_done(f);
}


static void
ngx_http_fcfaas_registry_state(void *arg, fcf_sync_state_e state,
    const char *why)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    ngx_uint_t  level;

    level = state == FCF_SYNC_STALE ? NGX_LOG_WARN : NGX_LOG_NOTICE;

    ngx_log_error(level, w->log, 0, "fcfaas: the registry is %s: %s",
                  fcf_sync_state_name(state), why ? why : "");
}


int64_t
ngx_http_fcfaas_registry_seen(ngx_http_fcfaas_worker_t *w)
{
    return fcf_sync_revision(w->sync, NGX_HTTP_FCFAAS_REGISTRY_FUNCTIONS);
}
