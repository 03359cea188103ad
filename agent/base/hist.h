/* A histogram of durations with fixed bounds, those of Prometheus' clients
 * and some beyond, since a boot may take a minute. */

#ifndef _FCA_HIST_H_INCLUDED_
#define _FCA_HIST_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>

#define FCA_HIST_BOUNDS  16

/* in ms, ascending */
extern const unsigned  fca_hist_bounds[FCA_HIST_BOUNDS];

/* zeroed is empty */
typedef struct {
    uint64_t  n[FCA_HIST_BOUNDS + 1];   /* the last: above all bounds */
    uint64_t  sum_ms;
} fca_hist_t;

void fca_hist_add(fca_hist_t *hist, uint64_t ms);
uint64_t fca_hist_count(const fca_hist_t *hist);

#endif /* _FCA_HIST_H_INCLUDED_ */
