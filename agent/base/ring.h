/* The last bytes of a stream.  It grows with what comes, up to a maximum. */

#ifndef _FCA_RING_H_INCLUDED_
#define _FCA_RING_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>

typedef struct {
    char      *data;                    /* NULL: nothing came yet */
    size_t     size, max;               /* powers of two */
    uint64_t   seen;                    /* bytes that ever came */
} fca_ring_t;

/* Without memory it stays as small as it is. */
void fca_ring_add(fca_ring_t *ring, const char *data, size_t len);
/* how many of the bytes seen it holds still */
size_t fca_ring_kept(const fca_ring_t *ring);
/* The last size bytes of what is kept, or fewer; returns how many. */
size_t fca_ring_tail(const fca_ring_t *ring, char *buf, size_t size);
void fca_ring_free(fca_ring_t *ring);

#endif /* _FCA_RING_H_INCLUDED_ */
