#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_boots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_keep.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_probe.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_visit.h"


#define NGX_HTTP_FCFAAS_BUCKETS  256

/* that are moved to a larger table with each function that is new: all are,
 * long before that one is full */
#define NGX_HTTP_FCFAAS_MOVES    8


#define ngx_http_fcfaas_table_of(n)                                         \
    (ngx_queue_data(n, ngx_http_fcfaas_instance_t, entry))


static ngx_http_fcfaas_function_t **ngx_http_fcfaas_table_bucket(
    ngx_http_fcfaas_worker_t *w, uint32_t hash);
static ngx_int_t ngx_http_fcfaas_table_grow(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_table_move(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_table_free(ngx_http_fcfaas_function_t *f);
static void ngx_http_fcfaas_table_instance_join(
    ngx_http_fcfaas_instance_t *instance, ngx_http_fcfaas_pool_t *pool);


ngx_int_t
ngx_http_fcfaas_table_init(ngx_http_fcfaas_worker_t *w)
{
    ngx_queue_init(&w->functions);
    ngx_queue_init(&w->waiting);
    ngx_queue_init(&w->behind);
    ngx_queue_init(&w->kicked);
    ngx_queue_init(&w->minimum);
    ngx_queue_init(&w->probes);
    ngx_queue_init(&w->visits);

    w->nbuckets = NGX_HTTP_FCFAAS_BUCKETS;
    w->buckets = ngx_calloc(w->nbuckets * sizeof(void *), w->log);

    return w->buckets ? NGX_OK : NGX_ERROR;
}


void
ngx_http_fcfaas_table_done(ngx_http_fcfaas_worker_t *w)
{
    ngx_http_fcfaas_function_t  *f;

    while ((f = ngx_http_fcfaas_table_next(w, NULL)) != NULL) {
        ngx_http_fcfaas_table_free(f);
    }

    if (w->before) {
        ngx_free(w->before);
        w->before = NULL;
    }

    ngx_free(w->buckets);
    w->buckets = NULL;
    w->nbuckets = 0;
}


ngx_http_fcfaas_function_t *
ngx_http_fcfaas_table_next(ngx_http_fcfaas_worker_t *w,
    ngx_http_fcfaas_function_t *f)
{
    ngx_queue_t  *q;

    q = f ? ngx_queue_next(&f->all) : ngx_queue_head(&w->functions);

    return q == ngx_queue_sentinel(&w->functions)
           ? NULL : ngx_queue_data(q, ngx_http_fcfaas_function_t, all);
}


static ngx_http_fcfaas_function_t **
ngx_http_fcfaas_table_bucket(ngx_http_fcfaas_worker_t *w, uint32_t hash)
{
    ngx_uint_t  i;

    if (w->before) {
        i = hash & (w->nbuckets / 2 - 1);

        if (i >= w->moved) {
            return &w->before[i];
        }
    }

    return &w->buckets[hash & (w->nbuckets - 1)];
}


ngx_http_fcfaas_function_t *
ngx_http_fcfaas_table_find(ngx_http_fcfaas_worker_t *w, const u_char *id,
    size_t len)
{
    uint32_t                     hash;
    ngx_http_fcfaas_function_t  *f;

    hash = ngx_murmur_hash2((u_char *) id, len);

    for (f = *ngx_http_fcfaas_table_bucket(w, hash); f; f = f->next) {
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
    ngx_http_fcfaas_function_t  *f, **p;

    f = ngx_http_fcfaas_table_find(w, id, len);
    if (f) {
        return f;
    }

    if (w->before) {
        ngx_http_fcfaas_table_move(w);

    } else if (w->nfunctions >= w->nbuckets
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

    ngx_http_fcfaas_names_init(&f->instances);
    ngx_queue_init(&f->pools);

    p = ngx_http_fcfaas_table_bucket(w, f->hash);
    f->next = *p;
    *p = f;

    ngx_queue_insert_tail(&w->functions, &f->all);
    w->nfunctions++;

    return f;
}


static ngx_int_t
ngx_http_fcfaas_table_grow(ngx_http_fcfaas_worker_t *w)
{
    ngx_http_fcfaas_function_t  **buckets;

    buckets = ngx_calloc(w->nbuckets * 2 * sizeof(void *), w->log);
    if (buckets == NULL) {
        return NGX_ERROR;
    }

    w->before = w->buckets;
    w->moved = 0;

    w->buckets = buckets;
    w->nbuckets *= 2;

    return NGX_OK;
}


/* some buckets of the table before, so that no turn moves all of it */
static void
ngx_http_fcfaas_table_move(ngx_http_fcfaas_worker_t *w)
{
    ngx_uint_t                    n;
    ngx_http_fcfaas_function_t   *f, *next, **p;

    for (n = 0; n < NGX_HTTP_FCFAAS_MOVES && w->moved < w->nbuckets / 2; n++) {

        f = w->before[w->moved++];

        for ( /* void */ ; f; f = next) {
            next = f->next;

            p = &w->buckets[f->hash & (w->nbuckets - 1)];
            f->next = *p;
            *p = f;
        }
    }

    if (w->moved == w->nbuckets / 2) {
        ngx_free(w->before);
        w->before = NULL;
    }
}


void
ngx_http_fcfaas_table_release(ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_worker_t     *w;
    ngx_http_fcfaas_function_t  **p;

    if (f->refs || f->declared || f->nversions) {
        return;
    }

    w = f->worker;

    for (p = ngx_http_fcfaas_table_bucket(w, f->hash); *p != f;
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
    ngx_queue_t             *q;
    ngx_http_fcfaas_name_t  *name;

    ngx_queue_remove(&f->all);
    ngx_http_fcfaas_boots_free(f);

    while ((name = ngx_http_fcfaas_names_after(&f->instances, NULL)) != NULL) {
        ngx_http_fcfaas_names_del(&f->instances, name);
        ngx_http_fcfaas_share_instance_done(ngx_http_fcfaas_table_of(name));
        ngx_free(ngx_http_fcfaas_table_of(name));
    }

    while (!ngx_queue_empty(&f->pools)) {
        q = ngx_queue_head(&f->pools);
        ngx_http_fcfaas_pool_free(ngx_queue_data(q, ngx_http_fcfaas_pool_t,
                                                 queue));
    }

    if (f->in_minimum) {
        f->worker->nminima--;
        ngx_queue_remove(&f->minimum);
    }

    ngx_http_fcfaas_visit_forget(f);

    if (f->named) {
        f->worker->nnamed--;
    }

    if (f->traffic) {
        ngx_free(f->traffic);
    }

    if (f->versions) {
        ngx_free(f->versions);
    }

    ngx_free(f);
}


ngx_http_fcfaas_instance_t *
ngx_http_fcfaas_table_instance(ngx_http_fcfaas_function_t *f,
    const char *worker_id)
{
    ngx_http_fcfaas_name_t  *name;

    name = ngx_http_fcfaas_names_find(&f->instances, (u_char *) worker_id);

    return name ? ngx_http_fcfaas_table_of(name) : NULL;
}


ngx_http_fcfaas_instance_t *
ngx_http_fcfaas_table_instance_after(ngx_http_fcfaas_function_t *f,
    const u_char *worker_id)
{
    ngx_http_fcfaas_name_t  *name;

    name = ngx_http_fcfaas_names_after(&f->instances,
                                       worker_id[0] ? worker_id : NULL);

    return name ? ngx_http_fcfaas_table_of(name) : NULL;
}


ngx_http_fcfaas_instance_t *
ngx_http_fcfaas_table_instance_add(ngx_http_fcfaas_pool_t *pool,
    const char *worker_id)
{
    ngx_http_fcfaas_function_t  *f;
    ngx_http_fcfaas_instance_t  *instance;

    f = pool->function;

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
    ngx_queue_init(&instance->kept);

    ngx_http_fcfaas_names_add(&f->instances, &instance->entry,
                              instance->worker_id);
    ngx_http_fcfaas_boots_instance(f, instance->worker_id, 1);

    ngx_http_fcfaas_share_instance(instance);
    ngx_http_fcfaas_table_instance_join(instance, pool);

    f->ninstances++;
    f->worker->ninstances++;

    return instance;
}


static void
ngx_http_fcfaas_table_instance_join(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_pool_t *pool)
{
    instance->pool = pool;
    instance->shared.pool = &pool->shared;
    pool->nlisted++;
    pool->refs++;

    ngx_http_fcfaas_slots_add(instance);
}


void
ngx_http_fcfaas_table_instance_move(ngx_http_fcfaas_instance_t *instance,
    ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_pool_t  *before;

    before = instance->pool;

    if (before == pool) {
        return;
    }

    ngx_http_fcfaas_slots_del(instance);
    before->nlisted--;
    instance->cell.gone = 0;

    ngx_http_fcfaas_table_instance_join(instance, pool);
    ngx_http_fcfaas_slots_note(instance);

    before->refs--;
    ngx_http_fcfaas_pool_release(before);
}


void
ngx_http_fcfaas_table_instance_del(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_function_t  *f;

    f = instance->function;

    ngx_http_fcfaas_slots_del(instance);
    instance->pool->nlisted--;
    instance->gone = 1;

    ngx_http_fcfaas_keep_end(instance);
    ngx_http_fcfaas_names_del(&f->instances, &instance->entry);
    ngx_http_fcfaas_boots_instance(f, instance->worker_id, 0);

    if (instance->orphan) {
        ngx_http_fcfaas_probe_stop(instance);

    } else {
        f->ninstances--;
        f->worker->ninstances--;
    }

    ngx_http_fcfaas_table_instance_release(instance);
}


void
ngx_http_fcfaas_table_instance_release(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_pool_t  *pool;

    if (!instance->gone || instance->cell.busy) {
        return;
    }

    pool = instance->pool;
    ngx_http_fcfaas_share_instance_done(instance);
    ngx_free(instance);

    pool->refs--;
    ngx_http_fcfaas_pool_release(pool);
}
