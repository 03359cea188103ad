/*
 * /functions/<id>/failures/<request_id>: why a job came to nothing.  All are
 * put under one lease that is replaced by a fresh one every
 * FCF_FAILURE_ROTATE_S and then left to end.  A failure that etcd does not
 * take within that time is dropped: nobody waits for it any more.
 */

#ifndef _FCA_FAILURES_H_INCLUDED_
#define _FCA_FAILURES_H_INCLUDED_

#include "client/fcf_etcd.h"
#include "contract/fcf_codec.h"

typedef struct fca_failures_s  fca_failures_t;

typedef struct {
    fcf_loop_t  *loop;
    fcf_etcd_t  *etcd;
    const char  *prefix, *node_id;
} fca_failures_conf_t;

fca_failures_t *fca_failures_new(const fca_failures_conf_t *conf,
    fcf_err_t *err);
void fca_failures_free(fca_failures_t *failures);

/* console may be NULL or empty: its last lines */
void fca_failures_put(fca_failures_t *failures, const char *function_id,
    const char *request_id, int64_t version, fcf_failure_e error,
    const char *console, const char *fmt, ...) fcf_printf_like(7, 8);

/* The same of a boot that goes on: for those whose time is up before it ends.
 * To be said again after FCA_FAILURES_AGAIN_MS, for those who come later. */
#define FCA_FAILURES_AGAIN_MS  5000
void fca_failures_so_far(fca_failures_t *failures, const char *function_id,
    const char *request_id, int64_t version, fcf_failure_e error,
    const char *console, const char *fmt, ...) fcf_printf_like(7, 8);

/* What was told by fca_failures_put(), newest first, FCA_FAILURES_KEPT of it;
 * without what never reaches a client.  Valid during the call. */
#define FCA_FAILURES_KEPT  64

typedef struct {
    int64_t         ms;                 /* Unix time */
    fcf_failure_e   error;
    int64_t         version;
    char            function_id[FCF_ID_MAX + 1];
    char            request_id[FCF_REQUEST_ID_MAX + 1];
    char           *message;            /* as fcf_text_clean() leaves it */
} fca_failure_told_t;

void fca_failures_each(const fca_failures_t *failures,
    void (*each)(void *arg, const fca_failure_told_t *told), void *arg);

/* revokes the leases; nothing is put any more */
void fca_failures_stop(fca_failures_t *failures);
int fca_failures_stopped(const fca_failures_t *failures);

#endif /* _FCA_FAILURES_H_INCLUDED_ */
