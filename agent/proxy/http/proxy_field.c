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
    NAME("http2-settings", FCA_KIND_HOP),
    NAME("trailer", FCA_KIND_TRAILER),
    NAME("transfer-encoding", FCA_KIND_ENCODING),
    NAME("content-length", FCA_KIND_LENGTH),
    NAME("upgrade", FCA_KIND_UPGRADE),
    NAME("host", FCA_KIND_HOST),
    NAME("expect", FCA_KIND_EXPECT),
    NAME("x-fcfaas-function", FCA_KIND_FUNCTION),
    NAME("x-fcfaas-token", FCA_KIND_TOKEN),
    NAME("x-request-id", FCA_KIND_REQUEST_ID),
    { NULL, 0, 0 }
};


uint8_t
fca_field_kind(const char *name, size_t len)
{
    unsigned char   c;
    const name_t   *n;

    /* most names begin with none of these */
    c = (unsigned char) (*name | 0x20);

    if (c != 'c' && c != 't' && c != 'k' && c != 'p' && c != 'u' && c != 'h'
        && c != 'e' && c != 'x')
    {
        return FCA_KIND_OTHER;
    }

    for (n = names; n->name; n++) {
        if (n->len == len && strncasecmp(n->name, name, len) == 0) {
            return n->kind;
        }
    }

    if (len >= 9 && strncasecmp(name, "x-fcfaas-", 9) == 0) {
        return FCA_KIND_FCFAAS;
    }

    return len >= 8 && strncasecmp(name, "x-accel-", 8) == 0
           ? FCA_KIND_ACCEL : FCA_KIND_OTHER;
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


static int
span_begins(const fca_span_t *span, const char *s, size_t len)
{
    return span->len >= len && strncasecmp(span->data, s, len) == 0;
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


/* What would be HTTP or TLS again, in a tunnel past all that the gateway has
 * to say, is not spoken, also beside others. */
static void
scan_upgrade(fca_head_t *head, const fca_span_t *value)
{
    const char  *p;
    fca_span_t   item;

    p = value->data;

    while (fca_list_next(&p, value->data + value->len, &item)) {
        head->has_upgrade = 1;

        if (span_begins(&item, "h2", 2) || span_begins(&item, "http", 4)
            || span_begins(&item, "tls", 3))
        {
            head->no_upgrade = 1;
        }
    }
}


static void
scan_request_id(fca_head_t *head, const fca_span_t *value)
{
    head->two_ids = head->request_id.data || head->two_ids;
    head->request_id = *value;

    if (head->two_ids) {
        memset(&head->request_id, 0, sizeof(head->request_id));
    }
}


static int
scan_ours(fca_span_t *mine, const fca_span_t *value)
{
    if (mine->data) {
        return 400;
    }

    *mine = *value;

    return 0;
}


/* of what frames the message; 0 or a status */
static int
scan_framing(fca_head_t *head, uint8_t kind, const fca_span_t *value)
{
    size_t  i;

    if (kind == FCA_KIND_ENCODING) {
        if (head->chunked || !span_is(value, "chunked", 7)) {
            return 400;
        }

        head->chunked = 1;
        return 0;
    }

    if (head->has_length || value->len == 0 || value->len > 19) {
        return 400;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < '0' || value->data[i] > '9') {
            return 400;
        }

        head->length = head->length * 10 + (uint64_t) (value->data[i] - '0');
    }

    head->has_length = 1;

    return 0;
}


int
fca_field_scan(fca_head_t *head, fca_head_line_t *line, const char *name,
    const fca_span_t *value)
{
    switch (line->kind) {

    case FCA_KIND_CONNECTION:
        scan_connection(head, value);
        return head->nominated > FCA_HEAD_NOMINATED ? 400 : 0;

    case FCA_KIND_UPGRADE:
        scan_upgrade(head, value);
        return 0;

    case FCA_KIND_ENCODING:
    case FCA_KIND_LENGTH:
        return scan_framing(head, line->kind, value);

    case FCA_KIND_HOST:
        if (head->has_host && head->request) {
            return 400;
        }

        head->has_host = 1;
        return 0;

    case FCA_KIND_EXPECT:
        if (!head->request || head->minor == 0) {
            return 0;
        }

        head->expect = 1;
        return span_is(value, "100-continue", 12) ? 0 : 417;

    case FCA_KIND_FUNCTION:
        return scan_ours(&head->function, value);

    case FCA_KIND_TOKEN:
        return scan_ours(&head->token, value);

    case FCA_KIND_REQUEST_ID:
        scan_request_id(head, value);
        return 0;

    case FCA_KIND_ACCEL:
        /* the one that a streaming function needs */
        if (line->name_len == 17
            && strncasecmp(name, "x-accel-buffering", 17) == 0
            && span_is(value, "no", 2))
        {
            line->kind = FCA_KIND_OTHER;
        }

        return 0;

    default:
        return 0;
    }
}
