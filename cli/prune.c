/* Images that no version is made of any more. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/store.h"


/* does any of these say so? */
static int
fcc_image_named(const fcc_reply_t *specs, const char *sha256)
{
    size_t  i;

    for (i = 0; i < specs->nkvs; i++) {

        /* by its words: what is not understood may name it as well */

        if (strstr(specs->kvs[i].value, sha256) != NULL) {
            return 1;
        }
    }

    return 0;
}


static void
fcc_image_remove(fcc_t *fcc, const fcf_spec_t *spec)
{
    char        *save, *url, where[FCF_WHERE_MAX + 1], *path;
    fcf_err_t    err;

    memcpy(where, spec->code_where, sizeof(where));

    for (url = strtok_r(where, " ", &save); url != NULL;
         url = strtok_r(NULL, " ", &save))
    {
        if (fcc_store_remove(fcc, url, spec->code_sha256, &err) != 0) {
            (void) fprintf(stderr, "fcfaas: image %.12s... stays: %s\n",
                           spec->code_sha256, err.msg);
        }
    }

    if (spec->code_where[0] != '\0'
        || asprintf(&path, "%s/%s.img", fcc->conf.functions,
                    spec->code_sha256) < 0)
    {
        return;
    }

    /* agents of other machines have directories of their own */

    if (unlink(path) != 0 && errno != ENOENT) {
        (void) fprintf(stderr, "fcfaas: %s: stays: %s\n", path,
                       strerror(errno));
    }

    free(path);
}


void
fcc_prune(fcc_t *fcc, const fcf_kv_t *const *gone, size_t n)
{
    char         key[FCF_KEY_MAX];
    size_t       i;
    fcf_err_t    err;
    fcf_spec_t   spec;
    fcc_reply_t  specs;

    if (n == 0) {
        return;
    }

    if (fcc_list(fcc, fcf_key_specs(key, fcc->conf.prefix), &specs, &err) != 0)
    {
        (void) fprintf(stderr, "fcfaas: old images stay: %s\n", err.msg);
        fcc_reply_free(&specs);
        return;
    }

    for (i = 0; i < n; i++) {
        if (fcf_spec_decode(&spec, gone[i]->value, gone[i]->value_len, NULL)
            == 0
            && spec.code_sha256[0] != '\0'
            && !fcc_image_named(&specs, spec.code_sha256))
        {
            fcc_image_remove(fcc, &spec);
        }
    }

    fcc_reply_free(&specs);
}
