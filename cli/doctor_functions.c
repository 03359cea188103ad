/* The functions, and what stands of them in etcd, as fcfaas doctor sees it. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/doctor.h"

typedef struct {
    size_t  n, wrong;
} fcc_checked_t;


/* NULL: it is there, or that cannot be seen from here; else malloc'd, where it
 * is not */
static char *
fcc_image_lacks(const fcc_conf_t *conf, const char *name,
    const fcf_spec_t *spec)
{
    char        *path;
    int          rc;

    if (access(conf->functions, X_OK) != 0) {
        return NULL;
    }

    rc = spec->code_sha256[0] != '\0'
         ? asprintf(&path, "%s/%s.img", conf->functions, spec->code_sha256)
         : asprintf(&path, "%s/%s.img", conf->functions, name);

    if (rc < 0) {
        return NULL;
    }

    if (access(path, F_OK) == 0) {
        free(path);
        return NULL;
    }

    return path;
}


static void
fcc_function_look(fcc_doctor_t *doctor, const fcf_kv_t *kv, const char *name,
    fcc_checked_t *checked)
{
    char        *path;
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

    path = fcc_image_lacks(&doctor->fcc->conf, name, &spec);

    if (path != NULL) {
        checked->wrong++;
        fcc_find(doctor, FCC_WRONG, "function", name,
                 "fcfaas deploy it again, or rollback",
                 "the image of version %" PRId64 " is not there: %s",
                 spec.version, path);
        free(path);
    }
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


static int
fcc_keys_each(fcc_doctor_t *doctor, const char *below,
    void (*look)(fcc_doctor_t *doctor, const fcf_kv_t *kv,
                 const fcf_key_t *key, fcc_checked_t *checked),
    fcc_checked_t *checked)
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
        look(doctor, &said.kvs[i], &key, checked);
    }

    fcc_reply_free(&said);

    return rc;
}


static void
fcc_look_spec(fcc_doctor_t *doctor, const fcf_kv_t *kv, const fcf_key_t *key,
    fcc_checked_t *checked)
{
    if (key->kind == FCF_KEY_SPEC) {
        fcc_function_look(doctor, kv, key->function_id, checked);
    }
}


static void
fcc_look_said(fcc_doctor_t *doctor, const fcf_kv_t *kv, const fcf_key_t *key,
    fcc_checked_t *checked)
{
    (void) checked;
    fcc_key_look(doctor, kv, key);
}


void
fcc_doctor_functions(fcc_doctor_t *doctor)
{
    char              name[FCF_KEY_MAX];
    const char       *prefix;
    fcc_checked_t     checked = { 0, 0 };
    const fcc_conf_t *conf;

    conf = &doctor->fcc->conf;
    prefix = conf->prefix;

    if (fcc_keys_each(doctor, fcf_key_specs(name, prefix), fcc_look_spec,
                      &checked) == 0
        && checked.wrong == 0)
    {
        fcc_find(doctor, FCC_WELL, "functions", "-", NULL, "%zu%s",
                 checked.n, access(conf->functions, X_OK) == 0
                 ? ", their images are there"
                 : ", their images cannot be seen from here");
    }

    (void) fcc_keys_each(doctor, fcf_key_functions(name, prefix),
                         fcc_look_said, &checked);
}
