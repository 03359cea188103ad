/* The functions, and what stands of them in etcd, as fcfaas doctor sees it. */

#include <inttypes.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/doctor.h"
#include "cli/store.h"

typedef struct {
    size_t  n, wrong;
} fcc_checked_t;


int
fcc_stores_have(fcc_t *fcc, const fcf_image_t *image, fcf_err_t *err)
{
    int          has, silent;
    char         url[FCF_WHERE_MAX + 1];
    fcf_err_t    why;
    const char  *at;

    silent = 0;
    at = image->where;

    while (fcc_where_next(&at, url)) {

        has = fcc_store_has(fcc, url, image->sha256, image->size, &why);

        if (has == 1) {
            return 1;
        }

        if (has < 0) {
            silent = 1;
            *err = why;
        }
    }

    return image->where[0] == '\0' ? 1 : silent ? -1 : 0;
}


/* the same of code, which is in the directory where it names no store, or that
 * cannot be seen from here */
static int
fcc_code_there(fcc_t *fcc, const char *name, const fcf_image_t *code,
    char *where, size_t size, fcf_err_t *err)
{
    if (code->where[0] != '\0') {
        (void) snprintf(where, size, "%s", code->where);
        return fcc_stores_have(fcc, code, err);
    }

    (void) snprintf(where, size, "%s/%s.img", fcc->conf.functions,
                    code->sha256[0] != '\0' ? code->sha256 : name);

    return access(fcc->conf.functions, X_OK) != 0 || access(where, F_OK) == 0;
}


/* what is found if that is not 1; counts it */
static void
fcc_there_find(fcc_doctor_t *doctor, const char *name, int there,
    const char *what, const char *where, const char *remedy,
    const fcf_err_t *err, fcc_checked_t *checked)
{
    checked->wrong += there != 1;

    if (there == 0) {
        fcc_find(doctor, FCC_WRONG, "function", name, remedy,
                 "the image of %s is not there: %s", what, where);

    } else if (there < 0) {
        fcc_find(doctor, FCC_WRONG, "function", name,
                 err->code == FCF_E_AUTH ? "setting store_token_file"
                 : "does its store run?  An agent that has not got it yet "
                   "cannot start it",
                 "the store of the image of %s cannot be asked: %s", what,
                 err->msg);
    }
}


static void
fcc_function_look(fcc_doctor_t *doctor, const fcf_kv_t *kv, const char *name,
    fcc_checked_t *checked)
{
    int          there;
    char         where[FCF_WHERE_MAX + 128], what[FCF_ID_MAX + 64];
    fcf_err_t    err;
    fcf_spec_t   spec;

    checked->n++;

    if (fcf_spec_decode(&spec, kv->value, kv->value_len, &err) != 0) {
        checked->wrong++;
        fcc_find(doctor, FCC_WRONG, "function", name,
                 "fcfaas deploy, or rollback", "is not valid, so it is as it "
                 "was before: %s", err.msg);
        return;
    }

    there = fcc_code_there(doctor->fcc, name, &spec.code, where,
                           sizeof(where), &err);
    (void) snprintf(what, sizeof(what), "version %" PRId64, spec.version);
    fcc_there_find(doctor, name, there, what, where,
                   "fcfaas deploy it again, or rollback", &err, checked);

    there = fcc_stores_have(doctor->fcc, &spec.runtime_image, &err);
    (void) snprintf(what, sizeof(what), "the runtime %s of version %" PRId64,
                    spec.runtime, spec.version);
    fcc_there_find(doctor, name, there, what, spec.runtime_image.where,
                   "fcfaas runtime push, and deploy it again", &err, checked);
}


/* what agents write goes with their lease; without one it stays for ever */
static void
fcc_key_look(fcc_doctor_t *doctor, const fcf_kv_t *kv, const fcf_key_t *key)
{
    char            remedy[FCF_KEY_MAX + 32];
    fcf_failure_t   failure;

    if (key->kind != FCF_KEY_INSTANCE && key->kind != FCF_KEY_SLOT
        && key->kind != FCF_KEY_FAILURE)
    {
        return;
    }

    if (kv->lease == 0) {
        (void) snprintf(remedy, sizeof(remedy), "etcdctl del %s", kv->key);
        fcc_find(doctor, FCC_WRONG, "function", key->function_id, remedy,
                 "%s is under no lease: it would stay for ever", kv->key);
        return;
    }

    if (key->kind == FCF_KEY_FAILURE
        && fcf_failure_decode(&failure, kv->value, kv->value_len, NULL) == 0
        && !failure.booting && failure.error < FCF_FAILURE_EXPIRED)
    {
        fcc_find(doctor, FCC_NOTE, "function", key->function_id,
                 "fcfaas logs shows what it printed",
                 "did not start on %s some seconds ago: %s: %.300s",
                 failure.node_id, fcf_failure_name(failure.error),
                 failure.message);
    }
}


/* all that is below a key; -1: it cannot be read, which is told */
static int
fcc_keys_look(fcc_doctor_t *doctor, const char *below, fcc_checked_t *checked)
{
    int          rc;
    size_t       i;
    fcf_err_t    err;
    fcf_key_t    key;
    fcc_reply_t  said;

    rc = fcc_list(doctor->fcc, below, &said, &err);

    if (rc != 0) {
        fcc_find(doctor, FCC_WRONG, "functions", "-", NULL,
                 "%s cannot be read: %s", below, err.msg);
    }

    for (i = 0; i < said.nkvs; i++) {

        fcf_key_parse(&key, doctor->fcc->conf.prefix, said.kvs[i].key,
                      said.kvs[i].key_len);

        if (key.kind == FCF_KEY_SPEC) {
            fcc_function_look(doctor, &said.kvs[i], key.function_id, checked);
        } else {
            fcc_key_look(doctor, &said.kvs[i], &key);
        }
    }

    fcc_reply_free(&said);

    return rc;
}


void
fcc_doctor_functions(fcc_doctor_t *doctor)
{
    char            name[FCF_KEY_MAX];
    const char     *prefix;
    fcc_checked_t   checked = { 0, 0 };

    prefix = doctor->fcc->conf.prefix;

    if (fcc_keys_look(doctor, fcf_key_specs(name, prefix), &checked) == 0
        && checked.wrong == 0)
    {
        fcc_find(doctor, FCC_WELL, "functions", "-", NULL, "%zu, and the "
                 "images that can be seen from here are there", checked.n);
    }

    (void) fcc_keys_look(doctor, fcf_key_functions(name, prefix), &checked);
}
