/* The runtimes that are pushed, as fcfaas doctor sees them. */

#include <string.h>

#include "cli/call.h"
#include "cli/digest.h"
#include "cli/doctor.h"


/* A new one that was installed, or built, reaches nobody by itself. */
static void
fcc_runtime_own(fcc_doctor_t *doctor, const char *name,
    const fcf_image_t *image)
{
    char     path[4096], hex[FCC_DIGEST];
    int64_t  size;

    if ((size_t) snprintf(path, sizeof(path), "%s/%s.img",
                          doctor->fcc->conf.runtimes, name) < sizeof(path)
        && fcc_digest_file(path, hex, &size, NULL) == 0
        && strcmp(hex, image->sha256) != 0)
    {
        fcc_find(doctor, FCC_NOTE, "runtime", name,
                 "fcfaas runtime push, and a deploy of what is to have it",
                 "%s is another, %.12s..., than what is pushed, %.12s...",
                 path, hex, image->sha256);
    }
}


static void
fcc_runtime_look(fcc_doctor_t *doctor, const char *name, const fcf_kv_t *kv)
{
    int          have;
    fcf_err_t    err;
    fcf_image_t  image;

    if (fcf_runtime_decode(&image, kv->value, kv->value_len, &err) != 0) {
        fcc_find(doctor, FCC_WRONG, "runtime", name,
                 "fcfaas runtime rm, and push", "is not valid, so nothing can "
                 "be deployed for it: %s", err.msg);
        return;
    }

    have = fcc_stores_have(doctor->fcc, &image, &err);

    if (have == 0) {
        fcc_find(doctor, FCC_WRONG, "runtime", name, "fcfaas runtime push",
                 "its image is not there: %s", image.where);

    } else if (have < 0) {
        fcc_find(doctor, FCC_WRONG, "runtime", name,
                 err.code == FCF_E_AUTH ? "setting store_token_file"
                                        : "does its store run?",
                 "the store of its image cannot be asked: %s", err.msg);
    }

    fcc_runtime_own(doctor, name, &image);
}


/* who may not read them has none */
void
fcc_doctor_runtimes(fcc_doctor_t *doctor)
{
    char         below[FCF_KEY_MAX];
    size_t       i;
    fcf_err_t    err;
    fcf_key_t    key;
    fcc_reply_t  keys;
    const char  *prefix = doctor->fcc->conf.prefix;

    if (fcc_list(doctor->fcc, fcf_key_runtimes(below, prefix), &keys, &err)
        != 0 && err.code != FCF_E_AUTH)
    {
        fcc_find(doctor, FCC_WRONG, "runtimes", "-", NULL,
                 "%s cannot be read: %s", below, err.msg);
    }

    for (i = 0; i < keys.nkvs; i++) {

        fcf_key_parse(&key, prefix, keys.kvs[i].key, keys.kvs[i].key_len);

        if (key.kind == FCF_KEY_RUNTIME) {
            fcc_runtime_look(doctor, key.name, &keys.kvs[i]);
        }
    }

    fcc_reply_free(&keys);
}
