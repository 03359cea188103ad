/*
 * What a VMM answers to the agent's driver: taken, or refused in one line.
 * The bytes are those of the body; what is in front of it is libcurl's to
 * read.
 */

#include "agent/vmm/vmm_int.h"
#include "t/fuzz/values.h"


/* Only of a version that is one is any of it kept, and what is kept fits. */
static void
version(const char *body)
{
    fcf_err_t       err;
    fca_vmm_t       vmm;
    char            kept[FCA_VMM_VERSION_MAX];
    fca_vmm_conf_t  conf;

    memset(&vmm, 0, sizeof(vmm));
    memset(&conf, 0, sizeof(conf));
    memset(kept, 0x55, sizeof(kept));
    conf.binary = "/usr/bin/firecracker";
    conf.version = kept;
    vmm.conf = &conf;

    if (fca_vmm_version_take(&vmm, body, &err) != 0) {
        FCT_HOLDS(kept[0] == 0x55 && vmm.version[0] == '\0');
        fct_says(&err);
        return;
    }

    FCT_HOLDS(memchr(vmm.version, '\0', sizeof(vmm.version)) != NULL);
    FCT_HOLDS(strcmp(vmm.version, kept) == 0);
    FCT_HOLDS(fca_vmm_minor(vmm.version) >= FCA_VMM_MINOR_MIN);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char       *body;
    long        status;
    fcf_err_t   err;

    static const fca_vmm_call_t  call = { "PUT", "/machine-config", NULL };

    /* of the HTTP client, which ends it with a NUL */
    body = fct_copy(data, size, 1);

    version(body);

    if (fca_vmm_running_take(body, &err) != 0) {
        fct_says(&err);
    }

    for (status = 100; status <= 599; status += 133) {
        FCT_HOLDS(fca_vmm_refused_take(&call, status, body, &err) == -1);
        FCT_HOLDS(strncmp(err.msg, "PUT /machine-config: ", 21) == 0);
        fct_says(&err);
    }

    free(body);

    return 0;
}
