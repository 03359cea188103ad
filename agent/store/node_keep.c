/* The lease of the life before, kept if it still lives; and of the keys that
 * stand under it those deleted whose VM did not live to see this one. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/store/node_int.h"

/* etcd takes 128 operations in one transaction */
#define FCA_KEEP_BATCH  64

static void
fca_keep_kept(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    fca_node_t  *node = arg;

    node->call = NULL;

    if (err && err->code != FCF_E_NOT_FOUND) {
        fca_node_again(node, "keeping the lease of the last life", err);
        return;
    }

    if (err || reply->ttl <= 0) {
        fca_log(FCF_LOG_INFO, NULL, "lease %" PRIx64 " of the last life has "
                "ended", (uint64_t) node->old[0]);
        fca_node_goto(node, FCA_NODE_GRANT);
        return;
    }

    node->lease = node->old[0];
    node->lease_seen = fca_now(node->loop);
    node->leases++;
    fca_log(FCF_LOG_INFO, NULL, "lease %" PRIx64 " kept",
            (uint64_t) node->lease);
    node->loop->timer_set(node->keepalive_timer, FCA_NODE_KEEPALIVE_MS);
    fca_node_goto(node, FCA_NODE_KEYS);
}

/* the node's own key is not its VMs' */
static int
fca_keep_orphan(const fca_node_t *node, const fcf_kv_t *kv)
{
    fcf_key_t  key;

    fcf_key_parse(&key, node->conf.prefix, kv->key, kv->key_len);

    return (key.kind == FCF_KEY_SLOT || key.kind == FCF_KEY_INSTANCE)
           && !node->handler.owns(node->handler.arg, &key);
}

/* whether they were all there still or not: look again */
static void
fca_keep_deleted(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_node_t  *node = arg;

    (void) reply;
    node->call = NULL;

    if (err) {
        fca_node_again(node, "deleting keys of the last life", err);
        return;
    }

    fca_node_goto(node, FCA_NODE_KEYS);
}

/* only as long as they stand under our lease */
static void
fca_keep_delete(fca_node_t *node, const fcf_kv_t **orphans, size_t n)
{
    size_t           i;
    fcf_etcd_op_t    dels[FCA_KEEP_BATCH];
    fcf_etcd_cmp_t   ours[FCA_KEEP_BATCH];

    for (i = 0; i < n; i++) {
        fca_log(FCF_LOG_INFO, NULL, "%s is of a VM that is gone: deleted",
                orphans[i]->key);
        ours[i] = (fcf_etcd_cmp_t) { .what = FCF_CMP_LEASE_IS,
                                     .key = orphans[i]->key,
                                     .number = node->lease };
        dels[i] = (fcf_etcd_op_t) { .op = FCF_OP_DELETE,
                                    .key = orphans[i]->key };
    }

    node->call = fcf_etcd_txn(node->conf.etcd, ours, n, dels, n, NULL, 0,
                              fca_keep_deleted, node);
    if (node->call == NULL) {
        fca_node_again(node, "deleting keys of the last life", NULL);
    }
}

static void
fca_keep_listed(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    size_t           i, n;
    fca_node_t      *node = arg;
    const fcf_kv_t  *orphans[FCA_KEEP_BATCH];

    node->call = NULL;

    if (err && err->code != FCF_E_NOT_FOUND) {
        fca_node_again(node, "listing the keys of the last life", err);
        return;
    }

    n = 0;

    for (i = 0; err == NULL && i < reply->nkvs && n < FCA_KEEP_BATCH; i++) {
        if (fca_keep_orphan(node, &reply->kvs[i])) {
            orphans[n++] = &reply->kvs[i];
        }
    }

    if (n > 0) {
        fca_keep_delete(node, orphans, n);
        return;
    }

    /* should the lease be lost by now, the next keepalive tells */
    fca_node_goto(node, FCA_NODE_CLAIM);
}

void
fca_node_keep_step(fca_node_t *node)
{
    node->call = node->step == FCA_NODE_KEEP
                 ? fcf_etcd_lease_keepalive(node->conf.etcd, node->old[0],
                                            fca_keep_kept, node)
                 : fcf_etcd_lease_keys(node->conf.etcd, node->lease,
                                       fca_keep_listed, node);

    if (node->call == NULL) {
        fca_node_again(node, "the lease of the last life", NULL);
    }
}
