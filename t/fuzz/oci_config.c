/*
 * The configuration of a container image, as whoever made it wrote it: refused
 * in one line, or something that can be run.
 */

#include <string.h>
#include "cli/oci.h"
#include "contract/fcf_runtime.h"
#include "t/fuzz/values.h"


static void
runs(const fcc_oci_config_t *config)
{
    size_t  i;

    FCT_HOLDS(config->nargv >= 1 && config->nargv <= FCF_IMAGE_STRINGS);
    FCT_HOLDS(config->argv[0][0] != '\0');
    FCT_HOLDS(config->nenv <= FCF_IMAGE_STRINGS);
    FCT_HOLDS(config->ndiffs >= 1 && config->ndiffs <= FCC_OCI_LAYERS);
    FCT_HOLDS(config->cwd[0] == '/');
    FCT_HOLDS(config->user != NULL);
    FCT_HOLDS(config->port >= 0 && config->port <= 65535);
    FCT_HOLDS((config->port != 0) == (config->nports != 0));

    for (i = 0; i < config->nargv; i++) {
        FCT_HOLDS(strlen(config->argv[i]) < 1 << 20);
    }

    for (i = 0; i < config->nenv; i++) {
        FCT_HOLDS(strchr(config->env[i], '=') > config->env[i]);
    }

    for (i = 0; i < config->ndiffs; i++) {
        FCT_HOLDS(strlen(config->diffs[i]) == 64);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char              *text;
    fcf_err_t          err;
    fcc_oci_config_t   config;

    text = fct_copy(data, size, 0);

    if (fcc_oci_config_decode(&config, text, size, &err) == 0) {
        runs(&config);
    } else {
        fct_says(&err);
    }

    fcc_oci_config_free(&config);
    free(text);

    return 0;
}
