/* Keys are ours alone, but anybody may delete or overwrite one: once a second
 * those that stand under the lease are asked for, and what is missing among
 * them is put again.  A key that somebody else wrote has lost its lease. */

#include <stdlib.h>
#include <string.h>
#include "agent/store/keys_int.h"

#define FCA_LOOK_MS  1000

static int
fca_look_cmp(const void *a, const void *b)
{
    return strcmp(((const fcf_kv_t *) a)->key, ((const fcf_kv_t *) b)->key);
}

static int
fca_look_there(const fcf_kv_t *kvs, size_t n, const char *key)
{
    fcf_kv_t  wanted = { .key = key };

    return n && bsearch(&wanted, kvs, n, sizeof(*kvs), fca_look_cmp) != NULL;
}

/* What was put after the question was asked may not be in the answer. */
static void
fca_look_at(fca_keys_t *keys, const fcf_kv_t *kvs, size_t n)
{
    if (keys->slot < 0 || keys->call || !keys->whole
        || keys->looks == keys->ring->looks
        || (fca_look_there(kvs, n, keys->slot_key)
            && (!keys->value || fca_look_there(kvs, n, keys->key))))
    {
        return;
    }

    fca_log(FCF_LOG_WARN, &keys->log, "its keys in etcd were deleted or "
            "written by somebody else: putting them back");
    keys->slot_lease = 0;
    fca_keys_put(keys, NULL);
}

static void
fca_look_answered(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fcf_kv_t       *kvs = NULL;
    fca_keys_t     *keys, *next;
    fca_keyring_t  *ring = arg;

    ring->look = NULL;

    if (err || reply->ttl <= 0 || reply->lease != ring->look_lease
        || ring->look_lease != fca_node_lease(ring->conf.node)
        || (reply->nkvs
            && (kvs = malloc(reply->nkvs * sizeof(*kvs))) == NULL))
    {
        return;
    }

    if (kvs) {
        memcpy(kvs, reply->kvs, reply->nkvs * sizeof(*kvs));
        qsort(kvs, reply->nkvs, sizeof(*kvs), fca_look_cmp);
    }

    for (keys = TAILQ_FIRST(&ring->living); keys; keys = next) {
        next = TAILQ_NEXT(keys, link);
        fca_look_at(keys, kvs, reply->nkvs);
    }

    free(kvs);
}

void
fca_keys_look(void *arg)
{
    fca_keyring_t  *ring = arg;

    if (TAILQ_EMPTY(&ring->living)) {
        return;
    }

    ring->look_lease = fca_node_lease(ring->conf.node);

    if (ring->look == NULL && ring->look_lease) {
        ring->looks++;
        ring->look = fcf_etcd_lease_keys(ring->conf.etcd, ring->look_lease,
                                         fca_look_answered, ring);
    }

    ring->conf.loop->timer_set(ring->timer, FCA_LOOK_MS);
}
