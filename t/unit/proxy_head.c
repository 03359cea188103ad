#include <stdlib.h>
#include "agent/proxy/http/proxy_head.h"
#include "t/unit/tap.h"

#define ROOM  FCA_HEAD_GROWTH

typedef struct {
    const char  *name;
    const char  *head;
    int          status;        /* of fca_head_scan; -1: llhttp refuses */
    const char  *out;           /* as it goes on */
} head_case_t;

#define L  "GET /a%20b?x=1 HTTP/1.1\r\n"
#define E  "\r\n"
#define N31  "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,"

static const head_case_t  requests[] = {
    { "as it is", L "Host: h\r\nA:  b \r\n" E, 0, L "Host: h\r\nA:  b \r\n" E },
    { "ours and hops go",
      L "X-Fcfaas-Function: f\r\nHost: h\r\nx-fcfaas-token: t\r\n"
      "Connection: close\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
      "Proxy-Connection: x\r\nUpgrade: h2c\r\nZ: y\r\n" E, 0,
      L "Host: h\r\nZ: y\r\n" E },
    { "methods that nobody lists", "QUERY /x HTTP/1.1\r\nHost: h\r\n" E, 0,
      "QUERY /x HTTP/1.1\r\nHost: h\r\n" E },
    { "any token is one", "!#$%&'*+-.^_`|~aZ09 * HTTP/1.1\r\n" E, 0,
      "!#$%&'*+-.^_`|~aZ09 * HTTP/1.1\r\n" E },
    { "a letter", "x / HTTP/1.1\r\n" E, 0, "x / HTTP/1.1\r\n" E },
    { "no token", "G(T / HTTP/1.1\r\n" E, -1, NULL },
    { "no method", " / HTTP/1.1\r\n" E, -1, NULL },
    { "a tab after it", "GET\t/ HTTP/1.1\r\n" E, -1, NULL },
    { "two spaces", "GET  / HTTP/1.1\r\n" E, -2, NULL },
    { "no target", "GET HTTP/1.1\r\n" E, -2, NULL },
    { "no version", "GET /\r\n" E, -2, NULL },
    { "HTTP/1.2", "GET / HTTP/1.2\r\n" E, -2, NULL },
    { "http/1.1", "GET / http/1.1\r\n" E, -2, NULL },
    { "the preface of HTTP/2", "PRI * HTTP/2.0\r\n" E, -2, NULL },
    { "framing by any method",
      "QUERY / HTTP/1.1\r\nContent-Length: 3\r\n" E, 0,
      "QUERY / HTTP/1.1\r\nContent-Length: 3\r\n" E },
    { "QUERY with CL and TE", "QUERY / HTTP/1.1\r\nContent-Length: 3\r\n"
      "Transfer-Encoding: chunked\r\n" E, -1, NULL },
    { "h2c is not offered on", L "Connection: Upgrade, HTTP2-Settings\r\n"
      "Upgrade: h2c\r\nHTTP2-Settings: x\r\n" E, 0, L E },
    { "nor beside another", L "Connection: upgrade\r\n"
      "Upgrade: websocket, h2c\r\n" E, 0, L E },
    { "nor over two lines", L "Connection: upgrade\r\nUpgrade: websocket\r\n"
      "Upgrade: H2C\r\n" E, 0, L E },
    { "nor TLS", L "Connection: upgrade\r\nUpgrade: TLS/1.0\r\n" E, 0,
      L E },
    { "nor HTTP/2.0", L "Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n" E, 0,
      L E },
    { "no upgrade of 1.0",
      "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" E,
      0, "GET / HTTP/1.0\r\n" E },
    { "an upgrade to nothing", L "Connection: upgrade\r\nUpgrade:\r\n" E, 0,
      L E },
    { "Expect is ours",
      "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n" E,
      0, "POST / HTTP/1.1\r\nContent-Length: 1\r\n" E },
    { "no other Expect", "POST / HTTP/1.1\r\nExpect: 200-ok\r\n" E, 417,
      NULL },
    { "but of 1.0", "POST / HTTP/1.0\r\nExpect: 200-ok\r\n" E, 0,
      "POST / HTTP/1.0\r\n" E },
    { "two Hosts", L "Host: a\r\nHost: b\r\n" E, 400, NULL },
    { "empty lines first are CRLF", "\n" L E, -1, NULL },
    { "a CR alone", "\rGET / HTTP/1.1\r\n" E, -1, NULL },
    { "a control in a value", L "A: b\001c\r\n" E, -2, NULL },
    { "DEL in a value", L "A: b\177c\r\n" E, -2, NULL },
    { "a CL of 20 digits",
      "POST / HTTP/1.1\r\nContent-Length: 00000000000000000003\r\n" E, -2,
      NULL },
    { "other X-Fcfaas pass", L "X-Fcfaas-Tokens: 1\r\nX-Fcfaas: 2\r\n" E, 0,
      L "X-Fcfaas-Tokens: 1\r\nX-Fcfaas: 2\r\n" E },
    { "named by Connection",
      L "Foo: 1\r\nConnection: foo, Close , bar\r\nBar: 2\r\nFoob: 3\r\n" E,
      0, L "Foob: 3\r\n" E },
    { "Connection cannot name framing or Host",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
      "Connection: host, content-length\r\n" E, 0,
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" E },
    { "upgrade, growing",
      L "Connection: Upgrade\r\nUpgrade: websocket\r\n" E, 0,
      L "Connection: upgrade\r\nUpgrade: websocket\r\n" E },
    { "chunked stays",
      "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nTrailer: t\r\n" E, 0,
      "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nTrailer: t\r\n" E },
    { "bytes above 0x7f in a target", "GET /\xc3\xa9 HTTP/1.1\r\n" E, 0,
      "GET /\xc3\xa9 HTTP/1.1\r\n" E },
    { "no fields", L E, 0, L E },
    { "HTTP/1.0", "GET / HTTP/1.0\r\n" E, 0, "GET / HTTP/1.0\r\n" E },
    { "CL and TE", "POST / HTTP/1.1\r\nContent-Length: 3\r\n"
      "Transfer-Encoding: chunked\r\n" E, -1, NULL },
    { "TE and CL", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
      "Content-Length: 3\r\n" E, -1, NULL },
    { "two CL", "POST / HTTP/1.1\r\nContent-Length: 3\r\n"
      "Content-Length: 4\r\n" E, -1, NULL },
    { "a list as CL", "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n" E, -1,
      NULL },
    { "a sign in CL", "POST / HTTP/1.1\r\nContent-Length: +3\r\n" E, -1,
      NULL },
    { "hex as CL", "POST / HTTP/1.1\r\nContent-Length: 0x3\r\n" E, -1, NULL },
    { "CL too large",
      "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" E, -1,
      NULL },
    { "TE gzip", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" E, 400,
      NULL },
    { "TE xchunked", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n" E,
      400, NULL },
    { "TE gzip, chunked",
      "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" E, 400,
      NULL },
    { "TE twice", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
      "Transfer-Encoding: chunked\r\n" E, -2, NULL },
    { "TE with 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" E,
      400, NULL },
    { "a space before the colon", L "Host : h\r\n" E, -2, NULL },
    { "CL with a space before the colon",
      "POST / HTTP/1.1\r\nContent-Length : 3\r\n" E, -2, NULL },
    { "obs-fold", L "A: b\r\n c\r\n" E, -2, NULL },
    { "obs-fold of TE",
      "POST / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n" E, -2, NULL },
    { "bare LF", L "A: b\nB: c\r\n" E, -2, NULL },
    { "bare LF at the end", L "A: b\r\n\n", -2, NULL },
    { "bare CR", L "A: b\rc\r\n" E, -2, NULL },
    { "a field without a colon", L "Abc\r\n" E, -2, NULL },
    { "an empty name", L ": b\r\n" E, -2, NULL },
    { "a tab in the target", "GET /a\tb HTTP/1.1\r\n" E, -2, NULL },
    { "a space in the target", "GET /a b HTTP/1.1\r\n" E, -2, NULL },
    { "two tokens", L "X-Fcfaas-Token: a\r\nX-Fcfaas-Token: b\r\n" E, 400,
      NULL },
    { "CONNECT", "CONNECT h:1 HTTP/1.1\r\n" E, 405, NULL },
    { "HTTP/2.0", "GET / HTTP/2.0\r\n" E, -2, NULL },
    { "HTTP/0.9", "GET / HTTP/0.9\r\n" E, -2, NULL },
    { "RTSP", "DESCRIBE rtsp://h/x RTSP/1.0\r\n" E, -2, NULL },
    { "ICE", "SOURCE /x ICE/1.0\r\n" E, -2, NULL },
    { "an empty CL", "POST / HTTP/1.1\r\nContent-Length:\r\n" E, -2, NULL },
    { "32 names in Connection",
      L "Connection: foo," N31 "\r\nFoo: 1\r\nFoob: 2\r\n" E, 0,
      L "Foob: 2\r\n" E },
    { "more than that, over two lines",
      L "Connection: " N31 "b,b\r\nConnection: foo\r\nFoo: 1\r\n" E, 400,
      NULL },
    { "garbage", "\x16\x03\x01\x02\r\n\r\n", -1, NULL },
};


/* what -2 stands for: refused by one of the two */
static int
same(int got, int want)
{
    return want == -2 ? got != 0 : got == want;
}


/* 0 and *out; or why it was refused */
static int
through(int response, const char *text, size_t step, unsigned flags,
    char *room, char **out, size_t *len)
{
    int            rc;
    char          *start;
    size_t         off, n, used, total;
    fca_head_t     head;
    fca_reader_t   reader;

    start = room + ROOM;
    total = strlen(text);
    memcpy(start, text, total);
    fca_head_start(&reader, response);

    rc = 0;

    for (off = 0; off < total && rc == 0; off += used) {
        n = step < total - off ? step : total - off;
        rc = fca_head_feed(&reader, start + off, n, &used);
    }

    if (rc != 1) {
        return -1;
    }

    rc = fca_head_scan(&head, &reader, start, start + off);

    if (rc == 0) {
        *out = response ? fca_head_response(&head, start, start + off, flags)
                        : fca_head_request(&head, start, start + off);
        *len = (size_t) (start + off - *out);
    }

    return rc;
}


static void
request_test(const head_case_t *c)
{
    int      rc, good;
    char     room[2048], *out;
    size_t   step, len;

    good = 1;

    for (step = 1; step <= strlen(c->head); step++) {
        rc = through(0, c->head, step, 0, room, &out, &len);
        good = good && same(rc, c->status);

        if (rc == 0 && c->out) {
            good = good && len == strlen(c->out)
                   && memcmp(out, c->out, len) == 0;
        }

        if (!good) {
            printf("# step %zu: rc %d, \"%.*s\"\n", step, rc,
                   rc == 0 ? (int) len : 0, rc == 0 ? out : "");
            break;
        }
    }

    ok(good, "request: %s", c->name);
}


static void
response_test(const char *name, const char *text, unsigned flags,
    const char *want)
{
    int      rc;
    char     room[2048], *out;
    size_t   len;

    rc = through(1, text, strlen(text), flags, room, &out, &len);

    if (rc == 0) {
        out[len] = '\0';
    }

    is_str(rc == 0 ? out : "refused", want, "response: %s", name);
}


int
main(void)
{
    char          room[FCA_HEAD_LINES * 8 + 2048], text[sizeof(room)], *out;
    size_t        i, len;

    for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        request_test(&requests[i]);
    }

    response_test("what gateways obey goes",
                  "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /x\r\n"
                  "x-fcfaas-unsent: busy\r\nX-Fcfaas-Error: e\r\n"
                  "Connection: keep-alive\r\nKeep-Alive: 5\r\n"
                  "Content-Length: 3\r\nX-Accelerate: 1\r\n\r\n", 0,
                  "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
                  "X-Accelerate: 1\r\n\r\n");
    response_test("the version is ours, close is said",
                  "HTTP/1.0 200 OK\r\nA: b\r\n\r\n", FCA_RESP_CLOSE,
                  "HTTP/1.1 200 OK\r\nConnection: close\r\nA: b\r\n\r\n");
    response_test("chunked from now on",
                  "HTTP/1.0 200\r\nA: b\r\n\r\n", FCA_RESP_ENCODE,
                  "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n"
                  "A: b\r\n\r\n");
    response_test("no longer chunked",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                  "Trailer: x\r\n\r\n", FCA_RESP_DECODE | FCA_RESP_CLOSE,
                  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    response_test("upgraded",
                  "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\n"
                  "Upgrade: x\r\n\r\n", FCA_RESP_UPGRADE,
                  "HTTP/1.1 101 Go\r\nConnection: upgrade\r\n"
                  "Upgrade: x\r\n\r\n");
    response_test("streams are not buffered, if they say so",
                  "HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\n"
                  "x-accel-buffering:  NO \r\nX-Accel-Limit-Rate: 1\r\n"
                  "X-Accel-Buffering: yes\r\nX-Accel-Expires: 1\r\n"
                  "Content-Length: 0\r\n\r\n", 0,
                  "HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\n"
                  "x-accel-buffering:  NO \r\nContent-Length: 0\r\n\r\n");
    response_test("two Hosts mean nothing",
                  "HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\n\r\n", 0,
                  "HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\n\r\n");
    response_test("an empty line first",
                  "\r\nHTTP/1.1 200 OK\r\n\r\n", 0, "refused");
    response_test("four digits", "HTTP/1.1 2000 OK\r\n\r\n", 0, "refused");
    response_test("two digits", "HTTP/1.1 20 OK\r\n\r\n", 0, "refused");
    response_test("a status below 100", "HTTP/1.1 099 OK\r\n\r\n", 0,
                  "refused");
    response_test("HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", 0, "refused");
    response_test("a control in the reason",
                  "HTTP/1.1 200 O\001K\r\n\r\n", 0, "refused");
    response_test("TE and CL", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n", 0, "refused");
    response_test("folded", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", 0,
                  "refused");
    response_test("no HTTP", "hello\r\n\r\n", 0, "refused");

    /* as many fields as there is room for, and one more */
    for (len = 0; len < 2; len++) {
        memcpy(text, L, sizeof(L));

        for (i = 0; i < FCA_HEAD_LINES - 1 + len; i++) {
            memcpy(text + strlen(L) + 4 * i, "a:\r\n", 5);
        }

        memcpy(text + strlen(text), E, sizeof(E));
        is_int(through(0, text, strlen(text), 0, room, &out, &i),
               len ? 431 : 0, "%s", len ? "one field too many: 431"
                                        : "as many fields as there may be");
    }

    ok(fca_method_idempotent(FCA_METHOD_GET) && fca_method_idempotent(FCA_METHOD_PUT),
       "GET and PUT are idempotent");
    ok(!fca_method_idempotent(FCA_METHOD_OTHER),
       "what is not known is not");

    return tap_done();
}
