/* Calls to etcd, one after the other, each waited for. */

#ifndef _FCC_CALL_H_INCLUDED_
#define _FCC_CALL_H_INCLUDED_

#include "cli/fcc.h"

/* a copy of what etcd said; key and value are NUL-terminated */
typedef struct {
    fcf_kv_t   *kvs;
    size_t      nkvs;
    int         succeeded;              /* of a transaction */
    int64_t     revision;               /* of all of etcd, at that time */
    int64_t     lease;                  /* that was granted */
} fcc_reply_t;

/* the client; NULL: *err says why not */
fcf_etcd_t *fcc_etcd(fcc_t *fcc, fcf_err_t *err);
void fcc_etcd_close(fcc_t *fcc);

/* Each fills *out, to be freed, also of failure. */
int fcc_get(fcc_t *fcc, const char *key, fcc_reply_t *out, fcf_err_t *err)
    fcf_must_check;
int fcc_list(fcc_t *fcc, const char *prefix, fcc_reply_t *out,
    fcf_err_t *err) fcf_must_check;
/* all of "then" if all comparisons hold; out->succeeded tells */
int fcc_txn(fcc_t *fcc, const fcf_etcd_cmp_t *cmp, size_t ncmp,
    const fcf_etcd_op_t *then, size_t nthen, fcc_reply_t *out, fcf_err_t *err)
    fcf_must_check;
/* a lease that nobody keeps alive; 0: *err says why there is none */
int64_t fcc_lease(fcc_t *fcc, unsigned ttl_s, fcf_err_t *err);
void fcc_reply_free(fcc_reply_t *reply);
/* the same of secrets: nothing of them stays in memory */
void fcc_reply_wipe(fcc_reply_t *reply);

/* FCF_E_NOT_FOUND: it is not declared */
int fcc_no_function(const char *name, fcf_err_t *err);
/* the spec's key and value; FCF_E_NOT_FOUND: it is not declared */
int fcc_get_spec(fcc_t *fcc, const char *name, fcc_reply_t *out,
    fcf_err_t *err) fcf_must_check;

#endif /* _FCC_CALL_H_INCLUDED_ */
