#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask_send.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_refuse.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_share.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_visit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"

#include "contract/fcf_text.h"


#define NGX_HTTP_FCFAAS_REDIS_AGAIN  200
/* pools that ask in a millisecond because their time has come */
#define NGX_HTTP_FCFAAS_TICKS         32


static void ngx_http_fcfaas_ask_demand(ngx_http_fcfaas_pool_t *pool,
    ngx_http_fcfaas_demand_t *demand);
static void ngx_http_fcfaas_ask_done(void *arg, const redisReply *reply,
    const fcf_err_t *err);
static ngx_uint_t ngx_http_fcfaas_ask_hopeless(const fcf_err_t *err);
static void ngx_http_fcfaas_ask_refused(ngx_http_fcfaas_pool_t *pool,
    ngx_msec_t before);
static void ngx_http_fcfaas_ask_bad(ngx_http_fcfaas_worker_t *w,
    const fcf_err_t *err);
static void ngx_http_fcfaas_ask_tick(ngx_event_t *ev);
static void ngx_http_fcfaas_ask_give_up(ngx_http_fcfaas_pool_t *pool);


void
ngx_http_fcfaas_ask_look(ngx_http_fcfaas_pool_t *pool)
{
    fcf_err_t                  err;
    ngx_msec_t                 ms;
    ngx_uint_t                 again;
    ngx_http_fcfaas_demand_t   demand;
    ngx_http_fcfaas_worker_t  *w;

    w = pool->worker;

    if (w->closing || !w->listed) {
        return;
    }

    again = pool->nwanted
            || (pool->outdated && pool->function->ntraffic == 0);

    if (again) {
        /* also where nobody waits: "not needed" holds for a moment only */
        ngx_http_fcfaas_ask_later(pool, 0);
    }

    if (pool->asking.under_way || ngx_http_fcfaas_failure_now(pool)) {
        return;
    }

    if (ngx_http_fcfaas_visit_pending(pool->function)) {
        /* instances that are there may just become ones of this version */
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

    if (demand.wanted <= demand.live) {
        return;
    }

    if (!ngx_http_fcfaas_share_ask(pool, demand.live, demand.wanted, &ms)) {

        if (again) {
            ngx_http_fcfaas_ask_later(pool, ms + 1);
        }

        return;
    }

    /* paid by ngx_http_fcfaas_ask_done(), which runs exactly once */
    pool->asking.under_way = 1;

    if (ngx_http_fcfaas_ask_send(pool, &demand, ngx_http_fcfaas_ask_done)
        != NGX_OK)
    {
        pool->asking.under_way = 0;
        ngx_http_fcfaas_share_asked(pool, FCZ_ASK_FAILED, 0);
        fcf_err_set(&err, FCF_E_NOMEM, "out of memory");
        ngx_http_fcfaas_ask_bad(w, &err);
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

    demand->live = ngx_http_fcfaas_slots_live(pool);
    demand->wanted = demand->live;

    if (demand->live >= spec->max_instances) {
        /* whoever waits in whatever worker */
        return;
    }

    room = ngx_http_fcfaas_slots_free(pool);
    waiting = ngx_http_fcfaas_share_wanted(pool, &demand->failed);

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
        ngx_http_fcfaas_share_asked(pool, FCZ_ASK_FAILED, 0);
        ngx_http_fcfaas_ask_bad(w, err);

        if (ngx_http_fcfaas_ask_hopeless(err)) {
            ngx_http_fcfaas_ask_refused(pool, ngx_current_msec);
        }

    } else {
        if (w->redis_bad) {
            w->redis_bad = 0;
            ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                          "fcfaas: Redis answers again");
        }

        if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1) {
            ngx_http_fcfaas_count(w, ASKED);
            ngx_http_fcfaas_share_asked(pool, FCZ_ASK_PUSHED, ask->wanted);

            ngx_log_error(NGX_LOG_INFO, w->log, 0,
                          "fcfaas: asked for an instance of \"%V\": %s, "
                          "attempt %ui", &pool->function->id,
                          ask->request_id, ask->attempt);

        } else {
            ngx_http_fcfaas_count(w, NOT_NEEDED);
            ngx_http_fcfaas_share_asked(pool, FCZ_ASK_DENIED, ask->wanted);
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
        "WRONGTYPE", "NOPERM", "can't run this command", NULL
    };

    if (err->code != FCF_E_REFUSED) {
        return err->code == FCF_E_AUTH;
    }

    for (i = 0; words[i]; i++) {
        if (ngx_strstr(err->msg, words[i])) {
            return 1;
        }
    }

    return 0;
}


/* those that wait since before, unless there is something else to hope for */
static void
ngx_http_fcfaas_ask_refused(ngx_http_fcfaas_pool_t *pool, ngx_msec_t before)
{
    ngx_http_fcfaas_answer_t  answer;

    if (ngx_http_fcfaas_slots_ready(pool)
        || ngx_http_fcfaas_slots_booting(pool))
    {
        return;
    }

    ngx_http_fcfaas_answer_redis(&answer, pool->worker);
    ngx_http_fcfaas_refuse_all(pool, before, &answer);
}


static void
ngx_http_fcfaas_ask_bad(ngx_http_fcfaas_worker_t *w, const fcf_err_t *err)
{
    w->redis_why.data = w->redis_why_data;
    w->redis_why.len = 0;

    if (err->code == FCF_E_REFUSED || err->code == FCF_E_AUTH) {
        /* it is there, and the reason is its own */
        w->redis_why.len = fcf_text_clean((char *) w->redis_why_data,
                                          sizeof(w->redis_why_data),
                                          err->msg, ngx_strlen(err->msg), 0);
    }

    if (w->redis_bad) {
        return;
    }

    w->redis_bad = 1;
    w->redis_bad_since = ngx_current_msec;

    ngx_log_error(NGX_LOG_ERR, w->log, 0,
                  "fcfaas: cannot ask for instances: %s", err->msg);
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
    ngx_http_fcfaas_share_forget(pool);
}


void
ngx_http_fcfaas_ask_later(ngx_http_fcfaas_pool_t *pool, ngx_msec_t ms)
{
    if (ms == 0) {
        ms = pool->worker->redis_bad
             ? NGX_HTTP_FCFAAS_REDIS_AGAIN
             : NGX_HTTP_FCFAAS_ASK_AGAIN
               + ngx_random() % (NGX_HTTP_FCFAAS_ASK_AGAIN / 2);
    }

    if (!ngx_http_fcfaas_sooner(&pool->asking.timer, ms)) {
        return;
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
    ngx_uint_t                   n;
    ngx_http_fcfaas_pool_t      *pool;

    pool = ngx_queue_data(ev, ngx_http_fcfaas_pool_t, asking.timer);

    n = ngx_http_fcfaas_pace(&pool->worker->ticks);

    if (n >= NGX_HTTP_FCFAAS_TICKS) {
        /* thousands began to wait at once: each has a turn of its own */
        ngx_add_timer(ev, n / NGX_HTTP_FCFAAS_TICKS);
        return;
    }

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


/* those that waited long enough for a Redis that does not answer */
static void
ngx_http_fcfaas_ask_give_up(ngx_http_fcfaas_pool_t *pool)
{
    if (ngx_http_fcfaas_past(pool->worker->redis_bad_since
                             + NGX_HTTP_FCFAAS_GRACE))
    {
        ngx_http_fcfaas_ask_refused(pool, ngx_current_msec
                                          - NGX_HTTP_FCFAAS_GRACE);
    }
}
