/* SHA-256 (FIPS 180-4): what images are named by. */

#ifndef _FCC_SHA256_H_INCLUDED_
#define _FCC_SHA256_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>

#define FCC_SHA256_HEX  64

typedef struct {
    uint32_t        state[8];
    uint64_t        len;                /* bytes so far */
    unsigned char   block[64];
} fcc_sha256_t;

void fcc_sha256_init(fcc_sha256_t *sha);
void fcc_sha256_add(fcc_sha256_t *sha, const void *data, size_t len);
/* hex: FCC_SHA256_HEX + 1 bytes, lower case.  *sha is used up. */
void fcc_sha256_hex(fcc_sha256_t *sha, char *hex);

#endif /* _FCC_SHA256_H_INCLUDED_ */
