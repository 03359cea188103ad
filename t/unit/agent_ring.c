/* The last bytes of a stream, however they come. */

#include <string.h>

#include "agent/base/ring.h"
#include "t/unit/tap.h"


/* pieces of n bytes, until total have come: the tail is the stream's */
static void
test_pieces(size_t n, size_t total)
{
    int          same;
    char         piece[9000], tail[5000];
    size_t       at, i, kept;
    fca_ring_t   ring = { .max = 4096 };

    same = 1;

    for (at = 0; at < total; ) {
        for (i = 0; i < n; i++) {
            piece[i] = (char) ((at + i) % 251);
        }

        fca_ring_add(&ring, piece, n);
        at += n;

        kept = fca_ring_tail(&ring, tail, sizeof(tail));
        same &= kept == (at < 4096 ? at : 4096);

        for (i = 0; i < kept; i++) {
            same &= tail[i] == (char) ((at - kept + i) % 251);
        }
    }

    ok(same, "pieces of %zu: the last 4096 bytes", n);
    ok(fca_ring_tail(&ring, tail, 3) == 3
       && tail[2] == (char) ((at - 1) % 251), "pieces of %zu: the last 3", n);

    fca_ring_free(&ring);
    is_int(fca_ring_tail(&ring, tail, sizeof(tail)), 0, "nothing after free");
}


int
main(void)
{
    size_t      i;
    fca_ring_t  ring = { .max = 4096 };

    static const size_t  pieces[] = { 1, 7, 1000, 1024, 4095, 4096, 4097,
                                      9000 };

    for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        test_pieces(pieces[i], 20000);
    }

    fca_ring_add(&ring, "few", 3);
    is_int(ring.size, 1024, "few bytes cost little");
    fca_ring_free(&ring);

    return tap_done();
}
