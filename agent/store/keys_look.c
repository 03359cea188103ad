/* Keys are ours alone, but anybody may delete or overwrite one: once a second
 * those that stand under the lease are asked for, and what is missing among
 * them is put again.  A key that somebody else wrote has lost its lease, unless
 * he knew it: so the values are compared as well, of some VMs each time. */

#include <stdlib.h>
#include <string.h>
#include "agent/store/keys_int.h"

#define FCA_LOOK_MS   1000
/* VMs of two keys each: etcd takes 128 operations in one transaction */
#define FCA_LOOK_VMS  60

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
static int
fca_look_asked(const fca_keys_t *keys)
{
    return keys->slot >= 0 && keys->call == NULL && keys->whole
           && keys->looks != keys->ring->looks;
}

static void
fca_look_put_back(fca_keys_t *keys)
{
    fca_log(FCF_LOG_WARN, &keys->log, "its keys in etcd were deleted or "
            "written by somebody else: putting them back");
    keys->slot_lease = 0;
    fca_keys_put(keys, NULL);
}

static void
fca_look_at(fca_keys_t *keys, const fcf_kv_t *kvs, size_t n)
{
    if (fca_look_asked(keys)
        && (!fca_look_there(kvs, n, keys->slot_key)
            || (keys->value && !fca_look_there(kvs, n, keys->key))))
    {
        fca_look_put_back(keys);
    }
}

/* one that is not in the answer was not asked for, or is missed next time */
static int
fca_look_differs(const fcf_etcd_reply_t *reply, const char *key,
    const char *value)
{
    size_t           i;
    const fcf_kv_t  *kv;

    for (i = 0; i < reply->nkvs; i++) {
        kv = &reply->kvs[i];

        if (strcmp(kv->key, key) == 0) {
            return kv->value_len != strlen(value)
                   || memcmp(kv->value, value, kv->value_len) != 0;
        }
    }

    return 0;
}

static void
fca_look_compared(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_keys_t     *keys, *next;
    fca_keyring_t  *ring = arg;

    ring->look = NULL;

    if (err || reply->succeeded) {
        return;
    }

    for (keys = TAILQ_FIRST(&ring->living); keys; keys = next) {
        next = TAILQ_NEXT(keys, link);

        if (fca_look_asked(keys)
            && (fca_look_differs(reply, keys->slot_key, keys->slot_value)
                || (keys->value && fca_look_differs(reply, keys->key,
                                                    keys->value))))
        {
            fca_look_put_back(keys);
        }
    }
}

static void
fca_look_compare(fcf_etcd_cmp_t *cmp, fcf_etcd_op_t *get, const char *key,
    const char *value)
{
    *cmp = (fcf_etcd_cmp_t) { .what = FCF_CMP_VALUE_IS, .key = key,
                              .value = value, .value_len = strlen(value) };
    *get = (fcf_etcd_op_t) { .op = FCF_OP_GET, .key = key };
}

/* those that were compared last are the last in the list */
static void
fca_look_values(fca_keyring_t *ring)
{
    size_t           n, vms;
    fca_keys_t      *keys, *next, *last;
    fcf_etcd_op_t    get[2 * FCA_LOOK_VMS];
    fcf_etcd_cmp_t   cmp[2 * FCA_LOOK_VMS];

    n = vms = 0;
    last = TAILQ_LAST(&ring->living, fca_keys_list_s);

    for (keys = TAILQ_FIRST(&ring->living); keys; keys = next) {
        next = keys == last ? NULL : TAILQ_NEXT(keys, link);

        if (!fca_look_asked(keys)) {
            continue;
        }

        fca_look_compare(&cmp[n], &get[n], keys->slot_key, keys->slot_value);
        n++;

        if (keys->value) {
            fca_look_compare(&cmp[n], &get[n], keys->key, keys->value);
            n++;
        }

        TAILQ_REMOVE(&ring->living, keys, link);
        TAILQ_INSERT_TAIL(&ring->living, keys, link);

        if (++vms == FCA_LOOK_VMS) {
            break;
        }
    }

    if (n > 0) {
        ring->look = fcf_etcd_txn(ring->conf.etcd, cmp, n, NULL, 0, get, n,
                                  fca_look_compared, ring);
    }
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
    fca_look_values(ring);
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
