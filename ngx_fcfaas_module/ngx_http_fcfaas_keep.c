#include "ngx_fcfaas_module/ngx_http_fcfaas_keep.h"


/* kept for other locations, that are passed over in looking for one */
#define NGX_HTTP_FCFAAS_KEEP_STEPS  16
/* bytes that an idle connection always takes */
#define NGX_HTTP_FCFAAS_KEEP_AT_ONCE  4096


/* one of keep->max; linked in keep->kept, or keep->free */
typedef struct {
    ngx_queue_t                  queue;
    ngx_queue_t                  link;          /* in instance->kept */
    ngx_http_fcfaas_keep_t      *keep;
    ngx_connection_t            *connection;
    ngx_http_upstream_conf_t    *conf;          /* NULL: for all locations */
    ngx_http_fcfaas_carried_t    carried;
    ngx_msec_t                   until;         /* it may be idle */
} ngx_http_fcfaas_kept_t;


static void ngx_http_fcfaas_keep_cleanup(void *data);
static void ngx_http_fcfaas_keep_expire(ngx_event_t *ev);
static ngx_uint_t ngx_http_fcfaas_keep_may(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
static ngx_uint_t ngx_http_fcfaas_keep_timed(ngx_http_fcfaas_peer_t *fp,
    ngx_event_t *rev);
static ngx_http_fcfaas_kept_t *ngx_http_fcfaas_keep_open(
    ngx_http_fcfaas_peer_t *fp);
static ngx_http_fcfaas_kept_t *ngx_http_fcfaas_keep_find(
    ngx_http_fcfaas_peer_t *fp);
static ngx_http_upstream_conf_t *ngx_http_fcfaas_keep_conf(
    ngx_http_fcfaas_peer_t *fp);
static ngx_http_fcfaas_kept_t *ngx_http_fcfaas_keep_free(
    ngx_http_fcfaas_keep_t *keep);
static void ngx_http_fcfaas_keep_log(ngx_connection_t *c, ngx_log_t *log);
static void ngx_http_fcfaas_keep_write(ngx_event_t *ev);
static void ngx_http_fcfaas_keep_read(ngx_event_t *ev);
static ngx_uint_t ngx_http_fcfaas_keep_silent(ngx_connection_t *c);
static void ngx_http_fcfaas_keep_drop(ngx_http_fcfaas_kept_t *kept);
static void ngx_http_fcfaas_keep_close(ngx_connection_t *c);


ngx_int_t
ngx_http_fcfaas_keep_init(ngx_conf_t *cf, ngx_http_fcfaas_keep_t *keep)
{
    ngx_uint_t               i;
    ngx_pool_cleanup_t      *cln;
    ngx_http_fcfaas_kept_t  *kept;

    if (keep->max == 0) {
        return NGX_OK;
    }

    ngx_queue_init(&keep->kept);
    ngx_queue_init(&keep->free);

    kept = ngx_pcalloc(cf->pool, sizeof(ngx_http_fcfaas_kept_t) * keep->max);
    if (kept == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_fcfaas_keep_cleanup;
    cln->data = keep;

    keep->timer.handler = ngx_http_fcfaas_keep_expire;
    keep->timer.data = (void *) &ngx_http_fcfaas_no_connection;
    keep->timer.cancelable = 1;

    for (i = 0; i < keep->max; i++) {
        kept[i].keep = keep;
        ngx_queue_insert_tail(&keep->free, &kept[i].queue);
    }

    return NGX_OK;
}


static void
ngx_http_fcfaas_keep_cleanup(void *data)
{
    ngx_http_fcfaas_keep_t *keep = data;

    if (keep->timer.timer_set) {
        ngx_del_timer(&keep->timer);
    }
}


/* Those in keep->kept have the same time each: the last one's is the next.
 * Most are taken again before, and have cost no timer of their own. */

static void
ngx_http_fcfaas_keep_expire(ngx_event_t *ev)
{
    ngx_queue_t             *q;
    ngx_msec_int_t           left;
    ngx_http_fcfaas_keep_t  *keep;
    ngx_http_fcfaas_kept_t  *kept;

    keep = ngx_queue_data(ev, ngx_http_fcfaas_keep_t, timer);

    while (!ngx_queue_empty(&keep->kept)) {

        q = ngx_queue_last(&keep->kept);
        kept = ngx_queue_data(q, ngx_http_fcfaas_kept_t, queue);

        left = (ngx_msec_int_t) (kept->until - ngx_current_msec);

        if (left > 0) {
            ngx_add_timer(ev, (ngx_msec_t) left);
            return;
        }

        ngx_http_fcfaas_keep_drop(kept);
    }
}


ngx_int_t
ngx_http_fcfaas_keep_take(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_connection_t        *c;
    ngx_http_fcfaas_kept_t  *kept;

    kept = ngx_http_fcfaas_keep_open(fp);

    if (kept == NULL) {
        ngx_memzero(&fp->carried, sizeof(ngx_http_fcfaas_carried_t));
        return NGX_OK;
    }

    c = kept->connection;
    fp->carried = kept->carried;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "fcfaas keep: using connection %p", c);

    ngx_queue_remove(&kept->link);
    ngx_queue_remove(&kept->queue);
    ngx_queue_insert_head(&kept->keep->free, &kept->queue);

    c->idle = 0;
    c->sent = 0;
    c->data = NULL;
    ngx_http_fcfaas_keep_log(c, pc->log);

    if (c->read->timer_set && !ngx_http_fcfaas_keep_timed(fp, c->read)) {
        ngx_del_timer(c->read);
    }

    pc->connection = c;
    pc->cached = 1;

    return NGX_DONE;
}


/*
 * The timer of the answer before is left as it was: where it comes when that
 * of this one would, but for what nginx takes for the same time, nginx leaves
 * it too, when the request is sent.  That is now: what is large, or has a body,
 * may take longer.
 */

static ngx_uint_t
ngx_http_fcfaas_keep_timed(ngx_http_fcfaas_peer_t *fp, ngx_event_t *rev)
{
    ngx_buf_t           *head;
    ngx_msec_int_t       left;
    ngx_http_request_t  *r;

    r = fp->ctx->request;
    head = fp->upstream->request_bufs->buf;
    left = (ngx_msec_int_t) (rev->timer.key - ngx_current_msec);

    return left + NGX_TIMER_LAZY_DELAY
           > (ngx_msec_int_t) fp->conf->read_timeout
           && head->last - head->pos <= NGX_HTTP_FCFAAS_KEEP_AT_ONCE
           && r->headers_in.content_length_n <= 0
           && !r->headers_in.chunked;
}


/*
 * Behind TLS nobody can tell afterwards whether a request that got no answer
 * was read (_stale.c): so one whose end lies there unread, since this turn of
 * the loop has others before it, is found before anything is sent.
 */

static ngx_http_fcfaas_kept_t *
ngx_http_fcfaas_keep_open(ngx_http_fcfaas_peer_t *fp)
{
    ngx_http_fcfaas_kept_t  *kept;

    for ( ;; ) {
        kept = ngx_http_fcfaas_keep_find(fp);

        if (kept == NULL
            || !fp->upstream->ssl
            || ngx_http_fcfaas_keep_silent(kept->connection))
        {
            return kept;
        }

        ngx_http_fcfaas_keep_drop(kept);
    }
}


static ngx_http_fcfaas_kept_t *
ngx_http_fcfaas_keep_find(ngx_http_fcfaas_peer_t *fp)
{
    ngx_uint_t                 n;
    ngx_queue_t               *q, *sentinel;
    ngx_http_fcfaas_kept_t    *kept;
    ngx_http_upstream_conf_t  *conf;

    conf = ngx_http_fcfaas_keep_conf(fp);
    sentinel = &fp->instance->kept;
    q = ngx_queue_head(sentinel);

    for (n = 0; q != sentinel && n < NGX_HTTP_FCFAAS_KEEP_STEPS; n++) {

        kept = ngx_queue_data(q, ngx_http_fcfaas_kept_t, link);

        if (kept->keep == fp->keep && kept->conf == conf) {
            return kept;
        }

        q = ngx_queue_next(q);
    }

    return NULL;
}


/* what a location says of TLS, or by proxy_bind, is in its connections */
static ngx_http_upstream_conf_t *
ngx_http_fcfaas_keep_conf(ngx_http_fcfaas_peer_t *fp)
{
    return fp->upstream->ssl || fp->own_conf->local ? fp->own_conf : NULL;
}


void
ngx_http_fcfaas_keep_give(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_connection_t        *c;
    ngx_http_fcfaas_kept_t  *kept;

    if (!ngx_http_fcfaas_keep_may(fp, pc)) {
        return;
    }

    c = pc->connection;
    pc->connection = NULL;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "fcfaas keep: saving connection %p", c);

    kept = ngx_http_fcfaas_keep_free(fp->keep);

    kept->connection = c;
    kept->conf = ngx_http_fcfaas_keep_conf(fp);
    kept->carried.sent = fp->carried.sent + c->sent;
    kept->carried.received = fp->carried.received
                             + fp->upstream->state->bytes_received;
    ngx_queue_insert_head(&fp->keep->kept, &kept->queue);
    ngx_queue_insert_head(&fp->instance->kept, &kept->link);

    kept->until = ngx_current_msec + fp->keep->timeout;

    if (!fp->keep->timer.timer_set) {
        fp->keep->timer.log = ngx_cycle->log;
        ngx_add_timer(&fp->keep->timer, fp->keep->timeout);
    }

    c->read->delayed = 0;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->write->handler = ngx_http_fcfaas_keep_write;
    c->read->handler = ngx_http_fcfaas_keep_read;

    c->data = kept;
    c->idle = 1;
    ngx_http_fcfaas_keep_log(c, ngx_cycle->log);

    if (c->read->ready) {
        ngx_http_fcfaas_keep_read(c->read);
    }
}


/* nginx's own rules */
static ngx_uint_t
ngx_http_fcfaas_keep_may(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_connection_t  *c;

    c = pc->connection;

    return fp->keep
           && c
           && !c->read->eof
           && !c->read->error
           && !c->read->timedout
           && !c->write->error
           && !c->write->timedout
           && c->requests < fp->keep->requests
           && ngx_current_msec - c->start_time <= fp->keep->time
           && fp->upstream->keepalive
           && fp->upstream->request_body_sent
           && !fp->instance->gone
           && !ngx_terminate
           && !ngx_exiting
           && ngx_handle_read_event(c->read, 0) == NGX_OK;
}


/* if need be, the one that has been idle for longest makes room */
static ngx_http_fcfaas_kept_t *
ngx_http_fcfaas_keep_free(ngx_http_fcfaas_keep_t *keep)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&keep->free)) {
        q = ngx_queue_last(&keep->kept);
        ngx_http_fcfaas_keep_drop(ngx_queue_data(q, ngx_http_fcfaas_kept_t,
                                                 queue));
    }

    q = ngx_queue_head(&keep->free);
    ngx_queue_remove(q);

    return ngx_queue_data(q, ngx_http_fcfaas_kept_t, queue);
}


void
ngx_http_fcfaas_keep_end(ngx_http_fcfaas_instance_t *instance)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&instance->kept)) {
        q = ngx_queue_head(&instance->kept);
        ngx_http_fcfaas_keep_drop(ngx_queue_data(q, ngx_http_fcfaas_kept_t,
                                                 link));
    }
}


static void
ngx_http_fcfaas_keep_log(ngx_connection_t *c, ngx_log_t *log)
{
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->pool->log = log;
}


static void
ngx_http_fcfaas_keep_write(ngx_event_t *ev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ev->log, 0, "fcfaas keep: write");
}


/* the other side closes it, or sends what nobody has asked for; or this process
 * ends */
static void
ngx_http_fcfaas_keep_read(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ev->log, 0, "fcfaas keep: read");

    c = ev->data;

    if (ev->timedout) {
        /* of the last answer */
        ev->timedout = 0;
        return;
    }

    if (!c->close && ngx_http_fcfaas_keep_silent(c)) {
        ev->ready = 0;

        if (ngx_handle_read_event(ev, 0) == NGX_OK) {
            return;
        }
    }

    ngx_http_fcfaas_keep_drop(c->data);
}


static ngx_uint_t
ngx_http_fcfaas_keep_silent(ngx_connection_t *c)
{
    char  buf[1];

    return recv(c->fd, buf, 1, MSG_PEEK) == -1
           && ngx_socket_errno == NGX_EAGAIN;
}


static void
ngx_http_fcfaas_keep_drop(ngx_http_fcfaas_kept_t *kept)
{
    ngx_queue_remove(&kept->link);
    ngx_queue_remove(&kept->queue);
    ngx_queue_insert_head(&kept->keep->free, &kept->queue);

    ngx_http_fcfaas_keep_close(kept->connection);
}


static void
ngx_http_fcfaas_keep_close(ngx_connection_t *c)
{
#if (NGX_HTTP_SSL)

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
            c->ssl->handler = ngx_http_fcfaas_keep_close;
            return;
        }
    }

#endif

    ngx_destroy_pool(c->pool);
    ngx_close_connection(c);
}
