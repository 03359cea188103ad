/*
 * A small file that is written whole, and again whenever its text changes, on
 * a worker thread: renamed into place, so that a reader finds all of one text.
 * Of those that come while one is being written only the last counts.
 */

#ifndef _FCA_LATER_H_INCLUDED_
#define _FCA_LATER_H_INCLUDED_

#include <uv.h>
#include "contract/fcf_err.h"

typedef struct fca_later_s  fca_later_t;

/* err NULL: everything is on the disk, and nothing is under way; else the last
 * text is not there, and is not tried again */
typedef void (*fca_later_pt)(void *arg, const fcf_err_t *err);

/* path is copied; done runs from the loop, once for each pause */
fca_later_t *fca_later_new(uv_loop_t *uv, const char *path, fca_later_pt done,
    void *arg, fcf_err_t *err);
/* from now on a text counts as written once it would outlive a crash of the
 * host, which takes the disk's time */
void fca_later_sync(fca_later_t *later);
/* text: owned, NUL-terminated */
void fca_later_put(fca_later_t *later, char *text);
int fca_later_busy(const fca_later_t *later);
/* Also of NULL.  What was put is still written, if the loop runs on, but done
 * is not told. */
void fca_later_free(fca_later_t *later);

#endif /* _FCA_LATER_H_INCLUDED_ */
