#include "ngx_fcfaas_module/ngx_http_fcfaas_tally.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ctx.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_registry.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"


/* another layout is another name: an old binary keeps its own memory */
#define NGX_HTTP_FCFAAS_TALLY_ZONE   "ngx_http_fcfaas_tally_2"
#define NGX_HTTP_FCFAAS_TALLY_SLOTS  2048       /* a power of two */
#define NGX_HTTP_FCFAAS_TALLY_SIZE   (1024 * 1024)


/* entries are only added, under the zone's mutex, and read without it: a slot
 * names an entry once that is complete */
typedef struct {
    ngx_atomic_t              n;        /* entries */
    volatile uint16_t         slots[NGX_HTTP_FCFAAS_TALLY_SLOTS];
                                        /* by hash; 0: free */
    ngx_http_fcfaas_tally_t   entries[1 + NGX_HTTP_FCFAAS_TALLY_NAMES];
} ngx_http_fcfaas_tally_shm_t;


static ngx_int_t ngx_http_fcfaas_tally_init(ngx_shm_zone_t *zone, void *data);
static ngx_http_fcfaas_tally_t *ngx_http_fcfaas_tally_of(
    ngx_http_fcfaas_ctx_t *ctx);
static ngx_http_fcfaas_tally_t *ngx_http_fcfaas_tally_find(
    ngx_http_fcfaas_main_conf_t *fmcf, ngx_str_t *id);
static ngx_http_fcfaas_tally_t *ngx_http_fcfaas_tally_add(
    ngx_shm_zone_t *zone, ngx_str_t *id, uint32_t hash);
static uint16_t ngx_http_fcfaas_tally_slot(ngx_http_fcfaas_tally_shm_t *shm,
    ngx_str_t *id, uint32_t *hash);
static void ngx_http_fcfaas_tally_observe(ngx_http_fcfaas_tally_hist_t *hist,
    ngx_msec_t ms);
static ngx_msec_t ngx_http_fcfaas_tally_overhead(ngx_http_request_t *r);


#define ngx_http_fcfaas_tally_inc(p, n)                                     \
    (void) __atomic_fetch_add(p, n, __ATOMIC_RELAXED)


const uint32_t  ngx_http_fcfaas_tally_bounds[NGX_HTTP_FCFAAS_TALLY_BOUNDS] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
    1000000, 2500000, 5000000, 10000000, 30000000, 60000000
};


ngx_int_t
ngx_http_fcfaas_tally_zone(ngx_conf_t *cf, ngx_http_fcfaas_main_conf_t *fmcf)
{
    static ngx_str_t  name = ngx_string(NGX_HTTP_FCFAAS_TALLY_ZONE);

    fmcf->tally_zone = ngx_shared_memory_add(cf, &name,
                                             NGX_HTTP_FCFAAS_TALLY_SIZE,
                                             &ngx_http_fcfaas_module);
    if (fmcf->tally_zone == NULL) {
        return NGX_ERROR;
    }

    fmcf->tally_zone->init = ngx_http_fcfaas_tally_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_tally_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t              *shpool;
    ngx_http_fcfaas_tally_shm_t  *shm;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data || zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    shm = ngx_slab_calloc(shpool, sizeof(ngx_http_fcfaas_tally_shm_t));
    if (shm == NULL) {
        return NGX_ERROR;
    }

    shm->n = 1;
    ngx_memcpy(shm->entries[0].name, "other", sizeof("other"));

    shpool->data = shm;
    zone->data = shm;

    return NGX_OK;
}


ngx_int_t
ngx_http_fcfaas_tally_handler(ngx_http_request_t *r)
{
    ngx_msec_t                overhead;
    ngx_uint_t                status;
    ngx_http_fcfaas_ctx_t    *ctx;
    ngx_http_fcfaas_tally_t  *tally;

    ctx = ngx_http_fcfaas_ctx(r);

    /* one that names no function, or none that there is, is counted among
     * the outcomes */

    if (ctx == NULL || !ctx->waiter.counted) {
        return NGX_OK;
    }

    tally = ngx_http_fcfaas_tally_of(ctx);
    overhead = ngx_http_fcfaas_tally_overhead(r);

    status = r->err_status ? r->err_status : r->headers_out.status;
    status = status >= 100 && status < 600 ? status / 100 - 1 : 4;

    if (ctx->waiter.waited == 0 && overhead == 0 && !ctx->waiter.cold) {
        ngx_http_fcfaas_tally_inc(&tally->swift[status], 1);
        return NGX_OK;
    }

    ngx_http_fcfaas_tally_inc(
                       &tally->requests[status][ctx->waiter.cold ? 1 : 0], 1);
    ngx_http_fcfaas_tally_observe(&tally->wait, ctx->waiter.waited);
    ngx_http_fcfaas_tally_observe(&tally->overhead, overhead);

    return NGX_OK;
}


static ngx_msec_t
ngx_http_fcfaas_tally_overhead(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_time_t                 *tp;
    ngx_msec_int_t              ms;
    ngx_http_upstream_state_t  *state;

    tp = ngx_timeofday();

    ms = (ngx_msec_int_t) ((tp->sec - r->start_sec) * 1000
                           + (tp->msec - r->start_msec));

    if (r->upstream_states) {
        state = r->upstream_states->elts;

        for (i = 0; i < r->upstream_states->nelts; i++) {

            /* an attempt that found no instance has none of the two */

            if (state[i].peer && state[i].response_time
                                 != (ngx_msec_t) -1)
            {
                ms -= (ngx_msec_int_t) state[i].response_time;
            }
        }
    }

    return ms > 0 ? (ngx_msec_t) ms : 0;
}


static void
ngx_http_fcfaas_tally_observe(ngx_http_fcfaas_tally_hist_t *hist,
    ngx_msec_t ms)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_FCFAAS_TALLY_BOUNDS; i++) {
        if ((uint64_t) ms * 1000 <= ngx_http_fcfaas_tally_bounds[i]) {
            break;
        }
    }

    ngx_http_fcfaas_tally_inc(&hist->n[i], 1);

    if (ms) {
        ngx_http_fcfaas_tally_inc(&hist->sum, ms);
    }
}


static ngx_http_fcfaas_tally_t *
ngx_http_fcfaas_tally_of(ngx_http_fcfaas_ctx_t *ctx)
{
    ngx_http_fcfaas_tally_t      *tally;
    ngx_http_fcfaas_function_t   *f;
    ngx_http_fcfaas_tally_shm_t  *shm;

    /* without a worker the table has gone, and the function with it */

    f = ctx->waiter.pool && ctx->conf->worker ? ctx->waiter.pool->function
                                              : NULL;
    if (f && f->tally) {
        return f->tally;
    }

    tally = ngx_http_fcfaas_tally_find(ctx->conf, &ctx->id);
    shm = ctx->conf->tally_zone->data;

    if (f && tally != &shm->entries[0]) {
        /* it stays there */
        f->tally = tally;
    }

    return tally;
}


static ngx_http_fcfaas_tally_t *
ngx_http_fcfaas_tally_find(ngx_http_fcfaas_main_conf_t *fmcf, ngx_str_t *id)
{
    uint16_t                      n;
    uint32_t                      hash;
    ngx_http_fcfaas_function_t   *f;
    ngx_http_fcfaas_tally_shm_t  *shm;

    shm = fmcf->tally_zone->data;
    hash = ngx_murmur_hash2(id->data, id->len);

    n = ngx_http_fcfaas_tally_slot(shm, id, &hash);

    if (n || shm->n > NGX_HTTP_FCFAAS_TALLY_NAMES) {
        return &shm->entries[n];
    }

    /* a name that somebody made up gets none; "other" is taken */

    f = fmcf->worker ? ngx_http_fcfaas_table_find(fmcf->worker, id->data,
                                                  id->len)
                     : NULL;

    if (f == NULL || !ngx_http_fcfaas_registry_known(f)
        || (id->len == 5 && ngx_strncmp(id->data, "other", 5) == 0))
    {
        return &shm->entries[0];
    }

    return ngx_http_fcfaas_tally_add(fmcf->tally_zone, id, hash);
}


/* the entry of that name, or 0 and the slot where it would be */
static uint16_t
ngx_http_fcfaas_tally_slot(ngx_http_fcfaas_tally_shm_t *shm, ngx_str_t *id,
    uint32_t *hash)
{
    u_char      *name;
    uint16_t     n;
    ngx_uint_t   i;

    /* fewer entries than slots: it ends */

    for (i = *hash; /* void */ ; i++) {

        n = __atomic_load_n(&shm->slots[i % NGX_HTTP_FCFAAS_TALLY_SLOTS],
                            __ATOMIC_ACQUIRE);
        if (n == 0) {
            *hash = i % NGX_HTTP_FCFAAS_TALLY_SLOTS;
            return 0;
        }

        name = shm->entries[n].name;

        if (ngx_strncmp(name, id->data, id->len) == 0
            && name[id->len] == '\0')
        {
            return n;
        }
    }
}


static ngx_http_fcfaas_tally_t *
ngx_http_fcfaas_tally_add(ngx_shm_zone_t *zone, ngx_str_t *id, uint32_t hash)
{
    uint16_t                      n;
    ngx_slab_pool_t              *shpool;
    ngx_http_fcfaas_tally_shm_t  *shm;

    shm = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    n = ngx_http_fcfaas_tally_slot(shm, id, &hash);

    if (n == 0 && shm->n <= NGX_HTTP_FCFAAS_TALLY_NAMES) {
        n = (uint16_t) shm->n;

        ngx_memcpy(shm->entries[n].name, id->data, id->len);
        shm->entries[n].name[id->len] = '\0';

        __atomic_store_n(&shm->slots[hash], n, __ATOMIC_RELEASE);
        __atomic_store_n(&shm->n, (ngx_atomic_uint_t) n + 1,
                         __ATOMIC_RELEASE);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return &shm->entries[n];
}


ngx_uint_t
ngx_http_fcfaas_tally_count(ngx_shm_zone_t *zone)
{
    ngx_http_fcfaas_tally_shm_t  *shm;

    shm = zone->data;

    return __atomic_load_n(&shm->n, __ATOMIC_ACQUIRE);
}


void
ngx_http_fcfaas_tally_read(ngx_shm_zone_t *zone, ngx_uint_t i,
    ngx_http_fcfaas_tally_t *out)
{
    uint64_t                      n;
    ngx_uint_t                    class;
    ngx_http_fcfaas_tally_shm_t  *shm;

    shm = zone->data;
    *out = shm->entries[i];

    for (class = 0; class < NGX_HTTP_FCFAAS_TALLY_CLASSES; class++) {
        n = out->swift[class];

        out->requests[class][0] += n;
        out->wait.n[0] += n;
        out->overhead.n[0] += n;
    }
}
