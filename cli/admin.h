/* Agents' admin listeners: which there are, and what they say. */

#ifndef _FCC_ADMIN_H_INCLUDED_
#define _FCC_ADMIN_H_INCLUDED_

#include "cli/call.h"
#include "contract/fcf_buf.h"

typedef struct {
    char           id[FCF_ID_MAX + 1];
    int64_t        lease;               /* of its key; 0: it has none */
    int            valid;
    fcf_worker_t   worker;              /* if it is valid */
    fcf_err_t      why;                 /* if it is not */
} fcc_admin_t;

typedef struct {
    fcc_admin_t  *list;
    size_t       n;
} fcc_admins_t;

/* all nodes; to be freed, also of failure */
int fcc_admins(fcc_t *fcc, fcc_admins_t *out, fcf_err_t *err) fcf_must_check;
void fcc_admins_free(fcc_admins_t *admins);

typedef struct {
    const char   *admin;                /* its address */
    const char   *path;
    unsigned      timeout_ms;           /* 0: long enough for a large answer */
    int64_t      *date_s;               /* NULL, or see fcf_http.h */
} fcc_admin_ask_t;

/* what one says; *body is to be freed.  FCF_E_AUTH: it wants another token */
int fcc_admin_get(fcc_t *fcc, const fcc_admin_ask_t *ask, long *status,
    fcf_buf_t *body, fcf_err_t *err) fcf_must_check;

#endif /* _FCC_ADMIN_H_INCLUDED_ */
