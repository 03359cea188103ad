#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "vm/vmm/clocks.h"


/* Both clocks at one instant: of several tries the one that was disturbed
 * least. */
fcv_clocks_t
fcv_clocks_read(void)
{
    int              i;
    fcv_clocks_t     c;
    uint64_t         before, after, best;
    struct timespec  ts;

    best = UINT64_MAX;
    memset(&c, 0, sizeof(c));

    for (i = 0; i < 8; i++) {
        before = __rdtsc();
        clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
        after = __rdtsc();

        if (after - before < best) {
            best = after - before;
            c.tsc = before + best / 2;
            c.ns = (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
        }
    }

    return c;
}


unsigned long
fcv_clocks_khz(const fcv_clocks_t *start)
{
    fcv_clocks_t  now;

    now = fcv_clocks_read();

    return (unsigned long) ((double) (now.tsc - start->tsc) * 1e6
                            / (double) (now.ns - start->ns) + 0.5);
}
