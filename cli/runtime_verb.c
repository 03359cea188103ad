/* fcfaas runtime: what the runtimes are that versions to come are made with. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/pin.h"
#include "cli/rollout.h"
#include "cli/runtime_verb.h"
#include "cli/store.h"
#include "cli/table.h"


/* its key's value; malloc'd, NULL: out of memory */
static char *
fcc_push_text(const fcc_source_t *source, const fcf_image_t *image)
{
    char            *text, *value;
    fcf_deployed_t   deployed;

    fcc_deployed_now(&deployed, source->label);
    text = fcf_runtime_encode(image);
    value = text != NULL
            ? fcf_version_encode(text, strlen(text), &deployed) : NULL;
    free(text);

    return value;
}


/* what was put for a key that is not to be */
static void
fcc_push_undo(fcc_t *fcc, const fcf_etcd_op_t *put)
{
    const fcf_kv_t  *gone = &(fcf_kv_t) { .key = put->key,
                                          .key_len = strlen(put->key),
                                          .value = put->value,
                                          .value_len = put->value_len };

    fcc_prune(fcc, &gone, 1);
}


static int
fcc_push_put(fcc_t *fcc, const fcc_pin_t *pin, const fcc_source_t *source,
    const fcf_image_t *image, fcf_err_t *err)
{
    int             rc;
    char           *value;
    fcc_reply_t     reply;
    fcf_etcd_op_t   put;
    fcf_etcd_cmp_t  cmp[2] = { fcc_pin_same(pin),
                               fcc_mark_same(&source->mark) };

    value = fcc_push_text(source, image);

    if (value == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    put = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = pin->key, .value = value,
                            .value_len = strlen(value) };
    rc = fcc_txn(fcc, cmp, 2, &put, 1, &reply, err);

    if (rc == 0 && !reply.succeeded) {
        fcc_push_undo(fcc, &put);
        rc = fcf_err_set(err, FCF_E_EXISTS, "%s: somebody else pushed it, or "
                         "removed that image, meanwhile: push it again",
                         fcc->args[1]);
    }

    fcc_reply_free(&reply);
    free(value);

    return rc;
}


/* the image that was its, unless a version has it */
static void
fcc_push_prune(fcc_t *fcc, const fcc_pin_t *pin, const char *sha256)
{
    const fcf_kv_t  *gone;

    if (pin->there.nkvs != 0 && strcmp(pin->image.sha256, sha256) != 0) {
        gone = &pin->there.kvs[0];
        fcc_prune(fcc, &gone, 1);
    }
}


static int
fcc_push_print(fcc_t *fcc, const fcf_image_t *image, int changed,
    fcf_err_t *err)
{
    const char  *name = fcc->args[1];

    if (fcc->json) {
        return fcc_json_print(json_pack("{s:s, s:s, s:I, s:s}", "name", name,
            "sha256", image->sha256, "size", (json_int_t) image->size,
            "state", changed ? "pushed" : "unchanged"), err);
    }

    if (changed) {
        fcc_print("%s: %.12s... from now on, for what is deployed", name,
                  image->sha256);
    } else {
        fcc_print("%s: unchanged, still %.12s...", name, image->sha256);
    }

    return FCC_DONE;
}


static int
fcc_push_source(fcc_t *fcc, fcc_pin_t *pin, fcc_source_t *source,
    fcf_err_t *err)
{
    int          changed;
    fcf_image_t  image;

    if (fcc_image_put(fcc, source, err) != 0) {
        return -1;
    }

    fcc_image_of(source, &fcc->conf, &image);

    changed = pin->there.nkvs == 0
              || strcmp(pin->image.sha256, image.sha256) != 0
              || strcmp(pin->image.where, image.where) != 0;

    if (changed) {

        if (fcc_push_put(fcc, pin, source, &image, err) != 0) {
            return -1;
        }

        fcc_push_prune(fcc, pin, image.sha256);
    }

    return fcc_push_print(fcc, &image, changed, err);
}


static int
fcc_runtime_push(fcc_t *fcc, fcf_err_t *err)
{
    int            rc;
    char          *file;
    fcc_pin_t      pin;
    fcc_source_t   source;

    fcc_catch_signals();

    if (fcc->nargs == 3) {
        file = strdup(fcc->args[2]);

    } else if (asprintf(&file, "%s/%s.img", fcc->conf.runtimes, fcc->args[1])
               < 0)
    {
        file = NULL;
    }

    if (file == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    memset(&pin, 0, sizeof(pin));

    rc = fcc_source_image(&source, file, err) != 0
         || fcc_pin_read(fcc, &pin, fcc->args[1], err) != 0
         ? -1 : fcc_push_source(fcc, &pin, &source, err);

    fcc_pin_free(&pin);
    fcc_source_close(&source);
    free(file);

    return rc;
}


/* whatever it says: an image is pruned as far as that is understood */
static int
fcc_runtime_rm(fcc_t *fcc, fcf_err_t *err)
{
    int             rc;
    char            key[FCF_KEY_MAX];
    fcc_reply_t     there, reply = { .kvs = NULL };
    const fcf_kv_t *gone;
    fcf_etcd_op_t   op = { .op = FCF_OP_DELETE, .key = key };

    (void) fcf_key_runtime(key, fcc->conf.prefix, fcc->args[1]);
    rc = fcc_get(fcc, key, &there, err);

    if (rc == 0 && there.nkvs == 0) {
        rc = fcf_err_set(err, FCF_E_NOT_FOUND, "runtime %s: is not pushed",
                         fcc->args[1]);
    }

    if (rc == 0) {
        gone = &there.kvs[0];
        rc = fcc_txn(fcc, &(fcf_etcd_cmp_t) { .what = FCF_CMP_VALUE_IS,
                         .key = key, .value = gone->value,
                         .value_len = gone->value_len }, 1, &op, 1, &reply,
                     err);

        if (rc == 0 && !reply.succeeded) {
            rc = fcf_err_set(err, FCF_E_EXISTS, "runtime %s: somebody else "
                             "changes it at the same time; again, please",
                             fcc->args[1]);
        }

        if (rc == 0) {
            fcc_prune(fcc, &gone, 1);
        }
    }

    fcc_reply_free(&there);
    fcc_reply_free(&reply);

    return rc;
}


static int
fcc_runtime(fcc_t *fcc, fcf_err_t *err)
{
    const char  *word = fcc->args[0];

    if (strcmp(word, "ls") == 0 && fcc->nargs == 1) {
        return fcc_runtime_ls(fcc, err);
    }

    if (fcc->nargs > 1 && (strcmp(word, "push") == 0
                           || strcmp(word, "rm") == 0))
    {
        if (fcc_runtime_name_check(fcc->args[1], err) != 0) {
            return -1;
        }

        if (*word == 'p') {
            return fcc_runtime_push(fcc, err);
        }

        if (fcc->nargs == 2) {
            return fcc_runtime_rm(fcc, err);
        }
    }

    return fcf_err_set(err, FCF_E_INVALID, "usage: fcfaas runtime %s",
                       fcc->verb->args);
}


const fcc_verb_t  fcc_verb_runtime = {
    "runtime", "push RUNTIME [FILE] | ls | rm RUNTIME",
    "which images the runtimes of versions to come are", 1, 3, NULL,
    "push puts the image, FILE or that in the directory \"runtimes\", where\n"
    "images of functions go.  What is deployed from then on is made with it,\n"
    "by its digest, and nodes fetch what they lack; what was deployed before\n"
    "keeps the one that it has, also after a rollback.  ls shows them, and\n"
    "the versions that have them.  After rm, and without any push, each\n"
    "node's own image of that name is used.\n", fcc_runtime
};
