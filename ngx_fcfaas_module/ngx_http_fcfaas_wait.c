/*
 * Waiting inside the balancer.
 *
 * peer.get is synchronous.  To wait it returns NGX_AGAIN, as if it were
 * connecting, with a connection that is one end of a socketpair and no
 * address.  Closing the other end (the bell), in which one byte was left
 * unread, makes that "connection" fail with ECONNRESET, which is told not to
 * be logged; nginx then goes through ngx_http_upstream_next(), which frees no
 * peer as there is no address, to peer.get again.
 *
 * The connection belongs to the upstream module, which closes it on every
 * way out; the bell and the place in the queue are ours.
 */

#include "ngx_fcfaas_module/ngx_http_fcfaas_wait.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_admit.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


static ngx_int_t ngx_http_fcfaas_wait_connection(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
static void ngx_http_fcfaas_wait_end_handler(ngx_event_t *ev);
static void ngx_http_fcfaas_wait_wake(ngx_http_fcfaas_waiter_t *wt);
static void ngx_http_fcfaas_wait_go_on(ngx_http_fcfaas_peer_t *fp);
static void ngx_http_fcfaas_wait_refuse(ngx_http_fcfaas_waiter_t *wt);
static void ngx_http_fcfaas_wait_close(ngx_http_fcfaas_peer_t *fp);


ngx_int_t
ngx_http_fcfaas_wait(ngx_http_fcfaas_peer_t *fp, ngx_peer_connection_t *pc)
{
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = fp->ctx;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "fcfaas wait: \"%V\"", &ctx->id);

    if (ngx_http_fcfaas_admit(ctx) != NGX_OK) {
        return ngx_http_fcfaas_wait_answer(fp, pc);
    }

    if (ngx_http_fcfaas_wait_conf(fp) != NGX_OK
        || ngx_http_fcfaas_wait_connection(fp, pc) != NGX_OK)
    {
        return NGX_ERROR;
    }

#if (NGX_HTTP_CACHE)
    /* nginx goes on for its cache when the client leaves: not with waiting */
    fp->cacheable = fp->upstream->cacheable;
    fp->upstream->cacheable = 0;
#endif

    ctx->waiter.wake = ngx_http_fcfaas_wait_wake;
    ctx->waiter.refuse = ngx_http_fcfaas_wait_refuse;

    ngx_http_fcfaas_count(ctx->waiter.pool->worker, WAITED);
    ngx_http_fcfaas_park_join(&ctx->waiter);

    ngx_http_fcfaas_ask_look(ctx->waiter.want);
    ngx_http_fcfaas_park_kick(ctx->waiter.pool);

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_fcfaas_wait_answer(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    if (fp->end == NULL) {
        fp->end = ngx_http_fcfaas_peer_event(fp,
                                             ngx_http_fcfaas_wait_end_handler);
    }

    if (fp->end == NULL
        || ngx_http_fcfaas_wait_stale(fp, NGX_HTTP_UPSTREAM_FT_NOLIVE)
        || ngx_http_fcfaas_wait_conf(fp) != NGX_OK
        || ngx_http_fcfaas_wait_connection(fp, pc) != NGX_OK)
    {
        ngx_http_fcfaas_wait_over(fp);
        return ngx_http_fcfaas_wait_busy(pc);
    }

    /* more of a body that was streamed is for nobody: nginx would send it to
     * what stands in for a connection here */
    fp->ctx->request->read_event_handler = ngx_http_block_reading;

    ngx_post_event(fp->end, &ngx_posted_events);

    return NGX_AGAIN;
}


static void
ngx_http_fcfaas_wait_end_handler(ngx_event_t *ev)
{
    ngx_http_fcfaas_peer_t  *fp;

    fp = ngx_http_fcfaas_peer_of(ev);

    if (fp->upstream->cleanup) {
        ngx_http_fcfaas_wait_end(fp);
    }
}


ngx_int_t
ngx_http_fcfaas_wait_busy(ngx_peer_connection_t *pc)
{
    pc->sockaddr = NULL;
    pc->tries = 0;

    return NGX_BUSY;
}


ngx_uint_t
ngx_http_fcfaas_wait_stale(ngx_http_fcfaas_peer_t *fp, ngx_uint_t ft_type)
{
#if (NGX_HTTP_CACHE)
    ngx_http_request_t  *r;

    r = fp->ctx->request;

    return r->cache
           && r->upstream->cache_status == NGX_HTTP_CACHE_EXPIRED
           && ((fp->conf->cache_use_stale & ft_type)
               || r->cache->stale_error);
#else
    return 0;
#endif
}


void
ngx_http_fcfaas_wait_last(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc, ngx_uint_t ft_type)
{
    if (ngx_http_fcfaas_wait_stale(fp, ft_type)
        || ngx_http_fcfaas_wait_conf(fp) != NGX_OK)
    {
        pc->tries = 0;
        return;
    }

    fp->ended = 1;
    fp->reinit = 1;
    fp->upstream->request_sent = 0;
    pc->tries = 1;
}


ngx_int_t
ngx_http_fcfaas_wait_conf(ngx_http_fcfaas_peer_t *fp)
{
    ngx_http_upstream_t  *u;

    u = fp->upstream;

    if (fp->waiting_conf == NULL) {
        fp->waiting_conf = ngx_palloc(fp->ctx->request->pool,
                                      sizeof(ngx_http_upstream_conf_t));
        if (fp->waiting_conf == NULL) {
            return NGX_ERROR;
        }

        *fp->waiting_conf = *fp->conf;

        fp->waiting_conf->next_upstream |= NGX_HTTP_UPSTREAM_FT_ERROR
                                        |NGX_HTTP_UPSTREAM_FT_TIMEOUT
                                        |NGX_HTTP_UPSTREAM_FT_INVALID_HEADER;
        fp->waiting_conf->next_upstream_timeout = 0;

        /* the waiter has a timer of its own */
        fp->waiting_conf->connect_timeout = 24 * 3600 * 1000;
    }

    u->conf = fp->waiting_conf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fcfaas_wait_connection(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_socket_t       s[2];
    ngx_connection_t  *c;

    if (socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0, s)
        == -1)
    {
        ngx_log_error(NGX_LOG_CRIT, pc->log, ngx_socket_errno,
                      "fcfaas: socketpair() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(s[0], pc->log);

    if (c == NULL || write(s[0], "", 1) != 1) {
        if (c) {
            ngx_free_connection(c);
            c->fd = (ngx_socket_t) -1;
        }

        (void) ngx_close_socket(s[0]);
        (void) ngx_close_socket(s[1]);
        return NGX_ERROR;
    }

    /* worker_shutdown_timeout reads from it */
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->type = SOCK_STREAM;
    c->log_error = NGX_ERROR_IGNORE_ECONNRESET;
    c->read->log = pc->log;
    c->write->log = pc->log;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    fp->bell = s[1];

    pc->connection = c;
    pc->sockaddr = NULL;
    pc->name = NULL;
    pc->cached = 0;

    return NGX_OK;
}


void
ngx_http_fcfaas_wait_over(ngx_http_fcfaas_peer_t *fp)
{
    fp->upstream->conf = fp->conf;

#if (NGX_HTTP_CACHE)
    if (fp->cacheable) {
        fp->cacheable = 0;
        fp->upstream->cacheable = 1;
    }
#endif
}


static void
ngx_http_fcfaas_wait_wake(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_ctx_t  *ctx;

    ctx = ngx_queue_data(wt, ngx_http_fcfaas_ctx_t, waiter);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "fcfaas wait over: \"%V\"", &ctx->id);

    wt->turn = 1;
    ngx_http_fcfaas_wait_go_on(ctx->peer);
}


/* lets nginx come to peer.get again; the request may be gone afterwards */
static void
ngx_http_fcfaas_wait_go_on(ngx_http_fcfaas_peer_t *fp)
{
    ngx_connection_t  *c;

    ngx_http_fcfaas_wait_close(fp);

    c = fp->upstream->peer.connection;

    if (c == NULL) {
        /* ended by nginx, and only waits to be freed */
        return;
    }

    /* proxy_next_upstream_timeout is not for waiting */
    fp->upstream->peer.start_time = ngx_current_msec;

    /* runs the posted requests too */
    c->write->handler(c->write);
}


static void
ngx_http_fcfaas_wait_refuse(ngx_http_fcfaas_waiter_t *wt)
{
    ngx_http_fcfaas_ctx_t   *ctx;
    ngx_http_fcfaas_peer_t  *fp;

    ctx = ngx_queue_data(wt, ngx_http_fcfaas_ctx_t, waiter);
    fp = ctx->peer;

    if (fp->upstream->cleanup == NULL) {
        return;
    }

    if (ngx_http_fcfaas_wait_stale(fp, NGX_HTTP_UPSTREAM_FT_NOLIVE)) {
        /* an old answer is better than none: nginx sends it */
        fp->busy = 1;
        ngx_http_fcfaas_wait_go_on(fp);
        return;
    }

    ngx_http_fcfaas_wait_end(fp);
}


void
ngx_http_fcfaas_wait_end(ngx_http_fcfaas_peer_t *fp)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = fp->ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_fcfaas_wait_cleanup(fp);
    ngx_http_fcfaas_wait_over(fp);

    /*
     * The upstream's clean-up finalizes the request with NGX_DONE, which
     * takes this count; the answer finalizes it for good.
     */

    r->main->count++;
    (*fp->upstream->cleanup)(r);

    rc = ngx_http_fcfaas_answer(r, fp->ctx);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_fcfaas_wait_close(ngx_http_fcfaas_peer_t *fp)
{
    if (fp->bell == (ngx_socket_t) -1) {
        return;
    }

    if (ngx_close_socket(fp->bell) == -1) {
        ngx_log_error(NGX_LOG_ALERT, fp->ctx->request->connection->log,
                      ngx_socket_errno, ngx_close_socket_n " failed");
    }

    fp->bell = (ngx_socket_t) -1;
}


void
ngx_http_fcfaas_wait_cleanup(ngx_http_fcfaas_peer_t *fp)
{
    if (fp->end && fp->end->posted) {
        ngx_delete_posted_event(fp->end);
    }

    ngx_http_fcfaas_wait_close(fp);
}
