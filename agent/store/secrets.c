#include <stdlib.h>
#include <string.h>
#include "agent/store/secrets.h"

struct fca_secrets_s {
    fcf_etcd_call_t  *call;
    fca_secrets_pt    done;
    void             *arg;
    char              key[FCF_KEY_MAX];
};

static void
secrets_read(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    int             rc;
    fcf_env_t       env;
    fcf_err_t       why;
    fca_secrets_t  *s = arg;

    memset(&env, 0, sizeof(env));
    memset(&why, 0, sizeof(why));

    if (err) {
        why = *err;
        rc = fcf_err_wrap(&why, "environment \"%s\"%s", s->key,
                          err->code == FCF_E_AUTH
                          ? " (an agent's etcd role must read /secrets/)"
                          : "");

    } else if (reply->nkvs == 0) {
        rc = fcf_err_set(&why, FCF_E_NOT_FOUND, "environment \"%s\": is not "
                         "in etcd; fcfaas env or secret sets another", s->key);

    } else {
        rc = fcf_env_decode(&env, reply->kvs[0].value,
                            reply->kvs[0].value_len, &why);
        if (rc != 0) {
            (void) fcf_err_wrap(&why, "environment \"%s\"", s->key);
        }
    }

    s->done(s->arg, &env, rc ? &why : NULL);
    free(s);
}

fca_secrets_t *
fca_secrets_read(fcf_etcd_t *etcd, const char *prefix,
    const char *function_id, int64_t generation, fca_secrets_pt done,
    void *arg, fcf_err_t *err)
{
    fca_secrets_t  *s;

    s = calloc(1, sizeof(*s));

    if (s) {
        s->done = done;
        s->arg = arg;
        s->call = fcf_etcd_get(etcd, fcf_key_secret(s->key, prefix,
                               function_id, generation), secrets_read, s);
    }

    if (s == NULL || s->call == NULL) {
        free(s);
        fcf_err_set(err, FCF_E_NOMEM, "no memory for an environment");
        return NULL;
    }

    return s;
}

void
fca_secrets_drop(fca_secrets_t *secrets)
{
    if (secrets) {
        fcf_etcd_cancel(secrets->call);
        free(secrets);
    }
}
