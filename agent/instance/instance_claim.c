/* CLAIMED: the smallest free slot of the function, by a transaction that
 * demands it absent.  An answer that was lost is found at the next listing,
 * by our worker_id in it. */

#include <stdlib.h>
#include <string.h>
#include "agent/instance/instance_int.h"
#include "agent/store/node.h"

static void
fca_claim_done(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_instance_t  *inst = arg;

    inst->call = NULL;

    if (err) {
        fca_inst_log(inst, FCF_LOG_WARN, "claiming a slot: %s", err->msg);
        inst->doubt = 1;
        fca_node_doubt(inst->agent->node);
        fca_put_later(inst);
        return;
    }

    if (!reply->succeeded) {
        fca_claim_again(inst);
        return;
    }

    inst->slot = inst->slot_tried;
    fca_instance_event(inst, FCA_E_CLAIM_OK, NULL);
}

static void
fca_claim_slot(fca_instance_t *inst, int k)
{
    char             key[FCF_KEY_MAX];
    fca_t           *agent = inst->agent;
    fcf_etcd_op_t    put;
    fcf_etcd_cmp_t   absent;

    inst->slot_tried = k;
    inst->slot_lease = fca_node_lease(agent->node);

    if (inst->slot_lease == 0) {
        fca_put_later(inst);
        return;
    }

    fcf_key_slot(key, agent->conf.prefix, inst->function_id, (unsigned) k);

    absent = (fcf_etcd_cmp_t) { .what = FCF_CMP_ABSENT, .key = key };
    put = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = key,
                            .value = inst->slot_value,
                            .value_len = strlen(inst->slot_value),
                            .lease = inst->slot_lease };

    inst->call = fcf_etcd_txn(agent->etcd, &absent, 1, &put, 1, NULL, 0,
                              fca_claim_done, inst);
    if (inst->call == NULL) {
        fca_put_later(inst);
    }
}

static void
fca_claim_refuse(fca_instance_t *inst, fcf_failure_e why)
{
    inst->refusal = why;
    fca_instance_event(inst, FCA_E_CLAIM_NO, NULL);
}

typedef enum { FCA_CLAIM_NONE = 0, FCA_CLAIM_OURS, FCA_CLAIM_DUPLICATE }
    fca_claim_e;

/* what one slot means to us; marks it in used */
static fca_claim_e
fca_claim_look(fca_instance_t *inst, const fcf_kv_t *kv, char *used)
{
    fcf_key_t   key;
    fcf_slot_t  slot;

    fcf_key_parse(&key, inst->agent->conf.prefix, kv->key, kv->key_len);

    if (key.kind != FCF_KEY_SLOT) {
        return FCA_CLAIM_NONE;
    }

    if (key.number >= 0 && key.number < inst->spec.max_instances) {
        used[key.number] = 1;
    }

    if (fcf_slot_decode(&slot, kv->value, kv->value_len, NULL) != 0) {
        return FCA_CLAIM_NONE;      /* taken, by whomever */
    }

    if (strcmp(slot.worker_id, inst->worker_id) == 0) {
        inst->slot = inst->slot_tried = (int) key.number;
        inst->slot_lease = kv->lease;
        return FCA_CLAIM_OURS;
    }

    return strcmp(slot.request_id, inst->request_id) == 0
           ? FCA_CLAIM_DUPLICATE : FCA_CLAIM_NONE;
}

static void
fca_claim_listed(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    int              k, max;
    char            *used;
    size_t           i;
    fca_claim_e      is;
    fca_instance_t  *inst = arg;

    inst->call = NULL;

    if (err) {
        fca_inst_log(inst, FCF_LOG_WARN, "reading the slots: %s", err->msg);
        fca_put_later(inst);
        return;
    }

    max = inst->spec.max_instances;
    used = calloc(1, (size_t) max + 1);
    if (used == NULL) {
        fca_put_later(inst);
        return;
    }

    is = FCA_CLAIM_NONE;

    for (i = 0; i < reply->nkvs && is == FCA_CLAIM_NONE; i++) {
        is = fca_claim_look(inst, &reply->kvs[i], used);
    }

    for (k = 0; k < max && used[k]; k++) { /* void */ }
    free(used);

    if (is == FCA_CLAIM_OURS) {
        fca_instance_event(inst, FCA_E_CLAIM_OK, NULL);

    } else if (is == FCA_CLAIM_DUPLICATE) {
        fca_claim_refuse(inst, FCF_FAILURE_DUPLICATE);

    } else if (k == max) {
        fca_claim_refuse(inst, FCF_FAILURE_AT_MAX);

    } else {
        fca_claim_slot(inst, k);
    }
}

void
fca_claim_again(fca_instance_t *inst)
{
    char     prefix[FCF_KEY_MAX];
    fca_t   *agent = inst->agent;

    if (inst->call) {
        return;
    }

    /* the key of slot 0 without its number */
    fcf_key_slot(prefix, agent->conf.prefix, inst->function_id, 0);
    prefix[strlen(prefix) - 1] = '\0';

    inst->call = fcf_etcd_list(agent->etcd, prefix, fca_claim_listed, inst);
    if (inst->call == NULL) {
        fca_put_later(inst);
    }
}

/* the instance may be gone when Redis answers */
static void
fca_claim_extended(fca_t *agent, uint64_t number, int pending)
{
    fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &agent->instances, link) {
        if (inst->number == number) {
            break;
        }
    }

    if (inst == NULL || inst->state != FCA_S_CLAIMED) {
        return;
    }

    if (pending) {
        fca_claim_again(inst);
    } else {
        fca_claim_refuse(inst, FCF_FAILURE_EXPIRED);
    }
}

void
fca_claim_start(fca_instance_t *inst)
{
    if (inst->job->ours) {
        fca_job_extend(inst->job, inst->number, fca_claim_extended);
        return;
    }

    fca_claim_again(inst);
}
