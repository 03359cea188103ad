#include <string.h>
#include <strings.h>
#include "agent/proxy/http/proxy_head_int.h"


/* drops what Connection names, but for what frames and routes the message */
static void
drop_nominated(fca_head_t *head, const char *start)
{
    unsigned          i, k;
    const char       *p, *end;
    fca_span_t        item;
    fca_head_line_t  *line;

    for (i = 1; i < head->nlines; i++) {

        if (head->lines[i].kind != FCA_KIND_CONNECTION) {
            continue;
        }

        p = start + head->lines[i].off + head->lines[i].name_len + 1;
        end = start + head->lines[i].off + head->lines[i].len - 2;

        while (fca_list_next(&p, end, &item)) {
            for (k = 1; k < head->nlines; k++) {
                line = &head->lines[k];

                if (line->kind == FCA_KIND_OTHER
                    && line->name_len == item.len
                    && strncasecmp(start + line->off, item.data, item.len)
                       == 0)
                {
                    line->drop = 1;
                }
            }
        }
    }
}


static char *
rewrite(fca_head_t *head, char *start, char *end, const char *add,
    size_t add_len)
{
    char             *to;
    unsigned          i;
    fca_head_line_t  *line;

    to = end - 2;

    for (i = head->nlines - 1; i > 0; i--) {
        line = &head->lines[i];

        if (line->drop) {
            continue;
        }

        to -= line->len;

        if (to != start + line->off) {
            memmove(to, start + line->off, line->len);
        }
    }

    /* the start line first: what is added may take its old place */
    line = &head->lines[0];
    to -= add_len + line->len;

    if (to != start) {
        memmove(to, start, line->len);
    }

    if (add_len) {
        memcpy(to + line->len, add, add_len);
    }

    return to;
}


char *
fca_head_request(fca_head_t *head, char *start, char *end)
{
    unsigned  i;
    uint8_t   kind;

    static const char  upgrade[] = "Connection: upgrade\r\n";

    if (head->nominated) {
        drop_nominated(head, start);
    }

    for (i = 1; i < head->nlines; i++) {
        kind = head->lines[i].kind;

        if (kind == FCA_KIND_CONNECTION || kind == FCA_KIND_HOP
            || kind == FCA_KIND_EXPECT
            || kind == FCA_KIND_FUNCTION || kind == FCA_KIND_TOKEN
            || (kind == FCA_KIND_UPGRADE && !head->upgrade))
        {
            head->lines[i].drop = 1;
        }
    }

    return rewrite(head, start, end, upgrade,
                   head->upgrade ? sizeof(upgrade) - 1 : 0);
}


static int
response_drops(uint8_t kind, unsigned flags)
{
    switch (kind) {

    case FCA_KIND_CONNECTION:
    case FCA_KIND_HOP:
    case FCA_KIND_FUNCTION:
    case FCA_KIND_TOKEN:
    case FCA_KIND_FCFAAS:
    case FCA_KIND_ACCEL:
        return 1;

    case FCA_KIND_UPGRADE:
        return !(flags & FCA_RESP_UPGRADE);

    case FCA_KIND_ENCODING:
        return !!(flags & (FCA_RESP_ENCODE | FCA_RESP_DECODE));

    case FCA_KIND_TRAILER:
        return !!(flags & FCA_RESP_DECODE);

    case FCA_KIND_LENGTH:
        return !!(flags & FCA_RESP_NO_LENGTH);

    default:
        return 0;
    }
}


char *
fca_head_response(fca_head_t *head, char *start, char *end, unsigned flags)
{
    char        add[FCA_HEAD_GROWTH];
    size_t      len;
    unsigned    i;

    static const struct {
        unsigned     flag;
        fca_span_t   line;
    } lines[] = {
        { FCA_RESP_CLOSE, { "Connection: close\r\n", 19 } },
        { FCA_RESP_KEEP_10, { "Connection: keep-alive\r\n", 24 } },
        { FCA_RESP_UPGRADE, { "Connection: upgrade\r\n", 21 } },
        { FCA_RESP_ENCODE, { "Transfer-Encoding: chunked\r\n", 28 } },
    };

    if (head->nominated) {
        drop_nominated(head, start);
    }

    for (i = 1; i < head->nlines; i++) {
        if (response_drops(head->lines[i].kind, flags)) {
            head->lines[i].drop = 1;
        }
    }

    len = 0;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (flags & lines[i].flag) {
            memcpy(add + len, lines[i].line.data, lines[i].line.len);
            len += lines[i].line.len;
        }
    }

    /* the version is ours, not the guest's: a 1.0 answer would end the
     * gateway's keepalive */
    start[7] = '1';

    return rewrite(head, start, end, add, len);
}
