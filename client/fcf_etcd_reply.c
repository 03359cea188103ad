#include <string.h>

#include "client/fcf_etcd_private.h"


static int
fcf_etcd_parse_responses(fcf_etcd_answer_t *out, const json_t *root,
    fcf_err_t *err)
{
    int            rc;
    size_t         i, j;
    json_t        *all, *kvs;
    const json_t  *list;

    /* results of the gets in one list, in order */

    all = json_array();

    if (all == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "etcd: reply");
    }

    list = json_object_get(root, "responses");
    rc = 0;

    for (i = 0; i < json_array_size(list) && rc == 0; i++) {
        kvs = json_object_get(json_object_get(json_array_get(list, i),
                                              "response_range"), "kvs");

        for (j = 0; j < json_array_size(kvs) && rc == 0; j++) {
            rc = json_array_append(all, json_array_get(kvs, j));
        }
    }

    if (rc != 0) {
        fcf_err_set(err, FCF_E_NOMEM, "etcd: reply");

    } else {
        rc = fcf_etcd_parse_kvs(all, 0, &out->kvs, err);
    }

    json_decref(all);

    return rc;
}


/* a list of bare keys, made one of objects as kvs are */

static int
fcf_etcd_parse_keys(fcf_etcd_answer_t *out, const json_t *list, fcf_err_t *err)
{
    int      rc;
    size_t   i;
    json_t  *kvs;

    if (list != NULL && !json_is_array(list)) {
        return fcf_err_set(err, FCF_E_PROTOCOL, "etcd: keys are not a list");
    }

    kvs = json_array();
    rc = kvs != NULL ? 0 : -1;

    for (i = 0; i < json_array_size(list) && rc == 0; i++) {
        rc = json_array_append_new(kvs, json_pack("{s:O}", "key",
                                                  json_array_get(list, i)));
    }

    rc = rc == 0 ? fcf_etcd_parse_kvs(kvs, 0, &out->kvs, err)
                 : fcf_err_set(err, FCF_E_NOMEM, "etcd: reply");

    json_decref(kvs);

    return rc;
}


static int
fcf_etcd_parse_fields(fcf_etcd_answer_t *out, fcf_etcd_kind_e kind,
    const json_t *root, fcf_err_t *err)
{
    int64_t  deleted;

    if (fcf_etcd_parse_header(root, &out->header, err) != 0) {
        return -1;
    }

    out->reply.revision = out->header.revision;
    out->reply.cluster_id = out->header.cluster_id;

    if (fcf_etcd_int64(root, "count", &out->reply.count) != 0
        || fcf_etcd_int64(root, "deleted", &deleted) != 0
        || fcf_etcd_int64(root, "ID", &out->reply.lease) != 0
        || fcf_etcd_int64(root, "TTL", &out->reply.ttl) != 0)
    {
        return fcf_err_set(err, FCF_E_PROTOCOL, "etcd: bad number in reply");
    }

    if (kind == FCF_ETCD_DELETE) {
        out->reply.count = deleted;
    }

    out->reply.succeeded = json_is_true(json_object_get(root, "succeeded"));
    out->more = json_is_true(json_object_get(root, "more"));

    if (kind == FCF_ETCD_TXN) {
        return fcf_etcd_parse_responses(out, root, err);
    }

    if (kind == FCF_ETCD_LEASE_KEYS) {
        return fcf_etcd_parse_keys(out, json_object_get(root, "keys"), err);
    }

    return fcf_etcd_parse_kvs(json_object_get(root, "kvs"), 0, &out->kvs,
                              err);
}


int
fcf_etcd_answer_parse(fcf_etcd_answer_t *out, fcf_etcd_kind_e kind,
    const char *body, size_t len, fcf_err_t *err)
{
    int            rc;
    json_t        *root;
    json_error_t   why;
    const json_t  *obj;

    memset(out, 0, sizeof(fcf_etcd_answer_t));

    if (kind == FCF_ETCD_PAGE && len >= FCF_ETCD_LONG
        && fcf_etcd_rest_open(out, body, len) == 0)
    {
        return 0;
    }

    root = json_loadb(body, len, 0, &why);

    if (root == NULL || !json_is_object(root)) {
        json_decref(root);
        return fcf_err_set(err, FCF_E_PROTOCOL,
                           "etcd: reply is not a JSON object: %.*s",
                           len < 64 ? (int) len : 64, body);
    }

    obj = root;

    /* a stream of one message */

    if (kind == FCF_ETCD_KEEPALIVE) {
        obj = json_object_get(root, "result");

        if (obj == NULL) {
            rc = fcf_etcd_parse_error(200, body, len, err);
            json_decref(root);
            return rc;
        }
    }

    rc = fcf_etcd_parse_fields(out, kind, obj, err);

    json_decref(root);

    if (rc != 0) {
        fcf_etcd_answer_free(out);
        return -1;
    }

    out->reply.kvs = out->kvs.kvs;
    out->reply.nkvs = out->kvs.n;

    return 0;
}


void
fcf_etcd_answer_free(fcf_etcd_answer_t *answer)
{
    fcf_etcd_kvs_free(&answer->kvs);
    fcf_etcd_rest_free(&answer->rest);
}
