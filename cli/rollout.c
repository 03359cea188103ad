#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/gateway.h"
#include "cli/rollout.h"
#include "cli/store.h"
#include "cli/table.h"
#include "contract/fcf_code.h"

#define FCC_OPS_MAX  64                 /* etcd takes 128 */


int
fcc_rollout_open(fcc_rollout_t *rollout, fcc_t *fcc, const char *name,
    fcf_err_t *err)
{
    char       key[FCF_KEY_MAX];
    size_t     i;
    fcf_key_t  parsed;

    memset(rollout, 0, sizeof(fcc_rollout_t));
    rollout->fcc = fcc;
    rollout->name = name;
    rollout->percent = 100;

    if (fcc_name_check(name, err) != 0
        || fcc_opt_int(fcc, "timeout", 1, FCF_TIMEOUT_S_MAX,
                       &rollout->timeout_s, err) != 0
        || fcc_get(fcc, fcf_key_spec(key, fcc->conf.prefix, name),
                   &rollout->there, err) != 0
        || fcc_list(fcc, fcf_key_versions(key, fcc->conf.prefix, name),
                    &rollout->versions, err) != 0)
    {
        return -1;
    }

    for (i = 0; i < rollout->versions.nkvs; i++) {

        fcf_key_parse(&parsed, fcc->conf.prefix,
                      rollout->versions.kvs[i].key,
                      rollout->versions.kvs[i].key_len);

        if (parsed.kind == FCF_KEY_SPEC_VERSION
            && parsed.number > rollout->newest)
        {
            rollout->newest = parsed.number;
        }
    }

    if (rollout->there.nkvs == 0) {
        return 0;
    }

    /* what nobody takes is not built upon */

    rollout->old = json_loadb(rollout->there.kvs[0].value,
                              rollout->there.kvs[0].value_len, 0, NULL);

    if (fcf_spec_decode(&rollout->old_spec, rollout->there.kvs[0].value,
                        rollout->there.kvs[0].value_len, err) != 0)
    {
        err->code = FCF_E_REFUSED;
        return fcf_err_wrap(err, "%s: what is declared is not valid; fcfaas "
                            "rm %s removes it", name, name);
    }

    if (rollout->old_spec.version > rollout->newest) {
        rollout->newest = rollout->old_spec.version;
    }

    return 0;
}


void
fcc_rollout_close(fcc_rollout_t *rollout)
{
    fcc_reply_free(&rollout->there);
    fcc_reply_free(&rollout->versions);
    fcc_pin_free(&rollout->pin);
    json_decref(rollout->old);
    json_decref(rollout->spec);

    while (rollout->ndropped > 0) {
        free(rollout->dropped[--rollout->ndropped]);
    }

    memset(rollout, 0, sizeof(fcc_rollout_t));
}


const fcf_kv_t *
fcc_rollout_version(const fcc_rollout_t *rollout, int64_t version)
{
    char    key[FCF_KEY_MAX];
    size_t  i;

    (void) fcf_key_version(key, rollout->fcc->conf.prefix, rollout->name,
                           version);

    for (i = 0; i < rollout->versions.nkvs; i++) {
        if (strcmp(rollout->versions.kvs[i].key, key) == 0) {
            return &rollout->versions.kvs[i];
        }
    }

    return NULL;
}


/* the spec as it was read */
static fcf_etcd_cmp_t
fcc_unchanged(const fcc_rollout_t *rollout, const char *key)
{
    if (rollout->there.nkvs == 0) {
        return (fcf_etcd_cmp_t) { .what = FCF_CMP_ABSENT, .key = key };
    }

    return (fcf_etcd_cmp_t) { .what = FCF_CMP_VALUE_IS, .key = key,
                              .value = rollout->there.kvs[0].value,
                              .value_len = rollout->there.kvs[0].value_len };
}


/* the spec's key as it is to be, one line; malloc'd, NULL: out of memory */
static char *
fcc_serving(const fcc_rollout_t *rollout)
{
    char    *text;
    json_t  *spec, *traffic;

    if (rollout->percent == 100) {

        spec = json_copy(rollout->spec);

        if (rollout->old != NULL
            && rollout->old_spec.version != rollout->version)
        {
            (void) json_object_set_new(spec, "previous",
                json_integer(rollout->old_spec.version));
        }

        (void) json_object_set_new(spec, "version",
                                   json_integer(rollout->version));
        (void) json_object_del(spec, "traffic");
        (void) json_object_del(spec, "deployed");

    } else {
        spec = json_copy(rollout->old);
        traffic = json_pack("[{s:I, s:i}, {s:I, s:i}]",
            "version", (json_int_t) rollout->old_spec.version,
            "percent", 100 - rollout->percent,
            "version", (json_int_t) rollout->version,
            "percent", rollout->percent);

        if (traffic == NULL
            || json_object_set_new(spec, "traffic", traffic) != 0)
        {
            json_decref(spec);
            return NULL;
        }
    }

    text = spec != NULL ? json_dumps(spec, JSON_COMPACT) : NULL;
    json_decref(spec);

    return text;
}


void
fcc_deployed_now(fcf_deployed_t *out, const char *source)
{
    char            host[64];
    struct passwd  *user;

    memset(out, 0, sizeof(fcf_deployed_t));

    if (gethostname(host, sizeof(host)) != 0) {
        host[0] = '\0';
    }

    host[sizeof(host) - 1] = '\0';
    user = getpwuid(getuid());

    out->at_ms = (int64_t) time(NULL) * 1000;
    (void) snprintf(out->by, sizeof(out->by), "%s@%s",
                    user != NULL ? user->pw_name : "?", host);
    (void) snprintf(out->source, sizeof(out->source), "%s", source);
}


/* malloc'd */
static char *
fcc_version_text(const json_t *spec, const fcf_deployed_t *deployed)
{
    char  *text, *version;

    text = json_dumps(spec, JSON_COMPACT);
    version = text != NULL
              ? fcf_version_encode(text, strlen(text), deployed) : NULL;
    free(text);

    return version;
}


static int
fcc_lost(const fcc_rollout_t *rollout, fcf_err_t *err)
{
    int         rc;
    fcc_mark_t  now;

    if (rollout->mark != NULL) {

        now = *rollout->mark;

        if (fcc_mark_get(rollout->fcc, &now, err) != 0) {
            return -1;
        }

        if (strcmp(now.value, rollout->mark->value) != 0) {
            return fcf_err_set(err, FCF_E_EXISTS, "%s: its image was removed "
                               "by another command meanwhile: deploy it again",
                               rollout->name);
        }
    }

    if (rollout->pin.key[0] != '\0' && !rollout->pin.unseen
        && (rc = fcc_pin_changed(rollout->fcc, &rollout->pin, err)) != 0)
    {
        return rc < 0 ? rc
               : fcf_err_set(err, FCF_E_EXISTS, "%s: its runtime %s was pushed "
                             "meanwhile: deploy it again", rollout->name,
                             rollout->decoded.runtime);
    }

    return fcf_err_set(err, FCF_E_EXISTS, "%s: somebody else deployed it, or "
                       "changed it, meanwhile: this lost, and version %" PRId64
                       " is not current; fcfaas describe %s", rollout->name,
                       rollout->version, rollout->name);
}


/* A version that was declared by hand has no key of its own: it gets one, or
 * nothing would lead back to it. */
static size_t
fcc_keep_old(const fcc_rollout_t *rollout, fcf_etcd_op_t *op, char *key,
    char **text)
{
    fcf_deployed_t  none;

    if (rollout->old == NULL
        || fcc_rollout_version(rollout, rollout->old_spec.version) != NULL)
    {
        return 0;
    }

    memset(&none, 0, sizeof(none));
    *text = fcc_version_text(rollout->old, &none);

    if (*text == NULL) {
        return 0;
    }

    *op = (fcf_etcd_op_t) {
        .op = FCF_OP_PUT,
        .key = fcf_key_version(key, rollout->fcc->conf.prefix, rollout->name,
                               rollout->old_spec.version),
        .value = *text, .value_len = strlen(*text),
    };

    return 1;
}


/* of the versions that these operations have deleted */
static void
fcc_prune_versions(const fcc_rollout_t *rollout, const fcf_etcd_op_t *ops,
    size_t n)
{
    size_t           i, j, ngone;
    const fcf_kv_t  *gone[FCC_OPS_MAX];

    for (ngone = i = 0; i < n; i++) {
        for (j = 0; ops[i].op == FCF_OP_DELETE && j < rollout->versions.nkvs;
             j++)
        {
            if (strcmp(rollout->versions.kvs[j].key, ops[i].key) == 0) {
                gone[ngone++] = &rollout->versions.kvs[j];
            }
        }
    }

    fcc_prune(rollout->fcc, gone, ngone);
}


/* all of it, or somebody else was faster; images of what it deletes go */
static int
fcc_rollout_txn(fcc_rollout_t *rollout, const fcf_etcd_cmp_t *cmp,
    size_t ncmp, const fcf_etcd_op_t *ops, size_t n, fcf_err_t *err)
{
    int          rc;
    fcc_reply_t  reply;

    rc = fcc_txn(rollout->fcc, cmp, ncmp, ops, n, &reply, err);

    if (rc == 0 && !reply.succeeded) {
        rc = fcc_lost(rollout, err);
    }

    if (rc == 0) {
        rollout->revision = reply.revision;
        fcc_prune_versions(rollout, ops, n);
    }

    fcc_reply_free(&reply);

    return rc;
}


int
fcc_rollout_create(fcc_rollout_t *rollout, const char *source, int current,
    fcf_err_t *err)
{
    int              rc;
    char             key[FCF_KEY_MAX], spec_key[FCF_KEY_MAX];
    char             old_key[FCF_KEY_MAX], *version, *old, *serving;
    size_t           n, ncmp;
    fcf_etcd_op_t    ops[FCC_OPS_MAX];
    fcf_etcd_cmp_t   cmp[5];
    fcf_deployed_t   deployed;
    const char      *prefix;

    prefix = rollout->fcc->conf.prefix;
    fcc_deployed_now(&deployed, source);

    old = NULL;
    version = fcc_version_text(rollout->spec, &deployed);
    serving = current ? fcc_serving(rollout) : NULL;

    if (version == NULL || (current && serving == NULL)) {
        free(version);
        free(serving);
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    (void) fcf_key_version(key, prefix, rollout->name, rollout->version);
    (void) fcf_key_spec(spec_key, prefix, rollout->name);

    cmp[0] = (fcf_etcd_cmp_t) { .what = FCF_CMP_ABSENT, .key = key };
    cmp[1] = fcc_unchanged(rollout, spec_key);
    ncmp = 2;

    n = fcc_keep_old(rollout, &ops[0], old_key, &old);
    ops[n++] = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = key,
                                 .value = version,
                                 .value_len = strlen(version) };

    if (rollout->also != NULL) {
        cmp[ncmp++] = (fcf_etcd_cmp_t) { .what = FCF_CMP_ABSENT,
                                         .key = rollout->also->key };
        ops[n++] = *rollout->also;
    }

    if (rollout->mark != NULL) {
        cmp[ncmp++] = fcc_mark_same(rollout->mark);
    }

    if (rollout->pin.key[0] != '\0' && !rollout->pin.unseen) {
        cmp[ncmp++] = fcc_pin_same(&rollout->pin);
    }

    if (current) {
        ops[n++] = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = spec_key,
                                     .value = serving,
                                     .value_len = strlen(serving) };
        n += fcc_versions_drop(rollout, ops + n, FCC_OPS_MAX - n);
    }

    rc = fcc_rollout_txn(rollout, cmp, ncmp, ops, n, err);
    rollout->mark = NULL;               /* from here on it is named */

    if (rc == 0 && current) {
        fcc_gateway_wait(rollout->fcc, rollout->revision);
    }

    free(version);
    free(serving);
    free(old);

    return rc;
}


int
fcc_rollout_serve(fcc_rollout_t *rollout, fcf_err_t *err)
{
    int             rc;
    char            key[FCF_KEY_MAX], *text;
    size_t          n;
    fcf_etcd_op_t   ops[FCC_OPS_MAX];
    fcf_etcd_cmp_t  cmp;

    text = fcc_serving(rollout);

    if (text == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    (void) fcf_key_spec(key, rollout->fcc->conf.prefix, rollout->name);
    cmp = fcc_unchanged(rollout, key);

    ops[0] = (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = key, .value = text,
                               .value_len = strlen(text) };
    n = 1 + fcc_versions_drop(rollout, ops + 1, FCC_OPS_MAX - 1);

    rc = fcc_rollout_txn(rollout, &cmp, 1, ops, n, err);

    if (rc == 0) {
        fcc_gateway_wait(rollout->fcc, rollout->revision);
    }

    free(text);

    return rc;
}


int
fcc_rollout_image(fcc_rollout_t *rollout, const char *field,
    const fcf_image_t *image, fcf_err_t *err)
{
    fcf_spec_put_image(&rollout->spec, field, image);

    return rollout->spec != NULL ? 0
           : fcf_err_set(err, FCF_E_NOMEM, "no memory");
}


int
fcc_rollout_print(const fcc_rollout_t *rollout, const char *state,
    fcf_err_t *err)
{
    if (rollout->fcc->json) {
        return fcc_json_print(json_pack(
            "{s:s, s:I, s:s, s:i, s:s, s:I}", "name", rollout->name,
            "version", (json_int_t) rollout->version, "state", state,
            "percent", rollout->percent,
            "sha256", rollout->decoded.code.sha256,
            "size", (json_int_t) rollout->decoded.code.size), err);
    }

    if (strcmp(state, "unchanged") == 0) {
        fcc_print("%s: unchanged, still version %" PRId64, rollout->name,
                  rollout->version);

    } else if (rollout->percent != 100) {
        fcc_print("%s: version %" PRId64 " gets %d %% of the requests",
                  rollout->name, rollout->version, rollout->percent);

    } else {
        fcc_print("%s: version %" PRId64 " is current: %s/%s", rollout->name,
                  rollout->version, rollout->fcc->conf.gateway,
                  rollout->name);
    }

    return FCC_DONE;
}
