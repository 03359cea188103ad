#include <string.h>
#include "agent/instance/guest.h"

void
fca_inst_guest(fca_guest_config_t *config, const fca_instances_t *all,
    const char *function_id, const char *worker_id, const fcf_spec_t *spec,
    const fca_nic_t *nic)
{
    *config = (fca_guest_config_t) {
        .function_id = function_id, .instance_id = worker_id,
        .version = spec->version, .port = spec->port,
        .address = nic->address, .gateway = all->conf->bridge_address,
        .prefix_len = all->conf->bridge_prefix_len, .mtu = nic->mtu,
        .memory_mb = spec->memory_mb,
        .dns = all->conf->dns, .ndns = all->conf->ndns,
    };

    memcpy(config->mac, nic->mac, sizeof(config->mac));
}

/* One that is to be restored has a config drive, too, since its template had
 * one; nobody reads it. */
fca_vmm_t *
fca_guest_vmm(const fca_instances_t *all, const fca_guest_vmm_t *want,
    fca_vmm_pt handler, void *arg, fcf_err_t *err)
{
    char                *json;
    fca_vmm_t           *vmm;
    fca_vmm_spec_t       spec;
    fca_guest_config_t   config;

    static const fca_nic_t  none;

    fca_inst_guest(&config, all, want->function_id, want->worker_id,
                   want->spec, want->nic ? want->nic : &none);
    config.env = want->env;
    json = fca_guest_config(&config);

    if (json == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for the VM's files");
        return NULL;
    }

    spec = (fca_vmm_spec_t) {
        .worker_id = want->worker_id, .template = want->template,
        .cpu = want->spec->cpu, .memory_mb = want->spec->memory_mb,
        .runtime_image = want->images->runtime,
        .function_image = *want->images->function
                          ? want->images->function : NULL,
        .config_json = json, .record = want->record, .nic = want->nic,
        .gateway = config.gateway, .prefix_len = config.prefix_len,
        .uid = fca_jail_uid(all, want->uid),
        .snap_state = want->snap ? want->snap->state : NULL,
        .snap_memory = want->snap ? want->snap->memory : NULL,
        .said = want->said,
    };

    vmm = fca_vmm_spawn(all->vmm, &spec, handler, arg, err);
    fcf_env_wipe(json);

    return vmm;
}
