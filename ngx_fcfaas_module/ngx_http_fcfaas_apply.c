#include "ngx_fcfaas_module/ngx_http_fcfaas_apply.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_boots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_probe.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_traffic.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_visit.h"


static void ngx_http_fcfaas_apply_say(ngx_http_fcfaas_instance_t *instance,
    const char *what);
static ngx_int_t ngx_http_fcfaas_apply_spec(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err);
static void ngx_http_fcfaas_apply_pool(ngx_http_fcfaas_pool_t *pool);
static void ngx_http_fcfaas_apply_minimum(ngx_http_fcfaas_function_t *f);
static ngx_int_t ngx_http_fcfaas_apply_version(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err);
static ngx_int_t ngx_http_fcfaas_apply_instance(
    ngx_http_fcfaas_function_t *f, const fcf_key_t *key, const fcf_kv_t *kv,
    fcf_err_t *err);
static ngx_int_t ngx_http_fcfaas_apply_address(
    ngx_http_fcfaas_instance_t *instance, const fcf_instance_t *value,
    fcf_err_t *err);
static ngx_int_t ngx_http_fcfaas_apply_slot(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err);
static ngx_int_t ngx_http_fcfaas_apply_failure(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err);


typedef ngx_int_t (*ngx_http_fcfaas_apply_pt)(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err);

/* NULL: of no use to a gateway */
static const ngx_http_fcfaas_apply_pt  ngx_http_fcfaas_applies[] = {
    [FCF_KEY_SPEC]         = ngx_http_fcfaas_apply_spec,
    [FCF_KEY_SPEC_VERSION] = ngx_http_fcfaas_apply_version,
    [FCF_KEY_INSTANCE]     = ngx_http_fcfaas_apply_instance,
    [FCF_KEY_SLOT]         = ngx_http_fcfaas_apply_slot,
    [FCF_KEY_FAILURE]      = ngx_http_fcfaas_apply_failure,
    [FCF_KEY_WORKER]       = NULL
};


ngx_uint_t
ngx_http_fcfaas_apply_wants(const fcf_key_t *key)
{
    return (size_t) key->kind < sizeof(ngx_http_fcfaas_applies)
                                / sizeof(ngx_http_fcfaas_apply_pt)
           && ngx_http_fcfaas_applies[key->kind] != NULL;
}


ngx_int_t
ngx_http_fcfaas_apply_put(ngx_http_fcfaas_function_t *f, const fcf_key_t *key,
    const fcf_kv_t *kv, fcf_err_t *err)
{
    return ngx_http_fcfaas_applies[key->kind](f, key, kv, err);
}


void
ngx_http_fcfaas_apply_del(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key)
{
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_instance_t  *instance;

    switch (key->kind) {

    case FCF_KEY_SPEC:
        if (f->declared) {
            ngx_http_fcfaas_apply_undeclare(f);
        }

        return;

    case FCF_KEY_INSTANCE:
        instance = ngx_http_fcfaas_table_instance(f, key->name);

        if (instance) {
            ngx_http_fcfaas_apply_say(instance, "is gone from etcd");
            ngx_http_fcfaas_ask_forget(instance->pool);
            ngx_http_fcfaas_apply_vanished(instance);
        }

        return;

    case FCF_KEY_SLOT:
        pool = ngx_http_fcfaas_boots_del(f, (ngx_int_t) key->number);

        if (pool) {
            ngx_http_fcfaas_ask_forget(pool);
        }

        return;

    case FCF_KEY_SPEC_VERSION:
        ngx_http_fcfaas_traffic_unlearn(f, key->number);
        return;

    default:
        return;
    }
}


/* once for a gateway, and not of all that a list names */
static void
ngx_http_fcfaas_apply_say(ngx_http_fcfaas_instance_t *instance,
    const char *what)
{
    ngx_http_fcfaas_worker_t  *w;

    w = instance->function->worker;

    if (ngx_worker == 0 && !(w->listing & NGX_HTTP_FCFAAS_LIST_FUNCTIONS)) {
        ngx_log_error(NGX_LOG_INFO, w->log, 0,
                      "fcfaas: instance \"%s\" of \"%V\", version %L, at "
                      "%V %s", instance->worker_id, &instance->function->id,
                      instance->version, &instance->name, what);
    }
}


void
ngx_http_fcfaas_apply_bad(ngx_http_fcfaas_function_t *f, const fcf_key_t *key)
{
    if (key->kind == FCF_KEY_SPEC && f->declared) {
        /* what was good before serves on */
        f->spec_generation = f->worker->spec_generation;
        return;
    }

    ngx_http_fcfaas_apply_del(f, key);
}


void
ngx_http_fcfaas_apply_vanished(ngx_http_fcfaas_instance_t *instance)
{
    if (instance->draining && !instance->orphan) {
        /* it has said goodbye; requests inside end by themselves */
        ngx_http_fcfaas_table_instance_del(instance);
        return;
    }

    ngx_http_fcfaas_probe_orphan(instance);
}


static ngx_int_t
ngx_http_fcfaas_apply_spec(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err)
{
    fcf_spec_t  spec;

    if (fcf_spec_decode(&spec, kv->value, kv->value_len, err) != 0) {
        return NGX_ERROR;
    }

    return ngx_http_fcfaas_apply_spec_value(f, &spec, err);
}


ngx_int_t
ngx_http_fcfaas_apply_spec_value(ngx_http_fcfaas_function_t *f,
    const fcf_spec_t *spec, fcf_err_t *err)
{
    ngx_uint_t  new;

    if (ngx_http_fcfaas_traffic_set(f, spec) != NGX_OK) {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    new = !f->declared;

    if (new) {
        f->declared = 1;
        f->worker->nspecs++;
    }

    if (f->named) {
        f->named = 0;
        f->worker->nnamed--;
    }

    f->spec_generation = f->worker->spec_generation;
    f->spec.version = spec->version;
    f->spec.cpu = spec->cpu;
    f->spec.memory = spec->memory_mb;
    f->spec.concurrency = spec->concurrency;
    f->spec.min_instances = spec->min_instances;
    f->spec.max_instances = spec->max_instances;
    f->spec.timeout_s = spec->timeout_s;

    if (new) {
        ngx_http_fcfaas_boots_declared(f);
    }

    if (!(f->worker->listing & NGX_HTTP_FCFAAS_LIST_SPECS)) {
        ngx_http_fcfaas_pool_each(f, ngx_http_fcfaas_apply_pool);
    }

    ngx_http_fcfaas_apply_minimum(f);

    ngx_http_fcfaas_visit_instances(f);
    ngx_http_fcfaas_route_changed(f);

    return NGX_OK;
}


/* a new declaration deserves a new try */
static void
ngx_http_fcfaas_apply_pool(ngx_http_fcfaas_pool_t *pool)
{
    if (pool->failing.row || pool->failing.held) {
        ngx_http_fcfaas_failure_over(pool);
    }

    ngx_http_fcfaas_ask_forget(pool);
}


static void
ngx_http_fcfaas_apply_minimum(ngx_http_fcfaas_function_t *f)
{
    if (f->spec.min_instances && !f->in_minimum) {
        f->in_minimum = 1;
        f->worker->nminima++;
        ngx_queue_insert_tail(&f->worker->minimum, &f->minimum);

    } else if (f->spec.min_instances == 0 && f->in_minimum) {
        f->in_minimum = 0;
        f->worker->nminima--;
        ngx_queue_remove(&f->minimum);
    }
}


void
ngx_http_fcfaas_apply_undeclare(ngx_http_fcfaas_function_t *f)
{
    f->declared = 0;
    f->worker->nspecs--;
    f->spec.min_instances = 0;
    f->spec.version = 0;

    ngx_http_fcfaas_boots_declared(f);
    ngx_http_fcfaas_traffic_clear(f);
    ngx_http_fcfaas_apply_minimum(f);

    ngx_http_fcfaas_visit_instances(f);
    ngx_http_fcfaas_route_changed(f);
}


/* What a version is made of is the agents' concern. */

static ngx_int_t
ngx_http_fcfaas_apply_version(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err)
{
    if (ngx_http_fcfaas_traffic_learn(f, key->number) != NGX_OK) {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_apply_instance(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err)
{
    fcf_instance_t  value;

    if (fcf_instance_decode(&value, kv->value, kv->value_len, err) != 0) {
        return NGX_ERROR;
    }

    return ngx_http_fcfaas_apply_instance_value(f, key->name, &value, err);
}


ngx_int_t
ngx_http_fcfaas_apply_instance_value(ngx_http_fcfaas_function_t *f,
    const char *worker_id, const fcf_instance_t *value, fcf_err_t *err)
{
    ngx_uint_t                   new;
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_instance_t   probe, *instance;

    ngx_memzero(&probe, sizeof(ngx_http_fcfaas_instance_t));
    probe.name.data = probe.name_data;

    if (ngx_http_fcfaas_apply_address(&probe, value, err) != NGX_OK) {
        return NGX_ERROR;
    }

    instance = ngx_http_fcfaas_table_instance(f, worker_id);

    if (instance
        && (instance->name.len != probe.name.len
            || ngx_memcmp(instance->name.data, probe.name.data,
                          probe.name.len) != 0))
    {
        /* moved: requests on their way hold on to the old address */
        ngx_http_fcfaas_table_instance_del(instance);
        instance = NULL;
    }

    new = (instance == NULL);

    if (new) {
        pool = ngx_http_fcfaas_pool_get(f, value->version);

        instance = pool ? ngx_http_fcfaas_table_instance_add(pool, worker_id)
                        : NULL;
        if (instance == NULL) {
            return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
        }

        instance->sockaddr = probe.sockaddr;
        instance->socklen = probe.socklen;
        instance->name.len = probe.name.len;
        ngx_memcpy(instance->name_data, probe.name_data, probe.name.len);
    }

    ngx_http_fcfaas_probe_adopt(instance);

    if (instance->version != value->version) {
        instance->version = value->version;
        pool = ngx_http_fcfaas_pool_get(f, value->version);

        if (pool) {
            ngx_http_fcfaas_table_instance_move(instance, pool);
        }
    }

    instance->generation = f->worker->generation;
    instance->concurrency = value->concurrency;
    instance->draining = value->state == FCF_INSTANCE_DRAINING;

    ngx_http_fcfaas_slots_note(instance);

    if (new) {
        ngx_http_fcfaas_apply_say(instance, "is there");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_apply_address(ngx_http_fcfaas_instance_t *instance,
    const fcf_instance_t *value, fcf_err_t *err)
{
    size_t                len;
    u_char               *text;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    text = (u_char *) value->worker_ip;
    len = ngx_strlen(text);

#if (NGX_HAVE_INET6)
    if (ngx_strlchr(text, text + len, ':')) {

        sin6 = &instance->sockaddr.sockaddr_in6;
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons((in_port_t) value->proxy_port);
        instance->socklen = sizeof(struct sockaddr_in6);

        if (ngx_inet6_addr(text, len, sin6->sin6_addr.s6_addr) != NGX_OK) {
            goto invalid;
        }

        goto found;
    }
#endif

    sin = &instance->sockaddr.sockaddr_in;
    sin->sin_family = AF_INET;
    sin->sin_port = htons((in_port_t) value->proxy_port);
    sin->sin_addr.s_addr = ngx_inet_addr(text, len);
    instance->socklen = sizeof(struct sockaddr_in);

    if (sin->sin_addr.s_addr == INADDR_NONE) {
        goto invalid;
    }

#if (NGX_HAVE_INET6)
found:
#endif

    instance->name.len = ngx_sock_ntop(&instance->sockaddr.sockaddr,
                                       instance->socklen,
                                       instance->name_data,
                                       NGX_SOCKADDR_STRLEN, 1);
    return NGX_OK;

invalid:

    return fcf_err_set(err, FCF_E_INVALID,
                       "worker_ip: \"%s\" is not an address",
                       value->worker_ip);
}


static ngx_int_t
ngx_http_fcfaas_apply_slot(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err)
{
    fcf_slot_t               value;
    ngx_http_fcfaas_pool_t  *pool;

    if (fcf_slot_decode(&value, kv->value, kv->value_len, err) != 0) {
        return NGX_ERROR;
    }

    pool = ngx_http_fcfaas_pool_home(f, value.version);

    if (pool == NULL
        || ngx_http_fcfaas_boots_put(pool, (ngx_int_t) key->number, &value)
           != NGX_OK)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_apply_failure(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err)
{
    fcf_failure_t              value;
    ngx_uint_t                 before;
    ngx_http_fcfaas_pool_t    *pool;
    ngx_http_fcfaas_worker_t  *w;

    if (fcf_failure_decode(&value, kv->value, kv->value_len, err) != 0) {
        return NGX_ERROR;
    }

    if (value.booting) {
        ngx_http_fcfaas_boots_said(f, key->name, &value);
        return NGX_OK;
    }

    /* of a time when nobody who waits now had asked; it may have come before
     * the spec */

    w = f->worker;
    before = !w->listed || (w->listing & NGX_HTTP_FCFAAS_LIST_FUNCTIONS);

    pool = before ? ngx_http_fcfaas_pool_get(f, value.version)
                  : ngx_http_fcfaas_pool_home(f, value.version);
    if (pool == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    pool->refs++;

    if (before) {
        ngx_http_fcfaas_failure_before(pool, &value);

    } else {
        ngx_http_fcfaas_failure(pool, key->name, &value);
    }

    pool->refs--;

    ngx_http_fcfaas_pool_release(pool);

    return NGX_OK;
}
