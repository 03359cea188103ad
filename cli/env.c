#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/env.h"
#include "cli/table.h"

#define FCC_NAME_SHOWN  64


static const fcf_kv_t *
fcc_env_stored(const fcc_env_t *env, int64_t generation)
{
    char    key[FCF_KEY_MAX];
    size_t  i;

    (void) fcf_key_secret(key, env->rollout.fcc->conf.prefix,
                          env->rollout.name, generation);

    for (i = 0; i < env->stored.nkvs; i++) {
        if (strcmp(env->stored.kvs[i].key, key) == 0) {
            return &env->stored.kvs[i];
        }
    }

    return NULL;
}


static int
fcc_env_list(fcc_rollout_t *rollout, fcc_reply_t *stored, int64_t *newest,
    fcf_err_t *err)
{
    char       key[FCF_KEY_MAX];
    size_t     i;
    fcf_key_t  parsed;
    fcc_t     *fcc;

    fcc = rollout->fcc;
    *newest = 0;

    if (fcc_list(fcc, fcf_key_secrets(key, fcc->conf.prefix, rollout->name),
                 stored, err) != 0)
    {
        return fcf_err_wrap(err, "the environment of %s", rollout->name);
    }

    for (i = 0; i < stored->nkvs; i++) {

        fcf_key_parse(&parsed, fcc->conf.prefix, stored->kvs[i].key,
                      stored->kvs[i].key_len);

        if (parsed.kind == FCF_KEY_SECRET && parsed.number > *newest) {
            *newest = parsed.number;
        }
    }

    return 0;
}


int
fcc_env_first(fcc_rollout_t *rollout, int64_t *generation, fcf_err_t *err)
{
    int          rc;
    fcc_reply_t  stored;

    rc = fcc_env_list(rollout, &stored, generation, err);
    fcc_reply_wipe(&stored);

    /* who may not see them has set none */

    return rc != 0 && err->code == FCF_E_AUTH ? 0 : rc;
}


int
fcc_env_open(fcc_env_t *env, fcc_t *fcc, const char *name, fcf_err_t *err)
{
    int64_t          generation;
    const fcf_kv_t  *kv;

    memset(env, 0, sizeof(fcc_env_t));

    if (fcc_rollout_open(&env->rollout, fcc, name, err) != 0
        || fcc_env_list(&env->rollout, &env->stored, &env->newest, err) != 0)
    {
        return -1;
    }

    generation = env->rollout.old != NULL
                 ? env->rollout.old_spec.secrets_generation : env->newest;
    kv = generation != 0 ? fcc_env_stored(env, generation) : NULL;

    if (generation != 0 && kv == NULL) {
        fcc_say("%s: its environment, generation %"
                PRId64 ", is not in etcd; this begins with an empty "
                "one", name, generation);
    }

    if (kv != NULL
        && fcf_env_decode(&env->env, kv->value, kv->value_len, err) != 0)
    {
        err->code = FCF_E_REFUSED;
        return fcf_err_wrap(err, "%s", kv->key);
    }

    env->was = fcf_env_encode(&env->env);

    return env->was != NULL ? 0 : fcf_err_set(err, FCF_E_NOMEM, "no memory");
}


void
fcc_env_close(fcc_env_t *env)
{
    fcf_env_wipe(env->was);
    fcf_env_free(&env->env);
    fcc_reply_wipe(&env->stored);
    fcc_rollout_close(&env->rollout);
}


/* No version yet: it is kept for the first one, which takes the newest. */
static int
fcc_env_keep(fcc_env_t *env, const fcf_etcd_op_t *put, fcf_err_t *err)
{
    int              rc;
    char             key[FCF_KEY_MAX];
    size_t           n;
    fcc_t           *fcc;
    fcc_reply_t      reply;
    fcf_etcd_op_t    ops[2];
    fcf_etcd_cmp_t   cmp[2];

    fcc = env->rollout.fcc;

    cmp[0] = (fcf_etcd_cmp_t) { .what = FCF_CMP_ABSENT, .key = put->key };
    cmp[1] = (fcf_etcd_cmp_t) { .what = FCF_CMP_ABSENT,
        .key = fcf_key_spec(key, fcc->conf.prefix, env->rollout.name) };

    ops[0] = *put;
    n = 1;

    if (env->newest != 0 && env->rollout.versions.nkvs == 0) {
        ops[n++] = (fcf_etcd_op_t) { .op = FCF_OP_DELETE,
            .key = fcc_env_stored(env, env->newest)->key };
    }

    rc = fcc_txn(fcc, cmp, 2, ops, n, &reply, err);

    if (rc == 0 && !reply.succeeded) {
        rc = fcf_err_set(err, FCF_E_EXISTS, "%s: somebody else deployed it, "
                         "or set something, meanwhile: this lost",
                         env->rollout.name);
    }

    fcc_reply_free(&reply);

    if (rc != 0) {
        return rc;
    }

    if (fcc->json) {
        return fcc_json_print(json_pack("{s:s, s:s}", "name",
                                        env->rollout.name, "state", "kept"),
                              err);
    }

    fcc_print("%s: kept for its first version", env->rollout.name);

    return FCC_DONE;
}


/* the code that serves, with another environment */
static int
fcc_env_version(fcc_env_t *env, fcf_err_t *err)
{
    const fcf_kv_t  *kv;
    fcf_deployed_t   by;
    fcc_rollout_t   *rollout;

    rollout = &env->rollout;

    if (rollout->old_spec.ntraffic != 0) {
        return fcf_err_set(err, FCF_E_REFUSED, "%s: versions share its "
                           "requests: give them all to one first, by "
                           "fcfaas deploy or rollback", rollout->name);
    }

    rollout->version = rollout->newest + 1;

    if (fcc_spec_keep(rollout, env->newest + 1, err) != 0) {
        return -1;
    }

    kv = fcc_rollout_version(rollout, rollout->old_spec.version);

    if (kv == NULL
        || fcf_deployed_decode(&by, kv->value, kv->value_len, NULL) != 0)
    {
        memset(&by, 0, sizeof(by));
    }

    return fcc_rollout_new(rollout, by.source, err);
}


int
fcc_env_roll(fcc_env_t *env, fcf_err_t *err)
{
    int             rc;
    char            key[FCF_KEY_MAX], *text;
    fcf_etcd_op_t   put;
    fcc_rollout_t  *rollout;

    rollout = &env->rollout;

    if (fcf_env_check(&env->env, err) != 0) {
        return -1;
    }

    text = fcf_env_encode(&env->env);

    if (text == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    put = (fcf_etcd_op_t) {
        .op = FCF_OP_PUT,
        .key = fcf_key_secret(key, rollout->fcc->conf.prefix, rollout->name,
                              env->newest + 1),
        .value = text, .value_len = strlen(text),
    };

    if (strcmp(text, env->was) == 0) {
        rollout->version = rollout->old_spec.version;
        rc = fcc_rollout_print(rollout, "unchanged", err);

    } else if (rollout->old == NULL) {
        rc = fcc_env_keep(env, &put, err);

    } else {
        rollout->also = &put;
        rc = fcc_env_version(env, err);
    }

    fcf_env_wipe(text);

    return rc;
}


int
fcc_env_put(fcf_env_t *env, const char *name, const char *value, int secret,
    fcf_err_t *err)
{
    const fcf_var_t  *var;

    if (fcf_env_name_check(name, err) != 0) {
        return -1;
    }

    var = fcf_env_get(env, name);

    if (var != NULL && var->secret != secret) {
        return fcf_err_set(err, FCF_E_REFUSED, "%s: is %s already; %s first",
                           name, secret ? "in the environment, for all to see,"
                                        : "a secret",
                           secret ? "fcfaas env NAME unset"
                                  : "fcfaas secret rm");
    }

    return fcf_env_set(env, name, value, secret) == 0 ? 0
           : fcf_err_set(err, FCF_E_NOMEM, "no memory");
}


int
fcc_env_assign(fcf_env_t *env, const char *text, int secret, fcf_err_t *err)
{
    int          rc;
    char        *name;
    const char  *value;

    value = strchr(text, '=');

    if (value == NULL) {
        return secret
               ? fcf_err_set(err, FCF_E_INVALID, "is no \"NAME=VALUE\"")
               : fcf_err_set(err, FCF_E_INVALID, "\"%.*s\": is no "
                             "\"NAME=VALUE\"", FCC_NAME_SHOWN, text);
    }

    name = strndup(text, (size_t) (value - text));

    if (name == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    rc = fcc_env_put(env, name, value + 1, secret, err);
    free(name);

    return rc;
}


int
fcc_env_lines(fcf_env_t *env, char *text, int secret, fcf_err_t *err)
{
    int      n, rc;
    char    *line, *next;
    size_t   len;

    rc = 0;
    n = 1;
    len = strlen(text);

    for (line = text; line != NULL && rc == 0; line = next, n++) {

        next = strchr(line, '\n');

        if (next != NULL) {
            *next++ = '\0';
        }

        line += strspn(line, " \t");
        line[strcspn(line, "\r")] = '\0';

        if (strncmp(line, "export ", 7) == 0) {
            line += 7;
        }

        if (*line != '\0' && *line != '#'
            && fcc_env_assign(env, line, secret, err) != 0)
        {
            rc = fcf_err_wrap(err, "line %d", n);
        }
    }

    explicit_bzero(text, len);

    return rc;
}
