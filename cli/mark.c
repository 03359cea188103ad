#include <poll.h>
#include <string.h>

#include "cli/command.h"
#include "cli/mark.h"

#define FCC_MARK_BELOW  ".images/"      /* no function is called that */
#define FCC_MARK_GOING  "going "
#define FCC_MARK_GONE   "gone "
#define FCC_MARK_WAIT   60000           /* ms, for who died at it */
#define FCC_MARK_PAUSE  100
#define FCC_MARK_TRIES  5


int
fcc_mark_get(fcc_t *fcc, fcc_mark_t *mark, fcf_err_t *err)
{
    int          rc;
    fcc_reply_t  reply;

    rc = fcc_get(fcc, mark->key, &reply, err);

    (void) snprintf(mark->value, sizeof(mark->value), "%s",
                    rc == 0 && reply.nkvs != 0 ? reply.kvs[0].value : "");
    fcc_reply_free(&reply);

    return rc;
}


int
fcc_mark_read(fcc_t *fcc, fcc_mark_t *mark, const char *sha256,
    fcf_err_t *err)
{
    int       told;
    uint64_t  end;

    (void) fcf_key_specs(mark->key, fcc->conf.prefix);
    (void) snprintf(mark->key + strlen(mark->key),
                    sizeof(mark->key) - strlen(mark->key),
                    FCC_MARK_BELOW "%s", sha256);

    told = 0;
    end = fcc->loop.now(&fcc->loop) + FCC_MARK_WAIT;

    for ( ;; ) {

        if (fcc_mark_get(fcc, mark, err) != 0 || fcc_interrupted(err) != 0) {
            return -1;
        }

        if (strncmp(mark->value, FCC_MARK_GOING, sizeof(FCC_MARK_GOING) - 1)
            != 0
            || fcc->loop.now(&fcc->loop) >= end)
        {
            return 0;
        }

        if (!told) {
            fcc_say("image %.12s...: another command removes it: waiting for "
                    "that", sha256);
            told = 1;
        }

        (void) poll(NULL, 0, FCC_MARK_PAUSE);
    }
}


fcf_etcd_cmp_t
fcc_mark_same(const fcc_mark_t *mark)
{
    if (mark->value[0] == '\0') {
        return (fcf_etcd_cmp_t) { .what = FCF_CMP_ABSENT, .key = mark->key };
    }

    return (fcf_etcd_cmp_t) { .what = FCF_CMP_VALUE_IS, .key = mark->key,
                              .value = mark->value,
                              .value_len = strlen(mark->value) };
}


/* 1: it was another by then; value: "" takes it away */
static int
fcc_mark_put(fcc_t *fcc, fcc_mark_t *mark, const char *value, int64_t lease,
    fcf_err_t *err)
{
    int             rc;
    fcc_reply_t     reply;
    fcf_etcd_op_t   op;
    fcf_etcd_cmp_t  same;

    same = fcc_mark_same(mark);
    op = *value == '\0'
         ? (fcf_etcd_op_t) { .op = FCF_OP_DELETE, .key = mark->key }
         : (fcf_etcd_op_t) { .op = FCF_OP_PUT, .key = mark->key,
                             .value = value, .value_len = strlen(value),
                             .lease = lease };

    rc = fcc_txn(fcc, &same, 1, &op, 1, &reply, err);

    if (rc == 0) {
        rc = reply.succeeded ? 0 : 1;
    }

    fcc_reply_free(&reply);

    if (rc == 0) {
        (void) snprintf(mark->value, sizeof(mark->value), "%s", value);
    }

    return rc;
}


int
fcc_mark_begin(fcc_t *fcc, fcc_mark_t *mark, const char *sha256,
    int64_t lease, fcf_err_t *err)
{
    int   rc, i;
    char  value[sizeof(mark->value)] = FCC_MARK_GOING;

    fcf_request_id_new(value + sizeof(FCC_MARK_GOING) - 1);
    rc = 1;

    for (i = 0; i < FCC_MARK_TRIES && rc == 1; i++) {
        rc = fcc_mark_read(fcc, mark, sha256, err);

        if (rc == 0) {
            memcpy(mark->was, mark->value, sizeof(mark->was));
            rc = fcc_mark_put(fcc, mark, value, lease, err);
        }
    }

    return rc <= 0 ? rc
           : fcf_err_set(err, FCF_E_EXISTS, "others remove it, too");
}


void
fcc_mark_end(fcc_t *fcc, fcc_mark_t *mark, int gone, int64_t lease)
{
    char       value[sizeof(mark->value)] = FCC_MARK_GONE;
    fcf_err_t  err;

    fcf_request_id_new(value + sizeof(FCC_MARK_GONE) - 1);

    if (fcc_mark_put(fcc, mark, gone ? value : mark->was, lease, &err) < 0) {
        fcc_say("%s: %s", mark->key, err.msg);
    }
}
