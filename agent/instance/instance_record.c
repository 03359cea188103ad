/* An instance's record on disk, kept up with what happens to it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/instance/ahead.h"
#include "agent/instance/record.h"
#include "agent/instance/template.h"

static void
fca_record_written(void *arg, const fcf_err_t *err)
{
    fca_instance_t  *inst = arg;

    /* what the last one says is true enough: the next agent asks the VMM, the
     * proxy and etcd */
    if (err && inst->state != FCA_S_STOPPING && !inst->record_said) {
        inst->record_said = 1;
        fca_inst_log(inst, FCF_LOG_WARN, "its record is behind: %s",
                     err->msg);
    }

    if (inst->graceful && inst->state < FCA_S_STOPPING) {
        fca_inst_job_done(inst);
    }

    if (inst->state == FCA_S_STOPPING || inst->state == FCA_S_FALLBACK) {
        fca_instance_event(inst, FCA_E_STEP, NULL);
    }
}

char *
fca_inst_record_text(const fca_instance_t *inst, fca_instance_state_e state)
{
    uint64_t      age;
    fca_record_t  r;

    memset(&r, 0, sizeof(r));
    memcpy(r.boot_id, inst->all->boot_id, sizeof(r.boot_id));
    memcpy(r.worker_id, inst->worker_id, sizeof(r.worker_id));
    memcpy(r.function_id, inst->function_id, sizeof(r.function_id));
    memcpy(r.request_id, inst->request_id, sizeof(r.request_id));

    age = fca_now(inst->all->loop) - inst->born;

    r.job = inst->job_text;
    r.state = state;
    r.spec = inst->spec;
    r.declared = inst->declared;
    r.slot = inst->keys && fca_keys_slot(inst->keys) > 0
             ? fca_keys_slot(inst->keys) : 0;
    r.lease = inst->keys ? fca_keys_lease(inst->keys) : 0;
    r.nic = inst->nic;
    r.port = (int) inst->port;
    r.born_ms = fca_boottime_ms() - (int64_t) age;
    r.started_ms = inst->started_ms;

    return fca_record_encode(&r);
}

void
fca_instances_specs(fca_instances_t *all)
{
    fca_instance_t  *inst;

    /* nothing is removed from the list before the loop's next turn */
    TAILQ_FOREACH(inst, &all->list, link) {
        if (fca_specs_get(all->specs, inst->function_id) == NULL) {
            fca_instances_spec(all, inst->function_id);
        }
    }
}

void
fca_instances_unbegun(fca_instances_t *all)
{
    fca_instance_t  *inst;

    /* nothing is removed from the list before the loop's next turn */
    TAILQ_FOREACH(inst, &all->list, link) {
        if (inst->state < FCA_S_BOOT) {
            fca_instance_event(inst, FCA_E_ABORT, NULL);
        }
    }
}

void
fca_instances_leave(const fca_instances_t *all)
{
    const fca_instance_t  *inst;

    fca_template_abandon(all);
    fca_ahead_abandon(all);

    TAILQ_FOREACH(inst, &all->list, link) {
        if (inst->vmm) {
            fca_vmm_leave(inst->vmm);
        }
    }
}

int
fca_instances_settled(const fca_instances_t *all)
{
    const fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &all->list, link) {
        if (inst->state < FCA_S_BOOT
            || (inst->state == FCA_S_STOPPING && !inst->graceful)
            || (inst->record && fca_later_busy(inst->record)))
        {
            return 0;
        }
    }

    return 1;
}

int
fca_instances_own(const fca_instances_t *all, const fcf_key_t *key)
{
    const fca_instance_t  *inst;

    TAILQ_FOREACH(inst, &all->list, link) {
        if (inst->keys == NULL
            || strcmp(inst->function_id, key->function_id) != 0)
        {
            continue;
        }

        if (key->kind == FCF_KEY_SLOT
            ? fca_keys_slot(inst->keys) == key->number
            : strcmp(inst->worker_id, key->name) == 0)
        {
            return 1;
        }
    }

    return 0;
}

/* Where there is a directory for it: from the process's start to its end. */
void
fca_inst_record(fca_instance_t *inst)
{
    char       *text, *path;
    fcf_err_t   err;

    if (inst->vmm == NULL || inst->port == 0) {
        return;
    }

    if (inst->record == NULL) {
        if (asprintf(&path, "%s/%s/" FCA_VMM_RECORD,
                     inst->all->conf->run_dir, inst->worker_id) < 0)
        {
            return;
        }

        inst->record = fca_later_new(inst->all->vmm->uv, path,
                                     fca_record_written, inst, &err);
        free(path);
    }

    text = fca_inst_record_text(inst, inst->state);

    if (inst->record && text) {
        fca_later_put(inst->record, text);

    } else {
        free(text);
    }
}
