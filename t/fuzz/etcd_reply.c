/*
 * An answer of etcd's, to each kind of call: it is taken, with all keys and
 * values inside what was received, or refused in one line.
 */

#include "client/fcf_etcd_private.h"
#include "t/fuzz/values.h"


static void
check(const fcf_etcd_answer_t *answer, size_t size)
{
    size_t            i, sum;
    const fcf_kv_t   *kv;

    FCT_HOLDS(answer->header.revision >= 0);
    FCT_HOLDS(answer->reply.nkvs == answer->kvs.n);
    sum = 0;

    for (i = 0; i < answer->reply.nkvs; i++) {
        kv = &answer->reply.kvs[i];
        FCT_HOLDS(kv->key[kv->key_len] == '\0');
        FCT_HOLDS(kv->value[kv->value_len] == '\0');
        sum += kv->key_len + kv->value_len;
    }

    FCT_HOLDS(sum <= size);
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

    for (status = 200; status <= 503; status += 101) {
        FCT_HOLDS(fcf_etcd_parse_error(status, body, size, &err) == -1);
        fct_says(&err);
    }

    free(body);

    return 0;
}
