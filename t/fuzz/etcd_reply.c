/*
 * An answer of etcd's, to each kind of call: it is taken, with all keys and
 * values inside what was received, or refused in one line.
 */

#include "client/fcf_etcd_private.h"
#include "t/fuzz/values.h"


static void
check_kvs(const fcf_etcd_kvs_t *kvs, size_t size)
{
    size_t            i, sum;
    const fcf_kv_t   *kv;

    sum = 0;

    for (i = 0; i < kvs->n; i++) {
        kv = &kvs->kvs[i];
        FCT_HOLDS(kv->key[kv->key_len] == '\0');
        FCT_HOLDS(kv->value[kv->value_len] == '\0');
        sum += kv->key_len + kv->value_len;
    }

    FCT_HOLDS(sum <= size);
}


static void
check(const fcf_etcd_answer_t *answer, size_t size)
{
    FCT_HOLDS(answer->header.revision >= 0);
    FCT_HOLDS(answer->reply.nkvs == answer->kvs.n);
    check_kvs(&answer->kvs, size);
}


/* keys that are read some at a time */

static void
check_rest(const char *body, size_t size)
{
    fcf_err_t           err;
    fcf_etcd_kvs_t      piece;
    fcf_etcd_answer_t   answer;

    memset(&answer, 0, sizeof(answer));

    if (fcf_etcd_rest_open(&answer, body, size) != 0) {
        return;
    }

    FCT_HOLDS(answer.header.revision >= 0);

    while (!fcf_etcd_rest_done(&answer.rest)) {

        if (fcf_etcd_rest_next(&answer.rest, &piece, &err) != 0) {
            fct_says(&err);
            fcf_etcd_kvs_free(&piece);
            break;
        }

        FCT_HOLDS(piece.n <= FCF_ETCD_PIECE);
        check_kvs(&piece, size);
        fcf_etcd_kvs_free(&piece);
    }

    fcf_etcd_answer_free(&answer);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 kind;
    char               *body;
    long                status;
    fcf_err_t           err;
    fcf_etcd_answer_t   answer;

    /* of the HTTP client, which ends it with a NUL */
    body = fct_copy(data, size, 1);

    for (kind = FCF_ETCD_RANGE; kind <= FCF_ETCD_REVOKE; kind++) {
        memset(&answer, 0x55, sizeof(answer));

        if (fcf_etcd_answer_parse(&answer, (fcf_etcd_kind_e) kind, body, size,
                                  &err)
            == 0)
        {
            check(&answer, size);
            fcf_etcd_answer_free(&answer);

        } else {
            fct_says(&err);
        }
    }

    check_rest(body, size);

    for (status = 200; status <= 503; status += 101) {
        FCT_HOLDS(fcf_etcd_parse_error(status, body, size, &err) == -1);
        fct_says(&err);
    }

    free(body);

    return 0;
}
