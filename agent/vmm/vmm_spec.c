#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/vmm/vmm_int.h"


/* a copy made absolute; *out stays NULL where path is */
static int
absolute(const char *path, char **out, fcf_err_t *err)
{
    char  *cwd;

    if (path == NULL) {
        return 0;
    }

    if (path[0] == '/') {
        *out = strdup(path);

    } else {
        cwd = getcwd(NULL, 0);

        if (cwd == NULL || asprintf(out, "%s/%s", cwd, path) < 0) {
            *out = NULL;
        }

        free(cwd);
    }

    return *out != NULL ? 0 : fcf_err_set(err, FCF_E_NOMEM,
                                          "%s: out of memory", path);
}


int
fca_vmm_spec_copy(fca_vmm_t *vmm, const fca_vmm_spec_t *spec, fcf_err_t *err)
{
    int   n;
    char  id[FCA_VMM_ID_MAX + 1];

    n = snprintf(vmm->worker_id, sizeof(vmm->worker_id), "%s",
                 spec->worker_id);

    if (n <= 0 || (size_t) n >= sizeof(vmm->worker_id)
        || strchr(spec->worker_id, '/') != NULL
        || spec->worker_id[0] == '.')
    {
        return fcf_err_set(err, FCF_E_INVALID, "worker_id \"%s\" is invalid",
                           spec->worker_id);
    }

    n = snprintf(vmm->dir, sizeof(vmm->dir), "%s/%s", vmm->conf->run_dir,
                 spec->worker_id);

    if ((size_t) n >= sizeof(vmm->dir)) {
        return fcf_err_set(err, FCF_E_LIMIT, "run_dir \"%.120s...\": a "
                           "VM's directory has a path of %d bytes, at most "
                           "%zu are possible", vmm->conf->run_dir, n,
                           sizeof(vmm->dir) - 1);
    }

    vmm->cpu = spec->cpu;
    vmm->memory_mb = spec->memory_mb;
    vmm->gateway = spec->gateway;
    vmm->prefix_len = spec->prefix_len;
    vmm->uid = spec->uid;
    vmm->template = spec->template;
    vmm->said = spec->said;

    if (spec->nic != NULL) {
        vmm->has_nic = 1;
        vmm->nic = *spec->nic;
    }

    if (absolute(spec->runtime_image, &vmm->runtime_image, err) != 0
        || absolute(spec->function_image, &vmm->function_image, err) != 0
        || absolute(vmm->conf->kernel, &vmm->kernel, err) != 0
        || absolute(vmm->conf->initrd, &vmm->initrd, err) != 0
        || absolute(spec->snap_state, &vmm->snap_state, err) != 0
        || absolute(spec->snap_memory, &vmm->snap_memory, err) != 0)
    {
        return -1;
    }

    if (spec->record != NULL) {
        vmm->record = strdup(spec->record);

        if (vmm->record == NULL) {
            return fcf_err_set(err, FCF_E_NOMEM, "record: out of memory");
        }
    }

    if (vmm->conf->jail != NULL) {
        fca_vmm_id(vmm->worker_id, id);
        vmm->jail = fca_jail_path(vmm->conf->jail, id);

        if (vmm->jail == NULL) {
            return fcf_err_set(err, FCF_E_NOMEM, "VMM: out of memory");
        }
    }

    if (spec->config_json != NULL) {
        vmm->config = fca_vmm_config_image(spec->config_json,
                                           &vmm->config_len, err);
        if (vmm->config == NULL) {
            return -1;
        }

        vmm->has_config = 1;
    }

    return 0;
}


void
fca_vmm_spec_free(fca_vmm_t *vmm)
{
    free(vmm->record);
    free(vmm->config);
    free(vmm->jail);
    free(vmm->snap_state);
    free(vmm->snap_memory);
    free(vmm->runtime_image);
    free(vmm->function_image);
    free(vmm->kernel);
    free(vmm->initrd);
}
