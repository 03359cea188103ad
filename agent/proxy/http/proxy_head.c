#include <stddef.h>
#include <string.h>
#include "agent/proxy/http/proxy_head_int.h"

typedef struct {
    const char  *name;
    uint8_t      len;
    uint8_t      idempotent;            /* RFC 9110 section 9.2.2 */
} method_t;

#define METHOD(s, idempotent)  { s, sizeof(s) - 1, idempotent }

static const method_t  methods[] = {
    [FCA_METHOD_OTHER]   = { "", 0, 0 },
    [FCA_METHOD_GET]     = METHOD("GET", 1),
    [FCA_METHOD_HEAD]    = METHOD("HEAD", 1),
    [FCA_METHOD_OPTIONS] = METHOD("OPTIONS", 1),
    [FCA_METHOD_TRACE]   = METHOD("TRACE", 1),
    [FCA_METHOD_PUT]     = METHOD("PUT", 1),
    [FCA_METHOD_DELETE]  = METHOD("DELETE", 1),
    [FCA_METHOD_CONNECT] = METHOD("CONNECT", 0),
};

#define NMETHODS  (sizeof(methods) / sizeof(methods[0]))


int
fca_method_idempotent(fca_method_e method)
{
    return methods[method].idempotent;
}


static fca_method_e
method_of(const char *p, size_t len)
{
    unsigned  m;

    for (m = 1; m < NMETHODS; m++) {
        if (methods[m].len == len && memcmp(methods[m].name, p, len) == 0) {
            return (fca_method_e) m;
        }
    }

    return FCA_METHOD_OTHER;
}


static int
is_control(char c)
{
    return ((unsigned char) c < 0x20 && c != '\t') || c == 0x7f;
}


/* one field line without its CRLF; 0 or a status */
static int
scan_field(fca_head_t *head, fca_head_line_t *line, const char *p,
    const char *end)
{
    const char  *colon, *name;
    fca_span_t   value;

    for (colon = p; colon < end && fca_token_char[(unsigned char) *colon];
         colon++)
    {
        continue;
    }

    /* an empty name, a folded line, a space before the colon */
    if (colon == p || colon == end || *colon != ':') {
        return 400;
    }

    name = p;
    line->name_len = colon - p < 255 ? (uint8_t) (colon - p) : 255;
    line->kind = fca_field_kind(p, (size_t) (colon - p));

    for (p = colon + 1; p < end && !is_control(*p); p++) {
        continue;
    }

    if (p < end) {
        return 400;
    }

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

    return fca_field_scan(head, line, name, &value);
}


/* "METHOD target HTTP/1.x": llhttp's loose mode lets control characters be
 * part of a target, and it knows RTSP and ICE too */
static int
scan_request_line(fca_head_t *head, const char *p, const char *end)
{
    unsigned     spaces;
    const char  *start;

    if (end - p < 8 || memcmp(end - 8, "HTTP/1.", 7) != 0) {
        return 400;
    }

    if (end[-1] != '0' && end[-1] != '1') {
        return 505;
    }

    head->minor = (uint8_t) (end[-1] - '0');

    for (start = p; p < end && fca_token_char[(unsigned char) *p]; p++) {
        continue;
    }

    if (p == start || *p != ' ') {
        return 400;
    }

    head->method = (uint8_t) method_of(start, (size_t) (p - start));

    for (spaces = 0; p < end; p++) {
        if (*p == ' ') {
            spaces++;

        } else if ((unsigned char) *p < 0x20 || *p == 0x7f) {
            return 400;
        }
    }

    return spaces == 2 ? 0 : 400;
}


/* "HTTP/1.x 200", then nothing, or a space and anything readable */
static int
scan_status_line(fca_head_t *head, const char *p, const char *end)
{
    unsigned  i;

    if (end - p < 12 || memcmp(p, "HTTP/1.", 7) != 0
        || (p[7] != '0' && p[7] != '1') || p[8] != ' '
        || (end - p > 12 && p[12] != ' '))
    {
        return 502;
    }

    head->minor = (uint8_t) (p[7] - '0');

    for (i = 9; i < 12; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return 502;
        }

        head->status = (uint16_t) (head->status * 10 + (p[i] - '0'));
    }

    for (p += 12; p < end; p++) {
        if (is_control(*p)) {
            return 502;
        }
    }

    return head->status >= 100 ? 0 : 502;
}


static int
scan_lines(fca_head_t *head, const char *start, const char *end)
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
            rc = head->request ? scan_request_line(head, p, lf - 1)
                               : scan_status_line(head, p, lf - 1);

        } else {
            rc = scan_field(head, line, p, lf - 1);
        }

        if (rc) {
            return rc;
        }
    }

    return p == end - 2 && p[0] == '\r' && p[1] == '\n' ? 0 : 400;
}


/* The two readers must agree on what frames the body. */
static int
agreed(const fca_head_t *head, const llhttp_t *llhttp)
{
    if (head->chunked && (head->has_length || head->minor == 0)) {
        return 0;
    }

    if (head->minor != llhttp->http_minor || llhttp->http_major != 1
        || head->chunked != !!(llhttp->flags & F_CHUNKED)
        || head->has_length != !!(llhttp->flags & F_CONTENT_LENGTH)
        || (head->has_length && head->length != llhttp->content_length))
    {
        return 0;
    }

    return head->request || head->status == llhttp->status_code;
}


int
fca_head_scan(fca_head_t *head, const fca_reader_t *reader,
    const char *start, const char *end)
{
    int  rc;

    memset(head, 0, offsetof(fca_head_t, lines));

    head->request = reader->llhttp.type == HTTP_REQUEST;

    if (reader->llhttp.http_major != 1 || reader->llhttp.http_minor > 1) {
        return 505;
    }

    rc = scan_lines(head, start, end);

    if (rc) {
        return rc;
    }

    if (!agreed(head, &reader->llhttp)) {
        return 400;
    }

    if (head->method == FCA_METHOD_CONNECT) {
        return 405;
    }

    /* RFC 9110 section 7.8: not of a 1.0 client; what an answer says of
     * Connection is not ours to insist on */
    head->upgrade = head->has_upgrade && !head->no_upgrade
                    && head->minor == 1
                    && (head->upgrade || !head->request);

    return 0;
}
