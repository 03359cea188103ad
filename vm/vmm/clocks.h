/* How fast the host's TSC runs: emulation passes it on to the guest, which is
 * told the rate instead of guessing it. */

#ifndef _FCV_CLOCKS_H_INCLUDED_
#define _FCV_CLOCKS_H_INCLUDED_

#include <stdint.h>

typedef struct {
    int64_t   ns;                       /* CLOCK_MONOTONIC_RAW */
    uint64_t  tsc;
} fcv_clocks_t;

fcv_clocks_t fcv_clocks_read(void);
/* kHz since start, which should lie 10 ms back: then it is good to 10 ppm */
unsigned long fcv_clocks_khz(const fcv_clocks_t *start);

#endif /* _FCV_CLOCKS_H_INCLUDED_ */
