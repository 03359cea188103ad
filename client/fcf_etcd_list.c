#include <stdlib.h>
#include <string.h>

#include "client/fcf_etcd_private.h"


/* the pages so far as one reply */

static void
fcf_etcd_call_finish_list(fcf_etcd_call_t *call)
{
    size_t              i, j, n;
    fcf_kv_t           *kvs;
    fcf_err_t           err;
    fcf_etcd_answer_t   answer;

    n = 0;

    for (i = 0; i < call->npages; i++) {
        n += call->pages[i].kvs.n;
    }

    kvs = calloc(n + 1, sizeof(fcf_kv_t));

    if (kvs == NULL) {
        fcf_err_set(&err, FCF_E_NOMEM, "etcd: list of %zu keys", n);
        fcf_etcd_call_finish(call, NULL, &err);
        return;
    }

    n = 0;

    for (i = 0; i < call->npages; i++) {
        for (j = 0; j < call->pages[i].kvs.n; j++) {
            kvs[n++] = call->pages[i].kvs.kvs[j];
        }
    }

    answer = call->pages[0];
    answer.reply.kvs = kvs;
    answer.reply.nkvs = n;
    answer.reply.count = (int64_t) n;

    fcf_etcd_call_finish(call, &answer, NULL);
    free(kvs);
}


static int
fcf_etcd_call_page(fcf_etcd_call_t *call)
{
    char                end[FCF_KEY_MAX];
    fcf_etcd_kvs_t     *last;
    fcf_etcd_range_t    range;
    fcf_etcd_answer_t  *pages;

    pages = realloc(call->pages,
                    (call->npages + 1) * sizeof(fcf_etcd_answer_t));

    if (pages == NULL) {
        return -1;
    }

    call->pages = pages;
    memset(&range, 0, sizeof(range));

    range.key = call->prefix;
    range.key_len = strlen(call->prefix);
    range.end = end;
    range.end_len = fcf_etcd_range_end(end, range.key, range.key_len);
    range.limit = FCF_ETCD_LIST_MAX;

    if (call->npages != 0) {
        last = &call->pages[call->npages - 1].kvs;

        /* the key after a key is itself and a NUL, which stands there */

        range.key = last->kvs[last->n - 1].key;
        range.key_len = last->kvs[last->n - 1].key_len + 1;
        range.revision = call->pages[0].header.revision;
    }

    fcf_buf_free(&call->body);

    return fcf_etcd_build_range(&call->body, &range);
}


void
fcf_etcd_call_next_page(fcf_etcd_call_t *call)
{
    fcf_err_t           err;
    fcf_etcd_answer_t  *last;

    last = &call->pages[call->npages - 1];

    if (last->header.cluster_id != call->pages[0].header.cluster_id) {
        fcf_err_set(&err, FCF_E_UNAVAILABLE,
                    "etcd: another cluster answers in the middle of a list");
        fcf_etcd_call_finish(call, NULL, &err);
        return;
    }

    if (!last->more || last->kvs.n == 0) {
        fcf_etcd_call_finish_list(call);
        return;
    }

    if (fcf_etcd_call_page(call) != 0) {
        fcf_err_set(&err, FCF_E_NOMEM, "etcd: list");
        fcf_etcd_call_finish(call, NULL, &err);
        return;
    }

    /* each page has the time of a call */

    call->deadline = call->etcd->loop->now(call->etcd->loop)
                     + call->etcd->timeout_ms;
    fcf_etcd_call_send(call);
}


fcf_etcd_call_t *
fcf_etcd_list(fcf_etcd_t *etcd, const char *prefix, fcf_etcd_pt done,
    void *arg)
{
    fcf_buf_t         body;
    fcf_err_t         err;
    fcf_etcd_call_t  *call;

    fcf_buf_init(&body, FCF_ETCD_BODY_MAX);

    call = fcf_etcd_call(etcd, FCF_ETCD_LIST, &body, done, NULL, arg);

    if (call == NULL) {
        return NULL;
    }

    if (strlen(prefix) >= FCF_KEY_MAX) {
        fcf_err_set(&err, FCF_E_INVALID, "etcd: prefix \"%.80s\" too long",
                    prefix);
        fcf_etcd_call_fail(call, &err);
        return call;
    }

    call->prefix = strdup(prefix);

    if (call->prefix == NULL || fcf_etcd_call_page(call) != 0) {
        fcf_etcd_call_unlink(call);
        fcf_etcd_call_free(call);
        return NULL;
    }

    fcf_etcd_call_send(call);

    return call;
}
