#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/net_pool.h"


static int
pool_used(const fca_pool_t *pool, uint32_t n)
{
    return pool->used[n / 8] >> (n % 8) & 1;
}


int
fca_pool_init(fca_pool_t *pool, uint32_t size, fcf_err_t *err)
{
    assert(size > 0 && size <= UINT16_MAX);

    memset(pool, 0, sizeof(*pool));

    pool->ring = malloc(size * sizeof(pool->ring[0]));
    pool->used = calloc(1, size / 8 + 1);

    if (pool->ring == NULL || pool->used == NULL) {
        fca_pool_free(pool);
        return fcf_err_set(err, FCF_E_NOMEM, "number pool: out of memory");
    }

    pool->size = size;
    pool->fresh = 1;

    return 0;
}


void
fca_pool_free(fca_pool_t *pool)
{
    free(pool->ring);
    free(pool->used);
    memset(pool, 0, sizeof(*pool));
}


void
fca_pool_reserve(fca_pool_t *pool, uint32_t n)
{
    assert(n >= 1 && n <= pool->size && pool->fresh == 1);

    pool->used[n / 8] |= (uint8_t) (1u << (n % 8));
}


uint32_t
fca_pool_take(fca_pool_t *pool)
{
    uint32_t  n;

    while (pool->fresh <= pool->size && pool_used(pool, pool->fresh)) {
        pool->fresh++;
    }

    if (pool->fresh <= pool->size) {
        n = pool->fresh++;

    } else if (pool->count > 0) {
        n = pool->ring[pool->head];
        pool->head = (pool->head + 1) % pool->size;
        pool->count--;

    } else {
        return 0;
    }

    pool->used[n / 8] |= (uint8_t) (1u << (n % 8));

    return n;
}


void
fca_pool_release(fca_pool_t *pool, uint32_t n)
{
    assert(n >= 1 && n < pool->fresh && pool_used(pool, n));

    pool->used[n / 8] &= (uint8_t) ~(1u << (n % 8));
    pool->ring[(pool->head + pool->count++) % pool->size] = (uint16_t) n;
}


uint32_t
fca_pool_left(const fca_pool_t *pool)
{
    uint32_t  n, left;

    left = pool->count;

    for (n = pool->fresh; n <= pool->size; n++) {
        left += !pool_used(pool, n);
    }

    return left;
}
