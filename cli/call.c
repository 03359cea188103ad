#include <stdlib.h>
#include <string.h>

#include "cli/call.h"

#define FCC_CALL_MS  5000

/* one call that is waited for */
typedef struct {
    int           done;                 /* 1: well, -1: failed */
    fcc_reply_t  *out;
    fcf_err_t    *err;
} fcc_wait_t;


fcf_etcd_t *
fcc_etcd(fcc_t *fcc, fcf_err_t *err)
{
    fcf_etcd_conf_t  conf;

    if (fcc->etcd == NULL) {

        conf = (fcf_etcd_conf_t) {
            .endpoints = fcc->conf.etcds,
            .nendpoints = fcc->conf.netcds,
            .user = fcc->conf.etcd_user,
            .password = fcc->conf.etcd_password,
            .ca = fcc->conf.etcd_ca,
            .cert = fcc->conf.etcd_cert,
            .key = fcc->conf.etcd_key,
            .timeout_ms = fcc->call_ms != 0 ? fcc->call_ms : FCC_CALL_MS,
        };

        fcc->etcd = fcf_etcd_new(&fcc->loop, &conf, err);
    }

    return fcc->etcd;
}


void
fcc_etcd_close(fcc_t *fcc)
{
    if (fcc->etcd != NULL) {
        fcf_etcd_free(fcc->etcd);
        fcc->etcd = NULL;
    }
}


static char *
fcc_copy(const char *data, size_t len)
{
    char  *copy;

    copy = malloc(len + 1);

    if (copy != NULL) {
        memcpy(copy, data, len);
        copy[len] = '\0';
    }

    return copy;
}


static int
fcc_reply_copy(fcc_reply_t *out, const fcf_etcd_reply_t *reply)
{
    size_t     i;
    fcf_kv_t  *to;

    out->succeeded = reply->succeeded;
    out->revision = reply->revision;
    out->lease = reply->lease;
    out->kvs = calloc(reply->nkvs + 1, sizeof(fcf_kv_t));

    if (out->kvs == NULL) {
        return -1;
    }

    for (i = 0; i < reply->nkvs; i++) {

        to = &out->kvs[out->nkvs++];
        *to = reply->kvs[i];
        to->key = fcc_copy(reply->kvs[i].key, to->key_len);
        to->value = fcc_copy(reply->kvs[i].value, to->value_len);

        if (to->key == NULL || to->value == NULL) {
            return -1;
        }
    }

    return 0;
}


void
fcc_reply_free(fcc_reply_t *reply)
{
    size_t  i;

    for (i = 0; i < reply->nkvs; i++) {
        free((char *) reply->kvs[i].key);
        free((char *) reply->kvs[i].value);
    }

    free(reply->kvs);
    memset(reply, 0, sizeof(fcc_reply_t));
}


void
fcc_reply_wipe(fcc_reply_t *reply)
{
    size_t  i;

    for (i = 0; i < reply->nkvs; i++) {
        if (reply->kvs[i].value != NULL) {
            explicit_bzero((char *) reply->kvs[i].value,
                           reply->kvs[i].value_len);
        }
    }

    fcc_reply_free(reply);
}


static void
fcc_answered(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    fcc_wait_t  *wait;

    wait = arg;
    wait->done = 1;

    if (err != NULL) {
        *wait->err = *err;
        wait->done = -1;

    } else if (fcc_reply_copy(wait->out, reply) != 0) {
        wait->done = fcf_err_set(wait->err, FCF_E_NOMEM, "no memory");
    }
}


static int
fcc_wait(fcc_t *fcc, const fcf_etcd_call_t *call, fcc_wait_t *wait)
{
    if (call == NULL) {
        return fcf_err_set(wait->err, FCF_E_NOMEM, "no memory");
    }

    while (wait->done == 0) {
        if (fcc_poll_turn(fcc->poll, -1) != 0) {
            return fcf_err_set(wait->err, FCF_E_UNAVAILABLE,
                               "etcd: nothing more comes of it");
        }
    }

    return wait->done < 0 ? -1 : 0;
}


int
fcc_get(fcc_t *fcc, const char *key, fcc_reply_t *out, fcf_err_t *err)
{
    fcc_wait_t   wait = { 0, out, err };
    fcf_etcd_t  *etcd;

    memset(out, 0, sizeof(fcc_reply_t));
    etcd = fcc_etcd(fcc, err);

    return etcd == NULL ? -1
           : fcc_wait(fcc, fcf_etcd_get(etcd, key, fcc_answered, &wait),
                      &wait);
}


int
fcc_list(fcc_t *fcc, const char *prefix, fcc_reply_t *out, fcf_err_t *err)
{
    fcc_wait_t   wait = { 0, out, err };
    fcf_etcd_t  *etcd;

    memset(out, 0, sizeof(fcc_reply_t));
    etcd = fcc_etcd(fcc, err);

    return etcd == NULL ? -1
           : fcc_wait(fcc, fcf_etcd_list(etcd, prefix, fcc_answered, &wait),
                      &wait);
}


int
fcc_txn(fcc_t *fcc, const fcf_etcd_cmp_t *cmp, size_t ncmp,
    const fcf_etcd_op_t *then, size_t nthen, fcc_reply_t *out, fcf_err_t *err)
{
    fcc_wait_t   wait = { 0, out, err };
    fcf_etcd_t  *etcd;

    memset(out, 0, sizeof(fcc_reply_t));
    etcd = fcc_etcd(fcc, err);

    return etcd == NULL ? -1
           : fcc_wait(fcc, fcf_etcd_txn(etcd, cmp, ncmp, then, nthen, NULL, 0,
                                        fcc_answered, &wait), &wait);
}


int64_t
fcc_lease(fcc_t *fcc, unsigned ttl_s, fcf_err_t *err)
{
    int          rc;
    int64_t      lease;
    fcc_reply_t  reply;
    fcc_wait_t   wait = { 0, &reply, err };
    fcf_etcd_t  *etcd;

    memset(&reply, 0, sizeof(reply));
    etcd = fcc_etcd(fcc, err);
    rc = etcd == NULL ? -1
         : fcc_wait(fcc, fcf_etcd_lease_grant(etcd, ttl_s, fcc_answered,
                                              &wait), &wait);
    lease = rc == 0 ? reply.lease : 0;
    fcc_reply_free(&reply);

    return lease;
}


int
fcc_no_function(const char *name, fcf_err_t *err)
{
    return fcf_err_set(err, FCF_E_NOT_FOUND, "%s: no such function (fcfaas ls "
                       "shows those there are)", name);
}


int
fcc_get_spec(fcc_t *fcc, const char *name, fcc_reply_t *out, fcf_err_t *err)
{
    char  key[FCF_KEY_MAX];

    memset(out, 0, sizeof(fcc_reply_t));

    if (fcc_name_check(name, err) != 0
        || fcc_get(fcc, fcf_key_spec(key, fcc->conf.prefix, name), out, err)
           != 0)
    {
        return -1;
    }

    return out->nkvs != 0 ? 0 : fcc_no_function(name, err);
}
