/* SHA-256 (FIPS 180-4). */

#ifndef _FCA_SHA256_H_INCLUDED_
#define _FCA_SHA256_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>

#define FCA_SHA256_TEXT  64

typedef struct {
    uint32_t       h[8];
    uint64_t       len;
    unsigned char  block[64];
} fca_sha256_t;

void fca_sha256_init(fca_sha256_t *sha);
void fca_sha256_add(fca_sha256_t *sha, const void *data, size_t len);
/* in hex, NUL-terminated */
void fca_sha256_end(fca_sha256_t *sha, char text[FCA_SHA256_TEXT + 1]);

#endif /* _FCA_SHA256_H_INCLUDED_ */
