#include "agent/base/net_pool.h"
#include "t/unit/tap.h"


static void
test_order(void)
{
    fca_pool_t  pool;

    is_int(fca_pool_init(&pool, 4, NULL), 0, "a pool of 4");
    fca_pool_reserve(&pool, 2);
    is_int(fca_pool_left(&pool), 3, "one reserved, three left");

    is_int(fca_pool_take(&pool), 1, "first");
    is_int(fca_pool_take(&pool), 3, "the reserved one is passed over");

    fca_pool_release(&pool, 1);
    is_int(fca_pool_take(&pool), 4, "never used goes before released");
    is_int(fca_pool_left(&pool), 1, "one left");

    fca_pool_release(&pool, 4);
    is_int(fca_pool_take(&pool), 1, "released longest ago comes first");
    is_int(fca_pool_take(&pool), 4, "then the next");
    is_int(fca_pool_take(&pool), 0, "empty");
    is_int(fca_pool_left(&pool), 0, "none left");

    fca_pool_free(&pool);
}


/* every number once a round, for many rounds over the ring's end */
static void
test_rounds(void)
{
    int         seen[8], bad;
    uint32_t    i, n, last, round;
    fca_pool_t  pool;

    is_int(fca_pool_init(&pool, 7, NULL), 0, "a pool of 7");

    bad = 0;
    last = 0;

    for (round = 0; round < 100; round++) {
        memset(seen, 0, sizeof(seen));

        for (i = 0; i < 5; i++) {
            n = fca_pool_take(&pool);
            bad += n == 0 || n > 7 || n == last || seen[n]++;
        }

        for (n = 1; n <= 7; n++) {
            if (seen[n]) {
                fca_pool_release(&pool, n);
                last = n;
            }
        }
    }

    is_int(bad, 0, "no number twice, none out of range, the last one last");
    is_int(fca_pool_left(&pool), 7, "all are back");
    fca_pool_free(&pool);
}


static void
test_full_size(void)
{
    uint32_t    i, bad;
    fca_pool_t  pool;

    is_int(fca_pool_init(&pool, 65534, NULL), 0, "a /16");

    bad = 0;

    for (i = 1; i <= 65534; i++) {
        bad += fca_pool_take(&pool) != i;
    }

    is_int(bad, 0, "in order to the last");
    is_int(fca_pool_take(&pool), 0, "then empty");

    fca_pool_release(&pool, 65534);
    is_int(fca_pool_take(&pool), 65534, "the last number survives the ring");
    fca_pool_free(&pool);
}


int
main(void)
{
    test_order();
    test_rounds();
    test_full_size();

    return tap_done();
}
