/*
 * A head as a gateway or a guest sends it.  However it is cut, it is read and
 * rewritten the same; what is sent on is a head that frames the same body, has
 * nothing of what must not pass, and comes out of a second rewriting as it
 * went in.
 */

#include <string.h>
#include <strings.h>
#include "agent/proxy/http/proxy_head.h"
#include "t/fuzz/fuzz.h"

typedef struct {
    int          rc;                    /* of the reader, then of the scan */
    size_t       used, len;
    char        *start;                 /* of what goes on; in room */
    char        *room;
    fca_head_t   head;
} result_t;


static void
read_head(result_t *r, int response, unsigned flags, fct_cutter_t cutter,
    const char *data, size_t size)
{
    char          *start, *end;
    size_t         off, n, used;
    fca_reader_t   reader;

    r->room = malloc(FCA_HEAD_GROWTH + size);
    FCT_HOLDS(r->room);
    start = r->room + FCA_HEAD_GROWTH;
    memcpy(start, data, size);
    fca_head_start(&reader, response);
    r->rc = 0;
    r->used = 0;
    r->len = 0;
    r->start = r->room;

    for (off = 0; off < size && r->rc == 0; off += used) {
        n = fct_piece(&cutter, size - off);
        r->rc = fca_head_feed(&reader, start + off, n, &used);
        FCT_HOLDS(used <= n && (r->rc != 0 || used == n));
    }

    if (r->rc != 1) {
        return;
    }

    r->used = off;
    end = start + off;

    while (!response && start < end && (*start == '\r' || *start == '\n')) {
        start++;
    }

    r->rc = fca_head_scan(&r->head, &reader, start, end);

    if (r->rc == 0) {
        r->start = response ? fca_head_response(&r->head, start, end, flags)
                            : fca_head_request(&r->head, start, end);
        FCT_HOLDS(r->start >= r->room && r->start < end);
        r->len = (size_t) (end - r->start);
    }
}


static int
same(const result_t *a, const result_t *b)
{
    return a->rc == b->rc && a->used == b->used && a->len == b->len
           && (a->rc != 0 || memcmp(a->start, b->start, a->len) == 0);
}


/* no line of what goes on begins so */
static int
without(const result_t *r, const char *name)
{
    size_t       len;
    const char  *p, *end;

    len = strlen(name);
    end = r->start + r->len;

    for (p = r->start; (p = memchr(p, '\n', (size_t) (end - p))) != NULL; ) {
        p++;

        if ((size_t) (end - p) > len && strncasecmp(p, name, len) == 0) {
            return 0;
        }
    }

    return 1;
}


static void
goes_on(const result_t *first, int response, unsigned flags)
{
    result_t       again;
    fct_cutter_t   whole = { FCT_WHOLE, 0 };

    FCT_HOLDS(without(first, "x-fcfaas-token:"));
    FCT_HOLDS(without(first, "x-fcfaas-function:"));
    FCT_HOLDS(without(first, "keep-alive:"));
    FCT_HOLDS(response || without(first, "expect:"));
    FCT_HOLDS(!response || without(first, "x-fcfaas-"));
    FCT_HOLDS(!response || without(first, "x-accel-redirect:"));

    read_head(&again, response, flags, whole, first->start, first->len);

    FCT_HOLDS(again.rc == 0 && again.used == first->len);
    FCT_HOLDS(again.head.chunked == first->head.chunked);
    FCT_HOLDS(again.head.has_length == first->head.has_length);
    FCT_HOLDS(again.head.length == first->head.length);
    FCT_HOLDS(again.head.method == first->head.method);
    FCT_HOLDS(again.head.status == first->head.status);
    FCT_HOLDS(response || again.head.minor == first->head.minor);
    FCT_HOLDS(again.len == first->len
              && memcmp(again.start, first->start, first->len) == 0);

    free(again.room);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int           response, cut;
    unsigned      flags;
    result_t      first, other;
    const char   *text;

    if (size == 0) {
        return 0;                       /* data may be NULL */
    }

    text = (const char *) data;

    for (response = 0; response < 2; response++) {
        flags = response && size % 2 ? FCA_RESP_CLOSE : 0;
        read_head(&first, response, flags, fct_cutter(FCT_WHOLE, data, size),
                  text, size);

        for (cut = FCT_BYTES; cut < FCT_NCUTS; cut++) {
            read_head(&other, response, flags,
                      fct_cutter((fct_cut_e) cut, data, size), text, size);
            FCT_HOLDS(same(&first, &other));
            free(other.room);
        }

        if (first.rc == 0 && first.len) {
            goes_on(&first, response, flags);
        }

        free(first.room);
    }

    return 0;
}
