#include <stdlib.h>
#include <string.h>

#include "agent/base/ring.h"

#define RING_FIRST  1024


size_t
fca_ring_kept(const fca_ring_t *ring)
{
    return ring->seen < ring->size ? (size_t) ring->seen : ring->size;
}


/* what is kept moves to where the new size wants it */
static void
ring_grow(fca_ring_t *ring, size_t want)
{
    char      *data;
    size_t     i, kept, size;
    uint64_t   at;

    size = ring->size == 0 ? RING_FIRST : ring->size;
    kept = fca_ring_kept(ring);

    while (size < ring->max && size < kept + want) {
        size *= 2;
    }

    size = size < ring->max ? size : ring->max;

    if (size == ring->size) {
        return;
    }

    data = malloc(size);
    if (data == NULL) {
        return;
    }

    for (i = 0; i < kept; i++) {
        at = ring->seen - kept + i;
        data[at % size] = ring->data[at % ring->size];
    }

    free(ring->data);
    ring->data = data;
    ring->size = size;
}


void
fca_ring_add(fca_ring_t *ring, const char *data, size_t len)
{
    size_t  at, n;

    ring_grow(ring, len < ring->max ? len : ring->max);

    if (ring->size == 0) {
        return;
    }

    if (len > ring->size) {
        data += len - ring->size;
        ring->seen += len - ring->size;
        len = ring->size;
    }

    while (len > 0) {
        at = (size_t) (ring->seen % ring->size);
        n = ring->size - at < len ? ring->size - at : len;

        memcpy(ring->data + at, data, n);
        ring->seen += n;
        data += n;
        len -= n;
    }
}


size_t
fca_ring_tail(const fca_ring_t *ring, char *buf, size_t size)
{
    size_t    at, kept, left, n;
    uint64_t  from;

    kept = fca_ring_kept(ring);
    kept = kept < size ? kept : size;
    from = ring->seen - kept;

    for (left = kept; left > 0; left -= n, from += n, buf += n) {
        at = (size_t) (from % ring->size);
        n = ring->size - at < left ? ring->size - at : left;
        memcpy(buf, ring->data + at, n);
    }

    return kept;
}


void
fca_ring_free(fca_ring_t *ring)
{
    free(ring->data);
    ring->data = NULL;
    ring->size = 0;
    ring->seen = 0;
}
