#include "ngx_fcfaas_module/ngx_http_fcfaas_visit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_apply.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_boots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_traffic.h"


/* instances, slots and functions looked at in a turn, and ms between turns */
#define NGX_HTTP_FCFAAS_VISITS      256
#define NGX_HTTP_FCFAAS_VISIT_TIME    1


/* 1: there may be more */
typedef ngx_uint_t (*ngx_http_fcfaas_visit_pt)(ngx_http_fcfaas_worker_t *w,
    ngx_uint_t *left);


static void ngx_http_fcfaas_visit_handler(ngx_event_t *ev);
static void ngx_http_fcfaas_visit_turn(ngx_http_fcfaas_worker_t *w);
static ngx_uint_t ngx_http_fcfaas_visit_sweeps(ngx_http_fcfaas_worker_t *w,
    ngx_uint_t *left);
static ngx_uint_t ngx_http_fcfaas_visit_clear(ngx_http_fcfaas_visit_t *visit,
    ngx_uint_t *left);
static ngx_uint_t ngx_http_fcfaas_visit_follow(ngx_http_fcfaas_worker_t *w,
    ngx_uint_t *left);
static void ngx_http_fcfaas_visit_followed(ngx_http_fcfaas_visit_t *visit);
static void ngx_http_fcfaas_visit_begin(ngx_http_fcfaas_visit_t *visit,
    ngx_http_fcfaas_function_t *f);
static void ngx_http_fcfaas_visit_end(ngx_http_fcfaas_visit_t *visit);


void
ngx_http_fcfaas_visit_init(ngx_http_fcfaas_worker_t *w)
{
    w->visit_event.handler = ngx_http_fcfaas_visit_handler;
    w->visit_event.data = (void *) &ngx_http_fcfaas_no_connection;
    w->visit_event.log = w->log;
    w->visit_event.cancelable = 1;
}


void
ngx_http_fcfaas_visit_sweep(ngx_http_fcfaas_worker_t *w)
{
    /* the function at hand was half looked at by what was known before */
    ngx_http_fcfaas_visit_end(&w->sweep);

    w->sweeping = 1;
    ngx_http_fcfaas_visit_begin(&w->sweep, ngx_http_fcfaas_table_next(w, NULL));

    ngx_http_fcfaas_visit_turn(w);
}


void
ngx_http_fcfaas_visit_instances(ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_worker_t  *w;

    w = f->worker;

    if (f->nfollow == 0) {
        return;
    }

    if (w->follow.function == f) {
        /* from the beginning */
        w->follow.worker_id[0] = '\0';
    }

    if (!f->in_visits) {
        f->in_visits = 1;
        ngx_queue_insert_tail(&w->visits, &f->visits);
    }

    if (!w->visit_event.timer_set) {
        ngx_add_timer(&w->visit_event, NGX_HTTP_FCFAAS_VISIT_TIME);
    }
}


ngx_uint_t
ngx_http_fcfaas_visit_pending(ngx_http_fcfaas_function_t *f)
{
    return f->in_visits || f->worker->follow.function == f;
}


void
ngx_http_fcfaas_visit_forget(ngx_http_fcfaas_function_t *f)
{
    if (f->in_visits) {
        ngx_queue_remove(&f->visits);
        f->in_visits = 0;
    }
}


void
ngx_http_fcfaas_visit_done(ngx_http_fcfaas_worker_t *w)
{
    if (w->visit_event.timer_set) {
        ngx_del_timer(&w->visit_event);
    }
}


static void
ngx_http_fcfaas_visit_handler(ngx_event_t *ev)
{
    ngx_http_fcfaas_visit_turn(ngx_queue_data(ev, ngx_http_fcfaas_worker_t,
                                              visit_event));
}


static void
ngx_http_fcfaas_visit_turn(ngx_http_fcfaas_worker_t *w)
{
    ngx_uint_t  left, more;

    left = NGX_HTTP_FCFAAS_VISITS;

    more = ngx_http_fcfaas_visit_follow(w, &left);
    more |= ngx_http_fcfaas_visit_sweeps(w, &left);

    if (more && !w->visit_event.timer_set) {
        ngx_add_timer(&w->visit_event, NGX_HTTP_FCFAAS_VISIT_TIME);
    }
}


static ngx_uint_t
ngx_http_fcfaas_visit_sweeps(ngx_http_fcfaas_worker_t *w, ngx_uint_t *left)
{
    ngx_http_fcfaas_visit_t     *visit, next;
    ngx_http_fcfaas_function_t  *f;

    visit = &w->sweep;

    while (w->sweeping && *left) {

        f = visit->function;

        if (f == NULL) {
            w->sweeping = 0;
            break;
        }

        (*left)--;

        if (ngx_http_fcfaas_visit_clear(visit, left)) {
            break;
        }

        ngx_http_fcfaas_route_look(f);

        /* held on to before this one may go */
        ngx_http_fcfaas_visit_begin(&next, ngx_http_fcfaas_table_next(w, f));
        ngx_http_fcfaas_visit_end(visit);
        *visit = next;
    }

    return w->sweeping;
}


static ngx_uint_t
ngx_http_fcfaas_visit_clear(ngx_http_fcfaas_visit_t *visit, ngx_uint_t *left)
{
    ngx_uint_t                   generation, of;
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_worker_t    *w;
    ngx_http_fcfaas_function_t  *f;
    ngx_http_fcfaas_instance_t  *instance;

    f = visit->function;
    w = f->worker;

    if (!(w->listing & NGX_HTTP_FCFAAS_LIST_SPECS)) {

        if (f->declared && f->spec_generation != w->spec_generation) {
            ngx_http_fcfaas_apply_undeclare(f);
        }

        ngx_http_fcfaas_traffic_sweep(f);
    }

    if (w->listing & NGX_HTTP_FCFAAS_LIST_FUNCTIONS) {
        return 0;
    }

    generation = w->generation;

    while ((instance = ngx_http_fcfaas_table_instance_after(f,
                                                            visit->worker_id))
           != NULL)
    {
        if ((*left) == 0) {
            return 1;
        }

        (*left)--;
        ngx_memcpy(visit->worker_id, instance->worker_id,
                   sizeof(visit->worker_id));

        if (instance->generation != generation) {
            ngx_http_fcfaas_ask_forget(instance->pool);
            ngx_http_fcfaas_apply_vanished(instance);
        }
    }

    while ((visit->boot = ngx_http_fcfaas_boots_after(f, visit->boot, &of))
           >= 0)
    {
        if (of != generation) {
            pool = ngx_http_fcfaas_boots_del(f, visit->boot);
            ngx_http_fcfaas_ask_forget(pool);
            ngx_http_fcfaas_pool_release(pool);
        }

        if ((*left) == 0) {
            return 1;
        }

        (*left)--;
    }

    return 0;
}


static ngx_uint_t
ngx_http_fcfaas_visit_follow(ngx_http_fcfaas_worker_t *w, ngx_uint_t *left)
{
    ngx_queue_t                 *q;
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_visit_t     *visit;
    ngx_http_fcfaas_instance_t  *instance;

    visit = &w->follow;

    while (*left) {

        if (visit->function == NULL) {

            if (ngx_queue_empty(&w->visits)) {
                return 0;
            }

            q = ngx_queue_head(&w->visits);
            ngx_http_fcfaas_visit_begin(visit, ngx_queue_data(q,
                                        ngx_http_fcfaas_function_t, visits));
            ngx_http_fcfaas_visit_forget(visit->function);
        }

        instance = ngx_http_fcfaas_table_instance_after(visit->function,
                                                        visit->worker_id);
        if (instance == NULL) {
            ngx_http_fcfaas_visit_followed(visit);
            continue;
        }

        (*left)--;
        ngx_memcpy(visit->worker_id, instance->worker_id,
                   sizeof(visit->worker_id));

        pool = instance->version
               ? NULL : ngx_http_fcfaas_pool_get(visit->function, 0);

        if (pool) {
            ngx_http_fcfaas_table_instance_move(instance, pool);
        }

        ngx_http_fcfaas_slots_note(instance);
    }

    return 1;
}


static void
ngx_http_fcfaas_visit_followed(ngx_http_fcfaas_visit_t *visit)
{
    ngx_http_fcfaas_function_t  *f;

    f = visit->function;

    f->refs++;
    ngx_http_fcfaas_visit_end(visit);

    ngx_http_fcfaas_route_look(f);

    f->refs--;
    ngx_http_fcfaas_table_release(f);
}


static void
ngx_http_fcfaas_visit_begin(ngx_http_fcfaas_visit_t *visit,
    ngx_http_fcfaas_function_t *f)
{
    visit->function = f;
    visit->worker_id[0] = '\0';
    visit->boot = -1;

    if (f) {
        f->refs++;
    }
}


static void
ngx_http_fcfaas_visit_end(ngx_http_fcfaas_visit_t *visit)
{
    ngx_http_fcfaas_function_t  *f;

    f = visit->function;

    if (f == NULL) {
        return;
    }

    visit->function = NULL;
    f->refs--;

    ngx_http_fcfaas_table_release(f);
}
