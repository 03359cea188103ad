#include "ngx_fcfaas_module/ngx_http_fcfaas_limit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_upconf.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_wait.h"


/* nginx's own read and send timeouts come so much later than the timer */
#define NGX_HTTP_FCFAAS_LIMIT_MARGIN  5000


static void ngx_http_fcfaas_limit_handler(ngx_event_t *ev);


ngx_int_t
ngx_http_fcfaas_limit_conf(ngx_http_fcfaas_peer_t *fp)
{
    ngx_msec_t           ms;
    ngx_http_request_t  *r;

    r = fp->ctx->request;
    ms = fp->ctx->waiter.pool->function->spec.timeout_s * 1000;

    if (ms && r == r->main) {
        /* the timer below comes first */
        ms += NGX_HTTP_FCFAAS_LIMIT_MARGIN;
    }

    fp->conf = ngx_http_fcfaas_upconf(r, fp->ctx->waiter.pool->worker,
                                      fp->own_conf, ms);
    if (fp->conf == NULL) {
        return NGX_ERROR;
    }

    fp->upstream->conf = fp->conf;

    return NGX_OK;
}


ngx_int_t
ngx_http_fcfaas_limit_start(ngx_http_fcfaas_peer_t *fp)
{
    ngx_msec_t           ms;
    ngx_http_request_t  *r;

    r = fp->ctx->request;
    ms = fp->ctx->waiter.pool->function->spec.timeout_s * 1000;

    if (ms == 0 || r != r->main) {
        return NGX_OK;
    }

    if (fp->limit == NULL) {
        fp->limit = ngx_http_fcfaas_peer_event(fp,
                                               ngx_http_fcfaas_limit_handler);
        if (fp->limit == NULL) {
            return NGX_ERROR;
        }
    }

    if (!fp->limit->timer_set) {
        ngx_add_timer(fp->limit, ms);
    }

    return NGX_OK;
}


void
ngx_http_fcfaas_limit_stop(ngx_http_fcfaas_peer_t *fp)
{
    if (fp->limit && fp->limit->timer_set) {
        ngx_del_timer(fp->limit);
    }
}


ngx_int_t
ngx_http_fcfaas_limit_upgrade(ngx_http_fcfaas_peer_t *fp)
{
    ngx_http_request_t          *r;
    ngx_http_fcfaas_loc_conf_t  *flcf;

    r = fp->ctx->request;
    flcf = ngx_http_get_module_loc_conf(r, ngx_http_fcfaas_module);

    ngx_http_fcfaas_limit_stop(fp);

    fp->conf = ngx_http_fcfaas_upconf(r, fp->ctx->waiter.pool->worker,
                                      fp->own_conf, flcf->upgrade_timeout);
    if (fp->conf == NULL) {
        return NGX_ERROR;
    }

    fp->upstream->conf = fp->conf;

    return NGX_OK;
}


void
ngx_http_fcfaas_limit_over(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_http_fcfaas_answer_slow(&fp->ctx->waiter.answer);
    ngx_http_fcfaas_wait_last(fp, pc, NGX_HTTP_UPSTREAM_FT_TIMEOUT);
}


static void
ngx_http_fcfaas_limit_handler(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_upstream_t       *u;
    ngx_http_fcfaas_peer_t    *fp;
    ngx_http_fcfaas_answer_t   answer;

    fp = ngx_http_fcfaas_peer_of(ev);
    u = fp->upstream;
    r = fp->ctx->request;
    c = r->connection;

    if (u->cleanup == NULL) {
        /* the function is done, only the client is slow */
        return;
    }

    ngx_http_fcfaas_answer_slow(&answer);

    if (fp->ctx->waiter.queued) {
        ngx_http_fcfaas_park_refuse(&fp->ctx->waiter, &answer);
        return;
    }

    if (!r->header_sent) {
        fp->ctx->waiter.answer = answer;
        ngx_http_fcfaas_wait_end(fp);
        return;
    }

    ngx_http_set_log_request(c->log, r);

    ngx_log_error(NGX_LOG_ERR, c->log, 0,
                  "fcfaas: \"%V\" took longer than its timeout_s: cut",
                  &fp->ctx->id);

    /* paid by the upstream's clean-up; the second finalize is for good */

    r->main->count++;
    (*u->cleanup)(r);

    r->keepalive = 0;
    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}
