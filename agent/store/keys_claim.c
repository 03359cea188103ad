/* A free slot of the function, by a transaction that demands it absent: the
 * lowest of those that are kept (below min_instances), else any, so that many
 * nodes at once do not all try the same.  Where all are taken, a version that
 * has none gets one more, from number max_instances on, or no rollout could
 * begin; as long as one is taken there, there is one less below it.  The first
 * try demands that there be none at all, which is what most functions that
 * start have, and learns which there are.  An answer that was lost is found at
 * the next try, by our worker_id in a slot. */

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "agent/store/keys_int.h"

static void fca_claim_listed(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err);

static void
fca_claim_owned(fca_keys_t *keys)
{
    keys->slot = keys->slot_tried;
    keys->backoff = 0;
    fca_keys_whole(keys);
    keys->handler.owned(keys->handler.arg);
}

/* a claim's answer is not known, so that it may have been carried out */
static void
fca_claim_doubt(fca_keys_t *keys, const fcf_err_t *err)
{
    fca_log(FCF_LOG_WARN, &keys->log, "claiming a slot: %s", err->msg);
    keys->doubt = 1;
    fca_node_doubt(keys->ring->conf.node);
    fca_keys_later(keys);
}

/* below: the key of slot 0 without its number */
static void
fca_claim_prefix(const fca_keys_t *keys, char *below)
{
    fcf_key_slot(below, keys->ring->conf.prefix, keys->conf.function_id, 0);
    below[strlen(below) - 1] = '\0';
}

static void
fca_claim_list(fca_keys_t *keys)
{
    char  below[FCF_KEY_MAX];

    fca_claim_prefix(keys, below);

    keys->call = fcf_etcd_list(keys->ring->conf.etcd, below, fca_claim_listed,
                               keys);
    if (keys->call == NULL) {
        fca_keys_later(keys);
    }
}

static void
fca_claim_done(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_keys_t  *keys = arg;

    if (fca_keys_answered(keys, err)) {
        return;
    }

    if (err) {
        fca_claim_doubt(keys, err);

    } else if (reply->succeeded) {
        fca_claim_owned(keys);

    } else {
        fca_claim_list(keys);
    }
}

/* what there is came with the refusal, unless it is very much */
static void
fca_claim_first_done(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    if (!err && !reply->succeeded && reply->nkvs < FCF_ETCD_LIST_MAX) {
        fca_claim_listed(arg, reply, NULL);

    } else {
        fca_claim_done(arg, reply, err);
    }
}

/* first: there is to be no slot at all, else this one is to be free */
static void
fca_claim_slot(fca_keys_t *keys, int k, int first)
{
    char                       below[FCF_KEY_MAX];
    fcf_etcd_op_t              put, list;
    fcf_etcd_cmp_t             absent;
    const fca_keyring_conf_t  *conf = &keys->ring->conf;

    keys->slot_tried = k;
    keys->slot_lease = fca_node_lease(conf->node);
    fcf_key_slot(keys->slot_key, conf->prefix, keys->conf.function_id,
                 (unsigned) k);

    if (keys->slot_lease == 0) {
        fca_keys_later(keys);
        return;
    }

    fca_claim_prefix(keys, below);

    absent = (fcf_etcd_cmp_t) { .what = first ? FCF_CMP_NONE_BELOW
                                              : FCF_CMP_ABSENT,
                                .key = first ? below : keys->slot_key };
    list = (fcf_etcd_op_t) { .op = FCF_OP_LIST, .key = below };
    put = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = keys->slot_key,
                            .value = keys->slot_value,
                            .value_len = strlen(keys->slot_value),
                            .lease = keys->slot_lease };

    keys->call = fcf_etcd_txn(conf->etcd, &absent, 1, &put, 1, &list, !!first,
                              first ? fca_claim_first_done : fca_claim_done,
                              keys);
    if (keys->call == NULL) {
        fca_keys_later(keys);
    }
}

typedef struct {
    char  *used;                        /* by number */
    int    size;                        /* more than max_instances, and than
                                           there may be above it */
    int    taken;                       /* all */
    int    above;                       /* of them, at max_instances or more */
    int    ours;                        /* of our version */
} fca_slots_t;

typedef enum { FCA_CLAIM_NONE = 0, FCA_CLAIM_OURS, FCA_CLAIM_DUPLICATE }
    fca_claim_e;

/* what one slot means to us; marks and counts it */
static fca_claim_e
fca_claim_look(fca_keys_t *keys, const fcf_kv_t *kv, fca_slots_t *slots)
{
    fcf_key_t   key;
    fcf_slot_t  slot;

    fcf_key_parse(&key, keys->ring->conf.prefix, kv->key, kv->key_len);

    if (key.kind != FCF_KEY_SLOT) {
        return FCA_CLAIM_NONE;
    }

    slots->taken++;

    slots->above += key.number >= keys->conf.max_instances;

    if (key.number >= 0 && key.number < slots->size) {
        slots->used[key.number] = 1;
    }

    if (fcf_slot_decode(&slot, kv->value, kv->value_len, NULL) != 0) {
        return FCA_CLAIM_NONE;      /* taken, by whomever */
    }

    slots->ours += slot.version == keys->conf.version;

    if (strcmp(slot.worker_id, keys->conf.worker_id) == 0) {
        keys->slot = keys->slot_tried = (int) key.number;
        keys->slot_lease = kv->lease;
        fcf_key_slot(keys->slot_key, keys->ring->conf.prefix,
                     keys->conf.function_id, (unsigned) key.number);
        return FCA_CLAIM_OURS;
    }

    return strcmp(slot.request_id, keys->conf.request_id) == 0
           ? FCA_CLAIM_DUPLICATE : FCA_CLAIM_NONE;
}

/* max: none is free */
static int
fca_claim_pick(const char *used, int min, int max)
{
    int       k, n;
    uint32_t  random;

    for (k = 0; k < max && k < min; k++) {
        if (!used[k]) {
            return k;
        }
    }

    for (n = 0; k < max; k++) {
        n += !used[k];
    }

    if (n == 0) {
        return max;
    }

    /* without chance it is the highest */
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK)
        != (ssize_t) sizeof(random))
    {
        random = 0;
    }

    for (n = (int) (random % (uint32_t) n), k = max - 1; n || used[k]; k--) {
        n -= !used[k];
    }

    return k;
}

/* which one may be had; -1: none */
static int
fca_claim_choose(const fca_keys_t *keys, const fca_slots_t *slots)
{
    int  k, max, room;

    max = keys->conf.max_instances;
    room = slots->above < max ? max - slots->above : 0;
    k = slots->taken < max
        ? fca_claim_pick(slots->used, keys->conf.min_instances, room) : room;

    if (k < room) {
        return k;
    }

    /* some may lie above a max that was lowered since */
    for (k = max; slots->used[k]; k++) { /* void */ }

    return slots->taken <= max && slots->ours == 0 ? k : -1;
}

static void
fca_claim_listed(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    int           k;
    size_t        i;
    fca_keys_t   *keys = arg;
    fca_claim_e   is;
    fca_slots_t   slots;

    if (fca_keys_answered(keys, err)) {
        return;
    }

    if (err) {
        fca_log(FCF_LOG_WARN, &keys->log, "reading the slots: %s", err->msg);
        fca_keys_later(keys);
        return;
    }

    memset(&slots, 0, sizeof(slots));
    slots.size = keys->conf.max_instances + (int) reply->nkvs + 1;
    slots.used = calloc(1, (size_t) slots.size);
    if (slots.used == NULL) {
        fca_keys_later(keys);
        return;
    }

    is = FCA_CLAIM_NONE;

    for (i = 0; i < reply->nkvs && is == FCA_CLAIM_NONE; i++) {
        is = fca_claim_look(keys, &reply->kvs[i], &slots);
    }

    k = fca_claim_choose(keys, &slots);
    free(slots.used);

    if (is == FCA_CLAIM_OURS) {
        keys->backoff = 0;
        keys->handler.owned(keys->handler.arg);

    } else if (is == FCA_CLAIM_DUPLICATE) {
        keys->handler.refused(keys->handler.arg, FCF_FAILURE_DUPLICATE);

    } else if (k < 0) {
        keys->handler.refused(keys->handler.arg, FCF_FAILURE_AT_MAX);

    } else {
        fca_claim_slot(keys, k, 0);
    }
}

void
fca_keys_claim(fca_keys_t *keys)
{
    int    k;
    char  *used;

    if (keys->call) {
        return;
    }

    if (keys->doubt) {
        fca_claim_list(keys);           /* the one tried may be ours */
        return;
    }

    used = calloc(1, (size_t) keys->conf.max_instances + 1);
    if (used == NULL) {
        fca_keys_later(keys);
        return;
    }

    k = fca_claim_pick(used, keys->conf.min_instances,
                       keys->conf.max_instances);
    free(used);

    if (k == keys->conf.max_instances) {
        fca_claim_list(keys);           /* none may be: which says so */
    } else {
        fca_claim_slot(keys, k, 1);
    }
}
