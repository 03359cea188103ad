#include <inttypes.h>
#include <string.h>

#include "contract/fcf_base64.h"
#include "client/fcf_etcd_codec.h"


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
fcf_etcd_build_key(fcf_buf_t *buf, const char *key)
{
    fcf_etcd_range_t  range;

    memset(&range, 0, sizeof(range));
    range.key = key;
    range.key_len = strlen(key);

    return fcf_etcd_build_range(buf, &range);
}


static int
fcf_etcd_put_prefix_end(fcf_buf_t *buf, const char *prefix)
{
    char    end[FCF_KEY_MAX];
    size_t  len;

    len = fcf_etcd_range_end(end, prefix, strlen(prefix));

    return fcf_etcd_put_key(buf, "range_end", end, len);
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

    case FCF_CMP_NONE_BELOW:
        rc = fcf_buf_add(buf, ",", 1);

        if (rc == 0) {
            rc = fcf_etcd_put_prefix_end(buf, cmp->key);
        }

        if (rc != 0) {
            break;
        }

        /* fall through */

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
    int               rc;
    char              end[FCF_KEY_MAX];
    fcf_etcd_range_t  range;

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
            rc = fcf_etcd_build_key(buf, op->key);
        }

        break;

    case FCF_OP_LIST:
        memset(&range, 0, sizeof(range));
        range.key = op->key;
        range.key_len = strlen(op->key);
        range.end = end;
        range.end_len = fcf_etcd_range_end(end, op->key, range.key_len);
        range.limit = FCF_ETCD_LIST_MAX;
        rc = fcf_buf_addf(buf, "{\"request_range\":");

        if (rc == 0) {
            rc = fcf_etcd_build_range(buf, &range);
        }

        break;

    default: /* FCF_OP_GET */
        rc = fcf_buf_addf(buf, "{\"request_range\":");

        if (rc == 0) {
            rc = fcf_etcd_build_key(buf, op->key);
        }

        break;
    }

    return rc ? rc : fcf_buf_add(buf, "}", 1);
}


int
fcf_etcd_build_watch(fcf_buf_t *buf, const char *prefix, int64_t revision,
    unsigned id)
{
    int  rc;

    rc = fcf_buf_addf(buf, "{\"create_request\":{");

    if (rc == 0) {
        rc = fcf_etcd_put_key(buf, "key", prefix, strlen(prefix));
    }

    if (rc == 0) {
        rc = fcf_buf_add(buf, ",", 1);
    }

    if (rc == 0) {
        rc = fcf_etcd_put_prefix_end(buf, prefix);
    }

    return rc ? rc : fcf_buf_addf(buf, ",\"start_revision\":\"%" PRId64 "\","
                                  "\"watch_id\":\"%u\","
                                  "\"fragment\":true}}\n", revision, id);
}
