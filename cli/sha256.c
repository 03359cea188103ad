#include <string.h>

#include "cli/sha256.h"

static const uint32_t  fcc_sha256_k[64] = {
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
fcc_rotr(uint32_t x, unsigned n)
{
    return (x >> n) | (x << (32 - n));
}


static void
fcc_sha256_schedule(uint32_t *w, const unsigned char *p)
{
    int       i;
    uint32_t  a, b;

    for (i = 0; i < 16; i++, p += 4) {
        w[i] = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
               | (uint32_t) p[2] << 8 | p[3];
    }

    for ( /* void */ ; i < 64; i++) {
        a = w[i - 15];
        b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7]
               + (fcc_rotr(a, 7) ^ fcc_rotr(a, 18) ^ (a >> 3))
               + (fcc_rotr(b, 17) ^ fcc_rotr(b, 19) ^ (b >> 10));
    }
}


static void
fcc_sha256_block(uint32_t *state, const unsigned char *p)
{
    int       i;
    uint32_t  w[64], s[8], t1, t2;

    fcc_sha256_schedule(w, p);
    memcpy(s, state, sizeof(s));

    for (i = 0; i < 64; i++) {

        t1 = s[7] + (fcc_rotr(s[4], 6) ^ fcc_rotr(s[4], 11)
                     ^ fcc_rotr(s[4], 25))
             + ((s[4] & s[5]) ^ (~s[4] & s[6])) + fcc_sha256_k[i] + w[i];
        t2 = (fcc_rotr(s[0], 2) ^ fcc_rotr(s[0], 13) ^ fcc_rotr(s[0], 22))
             + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

        memmove(s + 1, s, 7 * sizeof(uint32_t));
        s[4] += t1;
        s[0] = t1 + t2;
    }

    for (i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}


void
fcc_sha256_init(fcc_sha256_t *sha)
{
    static const uint32_t  first[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
        0x9b05688c, 0x1f83d9ab, 0x5be0cd19
    };

    memcpy(sha->state, first, sizeof(first));
    sha->len = 0;
}


void
fcc_sha256_add(fcc_sha256_t *sha, const void *data, size_t len)
{
    size_t                n, at;
    const unsigned char  *p;

    for (p = data; len > 0; p += n, len -= n) {

        at = sha->len % 64;
        n = 64 - at < len ? 64 - at : len;

        memcpy(sha->block + at, p, n);
        sha->len += n;

        if (at + n == 64) {
            fcc_sha256_block(sha->state, sha->block);
        }
    }
}


void
fcc_sha256_hex(fcc_sha256_t *sha, char *hex)
{
    int                         i;
    uint64_t                    bits;
    unsigned char               end[8];
    static const char           digits[] = "0123456789abcdef";
    static const unsigned char  pad[64] = { 0x80 };

    bits = sha->len * 8;

    for (i = 0; i < 8; i++) {
        end[i] = (unsigned char) (bits >> (56 - 8 * i));
    }

    fcc_sha256_add(sha, pad, 64 - (sha->len + 8) % 64);
    fcc_sha256_add(sha, end, 8);

    for (i = 0; i < 64; i++) {
        *hex++ = digits[sha->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    }

    *hex = '\0';
}
