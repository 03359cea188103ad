#include <stdlib.h>
#include <string.h>

#include "client/fcf_etcd_private.h"


/* what stands behind the keys: whether there are more.  -1: not understood */

static int
fcf_etcd_rest_tail(fcf_etcd_answer_t *out, const char *tail, const char *end)
{
    size_t   len;
    char     text[FCF_CUT_HEAD_MAX];
    json_t  *root;

    tail += (tail < end && *tail == ',');
    len = (size_t) (end - tail);

    if (len >= sizeof(text)) {
        return -1;
    }

    text[0] = '{';
    memcpy(text + 1, tail, len);

    root = json_loadb(text, len + 1, 0, NULL);

    if (root == NULL) {
        return -1;
    }

    out->more = json_is_true(json_object_get(root, "more"));
    json_decref(root);

    return 0;
}


int
fcf_etcd_rest_open(fcf_etcd_answer_t *out, const char *body, size_t len)
{
    int          rc;
    json_t      *root;
    const char  *array, *last;

    /* no key or value has a bracket: they are base64 */

    array = fcf_cut_member(body, body + len, "kvs");
    last = memrchr(body, ']', len);

    if (array == NULL || last == NULL || array >= last || *array != '['
        || fcf_etcd_rest_tail(out, last + 1, body + len) != 0)
    {
        return -1;
    }

    root = fcf_cut_head(body, array, "[]}");

    if (root == NULL) {
        return -1;
    }

    rc = fcf_etcd_parse_header(root, &out->header, NULL);
    out->more |= json_is_true(json_object_get(root, "more"));
    json_decref(root);

    if (rc != 0) {
        return -1;
    }

    len = (size_t) (last + 1 - array);
    out->rest.text = malloc(len);

    if (out->rest.text == NULL) {
        return -1;
    }

    memcpy(out->rest.text, array, len);
    out->rest.cut.at = out->rest.text;
    out->rest.cut.end = out->rest.text + len;
    out->rest.cut.done = 0;

    return 0;
}


int
fcf_etcd_rest_next(fcf_etcd_rest_t *rest, fcf_etcd_kvs_t *out, fcf_err_t *err)
{
    int      rc;
    json_t  *list;

    memset(out, 0, sizeof(fcf_etcd_kvs_t));
    list = fcf_cut_next(&rest->cut, FCF_ETCD_PIECE);

    if (list == NULL || (rest->cut.done && rest->cut.at + 1 != rest->cut.end))
    {
        json_decref(list);
        return fcf_err_set(err, FCF_E_PROTOCOL, "etcd: not a list of keys");
    }

    rc = fcf_etcd_parse_kvs(list, 0, out, err);
    json_decref(list);

    return rc;
}


int
fcf_etcd_rest_done(const fcf_etcd_rest_t *rest)
{
    return rest->text == NULL || rest->cut.done;
}


void
fcf_etcd_rest_free(fcf_etcd_rest_t *rest)
{
    free(rest->text);
    memset(rest, 0, sizeof(fcf_etcd_rest_t));
}
