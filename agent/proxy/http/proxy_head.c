#include <string.h>
#include <strings.h>
#include "agent/proxy/http/proxy_head_int.h"

typedef struct {
    const char  *name;
    uint8_t      len;
    uint8_t      kind;
} name_t;

#define NAME(s, k)  { s, sizeof(s) - 1, k }

static const name_t  names[] = {
    NAME("connection", FCA_KIND_CONNECTION),
    NAME("keep-alive", FCA_KIND_HOP),
    NAME("proxy-connection", FCA_KIND_HOP),
    NAME("te", FCA_KIND_HOP),
    NAME("trailer", FCA_KIND_TRAILER),
    NAME("transfer-encoding", FCA_KIND_ENCODING),
    NAME("content-length", FCA_KIND_LENGTH),
    NAME("upgrade", FCA_KIND_UPGRADE),
    NAME("host", FCA_KIND_HOST),
    NAME("expect", FCA_KIND_EXPECT),
    NAME("x-fcfaas-function", FCA_KIND_FUNCTION),
    NAME("x-fcfaas-token", FCA_KIND_TOKEN),
    { NULL, 0, 0 }
};

/* tchar of RFC 9110 */
static const uint8_t  token_char[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1,
    ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1,
    ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['a' ... 'z'] = 1,
    ['A' ... 'Z'] = 1
};


static int
pause_parser(llhttp_t *parser)
{
    (void) parser;

    return HPE_PAUSED;
}


void
fca_head_start(llhttp_t *parser, int response)
{
    static const llhttp_settings_t  settings = {
        .on_headers_complete = pause_parser
    };

    llhttp_init(parser, response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
}


int
fca_head_feed(llhttp_t *parser, const char *data, size_t len, size_t *used)
{
    llhttp_errno_t  rc;

    rc = llhttp_execute(parser, data, len);

    if (rc == HPE_OK) {
        *used = len;
        return 0;
    }

    if (rc != HPE_PAUSED) {
        *used = 0;
        return -1;
    }

    *used = (size_t) (llhttp_get_error_pos(parser) - data);

    return 1;
}


static uint8_t
header_kind(const char *p, size_t len)
{
    unsigned char   c;
    const name_t   *n;

    /* most names begin with none of these */
    c = (unsigned char) (*p | 0x20);

    if (c == 'x') {
        if (len > 9 && strncasecmp(p, "x-fcfaas-", 9) == 0) {
            if (len == 17 && strncasecmp(p + 9, "function", 8) == 0) {
                return FCA_KIND_FUNCTION;
            }

            return len == 14 && strncasecmp(p + 9, "token", 5) == 0
                   ? FCA_KIND_TOKEN : FCA_KIND_FCFAAS;
        }

        return len > 8 && strncasecmp(p, "x-accel-", 8) == 0
               ? FCA_KIND_ACCEL : FCA_KIND_OTHER;
    }

    if (c != 'c' && c != 't' && c != 'k' && c != 'p' && c != 'u' && c != 'h'
        && c != 'e')
    {
        return FCA_KIND_OTHER;
    }

    for (n = names; n->name; n++) {
        if (n->len == len && strncasecmp(n->name, p, len) == 0) {
            return n->kind;
        }
    }

    return FCA_KIND_OTHER;
}


int
fca_list_next(const char **p, const char *end, fca_span_t *item)
{
    const char  *q;

    while (*p < end && (**p == ' ' || **p == '\t' || **p == ',')) {
        (*p)++;
    }

    if (*p == end) {
        return 0;
    }

    item->data = *p;

    while (*p < end && **p != ',') {
        (*p)++;
    }

    for (q = *p; q[-1] == ' ' || q[-1] == '\t'; q--) {
        continue;
    }

    item->len = (size_t) (q - item->data);

    return 1;
}


static int
span_is(const fca_span_t *span, const char *s, size_t len)
{
    return span->len == len && strncasecmp(span->data, s, len) == 0;
}


static void
scan_connection(fca_head_t *head, const fca_span_t *value)
{
    const char  *p;
    fca_span_t   item;

    p = value->data;

    while (fca_list_next(&p, value->data + value->len, &item)) {

        if (span_is(&item, "close", 5)) {
            head->close = 1;

        } else if (span_is(&item, "keep-alive", 10)) {
            head->keep_alive = 1;

        } else if (span_is(&item, "upgrade", 7)) {
            head->upgrade = 1;

        } else {
            head->nominated++;
        }
    }
}


/* a field of a kind that concerns framing or us; 0 or a status */
static int
scan_known(fca_head_t *head, uint8_t kind, const fca_span_t *value)
{
    fca_span_t  *mine;

    switch (kind) {

    case FCA_KIND_CONNECTION:
        scan_connection(head, value);
        return head->nominated > FCA_HEAD_NOMINATED ? 400 : 0;

    case FCA_KIND_EXPECT:
        head->expect = 1;
        return 0;

    case FCA_KIND_ENCODING:
        if (head->chunked || !span_is(value, "chunked", 7)) {
            return 400;
        }

        head->chunked = 1;
        return 0;

    case FCA_KIND_LENGTH:
        if (head->has_length) {
            return 400;
        }

        head->has_length = 1;
        return 0;

    case FCA_KIND_FUNCTION:
    case FCA_KIND_TOKEN:
        mine = kind == FCA_KIND_TOKEN ? &head->token : &head->function;

        if (mine->data) {
            return 400;
        }

        *mine = *value;
        return 0;

    default:
        return 0;
    }
}


/* one field line without its CRLF; 0 or a status */
static int
scan_field(fca_head_t *head, fca_head_line_t *line, const char *p,
    const char *end)
{
    const char  *colon;
    fca_span_t   value;

    for (colon = p; colon < end && token_char[(unsigned char) *colon];
         colon++)
    {
        continue;
    }

    /* an empty name, a folded line, a space before the colon */
    if (colon == p || colon == end || *colon != ':') {
        return 400;
    }

    line->name_len = colon - p < 255 ? (uint8_t) (colon - p) : 255;
    line->kind = header_kind(p, (size_t) (colon - p));

    if (line->kind == FCA_KIND_OTHER) {
        return 0;
    }

    for (p = colon + 1; p < end && (*p == ' ' || *p == '\t'); p++) {
        continue;
    }

    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    value.data = p;
    value.len = (size_t) (end - p);

    return scan_known(head, line->kind, &value);
}


/* "METHOD target HTTP/1.x": llhttp's loose mode lets control characters be
 * part of a target, and it knows RTSP and ICE too */
static int
scan_request_line(const char *p, const char *end)
{
    unsigned  spaces;

    if (end - p < 8 || memcmp(end - 8, "HTTP/1.", 7) != 0) {
        return 400;
    }

    for (spaces = 0; p < end; p++) {
        if (*p == ' ') {
            spaces++;

        } else if ((unsigned char) *p < 0x20 || *p == 0x7f) {
            return 400;
        }
    }

    return spaces == 2 ? 0 : 400;
}


static int
scan_lines(fca_head_t *head, int request, const char *start, const char *end)
{
    int               rc;
    const char       *p, *lf;
    fca_head_line_t  *line;

    /* end is after the empty line */
    for (p = start; p < end - 2; p = lf + 1) {

        lf = memchr(p, '\n', (size_t) (end - p));

        if (lf == NULL || lf == p || lf[-1] != '\r'
            || memchr(p, '\r', (size_t) (lf - p)) != lf - 1)
        {
            return 400;
        }

        if (head->nlines == FCA_HEAD_LINES) {
            return 431;
        }

        line = &head->lines[head->nlines++];
        line->off = (uint32_t) (p - start);
        line->len = (uint32_t) (lf + 1 - p);
        line->drop = 0;

        if (p == start) {
            line->kind = FCA_KIND_START;
            line->name_len = 0;
            rc = request ? scan_request_line(p, lf - 1) : 0;

        } else {
            rc = scan_field(head, line, p, lf - 1);
        }

        if (rc) {
            return rc;
        }
    }

    return p == end - 2 && p[0] == '\r' && p[1] == '\n' ? 0 : 400;
}


int
fca_head_scan(fca_head_t *head, const llhttp_t *parser, const char *start,
    const char *end)
{
    int  rc, request;

    memset(head, 0, offsetof(fca_head_t, lines));

    request = parser->type == HTTP_REQUEST;
    head->method = parser->method;
    head->minor = parser->http_minor;
    head->status = parser->status_code;
    head->length = parser->content_length;

    if (parser->http_major != 1 || parser->http_minor > 1) {
        return 505;
    }

    rc = scan_lines(head, request, start, end);

    if (rc) {
        return rc;
    }

    /* the two readers must agree on what frames the body */
    if ((head->chunked && (head->has_length || head->minor == 0))
        || head->chunked != !!(parser->flags & F_CHUNKED)
        || head->has_length != !!(parser->flags & F_CONTENT_LENGTH))
    {
        return 400;
    }

    if (request && head->method == HTTP_CONNECT) {
        return 405;
    }

    if (!request && (head->status < 100 || head->status > 999)) {
        return 502;
    }

    head->upgrade = head->upgrade && (parser->flags & F_UPGRADE);

    return 0;
}


int
fca_method_idempotent(uint8_t method)
{
    return method == HTTP_GET || method == HTTP_HEAD
           || method == HTTP_OPTIONS || method == HTTP_TRACE
           || method == HTTP_PUT || method == HTTP_DELETE;
}
