#include "agent/base/hist.h"

const unsigned  fca_hist_bounds[FCA_HIST_BOUNDS] = {
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 20000, 30000,
    60000
};

void
fca_hist_add(fca_hist_t *hist, uint64_t ms)
{
    size_t  i;

    for (i = 0; i < FCA_HIST_BOUNDS && ms > fca_hist_bounds[i]; i++) {
        /* to the first bound that holds it */
    }

    hist->n[i]++;
    hist->sum_ms += ms;
}

uint64_t
fca_hist_count(const fca_hist_t *hist)
{
    size_t    i;
    uint64_t  n = 0;

    for (i = 0; i <= FCA_HIST_BOUNDS; i++) {
        n += hist->n[i];
    }

    return n;
}
