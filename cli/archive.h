/*
 * A zip or tar, unpacked into a directory of ours.  What strangers made is
 * refused, in one line, if anything in it would lie elsewhere, be no file,
 * directory or link inside, be there twice, or grow beyond the limits.
 */

#ifndef _FCC_ARCHIVE_H_INCLUDED_
#define _FCC_ARCHIVE_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include "contract/fcf_err.h"

#define FCC_TREE_FILES_MAX  200000
#define FCC_TREE_BYTES_MAX  (INT64_C(2) << 30)
/* beyond so much, no more than so many times the archive's own size */
#define FCC_BOMB_BYTES      (INT64_C(64) << 20)
#define FCC_BOMB_RATIO      200

/* an entry's name into *out, without what means nothing ("./", "//", the last
 * "/"); "" is the directory itself */
int fcc_entry_name(char *out, size_t size, const char *name, fcf_err_t *err)
    fcf_must_check;

/* what is wrong, as libarchive says it, if it does */
struct archive;
const char *fcc_archive_why(struct archive *a);

int fcc_unpack(const char *archive, const char *dir, fcf_err_t *err)
    fcf_must_check;

#endif /* _FCC_ARCHIVE_H_INCLUDED_ */
