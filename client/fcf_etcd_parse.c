#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contract/fcf_base64.h"
#include "client/fcf_etcd_codec.h"


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
        || fcf_etcd_uint64(header, "raft_term", &out->raft_term) != 0
        || out->revision < 0)
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
        fcf_err_set(err, status == 504 ? FCF_E_TIMEOUT
                         : status >= 500 ? FCF_E_UNAVAILABLE
                         : status == 401 || status == 403 ? FCF_E_AUTH
                         : FCF_E_REFUSED,
                    "etcd answered %ld: %.*s", status,
                    len < 200 ? (int) len : 200, body);
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
