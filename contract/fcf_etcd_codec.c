#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "contract/fcf_base64.h"
#include "contract/fcf_etcd_codec.h"


size_t
fcf_etcd_range_end(char *buf, const char *prefix, size_t len)
{
    memcpy(buf, prefix, len);

    while (len > 0 && (unsigned char) buf[len - 1] == 0xff) {
        len--;
    }

    if (len == 0) {
        buf[0] = '\0';              /* etcd's word for "to the last key" */
        return 1;
    }

    buf[len - 1]++;

    return len;
}


int
fcf_etcd_put_base64(fcf_buf_t *buf, const char *data, size_t len)
{
    int     rc;
    char    text[fcf_base64_encoded_len(3 * 256) + 1];
    size_t  n;

    rc = fcf_buf_add(buf, "\"", 1);

    /* pieces of a multiple of three join without padding */

    while (rc == 0 && len != 0) {
        n = len < 3 * 256 ? len : 3 * 256;
        rc = fcf_buf_add(buf, text, fcf_base64_encode(text, data, n));
        data += n;
        len -= n;
    }

    return rc ? rc : fcf_buf_add(buf, "\"", 1);
}


static int
fcf_etcd_put_key(fcf_buf_t *buf, const char *name, const char *data,
    size_t len)
{
    int  rc;

    rc = fcf_buf_addf(buf, "\"%s\":", name);

    return rc ? rc : fcf_etcd_put_base64(buf, data, len);
}


int
fcf_etcd_build_range(fcf_buf_t *buf, const fcf_etcd_range_t *range)
{
    int  rc;

    rc = fcf_buf_add(buf, "{", 1);

    if (rc == 0) {
        rc = fcf_etcd_put_key(buf, "key", range->key, range->key_len);
    }

    if (rc == 0 && range->end != NULL) {
        rc = fcf_buf_add(buf, ",", 1);

        if (rc == 0) {
            rc = fcf_etcd_put_key(buf, "range_end", range->end,
                                  range->end_len);
        }
    }

    if (rc == 0 && range->limit != 0) {
        rc = fcf_buf_addf(buf, ",\"limit\":\"%u\"", range->limit);
    }

    if (rc == 0 && range->revision != 0) {
        rc = fcf_buf_addf(buf, ",\"revision\":\"%" PRId64 "\"",
                          range->revision);
    }

    if (rc == 0 && range->keys_only) {
        rc = fcf_buf_addf(buf, ",\"keys_only\":true");
    }

    return rc ? rc : fcf_buf_add(buf, "}", 1);
}


int
fcf_etcd_build_put(fcf_buf_t *buf, const char *key, const char *value,
    size_t len, int64_t lease)
{
    int  rc;

    rc = fcf_buf_add(buf, "{", 1);

    if (rc == 0) {
        rc = fcf_etcd_put_key(buf, "key", key, strlen(key));
    }

    if (rc == 0) {
        rc = fcf_buf_add(buf, ",", 1);
    }

    if (rc == 0) {
        rc = fcf_etcd_put_key(buf, "value", value, len);
    }

    if (rc == 0 && lease != 0) {
        rc = fcf_buf_addf(buf, ",\"lease\":\"%" PRId64 "\"", lease);
    }

    return rc ? rc : fcf_buf_add(buf, "}", 1);
}


int
fcf_etcd_build_delete(fcf_buf_t *buf, const char *key)
{
    fcf_etcd_range_t  range;

    memset(&range, 0, sizeof(range));
    range.key = key;
    range.key_len = strlen(key);

    return fcf_etcd_build_range(buf, &range);
}


int
fcf_etcd_build_cmp(fcf_buf_t *buf, const fcf_etcd_cmp_t *cmp)
{
    int  rc;

    rc = fcf_buf_add(buf, "{", 1);

    if (rc == 0) {
        rc = fcf_etcd_put_key(buf, "key", cmp->key, strlen(cmp->key));
    }

    if (rc != 0) {
        return rc;
    }

    switch (cmp->what) {

    case FCF_CMP_ABSENT:
        rc = fcf_buf_addf(buf, ",\"target\":\"CREATE\",\"result\":\"EQUAL\","
                          "\"create_revision\":\"0\"}");
        break;

    case FCF_CMP_PRESENT:
        rc = fcf_buf_addf(buf, ",\"target\":\"CREATE\","
                          "\"result\":\"GREATER\","
                          "\"create_revision\":\"0\"}");
        break;

    case FCF_CMP_LEASE_IS:
        rc = fcf_buf_addf(buf, ",\"target\":\"LEASE\",\"result\":\"EQUAL\","
                          "\"lease\":\"%" PRId64 "\"}", cmp->number);
        break;

    case FCF_CMP_VALUE_IS:
        rc = fcf_buf_addf(buf, ",\"target\":\"VALUE\",\"result\":\"EQUAL\",");

        if (rc == 0) {
            rc = fcf_etcd_put_key(buf, "value", cmp->value, cmp->value_len);
        }

        if (rc == 0) {
            rc = fcf_buf_add(buf, "}", 1);
        }

        break;
    }

    return rc;
}


int
fcf_etcd_build_op(fcf_buf_t *buf, const fcf_etcd_op_t *op)
{
    int  rc;

    switch (op->op) {

    case FCF_OP_PUT:
        rc = fcf_buf_addf(buf, "{\"request_put\":");

        if (rc == 0) {
            rc = fcf_etcd_build_put(buf, op->key, op->value, op->value_len,
                                    op->lease);
        }

        break;

    case FCF_OP_DELETE:
        rc = fcf_buf_addf(buf, "{\"request_delete_range\":");

        if (rc == 0) {
            rc = fcf_etcd_build_delete(buf, op->key);
        }

        break;

    default: /* FCF_OP_GET */
        rc = fcf_buf_addf(buf, "{\"request_range\":");

        if (rc == 0) {
            rc = fcf_etcd_build_delete(buf, op->key);
        }

        break;
    }

    return rc ? rc : fcf_buf_add(buf, "}", 1);
}


int
fcf_etcd_build_watch(fcf_buf_t *buf, const char *prefix, int64_t revision,
    unsigned id)
{
    int     rc;
    char    end[FCF_KEY_MAX];
    size_t  len;

    len = fcf_etcd_range_end(end, prefix, strlen(prefix));
    rc = fcf_buf_addf(buf, "{\"create_request\":{");

    if (rc == 0) {
        rc = fcf_etcd_put_key(buf, "key", prefix, strlen(prefix));
    }

    if (rc == 0) {
        rc = fcf_buf_add(buf, ",", 1);
    }

    if (rc == 0) {
        rc = fcf_etcd_put_key(buf, "range_end", end, len);
    }

    return rc ? rc : fcf_buf_addf(buf, ",\"start_revision\":\"%" PRId64 "\","
                                  "\"watch_id\":\"%u\"}}\n", revision, id);
}


int
fcf_etcd_int64(const json_t *obj, const char *name, int64_t *out)
{
    char          *end;
    const char    *s;
    const json_t  *value;

    *out = 0;
    value = json_object_get(obj, name);

    if (value == NULL) {
        return 0;
    }

    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return 0;
    }

    s = json_string_value(value);

    if (s == NULL || !(s[0] == '-' || (s[0] >= '0' && s[0] <= '9'))) {
        return -1;
    }

    errno = 0;
    *out = strtoll(s, &end, 10);

    return (errno != 0 || *end != '\0' || end == s) ? -1 : 0;
}


int
fcf_etcd_uint64(const json_t *obj, const char *name, uint64_t *out)
{
    char          *end;
    const char    *s;
    const json_t  *value;

    *out = 0;
    value = json_object_get(obj, name);

    if (value == NULL) {
        return 0;
    }

    if (json_is_integer(value)) {
        *out = (uint64_t) json_integer_value(value);
        return 0;
    }

    s = json_string_value(value);

    if (s == NULL || s[0] < '0' || s[0] > '9') {
        return -1;
    }

    errno = 0;
    *out = strtoull(s, &end, 10);

    return (errno != 0 || *end != '\0') ? -1 : 0;
}


int
fcf_etcd_parse_header(const json_t *reply, fcf_etcd_header_t *out,
    fcf_err_t *err)
{
    const json_t  *header;

    memset(out, 0, sizeof(fcf_etcd_header_t));
    header = json_object_get(reply, "header");

    if (fcf_etcd_int64(header, "revision", &out->revision) != 0
        || fcf_etcd_uint64(header, "cluster_id", &out->cluster_id) != 0
        || fcf_etcd_uint64(header, "raft_term", &out->raft_term) != 0)
    {
        return fcf_err_set(err, FCF_E_PROTOCOL, "etcd: bad header");
    }

    return 0;
}


/* base64 of a field into *blob, which moves on; absent is empty */

static int
fcf_etcd_bytes(const json_t *obj, const char *name, char **blob,
    const char **out, size_t *out_len)
{
    const json_t  *value;

    *out = *blob;
    *out_len = 0;
    value = json_object_get(obj, name);

    if (value == NULL) {
        **blob = '\0';
        (*blob)++;
        return 0;
    }

    if (!json_is_string(value)
        || fcf_base64_decode(*blob, out_len, json_string_value(value),
                             json_string_length(value))
           != 0)
    {
        return -1;
    }

    *blob += *out_len + 1;

    return 0;
}


static size_t
fcf_etcd_blob_size(const json_t *list, int events)
{
    size_t         i, size;
    const json_t  *kv;

    size = 0;

    for (i = 0; i < json_array_size(list); i++) {
        kv = json_array_get(list, i);

        if (events) {
            kv = json_object_get(kv, "kv");
        }

        size += 2
            + fcf_base64_decoded_max(json_string_length(
                                         json_object_get(kv, "key")))
            + fcf_base64_decoded_max(json_string_length(
                                         json_object_get(kv, "value")));
    }

    return size;
}


static int
fcf_etcd_parse_kv(const json_t *item, int events, fcf_etcd_kvs_t *out,
    char **blob)
{
    fcf_kv_t      *kv;
    const char    *type;
    const json_t  *obj;

    kv = &out->kvs[out->n];
    obj = item;

    if (events) {
        obj = json_object_get(item, "kv");
        type = json_string_value(json_object_get(item, "type"));
        out->deleted[out->n] = (type != NULL && strcmp(type, "DELETE") == 0);
    }

    if (!json_is_object(obj)
        || fcf_etcd_bytes(obj, "key", blob, &kv->key, &kv->key_len) != 0
        || fcf_etcd_bytes(obj, "value", blob, &kv->value, &kv->value_len) != 0
        || fcf_etcd_int64(obj, "create_revision", &kv->create_revision) != 0
        || fcf_etcd_int64(obj, "mod_revision", &kv->mod_revision) != 0
        || fcf_etcd_int64(obj, "lease", &kv->lease) != 0)
    {
        return -1;
    }

    out->n++;

    return 0;
}


int
fcf_etcd_parse_kvs(const json_t *list, int events, fcf_etcd_kvs_t *out,
    fcf_err_t *err)
{
    char    *blob;
    size_t   i, n;

    memset(out, 0, sizeof(fcf_etcd_kvs_t));

    if (list == NULL) {
        return 0;
    }

    if (!json_is_array(list)) {
        return fcf_err_set(err, FCF_E_PROTOCOL, "etcd: keys are not a list");
    }

    n = json_array_size(list);

    if (n == 0) {
        return 0;
    }

    out->kvs = calloc(n, sizeof(fcf_kv_t));
    out->deleted = events ? calloc(n, 1) : NULL;
    out->blob = malloc(fcf_etcd_blob_size(list, events));

    if (out->kvs == NULL || out->blob == NULL
        || (events && out->deleted == NULL))
    {
        return fcf_err_set(err, FCF_E_NOMEM, "etcd: reply of %zu keys", n);
    }

    blob = out->blob;

    for (i = 0; i < n; i++) {
        if (fcf_etcd_parse_kv(json_array_get(list, i), events, out, &blob)) {
            return fcf_err_set(err, FCF_E_PROTOCOL,
                               "etcd: malformed key at index %zu", i);
        }
    }

    return 0;
}


void
fcf_etcd_kvs_free(fcf_etcd_kvs_t *kvs)
{
    free(kvs->kvs);
    free(kvs->deleted);
    free(kvs->blob);
    memset(kvs, 0, sizeof(fcf_etcd_kvs_t));
}


fcf_code_e
fcf_etcd_grpc_code(int64_t code, const char *message)
{
    /* etcd says these two with "invalid argument": a token of before a change
     * of users, and none at all */

    if (strstr(message, "auth store is old") != NULL
        || strstr(message, "user name is empty") != NULL
        || strstr(message, "authentication failed") != NULL)
    {
        return FCF_E_AUTH;
    }

    switch (code) {

    case 4:
        return FCF_E_TIMEOUT;

    case 5:
        return FCF_E_NOT_FOUND;

    case 7:
    case 16:
        return FCF_E_AUTH;

    case 14:
        return FCF_E_UNAVAILABLE;

    default:
        return FCF_E_REFUSED;
    }
}


int
fcf_etcd_parse_error(long status, const char *body, size_t len, fcf_err_t *err)
{
    json_t      *reply, *obj;
    int64_t      code;
    const char  *message;

    reply = json_loadb(body, len, JSON_DISABLE_EOF_CHECK, NULL);

    /* "error" is a string, and in streams an object */

    obj = json_object_get(reply, "error");
    obj = json_is_object(obj) ? obj : reply;
    message = json_string_value(json_object_get(obj, "message"));

    if (message == NULL) {
        fcf_err_set(err, status == 503 || status == 502 ? FCF_E_UNAVAILABLE
                         : status == 504 ? FCF_E_TIMEOUT
                         : status == 401 || status == 403 ? FCF_E_AUTH
                         : FCF_E_REFUSED,
                    "etcd answered %ld: %.200s", status, body);
        json_decref(reply);
        return -1;
    }

    if (json_object_get(obj, "grpc_code") != NULL) {
        (void) fcf_etcd_int64(obj, "grpc_code", &code);

    } else {
        (void) fcf_etcd_int64(obj, "code", &code);
    }

    fcf_err_set(err, fcf_etcd_grpc_code(code, message), "%s", message);
    json_decref(reply);

    return -1;
}
