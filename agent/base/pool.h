/*
 * Numbers first..last, handed out so that one comes back as late as possible:
 * those never used first, then the one given back longest ago.  It has rested
 * for rest_ms at least, or when they run short, so that none has, for a tenth
 * of that.  Ports rest, so that a gateway that still believes in a VM that is
 * gone finds nobody rather than somebody else; addresses need not.
 */

#ifndef _FCA_POOL_H_INCLUDED_
#define _FCA_POOL_H_INCLUDED_

#include <stdint.h>
#include "contract/fcf_err.h"

typedef struct {
    uint64_t    since;          /* given back; 0: was not in use */
    uint16_t    number;
} fca_resting_t;

typedef struct {
    uint32_t        first, size;
    uint32_t        start;      /* the first to go, counted from first */
    uint32_t        fresh;      /* how many never used ones are through */
    uint32_t        head, count;        /* of those given back, a ring */
    uint32_t        left;
    unsigned        rest_ms;
    fca_resting_t  *ring;
    uint8_t        *used;       /* a bit each, against double release */
    uint8_t        *known;      /* a bit each: no fresh one any more */
} fca_pool_t;

/* first at least 1, last at most 65535.  life: one more at each start of the
 * agent.  Each begins a third of the range further, behind what the last one,
 * if it was killed, may just have used. */
int fca_pool_init(fca_pool_t *pool, uint32_t first, uint32_t last,
    uint64_t life, unsigned rest_ms, fcf_err_t *err) fcf_must_check;
void fca_pool_free(fca_pool_t *pool);
/* never handed out; before the first take only */
void fca_pool_reserve(fca_pool_t *pool, uint32_t n);
/* In use since an earlier life, to be given back like any other; before the
 * first take only.  -1: out of range, or in use already. */
int fca_pool_adopt(fca_pool_t *pool, uint32_t n) fcf_must_check;
/* 0: none is free and rested.  now: any monotonic ms, above 0. */
uint32_t fca_pool_take(fca_pool_t *pool, uint64_t now);
int fca_pool_any(fca_pool_t *pool, uint64_t now);
/* n was taken and not given back since (assert).  now 0: it was not put to
 * use, and need not rest. */
void fca_pool_give(fca_pool_t *pool, uint32_t n, uint64_t now);
/* those that rest among them */
uint32_t fca_pool_left(const fca_pool_t *pool);

#endif /* _FCA_POOL_H_INCLUDED_ */
