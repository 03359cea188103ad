/* fcfaas scale, fcfaas rm: one transaction each, that demands what was read. */

#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/store.h"

#define FCC_TRIES       5
#define FCC_TXN_OPS     100             /* etcd takes 128 */


static int
fcc_scale_options_take(const fcc_t *fcc, fcf_spec_t *spec, fcf_err_t *err)
{
    return fcc_opt_int(fcc, "min", 0, FCF_INSTANCES_MAX, &spec->min_instances,
                       err) != 0
           || fcc_opt_int(fcc, "max", 1, FCF_INSTANCES_MAX,
                          &spec->max_instances, err) != 0
           || fcc_opt_int(fcc, "concurrency", 0, FCF_CONCURRENCY_MAX,
                          &spec->concurrency, err) != 0
           ? -1 : 0;
}


/* the spec's text with these fields; NULL: *err says why not */
static char *
fcc_scaled(const fcc_t *fcc, const fcf_kv_t *kv, fcf_err_t *err)
{
    char        *text;
    json_t      *obj;
    fcf_spec_t   spec, now;

    if (fcf_spec_decode(&spec, kv->value, kv->value_len, err) != 0) {
        fcf_err_wrap(err, "what is declared is not valid");
        err->code = FCF_E_REFUSED;
        return NULL;
    }

    if (fcc_scale_options_take(fcc, &spec, err) != 0) {
        return NULL;
    }

    /* all else stays as it is there, known or not */

    obj = json_loadb(kv->value, kv->value_len, 0, NULL);

    if (obj == NULL
        || json_object_set_new(obj, "min_instances",
                               json_integer(spec.min_instances)) != 0
        || json_object_set_new(obj, "max_instances",
                               json_integer(spec.max_instances)) != 0
        || json_object_set_new(obj, "concurrency",
                               json_integer(spec.concurrency)) != 0)
    {
        json_decref(obj);
        fcf_err_set(err, FCF_E_NOMEM, "no memory");
        return NULL;
    }

    text = json_dumps(obj, JSON_COMPACT);
    json_decref(obj);

    if (text == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory");

    } else if (fcf_spec_decode(&now, text, strlen(text), err) != 0) {
        free(text);
        text = NULL;
    }

    return text;
}


/* 1: somebody else changed it meanwhile */
static int
fcc_scale_once(fcc_t *fcc, const char *name, fcf_err_t *err)
{
    int             rc;
    char           *text;
    fcc_reply_t     spec, reply = { .kvs = NULL };
    fcf_etcd_op_t   put;
    fcf_etcd_cmp_t  same;

    rc = -1;
    text = NULL;

    if (fcc_get_spec(fcc, name, &spec, err) == 0
        && (text = fcc_scaled(fcc, &spec.kvs[0], err)) != NULL)
    {
        same = (fcf_etcd_cmp_t) { .what = FCF_CMP_VALUE_IS,
                                  .key = spec.kvs[0].key,
                                  .value = spec.kvs[0].value,
                                  .value_len = spec.kvs[0].value_len };
        put = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = spec.kvs[0].key,
                                .value = text, .value_len = strlen(text) };

        rc = fcc_txn(fcc, &same, 1, &put, 1, &reply, err);

        if (rc == 0) {
            rc = reply.succeeded ? 0 : 1;
        }
    }

    free(text);
    fcc_reply_free(&spec);
    fcc_reply_free(&reply);

    return rc;
}


static int
fcc_scale(fcc_t *fcc, fcf_err_t *err)
{
    int         rc, i;
    fcf_spec_t  none;

    if (fcc->nopts == 0) {
        return fcf_err_set(err, FCF_E_INVALID, "scale: to what?  --min, --max "
                           "or --concurrency");
    }

    if (fcc_scale_options_take(fcc, &none, err) != 0) {
        return -1;                      /* before anything is asked */
    }

    rc = 1;

    for (i = 0; i < FCC_TRIES && rc == 1; i++) {
        rc = fcc_scale_once(fcc, fcc->args[0], err);
    }

    return rc != 1 ? rc
           : fcf_err_set(err, FCF_E_EXISTS, "%s: others change it at the same "
                         "time; again, please", fcc->args[0]);
}


static int
fcc_rm_keys(fcc_t *fcc, const fcc_reply_t *keys, fcf_err_t *err)
{
    int            rc;
    size_t         i, n;
    fcc_reply_t    reply;
    fcf_etcd_op_t  ops[FCC_TXN_OPS];

    for (n = i = 0; i < keys->nkvs; i++) {

        ops[n++] = (fcf_etcd_op_t) { .op = FCF_OP_DELETE,
                                     .key = keys->kvs[i].key };

        if (n == FCC_TXN_OPS || i + 1 == keys->nkvs) {

            rc = fcc_txn(fcc, NULL, 0, ops, n, &reply, err);
            fcc_reply_free(&reply);

            if (rc != 0) {
                return rc;
            }

            n = 0;
        }
    }

    return 0;
}


/* who may not see them has none to remove */
static int
fcc_rm_secrets(fcc_t *fcc, fcc_reply_t *secrets, fcf_err_t *err)
{
    char  key[FCF_KEY_MAX];

    if (fcc_list(fcc, fcf_key_secrets(key, fcc->conf.prefix, fcc->args[0]),
                 secrets, err) == 0)
    {
        return 0;
    }

    return err->code == FCF_E_AUTH ? 0 : -1;
}


static int
fcc_rm_images(fcc_t *fcc, const fcc_reply_t *versions, const fcf_kv_t *spec,
    fcf_err_t *err)
{
    size_t            i;
    const fcf_kv_t  **gone;

    gone = calloc(versions->nkvs + 1, sizeof(fcf_kv_t *));

    if (gone == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    for (i = 0; i < versions->nkvs; i++) {
        gone[i] = &versions->kvs[i];
    }

    gone[i] = spec;
    fcc_prune(fcc, gone, i + 1);
    free(gone);

    return 0;
}


/* the spec first: what is left of the rest, should etcd go away, is nothing;
 * the environment last, since a start may still ask for it */
static int
fcc_rm(fcc_t *fcc, fcf_err_t *err)
{
    int          rc;
    char         key[FCF_KEY_MAX];
    fcc_reply_t  spec, versions = { .kvs = NULL }, secrets = { .kvs = NULL };

    rc = fcc_get_spec(fcc, fcc->args[0], &spec, err);

    if (rc == 0) {
        rc = fcc_list(fcc, fcf_key_versions(key, fcc->conf.prefix,
                                            fcc->args[0]), &versions, err);
    }

    if (rc == 0) {
        rc = fcc_rm_secrets(fcc, &secrets, err) != 0
             || fcc_rm_keys(fcc, &spec, err) != 0
             || fcc_rm_keys(fcc, &versions, err) != 0
             || fcc_rm_keys(fcc, &secrets, err) != 0 ? -1 : 0;
    }

    fcc_reply_wipe(&secrets);

    if (rc == 0) {
        rc = fcc_rm_images(fcc, &versions, &spec.kvs[0], err);
    }

    fcc_reply_free(&spec);
    fcc_reply_free(&versions);

    return rc;
}


static const fcc_option_t  fcc_scale_options[] = {
    { "min", 0, "N", "instances that are kept without requests" },
    { "max", 0, "N", "instances at most" },
    { "concurrency", 0, "N", "requests at once in one; 0: no limit" },
    { NULL, 0, NULL, NULL }
};

const fcc_verb_t  fcc_verb_scale = {
    "scale", "NAME", "how many instances a function has, and what each takes",
    1, 1, fcc_scale_options, NULL, fcc_scale
};

const fcc_verb_t  fcc_verb_rm = {
    "rm", "NAME", "removes a function, its versions and its environment", 1, 1,
    NULL,
    "Its instances end their requests and stop, and images that only it had\n"
    "go.\n", fcc_rm
};
