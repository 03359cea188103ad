#include "ngx_fcfaas_module/ngx_http_fcfaas_ask_send.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_boots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_registry.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"


/* a job that no agent took by then is asked for anew */
#define NGX_HTTP_FCFAAS_JOB_TTL      30000
/* what waits in this gateway counts in others for so long, if not told anew */
#define NGX_HTTP_FCFAAS_DEMAND_TTL   5000

/* boots that are told by name, of this version and of others: only after a
 * loss of Redis does it not know them itself */
#define NGX_HTTP_FCFAAS_BOOTS_TOLD   256


typedef struct {
    ngx_http_fcfaas_ask_call_t      *call;
    const ngx_http_fcfaas_demand_t  *demand;
    char                            *job;
    u_char                          *boots;
    u_char                          *others;
    fcf_redis_pt                     done;
} ngx_http_fcfaas_ask_parts_t;


static char *ngx_http_fcfaas_ask_job(const ngx_http_fcfaas_ask_call_t *call);
static u_char *ngx_http_fcfaas_ask_boots(ngx_http_fcfaas_pool_t *pool,
    u_char **others);
static ngx_int_t ngx_http_fcfaas_ask_script(ngx_http_fcfaas_ask_parts_t *parts);


ngx_int_t
ngx_http_fcfaas_ask_send(ngx_http_fcfaas_pool_t *pool,
    const ngx_http_fcfaas_demand_t *demand, fcf_redis_pt done)
{
    ngx_int_t                    rc;
    ngx_http_fcfaas_ask_parts_t  parts;

    parts.call = ngx_alloc(sizeof(ngx_http_fcfaas_ask_call_t),
                           pool->worker->log);
    if (parts.call == NULL) {
        return NGX_ERROR;
    }

    parts.call->pool = pool;
    parts.call->wanted = demand->wanted;
    parts.call->attempt = demand->failed + 1;
    fcf_request_id_new(parts.call->request_id);

    parts.demand = demand;
    parts.done = done;
    parts.job = ngx_http_fcfaas_ask_job(parts.call);
    parts.boots = ngx_http_fcfaas_ask_boots(pool, &parts.others);

    rc = parts.job && parts.boots ? ngx_http_fcfaas_ask_script(&parts)
                                  : NGX_ERROR;

    if (parts.job) {
        ngx_free(parts.job);
    }

    if (parts.boots) {
        ngx_free(parts.boots);
    }

    if (rc != NGX_OK) {
        ngx_free(parts.call);
    }

    return rc;
}


/* malloc'd; NULL: no memory */
static char *
ngx_http_fcfaas_ask_job(const ngx_http_fcfaas_ask_call_t *call)
{
    fcf_job_t                    job;
    ngx_http_fcfaas_function_t  *f;

    f = call->pool->function;

    ngx_memzero(&job, sizeof(fcf_job_t));
    ngx_memcpy(job.request_id, call->request_id, sizeof(job.request_id));
    ngx_memcpy(job.function_id, f->id.data, f->id.len);
    job.cpu = (int) f->spec.cpu;
    job.memory_mb = (int) f->spec.memory;
    job.version = call->pool->version;
    job.ours = 1;
    job.attempt = (int) call->attempt;

    return fcf_job_encode(&job);
}


/* the boots of this pool, and behind them those of the function's others;
 * NULL: no memory */
static u_char *
ngx_http_fcfaas_ask_boots(ngx_http_fcfaas_pool_t *pool, u_char **others)
{
    u_char                  *names, *p;
    ngx_uint_t               n, left;
    ngx_queue_t             *q, *pools;
    ngx_http_fcfaas_pool_t  *other;

    pools = &pool->function->pools;
    n = 0;

    for (q = ngx_queue_head(pools);
         q != ngx_queue_sentinel(pools);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_http_fcfaas_pool_t, queue);
        n += other->nbooting;
    }

    n = ngx_min(n, 2 * NGX_HTTP_FCFAAS_BOOTS_TOLD);

    names = ngx_alloc(n * NGX_HTTP_FCFAAS_BOOT_NAME + 2, pool->worker->log);
    if (names == NULL) {
        return NULL;
    }

    left = NGX_HTTP_FCFAAS_BOOTS_TOLD;
    p = ngx_http_fcfaas_boots_names(pool, names, &left);
    *p++ = '\0';

    *others = p;
    left = NGX_HTTP_FCFAAS_BOOTS_TOLD;

    for (q = ngx_queue_head(pools);
         q != ngx_queue_sentinel(pools);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_http_fcfaas_pool_t, queue);

        if (other != pool) {
            p = ngx_http_fcfaas_boots_names(other, p, &left);
        }
    }

    *p = '\0';

    return names;
}


static ngx_int_t
ngx_http_fcfaas_ask_script(ngx_http_fcfaas_ask_parts_t *parts)
{
    char                             gateway[FCF_ASKER_MAX + 1];
    fcf_ask_args_t                   args;
    ngx_http_fcfaas_pool_t          *pool;
    ngx_http_fcfaas_worker_t        *w;
    ngx_http_fcfaas_function_t      *f;
    const ngx_http_fcfaas_demand_t  *demand;

    pool = parts->call->pool;
    demand = parts->demand;
    f = pool->function;
    w = pool->worker;

    ngx_http_fcfaas_share_id(w, gateway);

    fcf_ask_args(&args, &(fcf_ask_t) {
        .prefix = w->prefix,
        .function_id = (char *) f->id.data,
        .request_id = parts->call->request_id,
        .job = parts->job,
        .asker = gateway,
        .boots = (char *) parts->boots,
        .others = (char *) parts->others,
        .version = pool->version,
        .seen = ngx_http_fcfaas_registry_seen(w),
        .waiting = (unsigned) demand->waiting,
        .concurrency = (unsigned) f->spec.concurrency,
        .least = (unsigned) demand->least,
        .max = (unsigned) f->spec.max_instances,
        .live = (unsigned) demand->live,
        .ttl_ms = NGX_HTTP_FCFAAS_JOB_TTL,
        .demand_ttl_ms = NGX_HTTP_FCFAAS_DEMAND_TTL
    });

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, w->log, 0,
                   "fcfaas ask: \"%V\" %s waiting %ui wanted %ui live %ui",
                   &f->id, parts->call->request_id, demand->waiting,
                   demand->wanted, demand->live);

    return fcf_redis_script(w->redis, &fcf_script_ask, FCF_ASK_KEYS,
                            FCF_ASK_ARGS, args.argv, parts->done, parts->call)
           == 0 ? NGX_OK : NGX_ERROR;
}
