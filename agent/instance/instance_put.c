/*
 * An instance's keys in etcd: its slot, and once it serves its own key, put
 * together by a transaction that demands the slot still (or again) ours.  So
 * a put that is carried out late, after the deletion that followed it, finds
 * the slot gone and changes nothing.
 */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "agent/instance/instance_int.h"
#include "agent/store/node.h"

/* how much later than a deletion a put before it may be carried out */
#define FCA_UNPUT_AGAIN_MS  2000

struct fca_unput_s {
    TAILQ_ENTRY(fca_unput_s)   link;
    fca_t                     *agent;
    fcf_timer_t               *timer;
    fcf_etcd_call_t           *call;
    unsigned                   backoff;
    int                        twice;   /* a put may come after this */
    char                      *slot_value;
    char                      *goodbye; /* to be put first; NULL: not, or is */
    char                       slot[FCF_KEY_MAX], instance[FCF_KEY_MAX];
};

static void fca_put_txn(fca_instance_t *inst, int absent);

void
fca_put_later(fca_instance_t *inst)
{
    inst->backoff = inst->backoff ? inst->backoff * 2 : FCA_BACKOFF_MIN_MS;
    if (inst->backoff > FCA_BACKOFF_MAX_MS) {
        inst->backoff = FCA_BACKOFF_MAX_MS;
    }

    inst->agent->loop.timer_set(inst->retry, inst->backoff);
}

static void
fca_put_result(fca_instance_t *inst, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err, int absent)
{
    const fcf_kv_t  *kv;

    inst->call = NULL;

    if (err) {
        fca_inst_log(inst, FCF_LOG_WARN, "putting into etcd: %s", err->msg);
        inst->doubt = 1;
        inst->slot_lease = 0;           /* not known: put it again */
        fca_node_doubt(inst->agent->node);
        fca_put_later(inst);
        return;
    }

    inst->backoff = 0;

    if (reply->succeeded) {
        inst->doubt = 0;

        if (inst->put_wanted) {
            fca_put(inst);
        } else {
            fca_instance_event(inst, FCA_E_PUT, NULL);
        }

        return;
    }

    if (reply->nkvs == 0) {
        /* gone with the lost lease; free for who comes first */
        fca_put_txn(inst, 1);
        return;
    }

    kv = &reply->kvs[0];

    if (absent && kv->value_len == strlen(inst->slot_value)
        && memcmp(kv->value, inst->slot_value, kv->value_len) == 0)
    {
        fca_put_txn(inst, 0);
        return;
    }

    fca_inst_log(inst, FCF_LOG_WARN, "slot %d belongs to %.*s now",
                 inst->slot, (int) kv->value_len, kv->value);
    fca_instance_event(inst, FCA_E_SLOT_LOST, NULL);
}

static void
fca_put_done_ours(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_put_result(arg, reply, err, 0);
}

static void
fca_put_done_absent(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_put_result(arg, reply, err, 1);
}

static char *
fca_put_value(const fca_instance_t *inst)
{
    fcf_instance_t   value;
    const fca_t     *agent = inst->agent;

    memset(&value, 0, sizeof(value));

    inet_ntop(AF_INET, &agent->conf.advertise, value.worker_ip,
              sizeof(value.worker_ip));
    inet_ntop(AF_INET, &inst->nic.address, value.internal_vm_ip,
              sizeof(value.internal_vm_ip));
    value.proxy_port = (int) inst->port;
    value.version = inst->spec.version;
    value.concurrency = inst->spec.concurrency;
    value.state = inst->put_state;
    value.started_ms = inst->started_ms;

    return fcf_instance_encode(&value);
}

static void
fca_put_txn(fca_instance_t *inst, int absent)
{
    char             slot[FCF_KEY_MAX], key[FCF_KEY_MAX], *value;
    size_t           n;
    fca_t           *agent = inst->agent;
    int64_t          lease;
    fcf_etcd_op_t    puts[2], get;
    fcf_etcd_cmp_t   cmp;

    lease = fca_node_lease(agent->node);
    if (lease == 0) {
        return;             /* fca_instances_put() comes with the next one */
    }

    fcf_key_slot(slot, agent->conf.prefix, inst->function_id,
                 (unsigned) inst->slot);
    fcf_key_instance(key, agent->conf.prefix, inst->function_id,
                     inst->worker_id);

    cmp = (fcf_etcd_cmp_t) { .what = absent ? FCF_CMP_ABSENT
                                            : FCF_CMP_VALUE_IS,
                             .key = slot, .value = inst->slot_value,
                             .value_len = strlen(inst->slot_value) };
    get = (fcf_etcd_op_t) { .op = FCF_OP_GET, .key = slot };
    n = 0;
    value = NULL;

    if (absent || inst->slot_lease != lease) {
        puts[n++] = (fcf_etcd_op_t) {
            .op = FCF_OP_PUT, .key = slot, .value = inst->slot_value,
            .value_len = strlen(inst->slot_value), .lease = lease };
    }

    if (inst->state >= FCA_S_READY) {
        value = fca_put_value(inst);
        if (value == NULL) {
            fca_put_later(inst);
            return;
        }

        inst->in_etcd = 1;
        puts[n++] = (fcf_etcd_op_t) {
            .op = FCF_OP_PUT, .key = key, .value = value,
            .value_len = strlen(value), .lease = lease };
    }

    inst->put_wanted = 0;
    inst->call = fcf_etcd_txn(agent->etcd, &cmp, 1, puts, n, &get, 1,
                              absent ? fca_put_done_absent
                                     : fca_put_done_ours, inst);
    free(value);

    if (inst->call == NULL) {
        fca_put_later(inst);
        return;
    }

    inst->slot_lease = lease;
}

void
fca_put(fca_instance_t *inst)
{
    if (inst->call) {
        inst->put_wanted = 1;
        return;
    }

    fca_put_txn(inst, 0);
}

void
fca_put_cancel(fca_instance_t *inst)
{
    inst->agent->loop.timer_stop(inst->retry);

    if (inst->call) {
        fcf_etcd_cancel(inst->call);
        inst->call = NULL;
    }
}

static void
fca_unput_free(fca_unput_t *unput)
{
    TAILQ_REMOVE(&unput->agent->unputs, unput, link);

    if (unput->call) {
        fcf_etcd_cancel(unput->call);
    }

    if (unput->timer) {
        unput->agent->loop.timer_free(unput->timer);
    }

    free(unput->slot_value);
    free(unput->goodbye);
    free(unput);
}

static void
fca_unput_later(fca_unput_t *unput, const fcf_err_t *err)
{
    if (unput->backoff == 0) {
        fca_log(FCF_LOG_WARN, NULL, "deleting %s: %s; trying again",
                unput->instance, err->msg);
    }

    unput->backoff = unput->backoff ? unput->backoff * 2 : FCA_BACKOFF_MIN_MS;
    if (unput->backoff > FCA_BACKOFF_MAX_MS) {
        unput->backoff = FCA_BACKOFF_MAX_MS;
    }

    unput->agent->loop.timer_set(unput->timer, unput->backoff);
}

static void
fca_unput_done(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    fca_unput_t  *unput = arg;

    (void) reply;
    unput->call = NULL;

    if (err == NULL && unput->twice) {
        unput->twice = 0;
        unput->backoff = 0;
        unput->agent->loop.timer_set(unput->timer, FCA_UNPUT_AGAIN_MS);
        return;
    }

    if (err == NULL) {
        fca_unput_free(unput);
        return;
    }

    fca_unput_later(unput, err);
}

/* The slot only if it is ours; the instance's key is nobody else's ever. */
static void
fca_unput_delete(fca_unput_t *unput)
{
    fcf_etcd_op_t    del[2];
    fcf_etcd_cmp_t   ours;

    ours = (fcf_etcd_cmp_t) { .what = FCF_CMP_VALUE_IS, .key = unput->slot,
                              .value = unput->slot_value,
                              .value_len = strlen(unput->slot_value) };
    del[0] = (fcf_etcd_op_t) { .op = FCF_OP_DELETE, .key = unput->instance };
    del[1] = (fcf_etcd_op_t) { .op = FCF_OP_DELETE, .key = unput->slot };

    unput->call = fcf_etcd_txn(unput->agent->etcd, &ours, 1, del, 2, del, 1,
                               fca_unput_done, unput);
    if (unput->call == NULL) {
        unput->agent->loop.timer_set(unput->timer, FCA_BACKOFF_MAX_MS);
    }
}

static void
fca_unput_goodbye_done(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_unput_t  *unput = arg;

    (void) reply;
    unput->call = NULL;

    if (err) {
        fca_unput_later(unput, err);
        return;
    }

    free(unput->goodbye);
    unput->goodbye = NULL;
    unput->backoff = 0;
    fca_unput_delete(unput);
}

/* Gateways cut what waits for an instance whose key vanishes, for so does a
 * dead node's; not so if it was draining.  Without a lease the key is gone,
 * or goes with it; carried out late the put finds no key and does nothing. */
static void
fca_unput_send(void *arg)
{
    int64_t          lease;
    fca_unput_t     *unput = arg;
    fcf_etcd_op_t    put;
    fcf_etcd_cmp_t   there;

    lease = fca_node_lease(unput->agent->node);

    if (unput->goodbye == NULL || lease == 0) {
        fca_unput_delete(unput);
        return;
    }

    there = (fcf_etcd_cmp_t) { .what = FCF_CMP_PRESENT,
                               .key = unput->instance };
    put = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = unput->instance,
                            .value = unput->goodbye,
                            .value_len = strlen(unput->goodbye),
                            .lease = lease };

    unput->call = fcf_etcd_txn(unput->agent->etcd, &there, 1, &put, 1, NULL, 0,
                               fca_unput_goodbye_done, unput);
    if (unput->call == NULL) {
        unput->agent->loop.timer_set(unput->timer, FCA_BACKOFF_MAX_MS);
    }
}

/* Goes on by itself, whatever becomes of the instance.  A put whose answer
 * was not waited for may lie in etcd's socket still, and demand that the slot
 * be absent: then what it made is deleted by the second time. */
void
fca_unput(fca_instance_t *inst)
{
    int           k, doubt;
    fca_t        *agent = inst->agent;
    fca_unput_t  *unput;

    doubt = inst->doubt || inst->call;
    fca_put_cancel(inst);

    k = inst->slot >= 0 ? inst->slot : inst->slot_tried;
    if (k < 0) {
        return;
    }

    inst->slot = inst->slot_tried = -1;

    unput = calloc(1, sizeof(*unput));
    if (unput == NULL) {
        fca_inst_log(inst, FCF_LOG_ERROR, "no memory to delete its keys");
        return;
    }

    unput->agent = agent;
    unput->twice = doubt;
    TAILQ_INSERT_TAIL(&agent->unputs, unput, link);

    unput->slot_value = strdup(inst->slot_value);
    unput->timer = agent->loop.timer_new(&agent->loop, fca_unput_send, unput);

    if (inst->graceful && inst->in_etcd) {
        inst->put_state = FCF_INSTANCE_DRAINING;
        unput->goodbye = fca_put_value(inst);
    }

    if (!unput->slot_value || !unput->timer) {
        fca_inst_log(inst, FCF_LOG_ERROR, "no memory to delete its keys");
        fca_unput_free(unput);
        return;
    }

    fcf_key_slot(unput->slot, agent->conf.prefix, inst->function_id,
                 (unsigned) k);
    fcf_key_instance(unput->instance, agent->conf.prefix, inst->function_id,
                     inst->worker_id);
    fca_unput_send(unput);
}

int
fca_unputs_pending(const fca_t *agent)
{
    return !TAILQ_EMPTY(&agent->unputs);
}

void
fca_unputs_free(fca_t *agent)
{
    fca_unput_t  *unput;

    while ((unput = TAILQ_FIRST(&agent->unputs)) != NULL) {
        fca_unput_free(unput);
    }
}
