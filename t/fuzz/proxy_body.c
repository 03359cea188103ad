/*
 * A chunked body, and what follows it.  However it is cut, it ends at the same
 * place with the same data, or is refused; what llhttp accepts as well it
 * reads the same.
 */

#include <string.h>
#include "agent/proxy/http/proxy_body.h"
#include "agent/proxy/http/proxy_head.h"
#include "t/fuzz/fuzz.h"

#define HEAD  "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"

typedef struct {
    int       rc;                       /* 1: over; 0: not yet; -1: refused */
    size_t    used, len;
    char     *data;
} result_t;


static void
read_body(result_t *r, int decode, fct_cutter_t cutter, const uint8_t *data,
    size_t size)
{
    char        *wire;
    size_t       off, n, decoded;
    ssize_t      used;
    fca_body_t   body;

    wire = malloc(size + 1);
    r->data = malloc(size + 1);
    FCT_HOLDS(wire && r->data);
    memcpy(wire, data, size);
    fca_body_init(&body, FCA_BODY_CHUNKED, 0);
    r->rc = 0;
    r->len = 0;

    for (off = 0; off < size && !body.done; off += (size_t) used) {
        n = fct_piece(&cutter, size - off);
        decoded = 0;
        used = fca_body_feed(&body, wire + off, n, decode ? &decoded : NULL);

        if (used < 0) {
            r->rc = -1;
            break;
        }

        FCT_HOLDS((size_t) used == n || ((size_t) used < n && body.done));
        FCT_HOLDS(decoded <= (size_t) used);
        memcpy(r->data + r->len, wire + off, decoded);
        r->len += decoded;
    }

    r->used = off;
    r->rc = r->rc ? r->rc : body.done;
    /* what passes as it came is not touched */
    FCT_HOLDS(decode || memcmp(wire, data, size) == 0);
    free(wire);
}


static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
    result_t  *r;

    r = parser->data;
    FCT_HOLDS(r->len >= len && memcmp(r->data, at, len) == 0);
    r->data += len;
    r->len -= len;

    return 0;
}


static int
on_complete(llhttp_t *parser)
{
    (void) parser;

    return HPE_PAUSED;
}


/* r: data still to come.  It may refuse more: quoted extensions. */
static void
llhttp_agrees(result_t r, const uint8_t *data)
{
    llhttp_t            parser;
    const char         *wire;
    llhttp_errno_t      rc;
    llhttp_settings_t   settings = { .on_body = on_body,
                                     .on_message_complete = on_complete };

    wire = (const char *) data;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &r;

    FCT_HOLDS(llhttp_execute(&parser, HEAD, sizeof(HEAD) - 1) == HPE_OK);
    rc = llhttp_execute(&parser, wire, r.used);
    FCT_HOLDS(rc != HPE_OK);

    if (rc == HPE_PAUSED) {
        FCT_HOLDS(llhttp_get_error_pos(&parser) == wire + r.used);
        FCT_HOLDS(r.len == 0);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int        cut;
    result_t   first, other, plain;

    if (size == 0) {
        return 0;                       /* data may be NULL */
    }

    read_body(&first, 1, fct_cutter(FCT_WHOLE, data, size), data, size);

    for (cut = FCT_WHOLE; cut < FCT_NCUTS; cut++) {
        read_body(&other, 1, fct_cutter((fct_cut_e) cut, data, size), data,
                  size);
        read_body(&plain, 0, fct_cutter((fct_cut_e) cut, data, size), data,
                  size);

        FCT_HOLDS(other.rc == first.rc && plain.rc == first.rc);

        if (first.rc >= 0) {
            FCT_HOLDS(other.used == first.used && plain.used == first.used);
            FCT_HOLDS(other.len == first.len);
            FCT_HOLDS(memcmp(other.data, first.data, first.len) == 0);
        }

        free(other.data);
        free(plain.data);
    }

    if (first.rc > 0) {
        llhttp_agrees(first, data);
    }

    free(first.data);

    return 0;
}
