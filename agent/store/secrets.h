/* One read of /secrets/<function_id>/<generation>: what a VM's environment is,
 * beside what else it waits for. */

#ifndef _FCA_SECRETS_H_INCLUDED_
#define _FCA_SECRETS_H_INCLUDED_

#include "client/fcf_etcd.h"
#include "contract/fcf_codec.h"

typedef struct fca_secrets_s  fca_secrets_t;

/* err NULL: *env is the callee's from now on.  FCF_E_NOT_FOUND, FCF_E_INVALID:
 * no node could do better; any other: this one cannot read it. */
typedef void (*fca_secrets_pt)(void *arg, fcf_env_t *env,
    const fcf_err_t *err);

/* done runs once, from the loop, unless it is dropped before, and the read is
 * gone then */
fca_secrets_t *fca_secrets_read(fcf_etcd_t *etcd, const char *prefix,
    const char *function_id, int64_t generation, fca_secrets_pt done,
    void *arg, fcf_err_t *err);
/* also of NULL */
void fca_secrets_drop(fca_secrets_t *secrets);

#endif /* _FCA_SECRETS_H_INCLUDED_ */
