/* The clock by which processes of one host agree. */

#ifndef _FCA_CLOCK_H_INCLUDED_
#define _FCA_CLOCK_H_INCLUDED_

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in ms */
static inline uint64_t
fca_monotonic_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

/* Unix time in ms */
static inline int64_t
fca_unix_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif /* _FCA_CLOCK_H_INCLUDED_ */
