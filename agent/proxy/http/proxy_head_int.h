/* Between proxy_reader.c (bytes), proxy_head.c (lines), proxy_field.c (their
 * meaning) and proxy_rewrite.c. */

#ifndef _FCA_PROXY_HEAD_INT_H_INCLUDED_
#define _FCA_PROXY_HEAD_INT_H_INCLUDED_

#include "agent/proxy/http/proxy_head.h"

typedef enum {
    FCA_KIND_OTHER = 0,
    FCA_KIND_START,
    FCA_KIND_CONNECTION,
    FCA_KIND_HOP,                       /* always dropped */
    FCA_KIND_TRAILER,
    FCA_KIND_ENCODING,
    FCA_KIND_LENGTH,
    FCA_KIND_UPGRADE,
    FCA_KIND_HOST,
    FCA_KIND_EXPECT,                    /* answered by us */
    FCA_KIND_REQUEST_ID,
    FCA_KIND_FUNCTION,
    FCA_KIND_TOKEN,
    FCA_KIND_FCFAAS,                    /* any other X-Fcfaas-* */
    FCA_KIND_ACCEL                      /* X-Accel-* */
} fca_head_kind_e;

extern const uint8_t  fca_token_char[256];

/* what a field of that name is to us */
uint8_t fca_field_kind(const char *name, size_t len);
/* takes note of one; its line's kind may change with its value; 0, or the
 * status to refuse the head with */
int fca_field_scan(fca_head_t *head, fca_head_line_t *line,
    const char *name, const fca_span_t *value);

/* the next element of a comma list; 0 at the end */
int fca_list_next(const char **p, const char *end, fca_span_t *item);

#endif /* _FCA_PROXY_HEAD_INT_H_INCLUDED_ */
