/* What a deploy has to do with its runtime's image: the version is made with
 * the one that is pushed, by its digest. */

#include <string.h>

#include "cli/rollout.h"
#include "contract/fcf_runtime.h"


int
fcc_rollout_runtime(fcc_rollout_t *rollout, fcf_err_t *err)
{
    fcc_pin_t   *pin = &rollout->pin;
    const char  *runtime = rollout->decoded.runtime;

    if (strcmp(runtime, FCF_RUNTIME_OWN) == 0) {
        return 0;
    }

    if (fcc_pin_read(rollout->fcc, pin, runtime, err) != 0) {

        if (!pin->unseen) {
            return -1;
        }

        /* roles of before there was such a key */

        fcc_say("%s: its runtime %s is each node's own: what is pushed may not "
                "be read: %s", rollout->name, runtime, err->msg);
        return 0;
    }

    if (pin->image.sha256[0] == '\0') {
        return 0;
    }

    return fcc_rollout_image(rollout, "runtime_image", &pin->image, err);
}


void
fcc_rollout_runtime_why(const fcc_rollout_t *rollout)
{
    json_t             *value;
    fcf_spec_t          was;
    const char         *is, *name = rollout->name;
    const char         *runtime = rollout->decoded.runtime;
    const fcf_kv_t     *kv;

    kv = fcc_rollout_version(rollout, rollout->newest);
    value = kv != NULL ? json_loadb(kv->value, kv->value_len, 0, NULL) : NULL;

    if (value != NULL && fcc_spec_same_code(value, rollout->spec)
        && fcf_spec_decode(&was, kv->value, kv->value_len, NULL) == 0)
    {
        is = rollout->decoded.runtime_image.sha256;

        if (*is == '\0') {
            fcc_say("%s: the same code, for its runtime %s is each node's own "
                    "now, after %.12s...", name, runtime,
                    was.runtime_image.sha256);

        } else if (was.runtime_image.sha256[0] == '\0') {
            fcc_say("%s: the same code, for its runtime %s is %.12s... now, "
                    "after each node's own", name, runtime, is);

        } else if (strcmp(is, was.runtime_image.sha256) != 0) {
            fcc_say("%s: the same code, for its runtime %s is another now, "
                    "%.12s... after %.12s...", name, runtime, is,
                    was.runtime_image.sha256);

        } else {
            fcc_say("%s: the same code, for its runtime %s is in other stores "
                    "now", name, runtime);
        }
    }

    json_decref(value);
}
