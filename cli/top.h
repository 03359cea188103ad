/* What the proxies of all nodes count, from one look to the next. */

#ifndef _FCC_TOP_H_INCLUDED_
#define _FCC_TOP_H_INCLUDED_

#include "cli/admin.h"

typedef enum { FCC_TOP_REQUESTS = 0, FCC_TOP_FAILED, FCC_TOP_BYTES,
               FCC_TOP_COUNTED } fcc_top_count_e;

/* a function, on one node or on all of them together */
typedef struct {
    char    name[FCF_ID_MAX + 1];
    size_t  node;                       /* which one; of all: none */
    double  vms, inflight;
    double  counts[FCC_TOP_COUNTED];    /* since the agents' starts */
    double  rates[FCC_TOP_COUNTED];     /* a second */
} fcc_top_row_t;

typedef struct {
    fcc_top_row_t  *list;
    size_t          n, size;
} fcc_top_rows_t;

typedef struct {
    char    id[FCF_ID_MAX + 1];
    double  at;                         /* s, when it told its counts; 0:
                                           never */
} fcc_top_node_t;

typedef struct {
    fcc_top_node_t  *nodes;
    size_t           nnodes;
    fcc_top_rows_t   parts;             /* by name and node */
    fcc_top_rows_t   rows;              /* by name */
    unsigned         vms;
} fcc_top_t;                            /* zeroed memory is empty */

/* Asks all nodes.  What was seen before (also nothing) gives the rates, each
 * node's since it last answered; one that does not answer now keeps what it
 * said.  To be freed, also of failure. */
int fcc_top_look(fcc_t *fcc, fcc_top_t *top, const fcc_top_t *before,
    fcf_err_t *err) fcf_must_check;
void fcc_top_free(fcc_top_t *top);

#endif /* _FCC_TOP_H_INCLUDED_ */
