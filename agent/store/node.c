#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/store/node_int.h"
#include "client/fcf_backoff.h"


static void fca_node_step(void *arg);
static void fca_node_keepalive(void *arg);

void
fca_node_goto(fca_node_t *node, fca_node_step_e step)
{
    node->step = step;
    node->backoff = 0;
    node->said = 0;
    node->loop->timer_set(node->retry, 0);
}

void
fca_node_again(fca_node_t *node, const char *what, const fcf_err_t *err)
{
    if (!node->said) {
        node->said = 1;
        fca_log(FCF_LOG_WARN, NULL, "%s: %s; trying again", what,
                err ? err->msg : "no memory");
    }

    node->loop->timer_set(node->retry, fcf_backoff(++node->backoff,
                                                   FCA_BACKOFF_MAX_MS));
}

static void
fca_node_revoked(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_node_t  *node = arg;

    (void) reply;
    node->call = NULL;

    if (err && err->code != FCF_E_NOT_FOUND) {
        fca_node_again(node, "revoking the lease of the last life", err);
        return;
    }

    node->nold--;
    fca_node_goto(node, node->nold ? FCA_NODE_REVOKE : FCA_NODE_GRANT);
}

static void
fca_node_granted(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fcf_err_t    why;
    fca_node_t  *node = arg;

    node->call = NULL;

    if (err) {
        fca_node_again(node, "asking for a lease", err);
        return;
    }

    node->lease = reply->lease;
    node->lease_seen = fca_now(node->loop);
    node->leases++;
    fca_log(FCF_LOG_INFO, NULL, "lease %" PRIx64 " granted",
            (uint64_t) node->lease);

    if (fca_state_leases_store(node->conf.state, &node->lease, 1, &why)
        != 0)
    {
        fca_log(FCF_LOG_WARN, NULL, "the lease could not be noted: %s",
                why.msg);
    }

    node->loop->timer_set(node->keepalive_timer, FCA_NODE_KEEPALIVE_MS);
    fca_node_goto(node, FCA_NODE_CLAIM);
}

static void
fca_node_step(void *arg)
{
    fca_node_t  *node = arg;

    switch (node->step) {

    case FCA_NODE_KEEP:
    case FCA_NODE_KEYS:
        fca_node_keep_step(node);
        return;

    case FCA_NODE_REVOKE:
        node->call = fcf_etcd_lease_revoke(node->conf.etcd,
                                           node->old[node->nold - 1],
                                           fca_node_revoked, node);
        break;

    case FCA_NODE_GRANT:
        node->call = fcf_etcd_lease_grant(node->conf.etcd, FCF_LEASE_TTL_S,
                                          fca_node_granted, node);
        break;

    case FCA_NODE_CLAIM:
        fca_node_claim(node);
        return;

    default:
        return;
    }

    if (node->call == NULL) {
        fca_node_again(node, "etcd", NULL);
    }
}

static void
fca_node_lost(fca_node_t *node)
{
    fca_log(FCF_LOG_WARN, NULL, "lease %" PRIx64 " is lost; taking another",
            (uint64_t) node->lease);

    node->lease = 0;
    node->loop->timer_stop(node->keepalive_timer);
    node->loop->timer_stop(node->refresh_timer);

    if (node->call) {
        fcf_etcd_cancel(node->call);
        node->call = NULL;
    }

    fca_node_goto(node, FCA_NODE_GRANT);
}

static void
fca_node_kept(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    fca_node_t  *node = arg;

    node->keepalive = NULL;

    if (err == NULL ? reply->ttl <= 0 : err->code == FCF_E_NOT_FOUND) {
        fca_node_lost(node);
        return;
    }

    if (err && !node->said) {
        node->said = 1;
        fca_log(FCF_LOG_WARN, NULL, "keeping the lease alive: %s", err->msg);

    } else if (err == NULL) {
        node->said = 0;
        node->lease_seen = fca_now(node->loop);
    }

    node->loop->timer_set(node->keepalive_timer,
                                err ? 500 : FCA_NODE_KEEPALIVE_MS);
}

static void
fca_node_keepalive(void *arg)
{
    fca_node_t  *node = arg;

    if (node->keepalive || node->lease == 0) {
        return;
    }

    node->keepalive = fcf_etcd_lease_keepalive(node->conf.etcd, node->lease,
                                               fca_node_kept, node);
    if (node->keepalive == NULL) {
        node->loop->timer_set(node->keepalive_timer, 500);
    }
}

int64_t
fca_node_lease_age(const fca_node_t *node)
{
    return node->lease ? (int64_t) (fca_now(node->loop) - node->lease_seen)
                       : -1;
}

uint64_t
fca_node_leases(const fca_node_t *node)
{
    return node->leases;
}

void
fca_node_doubt(fca_node_t *node)
{
    if (node->lease && node->step < FCA_NODE_STOPPING) {
        node->loop->timer_set(node->keepalive_timer, 0);
    }
}

fca_node_t *
fca_node_new(const fca_node_conf_t *conf, const fca_node_handler_t *handler,
    fcf_err_t *err)
{
    fca_node_t  *node;
    fcf_loop_t  *loop = conf->loop;

    node = calloc(1, sizeof(*node));
    if (node == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for the node");
        return NULL;
    }

    node->conf = *conf;
    node->handler = *handler;
    node->loop = loop;
    node->retry = loop->timer_new(loop, fca_node_step, node);
    node->keepalive_timer = loop->timer_new(loop, fca_node_keepalive, node);
    node->refresh_timer = loop->timer_new(loop, fca_node_refresh, node);

    if (!node->retry || !node->keepalive_timer || !node->refresh_timer) {
        fca_node_free(node);
        fcf_err_set(err, FCF_E_NOMEM, "no memory for the node");
        return NULL;
    }

    return node;
}

void
fca_node_start(fca_node_t *node)
{
    node->nold = fca_state_leases_load(node->conf.state, node->old,
                                       FCA_STATE_LEASES_MAX);
    fca_node_goto(node, node->nold == 0 ? FCA_NODE_GRANT
                        : node->handler.owns ? FCA_NODE_KEEP
                        : FCA_NODE_REVOKE);
}

static void
fca_node_cancel(fca_node_t *node)
{
    size_t             i;
    fcf_etcd_call_t  **calls[] = { &node->call, &node->keepalive,
                                   &node->refresh };

    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (*calls[i]) {
            fcf_etcd_cancel(*calls[i]);
            *calls[i] = NULL;
        }
    }
}

void
fca_node_free(fca_node_t *node)
{
    size_t        i;
    fcf_timer_t  *timers[3];

    if (node == NULL) {
        return;
    }

    fca_node_cancel(node);

    timers[0] = node->retry;
    timers[1] = node->keepalive_timer;
    timers[2] = node->refresh_timer;

    for (i = 0; i < 3; i++) {
        if (timers[i]) {
            node->loop->timer_free(timers[i]);
        }
    }

    free(node->value);
    free(node->previous);
    free(node);
}

int64_t
fca_node_lease(const fca_node_t *node)
{
    return node->step == FCA_NODE_LIVE ? node->lease : 0;
}

static void
fca_node_ended(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    fcf_err_t    why;
    fca_node_t  *node = arg;

    (void) reply;
    node->call = NULL;
    node->step = FCA_NODE_STOPPED;

    if (err) {
        fca_log(FCF_LOG_WARN, NULL, "revoking the lease: %s; it ends by "
                "itself within %d s", err->msg, FCF_LEASE_TTL_S);
        return;
    }

    if (fca_state_leases_store(node->conf.state, NULL, 0, &why) != 0) {
        fca_log(FCF_LOG_WARN, NULL, "%s", why.msg);
    }
}

void
fca_node_stop(fca_node_t *node)
{
    fcf_loop_t  *loop = node->loop;

    if (node->step >= FCA_NODE_STOPPING) {
        return;
    }

    fca_node_cancel(node);
    loop->timer_stop(node->retry);
    loop->timer_stop(node->keepalive_timer);
    loop->timer_stop(node->refresh_timer);
    node->step = FCA_NODE_STOPPED;

    if (node->lease) {
        node->call = fcf_etcd_lease_revoke(node->conf.etcd, node->lease,
                                           fca_node_ended, node);
        if (node->call) {
            node->step = FCA_NODE_STOPPING;
        }
    }
}

int
fca_node_stopped(const fca_node_t *node)
{
    return node->step == FCA_NODE_STOPPED;
}
