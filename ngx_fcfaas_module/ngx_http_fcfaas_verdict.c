#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"


/* what is said to be full is left alone for so long, in ms */
#define NGX_HTTP_FCFAAS_FULL_MIN    20
#define NGX_HTTP_FCFAAS_FULL_MAX   200
/* full because of other workers: those say when there is room again */
#define NGX_HTTP_FCFAAS_TAKEN      100


void
ngx_http_fcfaas_slots_refused(ngx_http_fcfaas_instance_t *instance)
{
    ngx_uint_t               others;
    ngx_http_fcfaas_pool_t  *pool;

    if (instance->gone) {
        return;
    }

    if (!instance->suspect) {
        instance->suspect = 1;
        instance->refused_since = ngx_current_msec;
    }

    /* by now it may have refused for too long */
    ngx_http_fcfaas_slots_note(instance);

    pool = instance->pool;
    others = pool->nready - instance->counted_ready;

    if (others == 0 && !ngx_http_fcfaas_slots_lost(instance)) {
        ngx_http_fcfaas_pick_aside(&pool->pick, &instance->cell,
                                   NGX_HTTP_FCFAAS_ASIDE_RETRY,
                                   ngx_current_msec
                                   + NGX_HTTP_FCFAAS_SUSPECT_RETRY);
    } else {
        ngx_http_fcfaas_pick_aside(&pool->pick, &instance->cell,
                                   NGX_HTTP_FCFAAS_ASIDE_SUSPECT,
                                   ngx_current_msec
                                   + NGX_HTTP_FCFAAS_SUSPECT_TIME);
    }

    if (!instance->proven && !instance->told
        && ngx_http_fcfaas_slots_lost(instance))
    {
        instance->told = 1;
        ngx_http_fcfaas_failure_unreachable(instance);
    }
}


void
ngx_http_fcfaas_slots_full(ngx_http_fcfaas_instance_t *instance)
{
    ngx_msec_t  ms;

    if (instance->gone) {
        return;
    }

    ms = NGX_HTTP_FCFAAS_FULL_MIN << ngx_min(instance->full_times, 4);
    ms = ngx_min(ms, NGX_HTTP_FCFAAS_FULL_MAX);
    ms = ms / 2 + ngx_random() % ms / 2;

    instance->full = 1;
    instance->full_times++;

    ngx_http_fcfaas_slots_note(instance);
    ngx_http_fcfaas_pick_aside(&instance->pool->pick, &instance->cell,
                               NGX_HTTP_FCFAAS_ASIDE_SHORT,
                               ngx_current_msec + ms);
}


void
ngx_http_fcfaas_slots_away(ngx_http_fcfaas_instance_t *instance)
{
    if (instance->gone) {
        return;
    }

    instance->away = 1;

    ngx_http_fcfaas_slots_note(instance);
    ngx_http_fcfaas_pick_aside(&instance->pool->pick, &instance->cell,
                               NGX_HTTP_FCFAAS_ASIDE_AWAY,
                               ngx_current_msec + NGX_HTTP_FCFAAS_AWAY);
}


ngx_uint_t
ngx_http_fcfaas_slots_good(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_cell_t  *cell;

    if (!instance->suspect && instance->full_times == 0) {
        return 0;
    }

    cell = &instance->cell;

    instance->suspect = 0;
    instance->full = 0;
    instance->full_times = 0;

    cell->trying = 0;

    if (cell->aside && cell->kind != NGX_HTTP_FCFAAS_ASIDE_AWAY) {
        cell->aside = 0;
    }

    ngx_http_fcfaas_slots_note(instance);

    return 1;
}


void
ngx_http_fcfaas_slots_due(ngx_http_fcfaas_instance_t *instance)
{
    instance->away = 0;
    instance->full = 0;

    ngx_http_fcfaas_slots_note(instance);
}


void
ngx_http_fcfaas_slots_taken(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_pick_aside(&instance->pool->pick, &instance->cell,
                               NGX_HTTP_FCFAAS_ASIDE_SHORT,
                               ngx_current_msec + NGX_HTTP_FCFAAS_TAKEN);
}


void
ngx_http_fcfaas_slots_room(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_cell_t  *cell;

    cell = &instance->cell;

    if (!instance->gone
        && !instance->full
        && cell->aside
        && cell->kind == NGX_HTTP_FCFAAS_ASIDE_SHORT)
    {
        ngx_http_fcfaas_pick_back(&instance->pool->pick, cell);
    }
}
