#ifndef _FCC_DIGEST_H_INCLUDED_
#define _FCC_DIGEST_H_INCLUDED_

#include <stdint.h>
#include <nettle/sha2.h>
#include "contract/fcf_err.h"

#define FCC_DIGEST  65                  /* bytes, NUL included */

/* ends it */
void fcc_digest_end(struct sha256_ctx *sha, char hex[FCC_DIGEST]);
/* of a file, with its size */
int fcc_digest_file(const char *path, char hex[FCC_DIGEST], int64_t *size,
    fcf_err_t *err) fcf_must_check;

#endif /* _FCC_DIGEST_H_INCLUDED_ */
