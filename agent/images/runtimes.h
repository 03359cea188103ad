/*
 * The images of runtimes as this node's VMs have them: a copy of each, named by
 * its digest, made when the file is another one than the last time.  What is
 * done to the file (built anew, upgraded, written over in place) is so done to
 * no VM that runs, waits or starts, and a copy is made of nothing that is not
 * whole.  All of it waits for the disk: a worker thread's, one at a time.
 */

#ifndef _FCA_RUNTIMES_H_INCLUDED_
#define _FCA_RUNTIMES_H_INCLUDED_

#include <limits.h>
#include <sys/stat.h>

#include "agent/base/digest.h"
#include "contract/fcf_err.h"

typedef struct fca_runtimes_s  fca_runtimes_t;

typedef struct {
    char  path[PATH_MAX];
    char  sha256[FCA_DIGEST + 1];       /* "": a device, which is not copied */
} fca_runtime_t;

/* dir: of the copies; is made */
fca_runtimes_t *fca_runtimes_new(const char *dir, fcf_err_t *err);
/* also of NULL */
void fca_runtimes_free(fca_runtimes_t *runtimes);

/* The image at this path, as it is, or, while that is not whole or no copy can
 * be made, as it was before, which is logged.  FCF_E_NOT_FOUND: it is not
 * there, or not whole, and there was none; any other: this host's disk. */
int fca_runtimes_get(fca_runtimes_t *runtimes, const char *path,
    fca_runtime_t *out, fcf_err_t *err) fcf_must_check;

/* The copy of that digest, if there is one still, whatever its file is by now:
 * its path, and its status.  It is left alone for half an hour from now;
 * whether it is what its name says is for the caller to see. */
int fca_runtimes_copy(const fca_runtimes_t *runtimes, const char *sha256,
    char path[PATH_MAX], struct stat *st);

#endif /* _FCA_RUNTIMES_H_INCLUDED_ */
