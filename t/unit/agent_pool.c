/* Numbers that come back as late as possible. */

#include <string.h>
#include "agent/base/pool.h"
#include "t/unit/tap.h"

#define REST_MS  2000

static void
test_order(void)
{
    fca_pool_t  pool;

    is_int(fca_pool_init(&pool, 1, 4, 0, 0, NULL), 0, "a pool of 4");
    fca_pool_reserve(&pool, 2);
    is_int(fca_pool_left(&pool), 3, "one reserved, three left");

    is_int(fca_pool_take(&pool, 1), 1, "first");
    is_int(fca_pool_take(&pool, 1), 3, "the reserved one is passed over");

    fca_pool_give(&pool, 1, 1);
    is_int(fca_pool_take(&pool, 1), 4, "never used goes before released");
    is_int(fca_pool_left(&pool), 1, "one left");

    fca_pool_give(&pool, 4, 1);
    is_int(fca_pool_take(&pool, 1), 1, "released longest ago comes first");
    is_int(fca_pool_take(&pool, 1), 4, "then the next");
    is_int(fca_pool_take(&pool, 1), 0, "empty");
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

    is_int(fca_pool_init(&pool, 1, 7, 0, 0, NULL), 0, "a pool of 7");

    bad = 0;
    last = 0;

    for (round = 0; round < 100; round++) {
        memset(seen, 0, sizeof(seen));

        for (i = 0; i < 5; i++) {
            n = fca_pool_take(&pool, 1);
            bad += n == 0 || n > 7 || n == last || seen[n]++;
        }

        for (n = 1; n <= 7; n++) {
            if (seen[n]) {
                fca_pool_give(&pool, n, 1);
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

    is_int(fca_pool_init(&pool, 1, 65534, 0, 0, NULL), 0, "a /16");

    bad = 0;

    for (i = 1; i <= 65534; i++) {
        bad += fca_pool_take(&pool, 1) != i;
    }

    is_int(bad, 0, "in order to the last");
    is_int(fca_pool_take(&pool, 1), 0, "then empty");

    fca_pool_give(&pool, 65534, 1);
    is_int(fca_pool_take(&pool, 1), 65534, "the last number survives the ring");
    fca_pool_free(&pool);
}

static void
test_rest(void)
{
    unsigned     port;
    fcf_err_t    err;
    fca_pool_t   p;

    is_int(fca_pool_init(&p, 100, 102, 5, REST_MS, &err), 0, "three ports");
    is_int(fca_pool_take(&p, 1000), 101, "the first order is turned");
    is_int(fca_pool_take(&p, 1000), 102, "then the next");
    is_int(fca_pool_take(&p, 1000), 100, "round the end");
    is_int(fca_pool_take(&p, 1000), 0, "then none");
    ok(!fca_pool_any(&p, 1000), "and none is promised");

    fca_pool_give(&p, 102, 2000);
    fca_pool_give(&p, 100, 2100);
    is_int(fca_pool_take(&p, 2000 + REST_MS / 10 - 1), 0,
           "a used one rests");
    is_int(fca_pool_take(&p, 2000 + REST_MS / 10), 102,
           "a tenth of its rest, oldest first");
    is_int(fca_pool_take(&p, 2000 + REST_MS / 10), 0,
           "the younger one still rests");
    is_int(fca_pool_take(&p, 2100 + REST_MS / 10), 100, "until then");

    fca_pool_give(&p, 101, 0);
    is_int(fca_pool_take(&p, 1), 101, "one that never listened need not");

    fca_pool_give(&p, 102, 90000);
    fca_pool_give(&p, 101, 0);
    is_int(fca_pool_take(&p, 90001), 101, "nor wait behind one that rests");
    fca_pool_free(&p);

    is_int(fca_pool_init(&p, 30000, 30999, 1, REST_MS, &err), 0,
           "a first life");
    port = fca_pool_take(&p, 1);
    fca_pool_free(&p);
    is_int(fca_pool_init(&p, 30000, 30999, 2, REST_MS, &err), 0,
           "and the next");
    is_int(fca_pool_take(&p, 1), port + 334, "begins far from its ports");
    fca_pool_free(&p);
}

static void
test_adopt(void)
{
    unsigned    i, seen[8] = { 0 };
    fca_pool_t  p;

    is_int(fca_pool_init(&p, 1, 5, 0, 0, NULL), 0, "five numbers");
    fca_pool_reserve(&p, 1);
    is_int(fca_pool_adopt(&p, 3), 0, "one is in use from an earlier life");
    is_int(fca_pool_adopt(&p, 3), -1, "by one only");
    is_int(fca_pool_adopt(&p, 1), -1, "what is reserved is not");
    is_int(fca_pool_adopt(&p, 0), -1, "nor what is below");
    is_int(fca_pool_adopt(&p, 6), -1, "or above");
    is_int(fca_pool_left(&p), 3, "three are left");

    fca_pool_give(&p, 3, 1);
    is_int(fca_pool_left(&p), 4, "given back it counts again");

    for (i = 0; i < 4; i++) {
        seen[fca_pool_take(&p, 1)]++;
    }

    ok(seen[2] == 1 && seen[3] == 1 && seen[4] == 1 && seen[5] == 1,
       "and is handed out once, as any other");
    is_int(fca_pool_take(&p, 1), 0, "and no more");
    fca_pool_free(&p);
}

int
main(void)
{
    test_adopt();
    test_order();
    test_rounds();
    test_full_size();
    test_rest();

    return tap_done();
}
