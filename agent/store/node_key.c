/* /workers/<node_id>: claimed, put again when it changes, put back when it was
 * deleted or written by somebody else. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/store/node_int.h"
#include "client/fcf_backoff.h"
#include "contract/fcf_codec.h"

/* how long somebody else's key is waited out */
#define FCA_NODE_WAIT_MS     ((FCF_LEASE_TTL_S + 2) * 1000)
#define FCA_NODE_REFRESH_MS  1000
/* two that put theirs back in turn do so ever less often */
#define FCA_NODE_QUARREL_MS  5000

static void fca_node_replace(fca_node_t *node, const fcf_kv_t *kv);

/* what to put; NULL: out of memory */
static const char *
fca_node_value(fca_node_t *node)
{
    char  *value;

    value = node->handler.value(node->handler.arg);
    if (value) {
        free(node->previous);
        node->previous = node->value;
        node->value = value;
    }

    return value;
}

/* The key is another's: an agent that lives, or one that died and whose lease
 * has not ended. */
static void
fca_node_taken(fca_node_t *node, const fcf_kv_t *kv,
    const fcf_worker_t *worker)
{
    uint64_t  now;

    now = fca_now(node->loop);

    if (node->taken_since == 0) {
        node->taken_since = now;
        fca_log(FCF_LOG_WARN, NULL, "%s is there already (agent at %s, lease "
                "%" PRIx64 "): waiting up to %d s for it to end", kv->key,
                worker->address, (uint64_t) kv->lease,
                FCA_NODE_WAIT_MS / 1000);
    }

    if (now - node->taken_since >= FCA_NODE_WAIT_MS) {
        fca_log(FCF_LOG_ERROR, NULL, "node_id = \"%s\": in use by a live "
                "agent at %s (%s, lease %" PRIx64 "); every agent needs a "
                "node_id of its own", node->conf.node_id, worker->address,
                kv->key, (uint64_t) kv->lease);
        node->handler.fatal(node->handler.arg);
        return;
    }

    node->loop->timer_set(node->retry, 500);
}

static void
fca_node_claimed(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_node_t    *node = arg;
    fcf_worker_t   worker;

    node->call = NULL;

    if (err) {
        fca_node_again(node, "putting the node's key", err);
        fca_node_doubt(node);
        return;
    }

    if (!reply->succeeded) {
        if (reply->nkvs == 0) {
            fca_node_goto(node, FCA_NODE_CLAIM);
            return;
        }

        /* a put whose answer was lost is found as ours */
        if (reply->kvs[0].lease != node->lease) {
            if (!node->ran
                && fcf_worker_decode(&worker, reply->kvs[0].value,
                                     reply->kvs[0].value_len, NULL) == 0)
            {
                fca_node_taken(node, &reply->kvs[0], &worker);
            } else {
                fca_node_replace(node, &reply->kvs[0]);
            }

            return;
        }
    }

    node->taken_since = 0;
    node->step = FCA_NODE_LIVE;
    node->backoff = 0;
    node->ran = 1;
    node->handler.live(node->handler.arg);
}

/* kv NULL: if absent; else if it stands there still */
static void
fca_node_put(fca_node_t *node, const fcf_kv_t *kv)
{
    char             key[FCF_KEY_MAX];
    const char      *value;
    fcf_etcd_op_t    put, get;
    fcf_etcd_cmp_t   cmp;

    fcf_key_worker(key, node->conf.prefix, node->conf.node_id);

    value = fca_node_value(node);
    if (value == NULL) {
        fca_node_again(node, "putting the node's key", NULL);
        return;
    }

    cmp = (fcf_etcd_cmp_t) { .what = kv ? FCF_CMP_VALUE_IS : FCF_CMP_ABSENT,
                             .key = key, .value = kv ? kv->value : NULL,
                             .value_len = kv ? kv->value_len : 0 };
    put = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = key, .value = value,
                            .value_len = strlen(value),
                            .lease = node->lease };
    get = (fcf_etcd_op_t) { .op = FCF_OP_GET, .key = key };

    node->call = fcf_etcd_txn(node->conf.etcd, &cmp, 1, &put, 1, &get, 1,
                              fca_node_claimed, node);
    if (node->call == NULL) {
        fca_node_again(node, "putting the node's key", NULL);
    }
}

void
fca_node_claim(fca_node_t *node)
{
    fca_node_put(node, NULL);
}

static void
fca_node_replace(fca_node_t *node, const fcf_kv_t *kv)
{
    fca_log(FCF_LOG_WARN, NULL, "%s holds \"%.*s\", which is not ours: "
            "replacing it", kv->key, kv->value_len > 200 ? 200
            : (int) kv->value_len, kv->value);
    fca_node_put(node, kv);
}

static void
fca_node_refreshed(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_node_t  *node = arg;

    (void) reply;
    node->refresh = NULL;

    if (err) {
        fca_node_doubt(node);
        fca_node_changed(node);
    }
}

/* Over whatever stands there: this node runs, and its lease lives. */
void
fca_node_refresh(void *arg)
{
    char         key[FCF_KEY_MAX];
    const char  *value;
    fca_node_t  *node = arg;

    if (node->step != FCA_NODE_LIVE || node->refresh) {
        return;
    }

    value = fca_node_value(node);
    if (value == NULL) {
        return;
    }

    fcf_key_worker(key, node->conf.prefix, node->conf.node_id);

    node->refresh = fcf_etcd_put(node->conf.etcd, key, value, strlen(value),
                                 node->lease, fca_node_refreshed, node);
    if (node->refresh == NULL) {
        fca_node_changed(node);
    }
}

void
fca_node_changed(fca_node_t *node)
{
    if (node->step == FCA_NODE_LIVE) {
        node->loop->timer_set(node->refresh_timer, FCA_NODE_REFRESH_MS);
    }
}

static int
fca_node_same(const fcf_kv_t *kv, const char *value)
{
    return value && kv->value_len == strlen(value)
           && memcmp(kv->value, value, kv->value_len) == 0;
}

void
fca_node_seen(fca_node_t *node, const fcf_kv_t *kv)
{
    uint64_t  now;

    if (node->step != FCA_NODE_LIVE
        || (kv && kv->lease == node->lease
            && (fca_node_same(kv, node->value)
                || fca_node_same(kv, node->previous))))
    {
        return;
    }

    now = fca_now(node->loop);

    if (now - node->quarrel_since > 2 * FCA_NODE_QUARREL_MS) {
        node->quarrels = 0;
    }

    node->quarrel_since = now;

    if (node->quarrels++ == 0) {
        fca_log(FCF_LOG_WARN, NULL, "the node's key was %s by somebody else: "
                "putting it back", kv ? "written" : "deleted");
        node->loop->timer_set(node->refresh_timer, 0);
        return;
    }

    node->loop->timer_set(node->refresh_timer,
                          fcf_backoff(node->quarrels, FCA_NODE_QUARREL_MS));
}
