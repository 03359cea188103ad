/* Shares of versions: each gets its part, and no more clients move than it
 * takes when shares change. */

#include "contract/fcf_share.h"
#include "t/unit/tap.h"

#define N 100000

#define FCT_SHARE_1  299415098055720u
#define FCT_SHARE_2  2740052923028041u

typedef struct {
    int64_t   version;
    unsigned  percent;
} share_t;


static int64_t
choose(const share_t *shares, int n, uint64_t point)
{
    int       i, best;
    uint64_t  cost, least;

    best = -1;
    least = UINT64_MAX;

    for (i = 0; i < n; i++) {
        cost = fcf_share_cost(point, shares[i].version, shares[i].percent);

        if (cost < least) {
            least = cost;
            best = i;
        }
    }

    return best < 0 ? 0 : shares[best].version;
}


static void
parts(const share_t *shares, int n)
{
    int       i, got[4] = { 0 };
    uint64_t  point;
    int64_t   version;

    for (point = 1; point <= N; point++) {
        version = choose(shares, n, point);

        for (i = 0; i < n; i++) {
            got[i] += shares[i].version == version;
        }
    }

    for (i = 0; i < n; i++) {
        ok(got[i] > N / 100 * (int) shares[i].percent - N / 200
           && got[i] < N / 100 * (int) shares[i].percent + N / 200,
           "version %d: %u%% are %d of %d", (int) shares[i].version,
           shares[i].percent, got[i], N);
    }
}


/* how many points go elsewhere, and how many of those to "to" */
static void
moves(const share_t *before, const share_t *after, int n, int64_t to,
    int percent)
{
    int       moved, astray;
    int64_t   a, b;
    uint64_t  point;

    moved = astray = 0;

    for (point = 1; point <= N; point++) {
        a = choose(before, n, point);
        b = choose(after, n, point);

        if (a != b) {
            moved++;
            astray += b != to;
        }
    }

    is_int(astray, 0, "they only go to the version that got more");
    ok(moved > N / 100 * percent - N / 200
       && moved < N / 100 * percent + N / 200,
       "no more than have to: %d for %d%%", moved, percent);
}


int
main(void)
{
    static const share_t
        ten[] = { { 1, 90 }, { 2, 10 } },
        half[] = { { 1, 50 }, { 2, 50 } },
        three[] = { { 1, 20 }, { 7, 50 }, { 9, 30 } },
        rare[] = { { 1, 99 }, { 2, 1 } },
        all[] = { { 1, 0 }, { 2, 100 } };

    parts(ten, 2);
    parts(half, 2);
    parts(three, 3);
    parts(rare, 2);
    parts(all, 2);

    moves(ten, half, 2, 2, 40);
    moves(half, ten, 2, 1, 40);
    moves(half, all, 2, 2, 50);

    ok(fcf_share_cost(5, 1, 0) == UINT64_MAX, "no share");
    is_int(choose(all, 1, 5), 0, "nobody has a share");

    /* all gateways, of whatever build, must agree */
    ok(fcf_share_cost(1, 1, 100) == FCT_SHARE_1
       && fcf_share_cost(UINT64_MAX, INT64_MAX, 7) == FCT_SHARE_2,
       "the same everywhere: %llu, %llu",
       (unsigned long long) fcf_share_cost(1, 1, 100),
       (unsigned long long) fcf_share_cost(UINT64_MAX, INT64_MAX, 7));

    return tap_done();
}
