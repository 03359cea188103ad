#include "ngx_fcfaas_module/ngx_http_fcfaas_boots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"


#define ngx_http_fcfaas_boots_of(n)                                         \
    (ngx_queue_data(n, ngx_http_fcfaas_boot_t, node))


struct ngx_http_fcfaas_boots_s {
    ngx_rbtree_t                 numbers;
    ngx_rbtree_node_t            sentinel;
    ngx_http_fcfaas_names_t      workers;
    ngx_http_fcfaas_names_t      requests;
};

typedef struct {
    ngx_rbtree_node_t            node;          /* by number */
    ngx_http_fcfaas_name_t       worker;
    ngx_http_fcfaas_name_t       request;
    ngx_http_fcfaas_pool_t      *pool;
    int64_t                      version;       /* as the key has it */
    ngx_uint_t                   generation;
    unsigned                     failed:1;      /* nothing comes of it */
    unsigned                     counted:1;     /* in pool->nbooting */
    ngx_queue_t                  queue;         /* in pool->booting, then */
    ngx_http_fcfaas_answer_t     known;         /* status 0: nothing */
    u_char                       worker_id[FCF_WORKER_ID_MAX + 1];
    u_char                       request_id[FCF_REQUEST_ID_MAX + 1];
} ngx_http_fcfaas_boot_t;


static ngx_http_fcfaas_boot_t *ngx_http_fcfaas_boots_find(
    ngx_http_fcfaas_function_t *f, ngx_int_t number);
static ngx_http_fcfaas_boot_t *ngx_http_fcfaas_boots_by_request(
    ngx_http_fcfaas_function_t *f, const char *request_id);
static ngx_http_fcfaas_boot_t *ngx_http_fcfaas_boots_make(
    ngx_http_fcfaas_function_t *f, ngx_int_t number);
static void ngx_http_fcfaas_boots_count(ngx_http_fcfaas_boot_t *boot,
    ngx_uint_t there);


ngx_int_t
ngx_http_fcfaas_boots_put(ngx_http_fcfaas_pool_t *pool, ngx_int_t number,
    const fcf_slot_t *value)
{
    ngx_http_fcfaas_boot_t      *boot;
    ngx_http_fcfaas_function_t  *f;

    f = pool->function;

    boot = ngx_http_fcfaas_boots_find(f, number);

    if (boot) {
        (void) ngx_http_fcfaas_boots_del(f, number);
    }

    boot = ngx_http_fcfaas_boots_make(f, number);
    if (boot == NULL) {
        return NGX_ERROR;
    }

    boot->pool = pool;
    pool->refs++;

    boot->version = value->version;
    boot->generation = pool->worker->generation;

    (void) ngx_cpystrn(boot->worker_id, (u_char *) value->worker_id,
                       sizeof(boot->worker_id));
    (void) ngx_cpystrn(boot->request_id, (u_char *) value->request_id,
                       sizeof(boot->request_id));

    ngx_http_fcfaas_names_add(&f->boots->workers, &boot->worker,
                              boot->worker_id);
    ngx_http_fcfaas_names_add(&f->boots->requests, &boot->request,
                              boot->request_id);

    ngx_http_fcfaas_boots_count(boot,
                      ngx_http_fcfaas_names_find(&f->instances,
                                                 boot->worker_id) != NULL);
    return NGX_OK;
}


static ngx_http_fcfaas_boot_t *
ngx_http_fcfaas_boots_make(ngx_http_fcfaas_function_t *f, ngx_int_t number)
{
    ngx_http_fcfaas_boot_t   *boot;
    ngx_http_fcfaas_boots_t  *boots;

    boots = f->boots;

    if (boots == NULL) {

        boots = ngx_alloc(sizeof(ngx_http_fcfaas_boots_t), f->worker->log);
        if (boots == NULL) {
            return NULL;
        }

        ngx_rbtree_init(&boots->numbers, &boots->sentinel,
                        ngx_rbtree_insert_value);
        ngx_http_fcfaas_names_init(&boots->workers);
        ngx_http_fcfaas_names_init(&boots->requests);

        f->boots = boots;
    }

    boot = ngx_calloc(sizeof(ngx_http_fcfaas_boot_t), f->worker->log);
    if (boot == NULL) {
        return NULL;
    }

    boot->node.key = number;
    ngx_rbtree_insert(&boots->numbers, &boot->node);

    return boot;
}


static ngx_http_fcfaas_boot_t *
ngx_http_fcfaas_boots_find(ngx_http_fcfaas_function_t *f, ngx_int_t number)
{
    ngx_rbtree_node_t  *node;

    if (f->boots == NULL) {
        return NULL;
    }

    node = f->boots->numbers.root;

    while (node != &f->boots->sentinel) {

        if (node->key == (ngx_rbtree_key_t) number) {
            return ngx_http_fcfaas_boots_of(node);
        }

        node = (ngx_rbtree_key_t) number < node->key ? node->left
                                                     : node->right;
    }

    return NULL;
}


static void
ngx_http_fcfaas_boots_count(ngx_http_fcfaas_boot_t *boot, ngx_uint_t there)
{
    ngx_uint_t  counted;

    counted = !there && !boot->failed;

    if (counted == boot->counted) {
        return;
    }

    boot->counted = counted;

    if (!counted) {
        boot->pool->nbooting--;
        ngx_queue_remove(&boot->queue);
        return;
    }

    boot->pool->nbooting++;

    /* those of which something is known come first */

    if (boot->known.status) {
        ngx_queue_insert_head(&boot->pool->booting, &boot->queue);

    } else {
        ngx_queue_insert_tail(&boot->pool->booting, &boot->queue);
    }
}


ngx_http_fcfaas_pool_t *
ngx_http_fcfaas_boots_del(ngx_http_fcfaas_function_t *f, ngx_int_t number)
{
    ngx_http_fcfaas_boot_t  *boot;
    ngx_http_fcfaas_pool_t  *pool;

    boot = ngx_http_fcfaas_boots_find(f, number);

    if (boot == NULL) {
        return NULL;
    }

    ngx_http_fcfaas_boots_count(boot, 1);

    ngx_rbtree_delete(&f->boots->numbers, &boot->node);
    ngx_http_fcfaas_names_del(&f->boots->workers, &boot->worker);
    ngx_http_fcfaas_names_del(&f->boots->requests, &boot->request);

    pool = boot->pool;
    pool->refs--;

    if (boot->known.detail.data) {
        ngx_free(boot->known.detail.data);
    }

    ngx_free(boot);

    return pool;
}


static ngx_http_fcfaas_boot_t *
ngx_http_fcfaas_boots_by_request(ngx_http_fcfaas_function_t *f,
    const char *request_id)
{
    ngx_http_fcfaas_name_t  *name;

    if (f->boots == NULL) {
        return NULL;
    }

    name = ngx_http_fcfaas_names_find(&f->boots->requests,
                                      (u_char *) request_id);

    return name ? ngx_queue_data(name, ngx_http_fcfaas_boot_t, request) : NULL;
}


void
ngx_http_fcfaas_boots_failed(ngx_http_fcfaas_function_t *f,
    const char *request_id)
{
    ngx_http_fcfaas_boot_t  *boot;

    boot = ngx_http_fcfaas_boots_by_request(f, request_id);

    if (boot) {
        boot->failed = 1;
        ngx_http_fcfaas_boots_count(boot, 0);
    }
}


void
ngx_http_fcfaas_boots_said(ngx_http_fcfaas_function_t *f, const char *name,
    const fcf_failure_t *failure)
{
    char                     request_id[FCF_REQUEST_ID_MAX + 1];
    size_t                   len;
    u_char                  *p;
    ngx_http_fcfaas_boot_t  *boot;

    len = ngx_strlen(name);

    if (len < sizeof(FCF_FAILURE_BOOTING) || len > FCF_REQUEST_ID_MAX) {
        return;
    }

    len -= sizeof(FCF_FAILURE_BOOTING) - 1;

    if (ngx_strcmp(name + len, FCF_FAILURE_BOOTING) != 0) {
        return;
    }

    ngx_memcpy(request_id, name, len);
    request_id[len] = '\0';

    boot = ngx_http_fcfaas_boots_by_request(f, request_id);

    if (boot == NULL) {
        return;
    }

    len = ngx_strlen(failure->message);

    p = ngx_alloc(len + 1, f->worker->log);
    if (p == NULL) {
        return;
    }

    ngx_memcpy(p, failure->message, len);

    if (boot->known.detail.data) {
        ngx_free(boot->known.detail.data);
    }

    boot->known.status = NGX_HTTP_GATEWAY_TIME_OUT;
    boot->known.error = fcf_failure_name(failure->error);
    boot->known.detail.data = p;
    boot->known.detail.len = len;

    if (boot->counted) {
        ngx_queue_remove(&boot->queue);
        ngx_queue_insert_head(&boot->pool->booting, &boot->queue);
    }
}


const ngx_http_fcfaas_answer_t *
ngx_http_fcfaas_boots_known(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_boot_t  *boot;

    if (ngx_queue_empty(&pool->booting)) {
        return NULL;
    }

    boot = ngx_queue_data(ngx_queue_head(&pool->booting),
                          ngx_http_fcfaas_boot_t, queue);

    return boot->known.status ? &boot->known : NULL;
}


u_char *
ngx_http_fcfaas_boots_names(ngx_http_fcfaas_pool_t *pool, u_char *p,
    ngx_uint_t *left)
{
    ngx_queue_t             *q;
    ngx_http_fcfaas_boot_t  *boot;

    for (q = ngx_queue_head(&pool->booting);
         q != ngx_queue_sentinel(&pool->booting) && *left;
         q = ngx_queue_next(q))
    {
        boot = ngx_queue_data(q, ngx_http_fcfaas_boot_t, queue);

        /* one that nobody asked for is one by any name */

        p = ngx_sprintf(p, "%s,", boot->request_id[0] ? boot->request_id
                                                      : boot->worker_id);
        (*left)--;
    }

    return p;
}


void
ngx_http_fcfaas_boots_instance(ngx_http_fcfaas_function_t *f,
    const u_char *worker_id, ngx_uint_t there)
{
    ngx_http_fcfaas_name_t  *name;

    if (f->boots == NULL) {
        return;
    }

    name = ngx_http_fcfaas_names_find(&f->boots->workers, worker_id);

    if (name) {
        ngx_http_fcfaas_boots_count(ngx_queue_data(name,
                                    ngx_http_fcfaas_boot_t, worker), there);
    }
}


static void
ngx_http_fcfaas_boots_move(ngx_http_fcfaas_boot_t *boot,
    ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_boots_count(boot, 1);
    boot->pool->refs--;

    boot->pool = pool;
    pool->refs++;
    ngx_http_fcfaas_boots_count(boot,
                      ngx_http_fcfaas_names_find(&pool->function->instances,
                                                 boot->worker_id) != NULL);
}


void
ngx_http_fcfaas_boots_declared(ngx_http_fcfaas_function_t *f)
{
    ngx_int_t                number;
    ngx_uint_t               generation;
    ngx_http_fcfaas_boot_t  *boot;
    ngx_http_fcfaas_pool_t  *pool;

    number = -1;

    while ((number = ngx_http_fcfaas_boots_after(f, number, &generation)) >= 0)
    {
        boot = ngx_http_fcfaas_boots_find(f, number);
        pool = ngx_http_fcfaas_pool_home(f, boot->version);

        if (pool && pool != boot->pool) {
            ngx_http_fcfaas_boots_move(boot, pool);
        }
    }
}


ngx_int_t
ngx_http_fcfaas_boots_after(ngx_http_fcfaas_function_t *f, ngx_int_t number,
    ngx_uint_t *generation)
{
    ngx_rbtree_node_t       *node, *found;
    ngx_http_fcfaas_boot_t  *boot;

    if (f->boots == NULL) {
        return -1;
    }

    node = f->boots->numbers.root;
    found = NULL;

    while (node != &f->boots->sentinel) {

        if ((ngx_int_t) node->key > number) {
            found = node;
            node = node->left;

        } else {
            node = node->right;
        }
    }

    if (found == NULL) {
        return -1;
    }

    boot = ngx_http_fcfaas_boots_of(found);
    *generation = boot->generation;

    return (ngx_int_t) found->key;
}


void
ngx_http_fcfaas_boots_free(ngx_http_fcfaas_function_t *f)
{
    ngx_int_t   number;
    ngx_uint_t  generation;

    while ((number = ngx_http_fcfaas_boots_after(f, -1, &generation)) >= 0) {
        (void) ngx_http_fcfaas_boots_del(f, number);
    }

    if (f->boots) {
        ngx_free(f->boots);
        f->boots = NULL;
    }
}
