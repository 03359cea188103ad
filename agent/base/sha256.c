#include <stdio.h>
#include <string.h>
#include "agent/base/sha256.h"

#define ROR(x, n)  ((x) >> (n) | (x) << (32 - (n)))

static const uint32_t  k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};


static uint32_t
big_endian(const unsigned char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static void
sha_block(fca_sha256_t *sha, const unsigned char *p)
{
    int       i;
    uint32_t  w[64], s[8], a, b;

    for (i = 0; i < 16; i++) {
        w[i] = big_endian(p + i * 4);
    }

    for ( /* void */ ; i < 64; i++) {
        a = ROR(w[i - 15], 7) ^ ROR(w[i - 15], 18) ^ w[i - 15] >> 3;
        b = ROR(w[i - 2], 17) ^ ROR(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }

    memcpy(s, sha->h, sizeof(s));

    for (i = 0; i < 64; i++) {
        a = s[7] + (ROR(s[4], 6) ^ ROR(s[4], 11) ^ ROR(s[4], 25))
            + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        b = (ROR(s[0], 2) ^ ROR(s[0], 13) ^ ROR(s[0], 22))
            + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

        memmove(s + 1, s, 7 * sizeof(s[0]));
        s[4] += a;
        s[0] = a + b;
    }

    for (i = 0; i < 8; i++) {
        sha->h[i] += s[i];
    }
}


void
fca_sha256_init(fca_sha256_t *sha)
{
    static const uint32_t  h[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
        0x9b05688c, 0x1f83d9ab, 0x5be0cd19
    };

    memcpy(sha->h, h, sizeof(h));
    sha->len = 0;
}


void
fca_sha256_add(fca_sha256_t *sha, const void *data, size_t len)
{
    size_t                have, n;
    const unsigned char  *p = data;

    have = sha->len % 64;
    sha->len += len;

    if (have > 0) {
        n = 64 - have < len ? 64 - have : len;
        memcpy(sha->block + have, p, n);
        p += n;
        len -= n;

        if (have + n < 64) {
            return;
        }

        sha_block(sha, sha->block);
    }

    for ( /* void */ ; len >= 64; p += 64, len -= 64) {
        sha_block(sha, p);
    }

    if (len > 0) {
        memcpy(sha->block, p, len);
    }
}


void
fca_sha256_end(fca_sha256_t *sha, char text[FCA_SHA256_TEXT + 1])
{
    int                   i;
    size_t                pad;
    uint64_t              bits;
    unsigned char         tail[72];

    bits = sha->len * 8;
    pad = 64 - (sha->len + 8) % 64;

    memset(tail, 0, sizeof(tail));
    tail[0] = 0x80;

    for (i = 0; i < 8; i++) {
        tail[pad + (size_t) i] = (unsigned char) (bits >> (56 - 8 * i));
    }

    fca_sha256_add(sha, tail, pad + 8);

    for (i = 0; i < 8; i++) {
        snprintf(text + 8 * i, 9, "%08x", (unsigned) sha->h[i]);
    }
}
