/* What an instance says to etcd, and hears from there (store/keys.h). */

#include <arpa/inet.h>
#include <string.h>
#include "agent/instance/instance_int.h"

static void
fca_keys_owned(void *arg)
{
    fca_instance_event(arg, FCA_E_CLAIM_OK, NULL);
}

static void
fca_keys_refused(void *arg, fcf_failure_e why)
{
    fca_instance_t  *inst = arg;

    inst->refusal = why;
    fca_instance_event(inst, FCA_E_CLAIM_NO, NULL);
}

static void
fca_keys_are_put(void *arg)
{
    fca_instance_event(arg, FCA_E_PUT, NULL);
}

static void
fca_keys_lost(void *arg)
{
    fca_instance_event(arg, FCA_E_SLOT_LOST, NULL);
}

int
fca_inst_keys(fca_instance_t *inst, fcf_err_t *err)
{
    fca_keys_conf_t     conf = {
        .function_id = inst->function_id, .request_id = inst->request_id,
        .worker_id = inst->worker_id, .version = inst->spec.version,
        .min_instances = inst->spec.min_instances,
        .max_instances = inst->spec.max_instances,
    };
    fca_keys_handler_t  handler = { fca_keys_owned, fca_keys_refused,
                                    fca_keys_are_put, fca_keys_lost, inst };

    inst->keys = fca_keys_new(inst->all->keyring, &conf, &handler, err);

    return inst->keys ? 0 : -1;
}

static char *
fca_inst_value(const fca_instance_t *inst)
{
    char            *text;
    fcf_instance_t   value;
    struct in_addr   addr = fca_conf_tell(inst->all->conf);

    memset(&value, 0, sizeof(value));

    inet_ntop(AF_INET, &addr, value.worker_ip, sizeof(value.worker_ip));
    inet_ntop(AF_INET, &inst->nic.address, value.internal_vm_ip,
              sizeof(value.internal_vm_ip));
    value.proxy_port = (int) inst->port;
    value.version = inst->spec.version;
    value.concurrency = inst->spec.concurrency;
    value.state = inst->put_state;
    value.started_ms = inst->started_ms;

    text = fcf_instance_encode(&value);
    if (text == NULL) {
        fca_inst_log(inst, FCF_LOG_ERROR, "no memory for its key");
    }

    return text;
}

/* out of memory: etcd keeps what it has, and the state's timeout decides */
void
fca_inst_put(fca_instance_t *inst, fcf_instance_state_e state)
{
    char  *value;

    inst->put_state = state;

    value = fca_inst_value(inst);
    if (value) {
        fca_keys_put(inst->keys, value);
    }
}

static void
fca_inst_unput_done(void *job)
{
    fca_job_back_tried(job);
}

/* A job that goes back does so after the slot: another node that took it
 * before would find it there, and believe the job a duplicate. */
void
fca_inst_unput(fca_instance_t *inst)
{
    char       *goodbye = NULL;
    fca_job_t  *job = inst->job;

    if (inst->keys == NULL) {
        return;
    }

    if (inst->graceful) {
        inst->put_state = FCF_INSTANCE_DRAINING;
        goodbye = fca_inst_value(inst);
    }

    fca_keys_end(inst->keys, goodbye, job ? fca_inst_unput_done : NULL, job);
    inst->keys = NULL;
    inst->job = NULL;
}

static void
fca_claim_begin(fca_instance_t *inst)
{
    fca_keys_claim(inst->keys);
    fca_inst_env(inst);

    if (inst->state == FCA_S_CLAIMED && inst->nic_state == FCA_NIC_NONE) {
        fca_inst_nic(inst);
    }
}

/* the instance may be gone when Redis answers */
static void
fca_claim_extended(void *arg, uint64_t number, int pending)
{
    fca_instance_t   *inst;
    fca_instances_t  *all = arg;

    TAILQ_FOREACH(inst, &all->list, link) {
        if (inst->number == number) {
            break;
        }
    }

    if (inst == NULL || inst->state != FCA_S_CLAIMED) {
        return;
    }

    if (pending) {
        fca_claim_begin(inst);
    } else {
        fca_keys_refused(inst, FCF_FAILURE_EXPIRED);
    }
}

void
fca_inst_claim(fca_instance_t *inst)
{
    if (inst->job->ours) {
        fca_job_extend(inst->job, inst->number, fca_claim_extended,
                       inst->all);
        return;
    }

    fca_claim_begin(inst);
}
