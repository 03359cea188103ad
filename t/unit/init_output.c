/* vm/init/output.c: order and streams, what is dropped, the last lines. */

#include <stdlib.h>
#include "t/unit/tap.h"
#include "vm/init/output.h"

static fcv_output_t  out;
static char          buf[FCV_OUTPUT_KEEP + 16];


static void
add(fcv_stream_e stream, const char *text)
{
    fcv_output_add(&out, stream, text, strlen(text));
}


static void
test_streams(void)
{
    size_t        n;
    uint64_t      pos, dropped;
    fcv_stream_e  stream;

    memset(&out, 0, sizeof(out));
    pos = 0;

    is_int(fcv_output_read(&out, &pos, &stream, buf, sizeof(buf), &dropped),
           0, "nothing yet");

    add(FCV_STDOUT, "one ");
    add(FCV_STDOUT, "two ");
    add(FCV_STDERR, "bad");
    add(FCV_STDOUT, "three");

    n = fcv_output_read(&out, &pos, &stream, buf, 6, &dropped);
    ok(n == 6 && memcmp(buf, "one tw", 6) == 0 && stream == FCV_STDOUT,
       "as much as asked for");

    n = fcv_output_read(&out, &pos, &stream, buf, sizeof(buf), &dropped);
    ok(n == 2 && memcmp(buf, "o ", 2) == 0 && stream == FCV_STDOUT,
       "up to the other stream");

    n = fcv_output_read(&out, &pos, &stream, buf, sizeof(buf), &dropped);
    ok(n == 3 && memcmp(buf, "bad", 3) == 0 && stream == FCV_STDERR,
       "the other stream");

    n = fcv_output_read(&out, &pos, &stream, buf, sizeof(buf), &dropped);
    ok(n == 5 && memcmp(buf, "three", 5) == 0 && stream == FCV_STDOUT,
       "and on");

    is_int(fcv_output_read(&out, &pos, &stream, buf, sizeof(buf), &dropped),
           0, "all is read");
    is_int(dropped, 0, "nothing was lost");
}


static void
test_dropped(void)
{
    size_t        n;
    uint64_t      pos, late, dropped;
    fcv_stream_e  stream;
    static char   big[FCV_OUTPUT_KEEP + 1000];

    memset(&out, 0, sizeof(out));
    pos = 0;

    add(FCV_STDERR, "0123456789");
    fcv_output_read(&out, &pos, &stream, buf, 4, &dropped);

    memset(big, 'x', sizeof(big));
    fcv_output_add(&out, FCV_STDOUT, big, FCV_OUTPUT_KEEP - 3);

    late = 0;
    n = fcv_output_read(&out, &late, &stream, buf, sizeof(buf), &dropped);
    is_int(dropped, 7, "a new reader misses what is not kept");
    ok(n == 3 && memcmp(buf, "789", 3) == 0 && stream == FCV_STDERR,
       "and gets the oldest byte kept first");

    n = fcv_output_read(&out, &pos, &stream, buf, sizeof(buf), &dropped);
    is_int(dropped, 3, "one who had read some misses less");
    is_int(n, 3, "the rest of that stream");

    n = fcv_output_read(&out, &pos, &stream, buf, sizeof(buf), &dropped);
    is_int(n, FCV_OUTPUT_KEEP - 3, "over the ring's edge");
    is_int(dropped, 0, "counted once");

    fcv_output_add(&out, FCV_STDERR, big, sizeof(big));
    n = fcv_output_read(&out, &pos, &stream, buf, sizeof(buf), &dropped);
    is_int(dropped, 1000, "more than the ring at once");
    ok(n == FCV_OUTPUT_KEEP && stream == FCV_STDERR, "the ring is full");
}


static void
is_tail(size_t size, unsigned lines, const char *want, const char *what)
{
    size_t  n;

    n = fcv_output_tail(&out, buf, size, lines);
    buf[n] = '\0';
    is_str(buf, want, "%s", what);
}


static void
test_tail(void)
{
    static char  big[FCV_OUTPUT_KEEP];

    memset(&out, 0, sizeof(out));
    is_tail(100, 3, "", "no output, no lines");

    add(FCV_STDOUT, "a\nbb\n");
    add(FCV_STDERR, "ccc\n");
    is_tail(100, 3, "a\nbb\nccc\n", "all lines");
    is_tail(100, 2, "bb\nccc\n", "the last two");
    is_tail(8, 9, "bb\nccc\n", "whole lines only");
    is_tail(3, 9, "cc\n", "unless one is too long");

    add(FCV_STDOUT, "unended");
    is_tail(100, 2, "ccc\nunended", "a line without its end");
    is_tail(7, 2, "unended", "which just fits");

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 3] = '\n';
    fcv_output_add(&out, FCV_STDOUT, big, sizeof(big));
    is_tail(100, 2, "xx", "the line before does not fit");
}


int
main(void)
{
    test_streams();
    test_dropped();
    test_tail();

    return tap_done();
}
