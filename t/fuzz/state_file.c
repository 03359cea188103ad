/*
 * A state file of a gateway's: as it comes, and with the right checksums put
 * into it, it is refused in one line or holds nothing that the contract would
 * not take.
 */

#include "ngx_fcfaas_module/state/fcs_state.h"
#include "t/fuzz/values.h"

static unsigned  nspecs, ninstances;


static void
on_spec(void *arg, const char *function_id, const fcf_spec_t *spec)
{
    char        *text;
    fcf_err_t    err;
    fcf_spec_t   again;

    (void) arg;
    nspecs++;
    FCT_HOLDS(fcf_id_valid(function_id, strlen(function_id)));
    text = fcf_spec_encode(spec);
    FCT_HOLDS(text != NULL);
    FCT_HOLDS(fcf_spec_decode(&again, text, strlen(text), &err) == 0);
    free(text);
}


static void
on_instance(void *arg, const char *function_id, const char *worker_id,
    const fcf_instance_t *instance)
{
    (void) arg;
    ninstances++;
    FCT_HOLDS(fcf_id_valid(function_id, strlen(function_id)));
    FCT_HOLDS(fcf_worker_id_valid(worker_id, strlen(worker_id)));
    FCT_HOLDS(instance->proxy_port >= 1 && instance->proxy_port <= 65535);
    FCT_HOLDS(strlen(instance->worker_ip) >= 2);
}


static void
on_version(void *arg, const char *function_id, int64_t version)
{
    (void) arg;
    FCT_HOLDS(fcf_id_valid(function_id, strlen(function_id)));
    FCT_HOLDS(version >= 1);
}


static void
check(const char *data, size_t len)
{
    fcf_err_t             err;
    fcs_info_t            info;
    const fcs_handler_t   handler = { on_spec, on_instance,
                                      on_version };

    if (fcs_check(&info, data, len, "", &err) != 0) {
        fct_says(&err);
        return;
    }

    nspecs = ninstances = 0;
    fcs_each(data, len, &handler, NULL);
    FCT_HOLDS(nspecs == info.nspecs && ninstances == info.ninstances);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char        *file;
    size_t       len;
    unsigned     n;
    fcs_info_t   info;

    file = fct_copy(data, size, 0);
    check(file, size);
    free(file);

    /* the input as records, under a head that fits */

    len = size / 8 * 8;
    file = malloc(FCS_HEAD + len);
    FCT_HOLDS(file != NULL);

    if (len != 0) {
        memcpy(file + FCS_HEAD, data, len);
    }

    for (n = 0; n < 9; n++) {
        memset(&info, 0, sizeof(info));
        info.length = len;
        info.hash = fcs_hash(FCS_HASH, file + FCS_HEAD, len);
        info.nspecs = n % 3;
        info.ninstances = n / 3;
        fcs_put_head(file, &info);
        check(file, FCS_HEAD + len);
    }

    free(file);

    return 0;
}
