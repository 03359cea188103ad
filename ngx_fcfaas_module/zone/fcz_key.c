#include "ngx_fcfaas_module/zone/fcz_mem.h"

#include <stdio.h>
#include <string.h>


/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012), twice with keys of the zone's
 * own: who chooses names cannot choose two that fall together, and by chance
 * 128 bits never do.
 */

#define FCZ_ROTL(x, n)  (((x) << (n)) | ((x) >> (64 - (n))))


static void
fcz_key_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = FCZ_ROTL(v[1], 13) ^ v[0];
    v[0] = FCZ_ROTL(v[0], 32);
    v[2] += v[3];
    v[3] = FCZ_ROTL(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = FCZ_ROTL(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = FCZ_ROTL(v[1], 17) ^ v[2];
    v[2] = FCZ_ROTL(v[2], 32);
}


static uint64_t
fcz_key_hash(const uint64_t seed[2], const char *data, size_t len)
{
    size_t    i, left;
    uint64_t  word, v[4];

    v[0] = seed[0] ^ 0x736f6d6570736575ull;
    v[1] = seed[1] ^ 0x646f72616e646f6dull;
    v[2] = seed[0] ^ 0x6c7967656e657261ull;
    v[3] = seed[1] ^ 0x7465646279746573ull;

    for (i = 0; i <= len / 8; i++) {

        left = len - 8 * i;
        word = 0;
        memcpy(&word, data + 8 * i, left < 8 ? left : 8);

        if (left < 8) {
            word |= (uint64_t) len << 56;
        }

        v[3] ^= word;
        fcz_key_round(v);
        fcz_key_round(v);
        v[0] ^= word;
    }

    v[2] ^= 0xff;

    for (i = 0; i < 4; i++) {
        fcz_key_round(v);
    }

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}


void
fcz_key(fcz_t *zone, fcz_key_t *key, const char *function, const char *name)
{
    int   len;
    char  text[512];

    /* names have no newline; both are bounded by the contract */

    len = snprintf(text, sizeof(text), "%s\n%s", function, name);

    if ((size_t) len >= sizeof(text)) {
        len = sizeof(text) - 1;
    }

    key->part[0] = fcz_key_hash(zone->seed, text, (size_t) len);
    key->part[1] = fcz_key_hash(zone->seed + 2, text, (size_t) len);
}


void
fcz_id(fcz_t *zone, char *text)
{
    (void) snprintf(text, 33, "%016llx%016llx",
                    (unsigned long long) zone->id[0],
                    (unsigned long long) zone->id[1]);
}
