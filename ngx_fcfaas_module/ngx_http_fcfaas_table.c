#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_probe.h"


#define NGX_HTTP_FCFAAS_BUCKETS  256


static ngx_int_t ngx_http_fcfaas_table_grow(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_table_free(ngx_http_fcfaas_function_t *f);


ngx_int_t
ngx_http_fcfaas_table_init(ngx_http_fcfaas_worker_t *w)
{
    ngx_queue_init(&w->waiting);
    ngx_queue_init(&w->kicked);
    ngx_queue_init(&w->minimum);
    ngx_queue_init(&w->probes);

    w->nbuckets = NGX_HTTP_FCFAAS_BUCKETS;
    w->buckets = ngx_calloc(w->nbuckets * sizeof(void *), w->log);

    return w->buckets ? NGX_OK : NGX_ERROR;
}


void
ngx_http_fcfaas_table_done(ngx_http_fcfaas_worker_t *w)
{
    ngx_uint_t                   i;
    ngx_http_fcfaas_function_t  *f;

    for (i = 0; i < w->nbuckets; i++) {
        while ((f = w->buckets[i]) != NULL) {
            w->buckets[i] = f->next;
            ngx_http_fcfaas_table_free(f);
        }
    }

    ngx_free(w->buckets);
    w->buckets = NULL;
    w->nbuckets = 0;
}


ngx_http_fcfaas_function_t *
ngx_http_fcfaas_table_find(ngx_http_fcfaas_worker_t *w, const u_char *id,
    size_t len)
{
    uint32_t                     hash;
    ngx_http_fcfaas_function_t  *f;

    hash = ngx_murmur_hash2((u_char *) id, len);

    for (f = w->buckets[hash & (w->nbuckets - 1)]; f; f = f->next) {
        if (f->hash == hash
            && f->id.len == len
            && ngx_memcmp(f->id.data, id, len) == 0)
        {
            return f;
        }
    }

    return NULL;
}


ngx_http_fcfaas_function_t *
ngx_http_fcfaas_table_get(ngx_http_fcfaas_worker_t *w, const u_char *id,
    size_t len)
{
    ngx_uint_t                   i;
    ngx_http_fcfaas_function_t  *f;

    f = ngx_http_fcfaas_table_find(w, id, len);
    if (f) {
        return f;
    }

    if (w->nfunctions >= w->nbuckets
        && ngx_http_fcfaas_table_grow(w) != NGX_OK)
    {
        return NULL;
    }

    f = ngx_calloc(sizeof(ngx_http_fcfaas_function_t), w->log);
    if (f == NULL) {
        return NULL;
    }

    f->worker = w;
    f->hash = ngx_murmur_hash2((u_char *) id, len);
    f->id.len = len;
    f->id.data = f->id_data;
    ngx_memcpy(f->id_data, id, len);

    f->spec.cpu = FCF_DEFAULT_CPU;
    f->spec.memory = FCF_DEFAULT_MEMORY_MB;
    f->spec.concurrency = FCF_DEFAULT_CONCURRENCY;
    f->spec.max_instances = FCF_DEFAULT_MAX_INSTANCES;

    ngx_queue_init(&f->instances);
    ngx_queue_init(&f->slots);
    ngx_queue_init(&f->waiters);

    i = f->hash & (w->nbuckets - 1);
    f->next = w->buckets[i];
    w->buckets[i] = f;
    w->nfunctions++;

    return f;
}


static ngx_int_t
ngx_http_fcfaas_table_grow(ngx_http_fcfaas_worker_t *w)
{
    ngx_uint_t                    i, n;
    ngx_http_fcfaas_function_t   *f, **buckets;

    n = w->nbuckets * 2;

    buckets = ngx_calloc(n * sizeof(void *), w->log);
    if (buckets == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < w->nbuckets; i++) {
        while ((f = w->buckets[i]) != NULL) {
            w->buckets[i] = f->next;
            f->next = buckets[f->hash & (n - 1)];
            buckets[f->hash & (n - 1)] = f;
        }
    }

    ngx_free(w->buckets);
    w->buckets = buckets;
    w->nbuckets = n;

    return NGX_OK;
}


void
ngx_http_fcfaas_table_release(ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_worker_t     *w;
    ngx_http_fcfaas_function_t  **p;

    if (f->refs
        || f->declared
        || f->nwaiters
        || f->asking
        || !ngx_queue_empty(&f->instances)
        || !ngx_queue_empty(&f->slots)
        || (f->failed && !ngx_http_fcfaas_past(f->failed_until)))
    {
        return;
    }

    w = f->worker;

    for (p = &w->buckets[f->hash & (w->nbuckets - 1)]; *p != f;
         p = &(*p)->next)
    {
        /* void */
    }

    *p = f->next;
    w->nfunctions--;

    ngx_http_fcfaas_table_free(f);
}


static void
ngx_http_fcfaas_table_free(ngx_http_fcfaas_function_t *f)
{
    ngx_queue_t                 *q;
    ngx_http_fcfaas_instance_t  *instance;

    while (!ngx_queue_empty(&f->instances)) {
        q = ngx_queue_head(&f->instances);
        instance = ngx_queue_data(q, ngx_http_fcfaas_instance_t, queue);
        ngx_queue_remove(q);
        ngx_free(instance);
    }

    while (!ngx_queue_empty(&f->slots)) {
        q = ngx_queue_head(&f->slots);
        ngx_http_fcfaas_table_slot_del(ngx_queue_data(q,
                                              ngx_http_fcfaas_slot_t, queue));
    }

    if (f->ask_timer.timer_set) {
        ngx_del_timer(&f->ask_timer);
    }

    if (f->retry_timer.timer_set) {
        ngx_del_timer(&f->retry_timer);
    }

    if (f->in_kicked) {
        ngx_queue_remove(&f->kicked);
    }

    if (f->in_minimum) {
        ngx_queue_remove(&f->minimum);
    }

    if (f->named) {
        f->worker->nnamed--;
    }

    if (f->failure.detail.data) {
        ngx_free(f->failure.detail.data);
    }

    ngx_free(f);
}


ngx_http_fcfaas_instance_t *
ngx_http_fcfaas_table_instance(ngx_http_fcfaas_function_t *f,
    const char *worker_id)
{
    ngx_queue_t                 *q;
    ngx_http_fcfaas_instance_t  *instance;

    for (q = ngx_queue_head(&f->instances);
         q != ngx_queue_sentinel(&f->instances);
         q = ngx_queue_next(q))
    {
        instance = ngx_queue_data(q, ngx_http_fcfaas_instance_t, queue);

        if (ngx_strcmp(instance->worker_id, worker_id) == 0) {
            return instance;
        }
    }

    return NULL;
}


ngx_http_fcfaas_instance_t *
ngx_http_fcfaas_table_instance_add(ngx_http_fcfaas_function_t *f,
    const char *worker_id)
{
    ngx_http_fcfaas_instance_t  *instance;

    instance = ngx_calloc(sizeof(ngx_http_fcfaas_instance_t),
                          f->worker->log);
    if (instance == NULL) {
        return NULL;
    }

    (void) ngx_cpystrn(instance->worker_id, (u_char *) worker_id,
                       sizeof(instance->worker_id));

    instance->serial = ++f->worker->serial;
    instance->function = f;
    instance->name.data = instance->name_data;
    ngx_queue_init(&instance->requests);

    /* the list decides between equals: another order in each worker, so that
     * they do not all begin with the same instance */

    if (ngx_random() & 1) {
        ngx_queue_insert_head(&f->instances, &instance->queue);

    } else {
        ngx_queue_insert_tail(&f->instances, &instance->queue);
    }

    f->ninstances++;
    f->refs++;
    f->worker->ninstances++;

    return instance;
}


void
ngx_http_fcfaas_table_instance_del(ngx_http_fcfaas_instance_t *instance)
{
    instance->gone = 1;

    ngx_queue_remove(&instance->queue);

    if (instance->orphan) {
        ngx_http_fcfaas_probe_stop(instance);

    } else {
        instance->function->ninstances--;
        instance->function->worker->ninstances--;
    }

    ngx_http_fcfaas_table_instance_release(instance);
}


void
ngx_http_fcfaas_table_instance_release(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_function_t  *f;

    if (!instance->gone || instance->busy) {
        return;
    }

    f = instance->function;
    ngx_free(instance);

    f->refs--;
    ngx_http_fcfaas_table_release(f);
}


ngx_http_fcfaas_slot_t *
ngx_http_fcfaas_table_slot(ngx_http_fcfaas_function_t *f, ngx_int_t number,
    ngx_uint_t create)
{
    ngx_queue_t             *q;
    ngx_http_fcfaas_slot_t  *slot;

    for (q = ngx_queue_head(&f->slots);
         q != ngx_queue_sentinel(&f->slots);
         q = ngx_queue_next(q))
    {
        slot = ngx_queue_data(q, ngx_http_fcfaas_slot_t, queue);

        if (slot->number == number) {
            return slot;
        }
    }

    if (!create) {
        return NULL;
    }

    slot = ngx_calloc(sizeof(ngx_http_fcfaas_slot_t), f->worker->log);
    if (slot == NULL) {
        return NULL;
    }

    slot->number = number;
    ngx_queue_insert_tail(&f->slots, &slot->queue);

    return slot;
}


void
ngx_http_fcfaas_table_slot_del(ngx_http_fcfaas_slot_t *slot)
{
    ngx_queue_remove(&slot->queue);
    ngx_free(slot);
}


void
ngx_http_fcfaas_table_walk(ngx_http_fcfaas_worker_t *w,
    ngx_http_fcfaas_table_pt handler)
{
    ngx_uint_t                   i;
    ngx_http_fcfaas_function_t  *f, *next;

    for (i = 0; i < w->nbuckets; i++) {
        for (f = w->buckets[i]; f; f = next) {
            next = f->next;
            handler(f);
        }
    }
}
