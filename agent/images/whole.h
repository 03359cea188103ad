/* Is an image as long as it says that it is? */

#ifndef _FCA_WHOLE_H_INCLUDED_
#define _FCA_WHOLE_H_INCLUDED_

#include <sys/stat.h>

#include "contract/fcf_err.h"

/* FCF_E_NOT_FOUND: no, as one is that is being written, or was not to its end;
 * any other: it cannot be read.  What it is must be known for that (squashfs,
 * ext4, erofs): of anything else it is enough that it is not empty.  Waits for
 * the disk; the caller says which image it is. */
int fca_image_whole(int fd, const struct stat *st, fcf_err_t *err)
    fcf_must_check;
int fca_image_whole_at(const char *path, fcf_err_t *err) fcf_must_check;

#endif /* _FCA_WHOLE_H_INCLUDED_ */
