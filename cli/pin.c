#include <string.h>

#include "cli/pin.h"
#include "contract/fcf_runtime.h"


int
fcc_runtime_name_check(const char *name, fcf_err_t *err)
{
    return fcf_id_valid(name, strlen(name))
           && strcmp(name, FCF_RUNTIME_OWN) != 0 ? 0
           : fcf_err_set(err, FCF_E_INVALID, "runtime \"%s\": cannot be a "
                         "name", name);
}


int
fcc_pin_read(fcc_t *fcc, fcc_pin_t *pin, const char *name, fcf_err_t *err)
{
    memset(pin, 0, sizeof(fcc_pin_t));
    (void) fcf_key_runtime(pin->key, fcc->conf.prefix, name);

    if (fcc_get(fcc, pin->key, &pin->there, err) != 0) {
        pin->unseen = err->code == FCF_E_AUTH;
        return -1;
    }

    if (pin->there.nkvs != 0
        && fcf_runtime_decode(&pin->image, pin->there.kvs[0].value,
                              pin->there.kvs[0].value_len, err) != 0)
    {
        err->code = FCF_E_REFUSED;
        return fcf_err_wrap(err, "%s: is not valid; fcfaas runtime rm %s "
                            "removes it", pin->key, name);
    }

    return 0;
}


void
fcc_pin_free(fcc_pin_t *pin)
{
    fcc_reply_free(&pin->there);
}


fcf_etcd_cmp_t
fcc_pin_same(const fcc_pin_t *pin)
{
    if (pin->there.nkvs == 0) {
        return (fcf_etcd_cmp_t) { .what = FCF_CMP_ABSENT, .key = pin->key };
    }

    return (fcf_etcd_cmp_t) { .what = FCF_CMP_VALUE_IS, .key = pin->key,
                              .value = pin->there.kvs[0].value,
                              .value_len = pin->there.kvs[0].value_len };
}


int
fcc_pin_changed(fcc_t *fcc, const fcc_pin_t *pin, fcf_err_t *err)
{
    int              rc;
    fcc_reply_t      now;
    const fcf_kv_t  *was;

    was = pin->there.nkvs != 0 ? &pin->there.kvs[0] : NULL;
    rc = fcc_get(fcc, pin->key, &now, err);

    if (rc == 0) {
        rc = was == NULL || now.nkvs == 0
             ? (was == NULL) != (now.nkvs == 0)
             : was->value_len != now.kvs[0].value_len
               || memcmp(was->value, now.kvs[0].value, was->value_len) != 0;
    }

    fcc_reply_free(&now);

    return rc;
}
