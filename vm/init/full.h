/* Of what the guest has so much and no more, so that a function that has used
 * it up is told of by more than its own errors. */

#ifndef _FCV_FULL_H_INCLUDED_
#define _FCV_FULL_H_INCLUDED_

#include <stdint.h>

/* The watch, by the clock of fcv_now_ms(). */
typedef struct {
    int64_t  next_ms;
    int      others;                    /* processes that are not the
                                           function's, the kernel's mostly */
    int      processes, files;          /* told */
    int64_t  quiet_ms;                  /* nothing is said of kills before */
    int      killed;
} fcv_full_t;

/* before the function starts */
void fcv_full_start(fcv_full_t *full, int64_t now_ms);
/* until the next look, as poll(2) wants it */
int fcv_full_wait(const fcv_full_t *full, int64_t now_ms);
/* if it is time: says each once */
void fcv_full_look(fcv_full_t *full, int64_t now_ms);

/* A process of the function's was killed for lack of memory: said, but not over
 * and over, with how many there were before. */
void fcv_full_killed(fcv_full_t *full, int pid, const char *name,
    int memory_mb, int64_t now_ms);

/* given: the megabytes that it was given; 0: that is not known, and the kernel
 * is asked, who has had its share of them */
int fcv_memory_mb(int given);

#endif /* _FCV_FULL_H_INCLUDED_ */
