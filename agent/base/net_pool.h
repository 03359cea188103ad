/*
 * Numbers 1..size handed out so that one comes back as late as possible:
 * those never used first, then the one released longest ago.
 */

#ifndef _FCA_NET_POOL_H_INCLUDED_
#define _FCA_NET_POOL_H_INCLUDED_

#include <stdint.h>
#include "contract/fcf_err.h"

typedef struct {
    uint32_t    size;
    uint32_t    fresh;          /* the next one never used */
    uint32_t    head, count;    /* of the released, a ring */
    uint16_t   *ring;
    uint8_t    *used;           /* a bit each, against double release */
} fca_pool_t;

/* size at most 65535 */
int fca_pool_init(fca_pool_t *pool, uint32_t size, fcf_err_t *err)
    fcf_must_check;
void fca_pool_free(fca_pool_t *pool);
/* never handed out; before the first take only */
void fca_pool_reserve(fca_pool_t *pool, uint32_t n);
uint32_t fca_pool_take(fca_pool_t *pool);       /* 0: none left */
/* n was taken and not released since (assert) */
void fca_pool_release(fca_pool_t *pool, uint32_t n);
uint32_t fca_pool_left(const fca_pool_t *pool);

#endif /* _FCA_NET_POOL_H_INCLUDED_ */
