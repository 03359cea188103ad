#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"

#include "contract/fcf_text.h"


/* jobs of one function that this worker may queue in a second */
#define NGX_HTTP_FCFAAS_STARTS  100

/* a job that no agent took by then is asked for anew */
#define NGX_HTTP_FCFAAS_JOB_TTL  "30000"
/* what waits in this gateway counts in others for so long, if not told anew */
#define NGX_HTTP_FCFAAS_DEMAND_TTL  "5000"

#define NGX_HTTP_FCFAAS_REDIS_AGAIN  200


/* of a pool, over all workers of this gateway */
typedef struct {
    ngx_uint_t                   waiting;       /* that no free slot takes */
    ngx_uint_t                   least;         /* instances, in any case */
    ngx_uint_t                   live;
    ngx_uint_t                   wanted;        /* instances, in all */
} ngx_http_fcfaas_demand_t;


typedef struct {
    ngx_http_fcfaas_pool_t      *pool;
    ngx_uint_t                   wanted;
    char                         request_id[FCF_REQUEST_ID_MAX + 1];
} ngx_http_fcfaas_ask_call_t;


static void ngx_http_fcfaas_ask_demand(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_demand_t *demand);
static ngx_uint_t ngx_http_fcfaas_ask_rate(ngx_http_fcfaas_pool_t *pool);
static ngx_int_t ngx_http_fcfaas_ask_send(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_demand_t *demand);
static char *ngx_http_fcfaas_ask_job(ngx_http_fcfaas_pool_t *pool,
    const char *request_id);
static void ngx_http_fcfaas_ask_done(void *arg, const redisReply *reply,
    const fcf_err_t *err);
static ngx_uint_t ngx_http_fcfaas_ask_hopeless(const fcf_err_t *err);
static void ngx_http_fcfaas_ask_refused(ngx_http_fcfaas_pool_t *pool,
    const fcf_err_t *err);
static void ngx_http_fcfaas_ask_bad(ngx_http_fcfaas_worker_t *w,
    const char *why);
static void ngx_http_fcfaas_ask_tick(ngx_event_t *ev);
static void ngx_http_fcfaas_ask_give_up(ngx_http_fcfaas_pool_t *pool);


void
ngx_http_fcfaas_ask_look(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_demand_t   demand;
    ngx_http_fcfaas_worker_t  *w;

    w = pool->worker;

    if (w->closing || !w->listed) {
        return;
    }

    if (pool->nwanted
        || (pool->outdated && pool->function->ntraffic == 0))
    {
        /* also where nobody waits: "not needed" holds for a moment only */
        ngx_http_fcfaas_ask_later(pool, 0);
    }

    if (pool->asking.under_way || ngx_http_fcfaas_failure_now(pool)) {
        return;
    }

    if (!ngx_http_fcfaas_park_allowed(pool)) {
        /* it was removed while requests were on their way */

        if (pool->function->ninstances == 0) {
            ngx_http_fcfaas_park_kick(pool);
        }

        return;
    }

    if (!ngx_http_fcfaas_route_starts(pool)) {
        /* an agent would start another version instead */
        return;
    }

    ngx_http_fcfaas_ask_demand(pool, &demand);

    if (demand.wanted <= demand.live + pool->asking.asked
        || demand.wanted <= pool->asking.denied)
    {
        return;
    }

    if (!ngx_http_fcfaas_ask_rate(pool)) {
        return;
    }

    if (ngx_http_fcfaas_ask_send(pool, &demand) != NGX_OK) {
        ngx_http_fcfaas_ask_bad(w, "out of memory");
    }
}


/* how many instances of this version there should be */
static void
ngx_http_fcfaas_ask_demand(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_demand_t *demand)
{
    ngx_uint_t               room, missing, waiting;
    ngx_http_fcfaas_spec_t  *spec;

    spec = &pool->function->spec;
    room = ngx_http_fcfaas_slots_free(pool);
    waiting = ngx_http_fcfaas_share_wanted(pool);

    demand->live = ngx_http_fcfaas_slots_live(pool);
    demand->waiting = waiting > room ? waiting - room : 0;
    demand->least = 0;
    missing = 0;

    if (demand->waiting) {
        missing = spec->concurrency
                  ? (demand->waiting + spec->concurrency - 1)
                    / spec->concurrency
                  : 1;
    }

    if (demand->live == 0 && pool->outdated) {
        /* others serve on, but this version has none */
        demand->least = 1;
    }

    if (pool->version == spec->version) {
        demand->least = ngx_max(demand->least, spec->min_instances);
    }

    demand->wanted = ngx_max(demand->live + missing, demand->least);
    demand->wanted = ngx_min(demand->wanted, spec->max_instances);
}


static ngx_uint_t
ngx_http_fcfaas_ask_rate(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_asking_t  *asking;

    asking = &pool->asking;

    if (asking->started == 0
        || ngx_http_fcfaas_past(asking->started_at + 1000))
    {
        asking->started_at = ngx_current_msec;
        asking->started = 0;
    }

    return asking->started++ < NGX_HTTP_FCFAAS_STARTS;
}


static ngx_int_t
ngx_http_fcfaas_ask_send(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_demand_t *demand)
{
    char                        *text;
    char                         keys[3][FCF_KEY_MAX], gateway[64];
    u_char                       numbers[5][NGX_INT_T_LEN + 1];
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    const char                  *argv[13];
    ngx_http_fcfaas_worker_t    *w;
    ngx_http_fcfaas_ask_call_t  *ask;
    ngx_http_fcfaas_function_t  *f;

    f = pool->function;
    w = pool->worker;

    ask = ngx_alloc(sizeof(ngx_http_fcfaas_ask_call_t), w->log);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->pool = pool;
    ask->wanted = demand->wanted;
    fcf_request_id_new(ask->request_id);

    text = ngx_http_fcfaas_ask_job(pool, ask->request_id);
    if (text == NULL) {
        ngx_free(ask);
        return NGX_ERROR;
    }

    *ngx_sprintf(numbers[0], "%ui", demand->waiting) = '\0';
    *ngx_sprintf(numbers[1], "%ui", f->spec.concurrency) = '\0';
    *ngx_sprintf(numbers[2], "%ui", demand->least) = '\0';
    *ngx_sprintf(numbers[3], "%ui", f->spec.max_instances) = '\0';
    *ngx_sprintf(numbers[4], "%ui", demand->live) = '\0';

    /* the demands of versions are asked for one by one */
    ngx_http_fcfaas_share_id(w, gateway);
    *ngx_sprintf((u_char *) gateway + ngx_strlen(gateway), ":%L",
                 pool->version) = '\0';

    argv[0] = fcf_redis_pending(keys[0], w->prefix, (char *) f->id.data);
    argv[1] = fcf_redis_queue(keys[1], w->prefix);
    argv[2] = fcf_redis_demand(keys[2], w->prefix, (char *) f->id.data);
    argv[3] = ask->request_id;
    argv[4] = text;
    argv[5] = gateway;

    for (i = 0; i < 5; i++) {
        argv[6 + i] = (char *) numbers[i];
    }

    argv[11] = NGX_HTTP_FCFAAS_JOB_TTL;
    argv[12] = NGX_HTTP_FCFAAS_DEMAND_TTL;

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, w->log, 0,
                   "fcfaas ask: \"%V\" %s waiting %ui wanted %ui live %ui",
                   &f->id, ask->request_id, demand->waiting, demand->wanted,
                   demand->live);

    /* paid by ngx_http_fcfaas_ask_done(), which runs exactly once */
    pool->asking.under_way = 1;

    rc = fcf_redis_script(w->redis, &fcf_script_ask, 3, 13, argv,
                          ngx_http_fcfaas_ask_done, ask) == 0
         ? NGX_OK : NGX_ERROR;

    ngx_free(text);

    if (rc != NGX_OK) {
        pool->asking.under_way = 0;
        ngx_free(ask);
    }

    return rc;
}


/* malloc'd; NULL: no memory */
static char *
ngx_http_fcfaas_ask_job(ngx_http_fcfaas_pool_t *pool, const char *request_id)
{
    fcf_job_t                    job;
    ngx_http_fcfaas_function_t  *f;

    f = pool->function;

    ngx_memzero(&job, sizeof(fcf_job_t));
    ngx_memcpy(job.request_id, request_id, sizeof(job.request_id));
    ngx_memcpy(job.function_id, f->id.data, f->id.len);
    job.cpu = (int) f->spec.cpu;
    job.memory_mb = (int) f->spec.memory;
    job.version = pool->version;
    job.ours = 1;
    job.attempt = (int) pool->failing.row + 1;

    return fcf_job_encode(&job);
}


static void
ngx_http_fcfaas_ask_done(void *arg, const redisReply *reply,
    const fcf_err_t *err)
{
    ngx_http_fcfaas_ask_call_t  *ask = arg;
    ngx_http_fcfaas_worker_t    *w;
    ngx_http_fcfaas_pool_t      *pool;

    pool = ask->pool;
    w = pool->worker;

    pool->asking.under_way = 0;

    if (w->closing) {
        ngx_free(ask);
        return;
    }

    pool->refs++;

    if (err) {
        ngx_http_fcfaas_count(w, ASK_FAILED);
        ngx_http_fcfaas_ask_bad(w, err->msg);

        if (ngx_http_fcfaas_ask_hopeless(err)) {
            ngx_http_fcfaas_ask_refused(pool, err);
        }

    } else {
        if (w->redis_bad) {
            w->redis_bad = 0;
            ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                          "fcfaas: Redis answers again");
        }

        if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1) {
            ngx_http_fcfaas_count(w, ASKED);
            pool->asking.asked++;

            ngx_log_error(NGX_LOG_INFO, w->log, 0,
                          "fcfaas: asked for an instance of \"%V\": %s, "
                          "attempt %ui", &pool->function->id,
                          ask->request_id, pool->failing.row + 1);

        } else {
            ngx_http_fcfaas_count(w, NOT_NEEDED);
            pool->asking.denied = ask->wanted;
        }

        ngx_http_fcfaas_ask_look(pool);
    }

    ngx_free(ask);

    pool->refs--;
    ngx_http_fcfaas_pool_release(pool);
}


/* what Redis says that does not change by itself */
static ngx_uint_t
ngx_http_fcfaas_ask_hopeless(const fcf_err_t *err)
{
    ngx_uint_t  i;

    static const char *const  words[] = {
        "WRONGTYPE", "NOAUTH", "NOPERM", "WRONGPASS", NULL
    };

    if (err->code != FCF_E_REFUSED) {
        return 0;
    }

    for (i = 0; words[i]; i++) {
        if (ngx_strstr(err->msg, words[i])) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_fcfaas_ask_refused(ngx_http_fcfaas_pool_t *pool,
    const fcf_err_t *err)
{
    char                      text[256];
    ngx_str_t                 why;
    ngx_http_fcfaas_answer_t  answer;

    if (ngx_http_fcfaas_slots_ready(pool)
        || ngx_http_fcfaas_slots_booting(pool))
    {
        return;
    }

    why.data = (u_char *) text;
    why.len = fcf_text_clean(text, sizeof(text), err->msg,
                             ngx_strlen(err->msg), 0);

    ngx_http_fcfaas_answer_refuses(&answer, &why);
    ngx_http_fcfaas_refuse_all(pool, ngx_current_msec, &answer);
}


static void
ngx_http_fcfaas_ask_bad(ngx_http_fcfaas_worker_t *w, const char *why)
{
    if (w->redis_bad) {
        return;
    }

    w->redis_bad = 1;
    w->redis_bad_since = ngx_current_msec;

    ngx_log_error(NGX_LOG_ERR, w->log, 0,
                  "fcfaas: cannot ask for instances: %s", why);
}


void
ngx_http_fcfaas_ask_minimum(ngx_http_fcfaas_pool_t *pool)
{
    if (pool->nwanted == 0) {
        pool->asking.asked = 0;
        pool->asking.denied = 0;
    }

    ngx_http_fcfaas_ask_look(pool);
}


void
ngx_http_fcfaas_ask_anew(ngx_http_fcfaas_pool_t *pool)
{
    pool->asking.denied = 0;
}


ngx_uint_t
ngx_http_fcfaas_ask_busy(ngx_http_fcfaas_pool_t *pool)
{
    return pool->asking.under_way;
}


void
ngx_http_fcfaas_ask_end(ngx_http_fcfaas_pool_t *pool)
{
    if (pool->asking.timer.timer_set) {
        ngx_del_timer(&pool->asking.timer);
    }
}


void
ngx_http_fcfaas_ask_forget(ngx_http_fcfaas_pool_t *pool)
{
    pool->asking.denied = 0;

    if (pool->asking.asked) {
        pool->asking.asked--;
    }
}


void
ngx_http_fcfaas_ask_later(ngx_http_fcfaas_pool_t *pool, ngx_msec_t ms)
{
    if (pool->asking.timer.timer_set) {
        return;
    }

    if (ms == 0) {
        ms = pool->worker->redis_bad
             ? NGX_HTTP_FCFAAS_REDIS_AGAIN
             : NGX_HTTP_FCFAAS_ASK_AGAIN
               + ngx_random() % (NGX_HTTP_FCFAAS_ASK_AGAIN / 2);
    }

    pool->asking.timer.handler = ngx_http_fcfaas_ask_tick;
    pool->asking.timer.data = (void *) &ngx_http_fcfaas_no_connection;
    pool->asking.timer.log = pool->worker->log;
    pool->asking.timer.cancelable = 1;

    ngx_add_timer(&pool->asking.timer, ms);
}


static void
ngx_http_fcfaas_ask_tick(ngx_event_t *ev)
{
    ngx_http_fcfaas_pool_t      *pool;

    pool = ngx_queue_data(ev, ngx_http_fcfaas_pool_t, asking.timer);

    pool->asking.asked = 0;
    pool->asking.denied = 0;

    pool->refs++;

    if (pool->worker->redis_bad) {
        ngx_http_fcfaas_ask_give_up(pool);
    }

    ngx_http_fcfaas_ask_look(pool);

    if (ngx_http_fcfaas_failure_now(pool)) {
        /* that keeps it until then, and no longer */
        ngx_http_fcfaas_ask_later(pool, pool->failing.until
                                        - ngx_current_msec + 1);
    }

    pool->refs--;

    ngx_http_fcfaas_pool_release(pool);
}


/* those that waited long enough for a Redis that does not answer, with
 * nothing else to hope for */
static void
ngx_http_fcfaas_ask_give_up(ngx_http_fcfaas_pool_t *pool)
{
    ngx_http_fcfaas_answer_t  answer;

    if (!ngx_http_fcfaas_past(pool->worker->redis_bad_since
                              + NGX_HTTP_FCFAAS_GRACE)
        || ngx_http_fcfaas_slots_ready(pool)
        || ngx_http_fcfaas_slots_booting(pool))
    {
        return;
    }

    ngx_http_fcfaas_answer_redis(&answer);
    ngx_http_fcfaas_refuse_all(pool, ngx_current_msec
                                       - NGX_HTTP_FCFAAS_GRACE, &answer);
}
