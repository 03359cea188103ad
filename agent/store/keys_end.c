/* A VM's keys are deleted, whatever becomes of the VM meanwhile. */

#include <stdlib.h>
#include <string.h>
#include "agent/base/loop.h"
#include "agent/store/keys_int.h"

/* how much later than a deletion a put before it may be carried out */
#define FCA_END_AGAIN_MS  2000

static void
fca_end_failed(fca_keys_t *keys, const fcf_err_t *err)
{
    fca_keys_turn_over(keys);

    if (keys->backoff == 0) {
        fca_log(FCF_LOG_WARN, NULL, "deleting %s: %s; trying again",
                keys->key, err->msg);
    }

    fca_keys_later(keys);
}

static void
fca_end_gone(fca_keys_t *keys)
{
    void  (*gone)(void *arg) = keys->gone;

    if (gone) {
        keys->gone = NULL;
        gone(keys->gone_arg);
    }
}

static void
fca_end_done(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    fca_keys_t  *keys = arg;

    (void) reply;
    keys->call = NULL;

    if (err) {
        fca_end_failed(keys, err);
        return;
    }

    if (keys->twice) {
        fca_keys_turn_over(keys);
        keys->twice = 0;
        keys->backoff = 0;
        keys->ring->conf.loop->timer_set(keys->timer, FCA_END_AGAIN_MS);
        return;
    }

    fca_end_gone(keys);
    fca_keys_free(keys);
}

/* The slot only if it is ours; the instance's key is nobody else's ever. */
static void
fca_end_delete(fca_keys_t *keys)
{
    fcf_etcd_op_t    del[2];
    fcf_etcd_cmp_t   ours;

    ours = (fcf_etcd_cmp_t) { .what = FCF_CMP_VALUE_IS, .key = keys->slot_key,
                              .value = keys->slot_value,
                              .value_len = strlen(keys->slot_value) };
    del[0] = (fcf_etcd_op_t) { .op = FCF_OP_DELETE, .key = keys->key };
    del[1] = (fcf_etcd_op_t) { .op = FCF_OP_DELETE, .key = keys->slot_key };

    keys->call = fcf_etcd_txn(keys->ring->conf.etcd, &ours, 1, del, 2, del, 1,
                              fca_end_done, keys);
    if (keys->call == NULL) {
        fca_keys_turn_over(keys);
        keys->ring->conf.loop->timer_set(keys->timer, FCA_BACKOFF_MAX_MS);
    }
}

static void
fca_end_goodbye_said(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_keys_t  *keys = arg;

    (void) reply;
    keys->call = NULL;

    if (err) {
        fca_end_failed(keys, err);
        return;
    }

    free(keys->goodbye);
    keys->goodbye = NULL;
    keys->backoff = 0;
    fca_end_delete(keys);
}

/* Gateways cut what waits for an instance whose key vanishes, for so does a
 * dead node's; not so if it was draining.  Without a lease the key is gone,
 * or goes with it; carried out late the put finds no key and does nothing. */
void
fca_keys_end_send(fca_keys_t *keys)
{
    int64_t          lease;
    fcf_etcd_op_t    put;
    fcf_etcd_cmp_t   there;

    if (keys->slot_tried < 0) {
        fca_end_gone(keys);
        fca_keys_free(keys);
        return;
    }

    if (!fca_keys_turn(keys)) {
        return;
    }

    lease = fca_node_lease(keys->ring->conf.node);

    if (keys->goodbye == NULL || lease == 0) {
        fca_end_delete(keys);
        return;
    }

    there = (fcf_etcd_cmp_t) { .what = FCF_CMP_PRESENT, .key = keys->key };
    put = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = keys->key,
                            .value = keys->goodbye,
                            .value_len = strlen(keys->goodbye),
                            .lease = lease };

    keys->call = fcf_etcd_txn(keys->ring->conf.etcd, &there, 1, &put, 1, NULL,
                              0, fca_end_goodbye_said, keys);
    if (keys->call == NULL) {
        fca_keys_turn_over(keys);
        keys->ring->conf.loop->timer_set(keys->timer, FCA_BACKOFF_MAX_MS);
    }
}

/* Of those that end nothing but this counts: is it over, or lost on its way? */
int
fca_keys_answered(fca_keys_t *keys, const fcf_err_t *err)
{
    keys->call = NULL;

    if (!keys->ending) {
        return 0;
    }

    keys->twice |= err != NULL;
    fca_keys_end_send(keys);

    return 1;
}

/* A put that is under way demands, maybe, that the slot be absent: carried out
 * after the deletion it would make it anew, and who took the job meanwhile
 * would find it there.  So its answer comes first; one that was lost may lie
 * in etcd's socket still, and what it makes is deleted by the second time. */
void
fca_keys_end(fca_keys_t *keys, char *goodbye, void (*gone)(void *arg),
    void *arg)
{
    keys->twice = keys->doubt;
    keys->goodbye = goodbye;
    keys->gone = gone;
    keys->gone_arg = arg;
    keys->backoff = 0;
    memset(&keys->conf, 0, sizeof(keys->conf));
    memset(&keys->log, 0, sizeof(keys->log));
    keys->ring->conf.loop->timer_stop(keys->timer);

    if (!keys->in_etcd) {
        free(keys->goodbye);
        keys->goodbye = NULL;
    }

    TAILQ_REMOVE(&keys->ring->living, keys, link);
    keys->ending = 1;
    TAILQ_INSERT_TAIL(&keys->ring->ending, keys, link);

    if (keys->call) {
        return;
    }

    if (keys->slot_tried < 0) {
        keys->ring->conf.loop->timer_set(keys->timer, 0);
    } else {
        fca_keys_end_send(keys);
    }
}
