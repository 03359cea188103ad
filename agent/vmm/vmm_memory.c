/* What a VM takes of the host's memory: the guest's, and the VMM's own. */

#include <stdio.h>
#include <string.h>

#include "agent/vmm/vmm_int.h"

#define STANDIN         "fcfaas-vmm"
/* Firecracker was measured at 5 MB, which leaves some for its page tables and
 * for what it reads; QEMU's emulation at 80, half of it translated code */
#define OVERHEAD_MB       16
#define OVERHEAD_QEMU_MB  128
/* page tables and the like grow with the guest */
#define OVERHEAD_PART     64


static int
runs_qemu(const fca_vmm_conf_t *conf)
{
    const char         *name;
    const char *const  *arg;

    for (arg = conf->extra_args; arg != NULL && *arg != NULL; arg++) {
        if (strncmp(*arg, "--backend=", 10) == 0) {
            return strcmp(*arg + 10, "qemu") == 0;
        }

        if (strcmp(*arg, "--backend") == 0 && arg[1] != NULL) {
            return strcmp(arg[1], "qemu") == 0;
        }
    }

    name = strrchr(conf->binary, '/');

    return strcmp(name != NULL ? name + 1 : conf->binary, STANDIN) == 0;
}


int
fca_vmm_memory_mb(const fca_vmm_conf_t *conf, int memory_mb)
{
    if (conf->overhead_mb > 0) {
        return memory_mb + (int) conf->overhead_mb;
    }

    return memory_mb + memory_mb / OVERHEAD_PART
           + (runs_qemu(conf) ? OVERHEAD_QEMU_MB : OVERHEAD_MB);
}


void
fca_vmm_memory_words(const fca_vmm_t *vmm, char *buf, size_t size)
{
    int  limit;

    buf[0] = '\0';

    if (fca_cgroup_oom_kills(vmm->conf->cgroups, vmm->worker_id) == 0) {
        return;
    }

    limit = fca_vmm_memory_mb(vmm->conf, vmm->memory_mb);
    snprintf(buf, size, ", out of memory: its limit is %d MB, %d for the "
             "guest and %d for the VMM", limit, vmm->memory_mb,
             limit - vmm->memory_mb);
}
