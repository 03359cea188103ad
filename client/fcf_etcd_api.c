#include <inttypes.h>
#include <string.h>

#include "client/fcf_etcd_private.h"


/* sends what a builder made; rc is what that returned */

static fcf_etcd_call_t *
fcf_etcd_go(fcf_etcd_t *etcd, fcf_etcd_kind_e kind, int rc, fcf_buf_t *body,
    fcf_etcd_pt done, void *arg)
{
    fcf_err_t         err;
    fcf_etcd_call_t  *call;

    if (rc == -FCF_E_NOMEM) {
        return NULL;
    }

    call = fcf_etcd_call(etcd, kind, body, done, NULL, arg);

    if (call == NULL) {
        return NULL;
    }

    if (rc != 0) {
        fcf_err_set(&err, FCF_E_LIMIT, "etcd: request over %d bytes",
                    FCF_ETCD_BODY_MAX);
        fcf_etcd_call_fail(call, &err);
        return call;
    }

    fcf_etcd_call_send(call);

    return call;
}


fcf_etcd_call_t *
fcf_etcd_range(fcf_etcd_t *etcd, fcf_etcd_kind_e kind,
    const fcf_etcd_range_t *range, fcf_etcd_answer_pt answered, void *arg)
{
    fcf_buf_t         body;
    fcf_etcd_call_t  *call;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);

    if (fcf_etcd_build_range(&body, range) != 0) {
        return NULL;
    }

    call = fcf_etcd_call(etcd, kind, &body, NULL, answered, arg);

    if (call != NULL) {
        fcf_etcd_call_send(call);
    }

    return call;
}


fcf_etcd_call_t *
fcf_etcd_get(fcf_etcd_t *etcd, const char *key, fcf_etcd_pt done, void *arg)
{
    int        rc;
    fcf_buf_t  body;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);
    rc = fcf_etcd_build_key(&body, key);

    return fcf_etcd_go(etcd, FCF_ETCD_RANGE, rc, &body, done, arg);
}


fcf_etcd_call_t *
fcf_etcd_put(fcf_etcd_t *etcd, const char *key, const char *value, size_t len,
    int64_t lease, fcf_etcd_pt done, void *arg)
{
    int        rc;
    fcf_buf_t  body;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);
    rc = fcf_etcd_build_put(&body, key, value, len, lease);

    return fcf_etcd_go(etcd, FCF_ETCD_PUT, rc, &body, done, arg);
}


fcf_etcd_call_t *
fcf_etcd_delete(fcf_etcd_t *etcd, const char *key, fcf_etcd_pt done, void *arg)
{
    int        rc;
    fcf_buf_t  body;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);
    rc = fcf_etcd_build_key(&body, key);

    return fcf_etcd_go(etcd, FCF_ETCD_DELETE, rc, &body, done, arg);
}


static int
fcf_etcd_build_ops(fcf_buf_t *body, const char *name, const fcf_etcd_op_t *op,
    size_t n)
{
    int     rc;
    size_t  i;

    rc = fcf_buf_addf(body, ",\"%s\":[", name);

    for (i = 0; i < n && rc == 0; i++) {
        if (i != 0) {
            rc = fcf_buf_add(body, ",", 1);
        }

        if (rc == 0) {
            rc = fcf_etcd_build_op(body, &op[i]);
        }
    }

    return rc ? rc : fcf_buf_add(body, "]", 1);
}


fcf_etcd_call_t *
fcf_etcd_txn(fcf_etcd_t *etcd, const fcf_etcd_cmp_t *cmp, size_t ncmp,
    const fcf_etcd_op_t *then, size_t nthen, const fcf_etcd_op_t *other,
    size_t nother, fcf_etcd_pt done, void *arg)
{
    int        rc;
    size_t     i;
    fcf_buf_t  body;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);
    rc = fcf_buf_addf(&body, "{\"compare\":[");

    for (i = 0; i < ncmp && rc == 0; i++) {
        if (i != 0) {
            rc = fcf_buf_add(&body, ",", 1);
        }

        if (rc == 0) {
            rc = fcf_etcd_build_cmp(&body, &cmp[i]);
        }
    }

    if (rc == 0) {
        rc = fcf_buf_add(&body, "]", 1);
    }

    if (rc == 0) {
        rc = fcf_etcd_build_ops(&body, "success", then, nthen);
    }

    if (rc == 0) {
        rc = fcf_etcd_build_ops(&body, "failure", other, nother);
    }

    if (rc == 0) {
        rc = fcf_buf_add(&body, "}", 1);
    }

    return fcf_etcd_go(etcd, FCF_ETCD_TXN, rc, &body, done, arg);
}


fcf_etcd_call_t *
fcf_etcd_lease_grant(fcf_etcd_t *etcd, unsigned ttl_s, fcf_etcd_pt done,
    void *arg)
{
    int        rc;
    fcf_buf_t  body;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);
    rc = fcf_buf_addf(&body, "{\"TTL\":\"%u\"}", ttl_s);

    return fcf_etcd_go(etcd, FCF_ETCD_GRANT, rc, &body, done, arg);
}


static fcf_etcd_call_t *
fcf_etcd_lease_call(fcf_etcd_t *etcd, fcf_etcd_kind_e kind, int64_t lease,
    fcf_etcd_pt done, void *arg)
{
    int        rc;
    fcf_buf_t  body;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);
    rc = fcf_buf_addf(&body, "{\"ID\":\"%" PRId64 "\"%s}", lease,
                      kind == FCF_ETCD_LEASE_KEYS ? ",\"keys\":true" : "");

    return fcf_etcd_go(etcd, kind, rc, &body, done, arg);
}


fcf_etcd_call_t *
fcf_etcd_lease_keepalive(fcf_etcd_t *etcd, int64_t lease, fcf_etcd_pt done,
    void *arg)
{
    return fcf_etcd_lease_call(etcd, FCF_ETCD_KEEPALIVE, lease, done, arg);
}


fcf_etcd_call_t *
fcf_etcd_lease_keys(fcf_etcd_t *etcd, int64_t lease, fcf_etcd_pt done,
    void *arg)
{
    return fcf_etcd_lease_call(etcd, FCF_ETCD_LEASE_KEYS, lease, done, arg);
}


fcf_etcd_call_t *
fcf_etcd_lease_revoke(fcf_etcd_t *etcd, int64_t lease, fcf_etcd_pt done,
    void *arg)
{
    return fcf_etcd_lease_call(etcd, FCF_ETCD_REVOKE, lease, done, arg);
}
