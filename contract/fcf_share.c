#include "contract/fcf_share.h"

#define FCF_SHARE_BITS  24


static uint64_t
fcf_share_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;

    return x;
}


/* -log2(h / 2^64) with FCF_SHARE_BITS behind the point, in integers only: the
 * same on every machine */
static uint64_t
fcf_share_log(uint64_t h)
{
    int       i, zeros;
    uint64_t  x, log;

    if (h == 0) {
        h = 1;
    }

    zeros = __builtin_clzll(h);
    log = (uint64_t) (63 - zeros);

    /* 1 <= x / 2^31 < 2; squared, its integer part is the next bit */
    x = (h << zeros) >> 32;

    for (i = 0; i < FCF_SHARE_BITS; i++) {
        x = (x * x) >> 31;
        log <<= 1;

        if (x >> 32) {
            x >>= 1;
            log |= 1;
        }
    }

    return ((uint64_t) 64 << FCF_SHARE_BITS) - log;
}


uint64_t
fcf_share_cost(uint64_t point, int64_t version, unsigned percent)
{
    uint64_t  h;

    if (percent == 0) {
        return UINT64_MAX;
    }

    h = fcf_share_mix(fcf_share_mix(point) + (uint64_t) version
                      * 0x9e3779b97f4a7c15u);

    return (fcf_share_log(h) << 32) / percent;
}
