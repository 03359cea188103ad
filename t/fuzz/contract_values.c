/*
 * Each JSON value of the contract, out of any bytes: it is refused in one line
 * or taken whole, whatever was in memory before, and what is made of it again
 * is the same value.
 */

#include "contract/fcf_codec.h"
#include "t/fuzz/values.h"

typedef union {
    fcf_job_t        job;
    fcf_instance_t   instance;
    fcf_slot_t       slot;
    fcf_spec_t       spec;
    fcf_failure_t    failure;
    fcf_worker_t     worker;
    fcf_image_t      runtime;
} value_t;


#define CODEC(kind)                                                         \
    static int                                                              \
    decode_##kind(value_t *v, const char *text, size_t len, fcf_err_t *err) \
    {                                                                       \
        return fcf_##kind##_decode(&v->kind, text, len, err);               \
    }                                                                       \
                                                                            \
    static char *                                                           \
    encode_##kind(const value_t *v)                                         \
    {                                                                       \
        return fcf_##kind##_encode(&v->kind);                               \
    }

CODEC(job)
CODEC(instance)
CODEC(slot)
CODEC(spec)
CODEC(failure)
CODEC(worker)
CODEC(runtime)


static const struct {
    int    (*decode)(value_t *v, const char *text, size_t len,
                     fcf_err_t *err);
    char  *(*encode)(const value_t *v);
} codecs[] = {
    { decode_job, encode_job },           { decode_instance, encode_instance },
    { decode_slot, encode_slot },         { decode_spec, encode_spec },
    { decode_failure, encode_failure },   { decode_worker, encode_worker },
    { decode_runtime, encode_runtime }
};


/* an environment is not of one piece */
static void
fuzz_env(const uint8_t *data, size_t size)
{
    char       *text, *one, *two;
    fcf_env_t   env;
    fcf_err_t   err;

    text = fct_copy(data, size, 0);
    memset(&env, 0x55, sizeof(env));

    if (fcf_env_decode(&env, text, size, &err) != 0) {
        fct_says(&err);
        free(text);
        return;
    }

    free(text);
    one = fcf_env_encode(&env);
    fcf_env_free(&env);
    FCT_HOLDS(one != NULL && strchr(one, '\n') == NULL);

    /* escapes may have made it longer than what is taken */

    if (fcf_env_decode(&env, one, strlen(one), &err) == 0) {
        two = fcf_env_encode(&env);
        FCT_HOLDS(two != NULL && strcmp(one, two) == 0);
        fcf_env_wipe(two);
        fcf_env_free(&env);

    } else {
        FCT_HOLDS(strlen(one) > FCF_VALUE_MAX);
    }

    fcf_env_wipe(one);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int               rc;
    char             *text, *one, *two, *again;
    size_t            i;
    fcf_err_t         err;
    static value_t    a, b;

    for (i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        text = fct_copy(data, size, 0);
        memset(&a, 0x55, sizeof(a));
        memset(&b, 0xaa, sizeof(b));
        rc = codecs[i].decode(&a, text, size, &err);

        if (rc != 0) {
            fct_says(&err);
            free(text);
            continue;
        }

        FCT_HOLDS(codecs[i].decode(&b, text, size, &err) == 0);
        free(text);

        one = codecs[i].encode(&a);
        two = codecs[i].encode(&b);
        FCT_HOLDS(one != NULL && two != NULL && strcmp(one, two) == 0);
        FCT_HOLDS(strchr(one, '\n') == NULL);
        FCT_HOLDS(strlen(one) <= FCF_VALUE_MAX);

        memset(&a, 0xaa, sizeof(a));
        FCT_HOLDS(codecs[i].decode(&a, one, strlen(one), &err) == 0);
        again = codecs[i].encode(&a);
        FCT_HOLDS(again != NULL && strcmp(again, one) == 0);

        free(one);
        free(two);
        free(again);
    }

    fuzz_env(data, size);

    return 0;
}
