#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_probe.h"


#define NGX_HTTP_FCFAAS_BUCKETS  256


#define ngx_http_fcfaas_table_of(n)                                         \
    (ngx_queue_data(n, ngx_http_fcfaas_instance_t, node))


static ngx_int_t ngx_http_fcfaas_table_grow(ngx_http_fcfaas_worker_t *w);
static void ngx_http_fcfaas_table_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_http_fcfaas_table_compare(ngx_rbtree_key_t key,
    const u_char *worker_id, ngx_rbtree_node_t *node);
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

    ngx_rbtree_init(&f->tree, &f->sentinel, ngx_http_fcfaas_table_insert);

    ngx_queue_init(&f->pools);
    ngx_queue_init(&f->slots);

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

    if (f->refs || f->declared || !ngx_queue_empty(&f->slots)) {
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
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&f->pools)) {
        q = ngx_queue_head(&f->pools);
        ngx_http_fcfaas_pool_free(ngx_queue_data(q, ngx_http_fcfaas_pool_t,
                                                 queue));
    }

    while (!ngx_queue_empty(&f->slots)) {
        q = ngx_queue_head(&f->slots);
        ngx_http_fcfaas_table_slot_del(ngx_queue_data(q,
                                              ngx_http_fcfaas_slot_t, queue));
    }

    if (f->in_minimum) {
        ngx_queue_remove(&f->minimum);
    }

    if (f->named) {
        f->worker->nnamed--;
    }

    ngx_free(f);
}


static void
ngx_http_fcfaas_table_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t  **p;

    for ( ;; ) {

        p = ngx_http_fcfaas_table_compare(node->key,
                              ngx_http_fcfaas_table_of(node)->worker_id, temp)
            < 0 ? &temp->left : &temp->right;

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
ngx_http_fcfaas_table_compare(ngx_rbtree_key_t key, const u_char *worker_id,
    ngx_rbtree_node_t *node)
{
    if (key != node->key) {
        return key < node->key ? -1 : 1;
    }

    return ngx_strcmp(worker_id, ngx_http_fcfaas_table_of(node)->worker_id);
}


ngx_http_fcfaas_instance_t *
ngx_http_fcfaas_table_instance(ngx_http_fcfaas_function_t *f,
    const char *worker_id)
{
    ngx_int_t           rc;
    ngx_rbtree_key_t    key;
    ngx_rbtree_node_t  *node;

    key = ngx_murmur_hash2((u_char *) worker_id, ngx_strlen(worker_id));
    node = f->tree.root;

    while (node != &f->sentinel) {

        rc = ngx_http_fcfaas_table_compare(key, (u_char *) worker_id, node);

        if (rc == 0) {
            return ngx_http_fcfaas_table_of(node);
        }

        node = rc < 0 ? node->left : node->right;
    }

    return NULL;
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
    instance->pool = pool;
    instance->function = f;
    instance->name.data = instance->name_data;
    ngx_queue_init(&instance->requests);

    /* the list decides between equals: another order in each worker, so that
     * they do not all begin with the same instance */

    if (ngx_random() & 1) {
        ngx_queue_insert_head(&pool->instances, &instance->queue);

    } else {
        ngx_queue_insert_tail(&pool->instances, &instance->queue);
    }

    instance->node.key = ngx_murmur_hash2(instance->worker_id,
                                          ngx_strlen(instance->worker_id));
    ngx_rbtree_insert(&f->tree, &instance->node);

    f->booting_changed = 1;
    pool->nlisted++;
    pool->refs++;
    f->ninstances++;
    f->worker->ninstances++;

    return instance;
}


void
ngx_http_fcfaas_table_instance_del(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_function_t  *f;

    f = instance->function;
    pool = instance->pool;

    instance->gone = 1;

    ngx_queue_remove(&instance->queue);
    ngx_rbtree_delete(&f->tree, &instance->node);

    f->booting_changed = 1;
    pool->nlisted--;
    pool->nfull -= instance->counted_full;
    pool->nodd -= instance->counted_odd;
    pool->ncurrent -= instance->counted_current;

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

    if (!instance->gone || instance->busy) {
        return;
    }

    pool = instance->pool;
    ngx_free(instance);

    pool->refs--;
    ngx_http_fcfaas_pool_release(pool);
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

    slot->function = f;
    slot->number = number;
    ngx_queue_insert_tail(&f->slots, &slot->queue);

    return slot;
}


void
ngx_http_fcfaas_table_slot_del(ngx_http_fcfaas_slot_t *slot)
{
    slot->function->booting_changed = 1;

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
