/* Between proxy_head.c (reading) and proxy_rewrite.c. */

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
    FCA_KIND_EXPECT,
    FCA_KIND_FUNCTION,
    FCA_KIND_TOKEN,
    FCA_KIND_FCFAAS,                    /* any other X-Fcfaas-* */
    FCA_KIND_ACCEL                      /* X-Accel-* */
} fca_head_kind_e;

/* the next element of a comma list; 0 at the end */
int fca_list_next(const char **p, const char *end, fca_span_t *item);

#endif /* _FCA_PROXY_HEAD_INT_H_INCLUDED_ */
