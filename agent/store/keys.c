#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/loop.h"
#include "agent/store/keys_int.h"
#include "client/fcf_backoff.h"

typedef enum { FCA_SLOT_OURS, FCA_SLOT_ABSENT, FCA_SLOT_RUBBISH } fca_slot_e;

static void fca_keys_txn(fca_keys_t *keys, fca_slot_e slot,
    const fcf_kv_t *rubbish);

void
fca_keys_later(fca_keys_t *keys)
{
    keys->ring->conf.loop->timer_set(keys->timer,
                                     fcf_backoff(++keys->backoff,
                                                 FCA_BACKOFF_MAX_MS));
}

static void
fca_keys_result(fca_keys_t *keys, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err, int absent)
{
    fcf_slot_t       slot;
    const fcf_kv_t  *kv;

    if (fca_keys_answered(keys, err)) {
        return;
    }

    if (err) {
        fca_keys_turn_over(keys);
        fca_log(FCF_LOG_WARN, &keys->log, "putting into etcd: %s", err->msg);
        keys->doubt = 1;
        keys->slot_lease = 0;           /* not known: put it again */
        fca_node_doubt(keys->ring->conf.node);
        fca_keys_later(keys);
        return;
    }

    keys->backoff = 0;

    if (reply->succeeded) {
        keys->doubt = 0;
        keys->revision = reply->revision;
        fca_keys_whole(keys);

        if (keys->put_wanted) {
            fca_keys_put(keys, NULL);
        } else {
            fca_keys_turn_over(keys);
            keys->handler.put(keys->handler.arg);
        }

        return;
    }

    if (reply->nkvs == 0) {
        /* gone with the lost lease; free for who comes first */
        fca_keys_txn(keys, FCA_SLOT_ABSENT, NULL);
        return;
    }

    kv = &reply->kvs[0];

    if (absent && kv->value_len == strlen(keys->slot_value)
        && memcmp(kv->value, keys->slot_value, kv->value_len) == 0)
    {
        fca_keys_txn(keys, FCA_SLOT_OURS, NULL);
        return;
    }

    if (fcf_slot_decode(&slot, kv->value, kv->value_len, NULL) != 0) {
        fca_keys_txn(keys, FCA_SLOT_RUBBISH, kv);
        return;
    }

    fca_keys_turn_over(keys);
    fca_log(FCF_LOG_WARN, &keys->log, "slot %d belongs to %.*s now",
            keys->slot, (int) kv->value_len, kv->value);
    keys->handler.lost(keys->handler.arg);
}

static void
fca_keys_done_ours(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_keys_result(arg, reply, err, 0);
}

static void
fca_keys_done_absent(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_keys_result(arg, reply, err, 1);
}

/* slot: what is expected there, and replaced */
static void
fca_keys_txn(fca_keys_t *keys, fca_slot_e slot, const fcf_kv_t *rubbish)
{
    size_t                     n;
    int64_t                    lease;
    fcf_etcd_op_t              puts[2], get;
    fcf_etcd_cmp_t             cmp;
    const fca_keyring_conf_t  *conf = &keys->ring->conf;

    lease = fca_node_lease(conf->node);
    if (lease == 0) {
        fca_keys_turn_over(keys);
        return;             /* they are put again with the next one */
    }

    if (!fca_keys_turn(keys)) {
        return;
    }

    cmp = (fcf_etcd_cmp_t) { .what = slot == FCA_SLOT_ABSENT
                                     ? FCF_CMP_ABSENT : FCF_CMP_VALUE_IS,
                             .key = keys->slot_key,
                             .value = rubbish ? rubbish->value
                                              : keys->slot_value,
                             .value_len = rubbish
                                          ? rubbish->value_len
                                          : strlen(keys->slot_value) };
    get = (fcf_etcd_op_t) { .op = FCF_OP_GET, .key = keys->slot_key };
    n = 0;

    if (slot != FCA_SLOT_OURS || keys->slot_lease != lease) {
        puts[n++] = (fcf_etcd_op_t) {
            .op = FCF_OP_PUT, .key = keys->slot_key,
            .value = keys->slot_value,
            .value_len = strlen(keys->slot_value), .lease = lease };
    }

    if (keys->value) {
        keys->in_etcd = 1;
        puts[n++] = (fcf_etcd_op_t) {
            .op = FCF_OP_PUT, .key = keys->key, .value = keys->value,
            .value_len = strlen(keys->value), .lease = lease };
    }

    keys->put_wanted = 0;
    keys->whole = 0;
    keys->call = fcf_etcd_txn(conf->etcd, &cmp, 1, puts, n, &get, 1,
                              slot == FCA_SLOT_ABSENT ? fca_keys_done_absent
                                                      : fca_keys_done_ours,
                              keys);
    if (keys->call == NULL) {
        fca_keys_turn_over(keys);
        fca_keys_later(keys);
        return;
    }

    keys->slot_lease = lease;
}

void
fca_keys_put(fca_keys_t *keys, char *value)
{
    if (value) {
        free(keys->value);
        keys->value = value;
    }

    if (keys->call) {
        keys->put_wanted = 1;
        return;
    }

    fca_keys_txn(keys, FCA_SLOT_OURS, NULL);
}

/* The lease is not known, so that the first put renews the slot too; the
 * instance's key may be there, and is deleted with it. */
void
fca_keys_adopt(fca_keys_t *keys, int slot)
{
    keys->slot = keys->slot_tried = slot;
    keys->in_etcd = 1;
    fcf_key_slot(keys->slot_key, keys->ring->conf.prefix,
                 keys->conf.function_id, (unsigned) slot);
}

void
fca_keys_whole(fca_keys_t *keys)
{
    keys->whole = 1;
    keys->looks = keys->ring->looks;
}

int
fca_keys_busy(const fca_keys_t *keys)
{
    return keys->call != NULL || keys->waiting;
}

int
fca_keys_stale(const fca_keys_t *keys)
{
    return keys->slot_lease != fca_node_lease(keys->ring->conf.node);
}

int
fca_keys_slot(const fca_keys_t *keys)
{
    return keys->slot;
}

int64_t
fca_keys_lease(const fca_keys_t *keys)
{
    return keys->slot_lease;
}

int64_t
fca_keys_revision(const fca_keys_t *keys)
{
    return keys->revision;
}

static void
fca_keys_timer(void *arg)
{
    fca_keys_t  *keys = arg;

    if (keys->ending) {
        fca_keys_end_send(keys);

    } else if (keys->slot < 0) {
        fca_keys_claim(keys);

    } else {
        fca_keys_put(keys, NULL);
    }
}

fca_keys_t *
fca_keys_new(fca_keyring_t *ring, const fca_keys_conf_t *conf,
    const fca_keys_handler_t *handler, fcf_err_t *err)
{
    fcf_slot_t   slot;
    fca_keys_t  *keys;
    fcf_loop_t  *loop = ring->conf.loop;

    memset(&slot, 0, sizeof(slot));
    snprintf(slot.worker_id, sizeof(slot.worker_id), "%s", conf->worker_id);
    snprintf(slot.request_id, sizeof(slot.request_id), "%s",
             conf->request_id);
    slot.version = conf->version;

    keys = calloc(1, sizeof(*keys));

    if (keys) {
        keys->ring = ring;
        keys->conf = *conf;
        keys->handler = *handler;
        keys->log = (fca_log_ctx_t) { conf->function_id, conf->request_id,
                                      conf->worker_id };
        keys->slot = keys->slot_tried = -1;

        if (TAILQ_EMPTY(&ring->living)) {
            loop->timer_set(ring->timer, 0);
        }

        TAILQ_INSERT_TAIL(&ring->living, keys, link);
        fcf_key_instance(keys->key, ring->conf.prefix, conf->function_id,
                         conf->worker_id);

        keys->slot_value = fcf_slot_encode(&slot);
        keys->timer = loop->timer_new(loop, fca_keys_timer, keys);

        if (keys->slot_value && keys->timer) {
            return keys;
        }

        fca_keys_free(keys);
    }

    fcf_err_set(err, FCF_E_NOMEM, "no memory for a VM's keys");

    return NULL;
}

void
fca_keys_free(fca_keys_t *keys)
{
    if (keys->ending) {
        TAILQ_REMOVE(&keys->ring->ending, keys, link);
    } else {
        TAILQ_REMOVE(&keys->ring->living, keys, link);
    }

    if (keys->call) {
        fcf_etcd_cancel(keys->call);
    }

    fca_keys_turn_leave(keys);
    fca_keys_turn_over(keys);

    if (keys->timer) {
        keys->ring->conf.loop->timer_free(keys->timer);
    }

    free(keys->slot_value);
    free(keys->value);
    free(keys->goodbye);
    free(keys);
}

fca_keyring_t *
fca_keyring_new(const fca_keyring_conf_t *conf, fcf_err_t *err)
{
    fca_keyring_t  *ring;

    ring = calloc(1, sizeof(*ring));
    if (ring) {
        ring->timer = conf->loop->timer_new(conf->loop, fca_keys_look, ring);
    }

    if (ring == NULL || ring->timer == NULL) {
        free(ring);
        fcf_err_set(err, FCF_E_NOMEM, "no memory for keys");
        return NULL;
    }

    ring->conf = *conf;
    TAILQ_INIT(&ring->living);
    TAILQ_INIT(&ring->ending);
    TAILQ_INIT(&ring->turn);

    return ring;
}

int
fca_keyring_pending(const fca_keyring_t *ring)
{
    return !TAILQ_EMPTY(&ring->ending);
}

void
fca_keyring_free(fca_keyring_t *ring)
{
    fca_keys_t  *keys;

    if (ring == NULL) {
        return;
    }

    while ((keys = TAILQ_FIRST(&ring->ending)) != NULL) {
        fca_keys_free(keys);
    }

    if (ring->look) {
        fcf_etcd_cancel(ring->look);
    }

    ring->conf.loop->timer_free(ring->timer);
    free(ring);
}
