#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/pool.h"

/* what is left of the rest when numbers run short */
#define FCA_POOL_SHORT  10

static int
fca_pool_bit(const uint8_t *bits, uint32_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

static void
fca_pool_use(fca_pool_t *pool, uint32_t i)
{
    assert(!fca_pool_bit(pool->used, i));
    pool->used[i / 8] |= (uint8_t) (1u << (i % 8));
    pool->known[i / 8] |= (uint8_t) (1u << (i % 8));
    pool->left--;
}

int
fca_pool_init(fca_pool_t *pool, uint32_t first, uint32_t last, uint64_t life,
    unsigned rest_ms, fcf_err_t *err)
{
    assert(first > 0 && first <= last && last <= UINT16_MAX);

    memset(pool, 0, sizeof(*pool));

    pool->first = first;
    pool->size = pool->left = last - first + 1;
    pool->rest_ms = rest_ms;
    pool->start = (uint32_t) (life % pool->size * (pool->size / 3 + 1)
                              % pool->size);

    pool->ring = malloc(pool->size * sizeof(pool->ring[0]));
    pool->used = calloc(1, pool->size / 8 + 1);
    pool->known = calloc(1, pool->size / 8 + 1);

    if (pool->ring == NULL || pool->used == NULL || pool->known == NULL) {
        fca_pool_free(pool);
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for %u numbers",
                           last - first + 1);
    }

    return 0;
}

void
fca_pool_free(fca_pool_t *pool)
{
    free(pool->ring);
    free(pool->used);
    free(pool->known);
    memset(pool, 0, sizeof(*pool));
}

void
fca_pool_reserve(fca_pool_t *pool, uint32_t n)
{
    assert(n >= pool->first && n - pool->first < pool->size
           && pool->fresh == 0);

    fca_pool_use(pool, n - pool->first);
}

int
fca_pool_adopt(fca_pool_t *pool, uint32_t n)
{
    assert(pool->fresh == 0);

    if (n < pool->first || n - pool->first >= pool->size
        || fca_pool_bit(pool->used, n - pool->first))
    {
        return -1;
    }

    fca_pool_use(pool, n - pool->first);

    return 0;
}

/* the next one never used; size: there is none */
static uint32_t
fca_pool_fresh(fca_pool_t *pool)
{
    uint32_t  i;

    while (pool->fresh < pool->size) {
        i = (pool->start + pool->fresh) % pool->size;

        if (!fca_pool_bit(pool->known, i)) {
            return i;
        }

        pool->fresh++;
    }

    return pool->size;
}

int
fca_pool_any(fca_pool_t *pool, uint64_t now)
{
    const fca_resting_t  *oldest;

    if (fca_pool_fresh(pool) != pool->size) {
        return 1;
    }

    oldest = &pool->ring[pool->head];

    return pool->count
           && (oldest->since == 0
               || now - oldest->since >= pool->rest_ms / FCA_POOL_SHORT);
}

uint32_t
fca_pool_take(fca_pool_t *pool, uint64_t now)
{
    uint32_t  i;

    if (!fca_pool_any(pool, now)) {
        return 0;
    }

    i = fca_pool_fresh(pool);

    if (i != pool->size) {
        pool->fresh++;

    } else {
        i = pool->ring[pool->head].number - pool->first;
        pool->head = (pool->head + 1) % pool->size;
        pool->count--;
    }

    fca_pool_use(pool, i);

    return pool->first + i;
}

void
fca_pool_give(fca_pool_t *pool, uint32_t n, uint64_t now)
{
    uint32_t        i;
    fca_resting_t  *r;

    i = n - pool->first;
    assert(n >= pool->first && i < pool->size
           && fca_pool_bit(pool->used, i));

    if (now == 0) {
        pool->head = (pool->head + pool->size - 1) % pool->size;
        r = &pool->ring[pool->head];

    } else {
        r = &pool->ring[(pool->head + pool->count) % pool->size];
    }

    r->number = (uint16_t) n;
    r->since = now;
    pool->count++;
    pool->left++;
    pool->used[i / 8] &= (uint8_t) ~(1u << (i % 8));
}

uint32_t
fca_pool_left(const fca_pool_t *pool)
{
    return pool->left;
}
