/* What of a VM's start is not its own: the environment, which etcd has. */

#include <stdlib.h>
#include "agent/instance/instance_int.h"

static void
fca_env_read(void *arg, fcf_env_t *env, const fcf_err_t *err)
{
    fca_instance_t  *inst = arg;

    inst->secrets = NULL;
    inst->env = *env;
    fca_instance_event(inst, err ? FCA_E_NO_ENV : FCA_E_ENV, err);
}

void
fca_inst_env(fca_instance_t *inst)
{
    fcf_err_t         why;
    fca_instances_t  *all = inst->all;

    if (inst->spec.secrets_generation == 0) {
        return;
    }

    inst->secrets = fca_secrets_read(all->etcd, all->conf->prefix,
                                     inst->function_id,
                                     inst->spec.secrets_generation,
                                     fca_env_read, inst, &why);
    if (inst->secrets == NULL) {
        fca_instance_event(inst, FCA_E_NO_ENV, &why);
    }
}

void
fca_inst_boot_end(fca_instance_t *inst)
{
    fca_secrets_drop(inst->secrets);
    inst->secrets = NULL;
    fcf_env_free(&inst->env);
    free(inst->images);
    inst->images = NULL;
}

/* what etcd says is the same for all nodes, whether it says so is not */
FCA_ACTION(no_env)
{
    if (err->code == FCF_E_NOT_FOUND || err->code == FCF_E_INVALID) {
        fca_fail(inst, event, FCF_FAILURE_BOOT_FAILED, "%s", err->msg);
        return;
    }

    fca_fail_here(inst, event, FCF_FAILURE_BOOT_FAILED, "%s", err->msg);
}
