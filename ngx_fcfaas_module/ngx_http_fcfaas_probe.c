#include "ngx_fcfaas_module/ngx_http_fcfaas_probe.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ask.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_park.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pool.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_slots.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"


#define NGX_HTTP_FCFAAS_PROBE_TIMEOUT  1000
#define NGX_HTTP_FCFAAS_PROBE_AGAIN    1000
/* connections at once; others have their turn later */
#define NGX_HTTP_FCFAAS_PROBES           64
#define NGX_HTTP_FCFAAS_PROBE_LATER      50
/* what an agent needs to take a new lease and put its instances again */
#define NGX_HTTP_FCFAAS_ORPHAN_COUNTS  3000
/* how long an orphan is kept behind TLS, without a request that proves it */
#define NGX_HTTP_FCFAAS_ORPHAN_TLS     10000


struct ngx_http_fcfaas_probe_s {
    ngx_http_fcfaas_instance_t  *instance;
    ngx_queue_t                  queue;         /* in worker->probes */
    ngx_peer_connection_t        peer;          /* connection: under way */
    ngx_event_t                  timer;
    ngx_msec_t                   since;
    ngx_msec_t                   heard;         /* its last answer */
    unsigned                     denied:1;
};


static void ngx_http_fcfaas_probe_timer_handler(ngx_event_t *ev);
static void ngx_http_fcfaas_probe_connect(ngx_http_fcfaas_probe_t *probe);
static void ngx_http_fcfaas_probe_handler(ngx_event_t *ev);
static ngx_err_t ngx_http_fcfaas_probe_error(ngx_connection_t *c);
static ngx_uint_t ngx_http_fcfaas_probe_unheard(
    ngx_http_fcfaas_probe_t *probe);
static void ngx_http_fcfaas_probe_good(ngx_http_fcfaas_probe_t *probe);
static void ngx_http_fcfaas_probe_bad(ngx_http_fcfaas_probe_t *probe,
    const char *why);
static void ngx_http_fcfaas_probe_close(ngx_http_fcfaas_probe_t *probe);


void
ngx_http_fcfaas_probe_orphan(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_probe_t   *probe;
    ngx_http_fcfaas_worker_t  *w;

    if (instance->probe) {
        return;
    }

    w = instance->function->worker;

    probe = ngx_calloc(sizeof(ngx_http_fcfaas_probe_t), w->log);

    if (probe == NULL) {
        ngx_http_fcfaas_peer_vanished(instance);
        ngx_http_fcfaas_table_instance_del(instance);
        return;
    }

    probe->instance = instance;
    probe->since = ngx_current_msec;
    probe->heard = ngx_current_msec;
    probe->timer.handler = ngx_http_fcfaas_probe_timer_handler;
    probe->timer.data = (void *) &ngx_http_fcfaas_no_connection;
    probe->timer.log = w->log;
    probe->timer.cancelable = 1;

    instance->probe = probe;
    instance->orphan = 1;
    instance->unproven = 1;
    instance->function->ninstances--;
    w->ninstances--;

    ngx_http_fcfaas_slots_note(instance);

    ngx_queue_insert_tail(&w->probes, &probe->queue);

    /* not here: what is in the middle of the registry may go on with it */
    ngx_post_event(&probe->timer, &ngx_posted_events);
}


void
ngx_http_fcfaas_probe_adopt(ngx_http_fcfaas_instance_t *instance)
{
    if (!instance->orphan) {
        return;
    }

    ngx_http_fcfaas_probe_stop(instance);

    instance->orphan = 0;
    instance->unproven = 0;
    instance->function->ninstances++;
    instance->function->worker->ninstances++;
}


void
ngx_http_fcfaas_probe_denied(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_probe_t  *probe;

    probe = instance->probe;

    if (probe == NULL || probe->denied) {
        return;
    }

    probe->denied = 1;
    instance->unproven = 1;
    ngx_http_fcfaas_slots_note(instance);

    if (probe->timer.timer_set) {
        ngx_del_timer(&probe->timer);
    }

    if (!probe->timer.posted) {
        ngx_post_event(&probe->timer, &ngx_posted_events);
    }
}


void
ngx_http_fcfaas_probe_heard(ngx_http_fcfaas_instance_t *instance)
{
    if (instance->probe) {
        instance->probe->heard = ngx_current_msec;
    }
}


void
ngx_http_fcfaas_probe_stop(ngx_http_fcfaas_instance_t *instance)
{
    ngx_http_fcfaas_probe_t  *probe;

    probe = instance->probe;

    if (probe == NULL) {
        return;
    }

    ngx_http_fcfaas_probe_close(probe);

    if (probe->timer.timer_set) {
        ngx_del_timer(&probe->timer);
    }

    if (probe->timer.posted) {
        ngx_delete_posted_event(&probe->timer);
    }

    ngx_queue_remove(&probe->queue);
    ngx_free(probe);

    instance->probe = NULL;
}


void
ngx_http_fcfaas_probe_done(ngx_http_fcfaas_worker_t *w)
{
    ngx_queue_t              *q;
    ngx_http_fcfaas_probe_t  *probe;

    while (!ngx_queue_empty(&w->probes)) {
        q = ngx_queue_head(&w->probes);
        probe = ngx_queue_data(q, ngx_http_fcfaas_probe_t, queue);

        ngx_http_fcfaas_probe_stop(probe->instance);
    }
}


ngx_uint_t
ngx_http_fcfaas_probe_counts(ngx_http_fcfaas_instance_t *instance)
{
    return instance->probe
           && !ngx_http_fcfaas_past(instance->probe->since
                                    + NGX_HTTP_FCFAAS_ORPHAN_COUNTS);
}


static void
ngx_http_fcfaas_probe_timer_handler(ngx_event_t *ev)
{
    ngx_http_fcfaas_probe_t   *probe;
    ngx_http_fcfaas_worker_t  *w;

    probe = ngx_queue_data(ev, ngx_http_fcfaas_probe_t, timer);
    w = probe->instance->function->worker;

    if (probe->denied) {
        ngx_http_fcfaas_probe_bad(probe, "it says so itself");
        return;
    }

    if (w->nprobes >= NGX_HTTP_FCFAAS_PROBES) {
        ngx_add_timer(&probe->timer, NGX_HTTP_FCFAAS_PROBE_LATER);
        return;
    }

    ngx_http_fcfaas_probe_connect(probe);
}


static void
ngx_http_fcfaas_probe_connect(ngx_http_fcfaas_probe_t *probe)
{
    ngx_int_t                    rc;
    ngx_connection_t            *c;
    ngx_http_fcfaas_instance_t  *instance;

    instance = probe->instance;

    ngx_memzero(&probe->peer, sizeof(ngx_peer_connection_t));

    probe->peer.sockaddr = &instance->sockaddr.sockaddr;
    probe->peer.socklen = instance->socklen;
    probe->peer.name = &instance->name;
    probe->peer.get = ngx_event_get_peer;
    probe->peer.log = instance->function->worker->log;
    probe->peer.log_error = NGX_ERROR_INFO;

    rc = ngx_event_connect_peer(&probe->peer);

    if (rc == NGX_ERROR) {
        /* ours: no descriptor, say; that tells nothing */
        ngx_http_fcfaas_probe_close(probe);
        ngx_add_timer(&probe->timer, NGX_HTTP_FCFAAS_PROBE_AGAIN);
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_fcfaas_probe_bad(probe, "its port refuses");
        return;
    }

    instance->function->worker->nprobes++;

    c = probe->peer.connection;
    c->data = probe;
    c->log = probe->peer.log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_http_fcfaas_probe_handler;
    c->write->handler = ngx_http_fcfaas_probe_handler;

    if (rc == NGX_OK) {
        ngx_http_fcfaas_probe_good(probe);
        return;
    }

    /* rc == NGX_AGAIN */

    c->write->cancelable = 1;
    ngx_add_timer(c->write, NGX_HTTP_FCFAAS_PROBE_TIMEOUT);
}


static void
ngx_http_fcfaas_probe_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_fcfaas_probe_t  *probe;

    c = ev->data;
    probe = c->data;

    if (c->close) {
        /* worker_shutdown_timeout; exit_process follows */
        ngx_http_fcfaas_probe_close(probe);
        return;
    }

    if (ev->timedout) {
        ngx_http_fcfaas_probe_bad(probe, "its port does not answer");
        return;
    }

    if (ngx_http_fcfaas_probe_error(c)) {
        ngx_http_fcfaas_probe_bad(probe, "its port refuses");
        return;
    }

    ngx_http_fcfaas_probe_good(probe);
}


/*
 * Where TLS ends in front of the ports of instances, that takes connections
 * whether there is an instance or not: only an answer proves one, and a request
 * inside, whose connection would have ended.
 */

static ngx_uint_t
ngx_http_fcfaas_probe_unheard(ngx_http_fcfaas_probe_t *probe)
{
    return probe->instance->function->worker->tls
           && ngx_queue_empty(&probe->instance->requests)
           && ngx_http_fcfaas_past(probe->heard + NGX_HTTP_FCFAAS_ORPHAN_TLS);
}


static ngx_err_t
ngx_http_fcfaas_probe_error(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


static void
ngx_http_fcfaas_probe_good(ngx_http_fcfaas_probe_t *probe)
{
    ngx_http_fcfaas_function_t  *f;
    ngx_http_fcfaas_instance_t  *instance;

    instance = probe->instance;
    f = instance->function;

    if (ngx_http_fcfaas_probe_unheard(probe)) {
        ngx_http_fcfaas_probe_bad(probe, "only its node's TLS answers");
        return;
    }

    ngx_http_fcfaas_probe_close(probe);
    ngx_add_timer(&probe->timer, NGX_HTTP_FCFAAS_PROBE_AGAIN);

    if (!instance->unproven) {
        /* it may count no longer */
        ngx_http_fcfaas_slots_note(instance);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, probe->timer.log, 0,
                  "fcfaas: the key of \"%V\" at %V has vanished, but its port "
                  "answers: kept", &f->id, &instance->name);

    instance->unproven = 0;
    ngx_http_fcfaas_slots_note(instance);
    ngx_http_fcfaas_park_kick(instance->pool);
}


static void
ngx_http_fcfaas_probe_bad(ngx_http_fcfaas_probe_t *probe, const char *why)
{
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_instance_t  *instance;

    instance = probe->instance;
    pool = instance->pool;

    ngx_log_error(NGX_LOG_INFO, probe->timer.log, 0,
                  "fcfaas: \"%V\" at %V is gone: %s", &pool->function->id,
                  &instance->name, why);

    pool->refs++;

    ngx_http_fcfaas_peer_vanished(instance);
    ngx_http_fcfaas_table_instance_del(instance);

    ngx_http_fcfaas_ask_forget(pool);
    ngx_http_fcfaas_ask_look(pool);
    ngx_http_fcfaas_park_kick(pool);

    pool->refs--;
    ngx_http_fcfaas_pool_release(pool);
}


static void
ngx_http_fcfaas_probe_close(ngx_http_fcfaas_probe_t *probe)
{
    ngx_connection_t  *c;

    c = probe->peer.connection;

    if (c == NULL) {
        return;
    }

    probe->peer.connection = NULL;

    if (c->data == probe) {
        probe->instance->function->worker->nprobes--;
    }

    ngx_close_connection(c);
}
