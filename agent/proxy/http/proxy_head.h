/*
 * Heads of requests and responses: read (llhttp, but for the method, of which
 * any token will do), checked more strictly than llhttp does, and rewritten in
 * place.  A head stands whole in one buffer before anything is done with it.
 * Nothing in this folder knows of sockets.
 */

#ifndef _FCA_PROXY_HEAD_H_INCLUDED_
#define _FCA_PROXY_HEAD_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include <llhttp.h>

#define FCA_HEAD_LINES      256
#define FCA_HEAD_NOMINATED  32
/* what a rewritten head may be longer than the original, at most */
#define FCA_HEAD_GROWTH     128

/* that make a difference here */
typedef enum {
    FCA_METHOD_OTHER = 0,
    FCA_METHOD_GET,
    FCA_METHOD_HEAD,
    FCA_METHOD_OPTIONS,
    FCA_METHOD_TRACE,
    FCA_METHOD_PUT,
    FCA_METHOD_DELETE,
    FCA_METHOD_CONNECT
} fca_method_e;

typedef struct {
    llhttp_t     llhttp;
    uint8_t      lead;              /* what comes before llhttp's part */
    uint8_t      connect;           /* bytes of a method, while it may be
                                       CONNECT */
} fca_reader_t;

typedef struct {
    uint32_t     off, len;          /* from the head's start, with CRLF */
    uint8_t      name_len;          /* 255: 255 or more */
    uint8_t      kind;
    uint8_t      drop;
} fca_head_line_t;

typedef struct {
    const char  *data;
    size_t       len;
} fca_span_t;

/* One per data loop: it is used up before the next head is looked at. */
typedef struct {
    uint8_t           request;
    uint8_t           method;       /* fca_method_e */
    uint8_t           minor;        /* HTTP/1.<minor> */
    uint16_t          status;
    unsigned          chunked:1;
    unsigned          has_length:1;
    unsigned          close:1;      /* options named in Connection */
    unsigned          keep_alive:1;
    unsigned          upgrade:1;    /* with an Upgrade field, too, of a
                                       protocol that may be spoken */
    unsigned          expect:1;     /* 100-continue */
    unsigned          has_upgrade:1;
    unsigned          no_upgrade:1; /* h2c, or another that is HTTP or TLS */
    unsigned          has_host:1;
    unsigned          two_ids:1;
    unsigned          nominated;    /* other names in Connection */
    uint64_t          length;
    fca_span_t        token;        /* into the buffer */
    fca_span_t        function;
    fca_span_t        request_id;   /* not validated; none if two were given */
    unsigned          nlines;       /* line 0 is the start line */
    fca_head_line_t   lines[FCA_HEAD_LINES];
} fca_head_t;

void fca_head_start(fca_reader_t *reader, int response);

/* Reads on.  1: the head is complete and ends after *used bytes; 0: all of
 * it was read, more is needed; -1: malformed. */
int fca_head_feed(fca_reader_t *reader, const char *data, size_t len,
    size_t *used);

/* After fca_head_feed() returned 1, start..end being that head, but for empty
 * lines before a request.  0, or the status to refuse it with (of a response,
 * anything but 0 means 502). */
int fca_head_scan(fca_head_t *head, const fca_reader_t *reader,
    const char *start, const char *end);

/* Both rewrite start..end in place towards its end and return the new start,
 * which may be up to FCA_HEAD_GROWTH bytes before the old one. */
char *fca_head_request(fca_head_t *head, char *start, char *end);

#define FCA_RESP_CLOSE       1u     /* add "Connection: close" */
#define FCA_RESP_KEEP_10     2u     /* add "Connection: keep-alive" */
#define FCA_RESP_UPGRADE     4u     /* add "Connection: upgrade" */
#define FCA_RESP_ENCODE      8u     /* add "Transfer-Encoding: chunked" */
#define FCA_RESP_DECODE     16u     /* drop it */
#define FCA_RESP_NO_LENGTH  32u     /* drop Content-Length */

char *fca_head_response(fca_head_t *head, char *start, char *end,
    unsigned flags);

/* safe and idempotent by its definition, RFC 9110 section 9.2.2 */
int fca_method_idempotent(fca_method_e method);

#endif /* _FCA_PROXY_HEAD_H_INCLUDED_ */
