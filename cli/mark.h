/*
 * What keeps a command that removes an image and one that makes a version of
 * the same bytes apart: a key of the image, put before anybody looks whether a
 * version names it, and changed once it is gone.  Who is to name it looks at
 * the key before the stores, and demands it unchanged.
 */

#ifndef _FCC_MARK_H_INCLUDED_
#define _FCC_MARK_H_INCLUDED_

#include "cli/call.h"

typedef struct {
    char   key[FCF_KEY_MAX];
    char   value[FCF_REQUEST_ID_MAX + 16];      /* "": there is none */
    char   was[FCF_REQUEST_ID_MAX + 16];        /* before we began */
} fcc_mark_t;

/* as it is once nobody removes that image; says so if it must wait */
int fcc_mark_read(fcc_t *fcc, fcc_mark_t *mark, const char *sha256,
    fcf_err_t *err) fcf_must_check;
/* as it is now; its key stands */
int fcc_mark_get(fcc_t *fcc, fcc_mark_t *mark, fcf_err_t *err)
    fcf_must_check;
/* that it is still so */
fcf_etcd_cmp_t fcc_mark_same(const fcc_mark_t *mark);

/* We alone remove it, from here on; the lease: of FCC_MARK_S. */
int fcc_mark_begin(fcc_t *fcc, fcc_mark_t *mark, const char *sha256,
    int64_t lease, fcf_err_t *err) fcf_must_check;
/* It has gone, or not, and all is as before. */
void fcc_mark_end(fcc_t *fcc, fcc_mark_t *mark, int gone, int64_t lease);
/* How long marks stand, in s, until all who saw something before have ended. */
#define FCC_MARK_S  3600

#endif /* _FCC_MARK_H_INCLUDED_ */
