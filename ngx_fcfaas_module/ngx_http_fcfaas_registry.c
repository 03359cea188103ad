#include "ngx_fcfaas_module/ngx_http_fcfaas_registry.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_apply.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"


static void ngx_http_fcfaas_registry_begin(void *arg);
static void ngx_http_fcfaas_registry_end(void *arg);
static void ngx_http_fcfaas_registry_put(void *arg, const fcf_kv_t *kv);
static void ngx_http_fcfaas_registry_del(void *arg, const char *key,
    size_t len);
static void ngx_http_fcfaas_registry_state(void *arg, fcf_sync_state_e state,
    const char *why);
static void ngx_http_fcfaas_registry_sweep(ngx_http_fcfaas_function_t *f);
static void ngx_http_fcfaas_registry_done(ngx_http_fcfaas_function_t *f);
static void ngx_http_fcfaas_registry_changed(ngx_http_fcfaas_function_t *f);


static const fcf_sync_handler_t  ngx_http_fcfaas_registry_handler = {
    .begin = ngx_http_fcfaas_registry_begin,
    .put = ngx_http_fcfaas_registry_put,
    .del = ngx_http_fcfaas_registry_del,
    .end = ngx_http_fcfaas_registry_end,
    .state = ngx_http_fcfaas_registry_state
};

static const char *const  ngx_http_fcfaas_states[] = {
    [FCF_SYNC_STARTING] = "starting",
    [FCF_SYNC_LIVE]     = "live",
    [FCF_SYNC_STALE]    = "stale"
};


ngx_int_t
ngx_http_fcfaas_registry_start(ngx_http_fcfaas_worker_t *w)
{
    char         specs[FCF_KEY_MAX], functions[FCF_KEY_MAX];
    fcf_err_t    err;
    const char  *prefixes[2];

    prefixes[0] = fcf_key_specs(specs, w->prefix);
    prefixes[1] = fcf_key_functions(functions, w->prefix);

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
ngx_http_fcfaas_registry_begin(void *arg)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    w->generation++;
    w->listing = 1;
}


static void
ngx_http_fcfaas_registry_end(void *arg)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    w->listing = 0;

    ngx_http_fcfaas_table_walk(w, ngx_http_fcfaas_registry_sweep);

    if (!w->listed) {
        w->listed = 1;
        ngx_http_fcfaas_park_listed(w);
    }

    ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                  "fcfaas: %ui functions are declared, %ui instances there",
                  w->nspecs, w->ninstances);
}


/* removes what the list that ended did not name */
static void
ngx_http_fcfaas_registry_sweep(ngx_http_fcfaas_function_t *f)
{
    ngx_uint_t                   generation;
    ngx_queue_t                 *q, *next;
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_slot_t      *slot;
    ngx_http_fcfaas_instance_t  *instance;

    generation = f->worker->generation;
    f->refs++;

    if (f->declared && f->spec_generation != generation) {
        ngx_http_fcfaas_apply_undeclare(f);
    }

    pool = f->pool;

    if (pool) {
        pool->refs++;

        for (q = ngx_queue_head(&pool->instances);
             q != ngx_queue_sentinel(&pool->instances);
             q = next)
        {
            next = ngx_queue_next(q);
            instance = ngx_queue_data(q, ngx_http_fcfaas_instance_t, queue);

            if (instance->generation != generation) {
                ngx_http_fcfaas_apply_vanished(instance);
                ngx_http_fcfaas_ask_forget(pool);
            }
        }
    }

    for (q = ngx_queue_head(&f->slots);
         q != ngx_queue_sentinel(&f->slots);
         q = next)
    {
        next = ngx_queue_next(q);
        slot = ngx_queue_data(q, ngx_http_fcfaas_slot_t, queue);

        if (slot->generation != generation) {
            ngx_http_fcfaas_table_slot_del(slot);

            if (pool) {
                ngx_http_fcfaas_ask_forget(pool);
            }
        }
    }

    if (pool) {
        pool->refs--;
    }

    ngx_http_fcfaas_registry_done(f);
}


/* the caller's reference goes, and the function with it if that was the last */
static void
ngx_http_fcfaas_registry_done(ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_registry_changed(f);

    if (f->pool) {
        ngx_http_fcfaas_pool_release(f->pool);
    }

    f->refs--;
    ngx_http_fcfaas_table_release(f);
}


static void
ngx_http_fcfaas_registry_changed(ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_pool_t  *pool;

    pool = f->pool;

    if (pool == NULL) {
        return;
    }

    pool->outdated = ngx_http_fcfaas_slots_live(pool) == 0
                     && ngx_http_fcfaas_slots_ready(pool) != 0;

    if (pool->outdated && !f->worker->listing) {
        ngx_http_fcfaas_ask_look(pool);
    }

    ngx_http_fcfaas_park_kick(pool);
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
        ngx_http_fcfaas_apply_del(f, &key);
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
                  ngx_http_fcfaas_states[state], why ? why : "");
}
