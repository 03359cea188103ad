#include <stdlib.h>
#include "agent/proxy/http/proxy_body.h"
#include "t/unit/tap.h"

typedef struct {
    const char  *name;
    const char  *wire;          /* what follows is not the body's */
    const char  *rest;
    const char  *data;          /* NULL: malformed */
} chunk_case_t;

static const chunk_case_t  chunks[] = {
    { "one chunk", "3\r\nabc\r\n0\r\n\r\n", "GET", "abc" },
    { "two chunks", "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "",
      "abc0123456789" },
    { "empty", "0\r\n\r\n", "x", "" },
    { "extensions", "3;a=b;c=\"d e\"\r\nabc\r\n0;z\r\n\r\n", "", "abc" },
    { "trailers", "1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n", "POST", "x" },
    { "zeros before", "0003\r\nabc\r\n000\r\n\r\n", "", "abc" },
    { "data that looks like a chunk", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "",
      "0\r\n\r\n" },
    { "LF after the size", "3\nabc\r\n0\r\n\r\n", "", NULL },
    { "a byte after CR", "3\rXabc\r\n0\r\n\r\n", "", NULL },
    { "longer than said", "3\r\nabcX\r\n0\r\n\r\n", "", NULL },
    { "LF after the data", "3\r\nabc\n0\r\n\r\n", "", NULL },
    { "no size", "\r\nabc\r\n0\r\n\r\n", "", NULL },
    { "only an extension", ";a\r\n", "", NULL },
    { "a sign", "-3\r\nabc\r\n", "", NULL },
    { "0x", "0x3\r\nabc\r\n", "", NULL },
    { "a space before the size", " 3\r\nabc\r\n", "", NULL },
    { "a space after the size", "3 \r\nabc\r\n", "", NULL },
    { "17 digits", "00000000000000003\r\nabc\r\n", "", NULL },
    { "a size over 63 bits", "ffffffffffffffff\r\n", "", NULL },
    { "LF in an extension", "3;a\nb\r\nabc\r\n", "", NULL },
    { "NUL is a control", "3;\001\r\nabc\r\n", "", NULL },
    { "LF after a trailer", "0\r\nA: b\n\r\n", "", NULL },
    { "a folded trailer", "0\r\nA: b\r\n c\r\n\r\n", "", NULL },
    { "a trailer without a colon", "0\r\nAb\r\n\r\n", "", NULL },
    { "a trailer's name with a space", "0\r\nA : b\r\n\r\n", "", NULL },
    { "no LF at the end", "0\r\n\rX", "", NULL },
};


/* every way to cut it in two, and byte by byte */
static int
read_split(const chunk_case_t *c, size_t at, size_t step, char *data,
    size_t *len)
{
    char         wire[256];
    size_t       off, n, total, decoded;
    ssize_t      used;
    fca_body_t   body;

    total = strlen(c->wire) + strlen(c->rest);
    memcpy(wire, c->wire, strlen(c->wire));
    memcpy(wire + strlen(c->wire), c->rest, strlen(c->rest));

    fca_body_init(&body, FCA_BODY_CHUNKED, 0);
    *len = 0;

    for (off = 0; off < total && !body.done; off += (size_t) used) {
        n = step ? step : off < at ? at - off : total - off;
        n = n < total - off ? n : total - off;
        used = fca_body_feed(&body, wire + off, n, &decoded);

        if (used < 0) {
            return -1;
        }

        memcpy(data + *len, wire + off, decoded);
        *len += decoded;
    }

    return body.done ? (int) off : -2;
}


static void
chunk_test(const chunk_case_t *c)
{
    int      rc, good;
    char     data[256];
    size_t   at, len;

    good = 1;

    for (at = 0; at <= strlen(c->wire); at++) {
        /* at 0 stands for byte by byte */
        rc = read_split(c, at, at == 0 ? 1 : 0, data, &len);

        if (c->data == NULL) {
            good = good && rc == -1;

        } else {
            good = good && rc == (int) strlen(c->wire)
                   && len == strlen(c->data)
                   && memcmp(data, c->data, len) == 0;
        }
    }

    ok(good, "chunked, every split: %s", c->name);
}


int
main(void)
{
    char         data[16384];
    size_t       i, decoded;
    ssize_t      n;
    fca_body_t   body;

    for (i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        chunk_test(&chunks[i]);
    }

    fca_body_init(&body, FCA_BODY_NONE, 0);
    ok(body.done, "none is over before it began");
    is_int(fca_body_feed(&body, data, 10, NULL), 0, "and takes nothing");

    fca_body_init(&body, FCA_BODY_LENGTH, 0);
    ok(body.done, "a length of 0 as well");

    fca_body_init(&body, FCA_BODY_LENGTH, 10);
    is_int(fca_body_feed(&body, data, 4, NULL), 4, "length: a part");
    ok(!body.done, "not over");
    is_int(fca_body_feed(&body, data, 100, &decoded), 6, "length: the rest");
    is_int(decoded, 6, "all of it is data");
    ok(body.done, "over");

    fca_body_init(&body, FCA_BODY_CLOSE, 0);
    is_int(fca_body_feed(&body, data, 100, NULL), 100, "until close: all");
    ok(!body.done, "never over by itself");

    /* unbounded lines */
    memset(data, 'a', sizeof(data));
    memcpy(data, "1;", 2);
    fca_body_init(&body, FCA_BODY_CHUNKED, 0);
    n = fca_body_feed(&body, data, sizeof(data), NULL);
    is_int(n, -1, "endless extensions are refused");

    memset(data, 'a', sizeof(data));
    memcpy(data, "0\r\n", 3);
    fca_body_init(&body, FCA_BODY_CHUNKED, 0);
    n = fca_body_feed(&body, data, sizeof(data), NULL);
    is_int(n, -1, "endless trailers are refused");

    return tap_done();
}
