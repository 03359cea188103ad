/* Which versions are kept, and with the others what only they had. */

#include <stdlib.h>
#include <string.h>

#include "cli/rollout.h"


static int
fcc_number_cmp(const void *a, const void *b)
{
    int64_t  x = *(const int64_t *) a, y = *(const int64_t *) b;

    return (x < y) - (x > y);           /* the newest first */
}


/* is it current, before that, or has it a share? */
static int
fcc_version_used(const fcc_rollout_t *rollout, int64_t version)
{
    return version == rollout->version
           || (rollout->old != NULL
               && (version == rollout->old_spec.version
                   || version == rollout->old_spec.previous
                   || fcf_spec_serves(&rollout->old_spec, version)));
}


/* numbers of all that there are and the new one, the newest first; malloc'd */
static int64_t *
fcc_version_numbers(const fcc_rollout_t *rollout, size_t *n)
{
    size_t           i;
    int64_t         *numbers;
    fcf_key_t        key;
    const fcf_kv_t  *kv;

    numbers = calloc(rollout->versions.nkvs + 1, sizeof(int64_t));

    if (numbers == NULL) {
        return NULL;
    }

    numbers[0] = rollout->version;

    for (*n = 1, i = 0; i < rollout->versions.nkvs; i++) {

        kv = &rollout->versions.kvs[i];
        fcf_key_parse(&key, rollout->fcc->conf.prefix, kv->key, kv->key_len);

        if (key.kind == FCF_KEY_SPEC_VERSION && key.number != numbers[0]) {
            numbers[(*n)++] = key.number;
        }
    }

    qsort(numbers, *n, sizeof(int64_t), fcc_number_cmp);

    return numbers;
}


static int64_t
fcc_version_generation(const fcf_kv_t *kv)
{
    fcf_spec_t  spec;

    return fcf_spec_decode(&spec, kv->value, kv->value_len, NULL) == 0
           ? spec.secrets_generation : 0;
}


static int
fcc_deleted(const fcf_etcd_op_t *ops, size_t n, const char *key)
{
    while (n-- > 0) {
        if (strcmp(ops[n].key, key) == 0) {
            return 1;
        }
    }

    return 0;
}


/* a version that stays, or is coming, has it */
static int
fcc_generation_used(const fcc_rollout_t *rollout, const fcf_etcd_op_t *ops,
    size_t nops, int64_t generation)
{
    size_t           i;
    const fcf_kv_t  *kv;

    if (rollout->decoded.secrets_generation == generation
        || (rollout->old != NULL
            && rollout->old_spec.secrets_generation == generation))
    {
        return 1;
    }

    for (i = 0; i < rollout->versions.nkvs; i++) {

        kv = &rollout->versions.kvs[i];

        if (!fcc_deleted(ops, nops, kv->key)
            && fcc_version_generation(kv) == generation)
        {
            return 1;
        }
    }

    return 0;
}


/* the environment of a version that goes */
static size_t
fcc_old_generation(fcc_rollout_t *rollout, fcf_etcd_op_t *ops, size_t nops,
    const fcf_kv_t *version)
{
    char     key[FCF_KEY_MAX], *copy;
    int64_t  generation;

    generation = fcc_version_generation(version);

    if (generation == 0
        || fcc_generation_used(rollout, ops, nops, generation))
    {
        return nops;
    }

    (void) fcf_key_secret(key, rollout->fcc->conf.prefix, rollout->name,
                          generation);

    if (fcc_deleted(ops, nops, key) || (copy = strdup(key)) == NULL) {
        return nops;
    }

    rollout->dropped[rollout->ndropped++] = copy;
    ops[nops++] = (fcf_etcd_op_t) { .op = FCF_OP_DELETE, .key = copy };

    return nops;
}


size_t
fcc_versions_drop(fcc_rollout_t *rollout, fcf_etcd_op_t *ops, size_t max)
{
    size_t           i, n, nversions, nops;
    int64_t         *numbers;
    const fcf_kv_t  *kv;

    numbers = fcc_version_numbers(rollout, &n);

    if (numbers == NULL) {
        return 0;
    }

    /* each may take an environment along */

    for (nops = 0, i = FCC_VERSIONS_KEPT; i < n && nops < max / 2; i++) {

        kv = fcc_version_used(rollout, numbers[i]) ? NULL
             : fcc_rollout_version(rollout, numbers[i]);

        if (kv != NULL) {
            ops[nops++] = (fcf_etcd_op_t) { .op = FCF_OP_DELETE,
                                            .key = kv->key };
        }
    }

    free(numbers);
    nversions = nops;

    for (i = 0; i < rollout->versions.nkvs && nversions != 0
                && rollout->ndropped < FCC_DROPPED_MAX && nops < max; i++)
    {
        kv = &rollout->versions.kvs[i];

        if (fcc_deleted(ops, nversions, kv->key)) {
            nops = fcc_old_generation(rollout, ops, nops, kv);
        }
    }

    return nops;
}
