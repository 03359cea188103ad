/*
 * What the targets of t/fuzz/ share.  An input is what a peer sends, and
 * nothing else, so that a corpus can be read; how it is cut into pieces comes
 * out of its own bytes.
 */

#ifndef _FCT_FUZZ_H_INCLUDED_
#define _FCT_FUZZ_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A property does not hold: libFuzzer keeps the input. */
#define FCT_HOLDS(what)                                                     \
    do {                                                                    \
        if (!(what)) {                                                      \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,         \
                    __LINE__, #what);                                       \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* how a run cuts its input */
typedef enum {
    FCT_WHOLE = 0,
    FCT_BYTES,
    FCT_PIECES,                         /* of 1 to 16 bytes */
    FCT_HALVES,
    FCT_NCUTS
} fct_cut_e;

typedef struct {
    fct_cut_e   cut;
    uint64_t    random;
} fct_cutter_t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static inline fct_cutter_t
fct_cutter(fct_cut_e cut, const uint8_t *data, size_t size)
{
    size_t         i;
    fct_cutter_t   cutter = { cut, 0xcbf29ce484222325u };

    for (i = 0; i < size; i++) {
        cutter.random = (cutter.random ^ data[i]) * 0x100000001b3u;
    }

    return cutter;
}


/* the next piece's length, 1 to left */
static inline size_t
fct_piece(fct_cutter_t *cutter, size_t left)
{
    size_t  n;

    cutter->random = cutter->random * 6364136223846793005u
                     + 1442695040888963407u;
    n = (size_t) (cutter->random >> 33);

    switch (cutter->cut) {
    case FCT_WHOLE:
        return left;
    case FCT_BYTES:
        return 1;
    case FCT_PIECES:
        n = 1 + n % 16;
        return n < left ? n : left;
    default: /* FCT_HALVES */
        return 1 + n % left;
    }
}

#endif /* _FCT_FUZZ_H_INCLUDED_ */
