/* SHA-256 as text. */

#ifndef _FCA_DIGEST_H_INCLUDED_
#define _FCA_DIGEST_H_INCLUDED_

#include <nettle/sha2.h>

#define FCA_DIGEST  64                  /* hex digits */

/* Reads all of a file into the digest, and writes it to another, unless that is
 * -1; how much that was, or -1 and errno.  Waits for the disk. */
int64_t fca_digest_file(int from, int to, struct sha256_ctx *sha);

/* ends it, and makes it ready to begin anew */
void fca_digest_end(struct sha256_ctx *sha, char hex[FCA_DIGEST + 1]);

#endif /* _FCA_DIGEST_H_INCLUDED_ */
