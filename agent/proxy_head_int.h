/* Between proxy_head.c (reading) and proxy_rewrite.c. */

#ifndef _FCA_PROXY_HEAD_INT_H_INCLUDED_
#define _FCA_PROXY_HEAD_INT_H_INCLUDED_

#include "agent/proxy_head.h"

typedef enum {
    KIND_OTHER = 0,
    KIND_START,
    KIND_CONNECTION,
    KIND_HOP,                       /* always dropped */
    KIND_TRAILER,
    KIND_ENCODING,
    KIND_LENGTH,
    KIND_UPGRADE,
    KIND_HOST,
    KIND_EXPECT,
    KIND_FUNCTION,
    KIND_TOKEN,
    KIND_FCFAAS,                    /* any other X-Fcfaas-* */
    KIND_ACCEL                      /* X-Accel-* */
} fca_head_kind_e;

/* the next element of a comma list; 0 at the end */
int fca_list_next(const char **p, const char *end, fca_span_t *item);

#endif /* _FCA_PROXY_HEAD_INT_H_INCLUDED_ */
