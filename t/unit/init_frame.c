/* vm/init/frame.c: frames cut anywhere, several at once, refused lengths. */

#include <stdlib.h>
#include "t/unit/tap.h"
#include "vm/init/frame.h"

static fcv_frame_in_t  in;


static void
feed(const void *data, size_t len)
{
    size_t    room;
    uint8_t  *p;

    p = fcv_frame_room(&in, &room);

    if (len > room) {
        len = room;
    }

    memcpy(p, data, len);
    fcv_frame_filled(&in, len);
}


static void
test_byte_by_byte(void)
{
    int           rc;
    size_t        i, len;
    fcf_err_t     err;
    const char   *json;
    const char    wire[] = "\0\0\0\2{}\0\0\0\4null";

    in.len = 0;

    for (i = 0; i < 5; i++) {
        feed(wire + i, 1);
        rc = fcv_frame_next(&in, &json, &len, &err);
        is_int(rc, 0, "byte %zu: no frame yet", i);
    }

    feed(wire + 5, sizeof(wire) - 1 - 5);

    is_int(fcv_frame_next(&in, &json, &len, &err), 1, "the first is whole");
    ok(len == 2 && memcmp(json, "{}", 2) == 0, "its bytes");

    fcv_frame_drop(&in);
    is_int(fcv_frame_next(&in, &json, &len, &err), 1, "the second too");
    ok(len == 4 && memcmp(json, "null", 4) == 0, "its bytes");

    fcv_frame_drop(&in);
    is_int(in.len, 0, "nothing is left");
    is_int(fcv_frame_next(&in, &json, &len, &err), 0, "and no frame");
}


static void
test_lengths(void)
{
    size_t       len, room;
    uint8_t      head[4];
    fcf_err_t    err;
    const char  *json;
    static char  body[FCV_FRAME_MAX];

    in.len = 0;
    fcv_put_be32(head, FCV_FRAME_MAX);
    feed(head, 4);
    memset(body, 'x', sizeof(body));
    feed(body, sizeof(body) - 1);
    is_int(fcv_frame_next(&in, &json, &len, &err), 0,
           "the largest, but for a byte");

    feed(body, 1);
    is_int(fcv_frame_next(&in, &json, &len, &err), 1, "the largest");
    is_int(len, FCV_FRAME_MAX, "its length");
    fcv_frame_room(&in, &room);
    is_int(room, 0, "there is room for no more");
    fcv_frame_drop(&in);

    fcv_put_be32(head, FCV_FRAME_MAX + 1);
    feed(head, 4);
    is_int(fcv_frame_next(&in, &json, &len, &err), -1, "one more is refused");
    is_str(err.msg, "frame length 65537 is not within 1-65536", "by name");

    in.len = 0;
    feed("\0\0\0\0", 4);
    is_int(fcv_frame_next(&in, &json, &len, &err), -1, "0 is refused");

    in.len = 0;
    feed("\377\377\377\377", 4);
    is_int(fcv_frame_next(&in, &json, &len, &err), -1,
           "4294967295 is refused");
}


int
main(void)
{
    test_byte_by_byte();
    test_lengths();

    return tap_done();
}
