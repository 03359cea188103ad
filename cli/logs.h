/* Lines that functions printed, gathered from all nodes. */

#ifndef _FCC_LOGS_H_INCLUDED_
#define _FCC_LOGS_H_INCLUDED_

#include "cli/call.h"

typedef struct {
    const char  *name;                  /* of the function */
    const char  *instance, *request;    /* NULL: all */
    int          version;               /* 0: all */
    int64_t      age_ms;                /* 0: all */
} fcc_lines_want_t;

/* how far a node's lines are known */
typedef struct {
    char   id[FCF_ID_MAX + 1];
    char   next[64];                    /* "": from the first */
    int    silent;                      /* that was told */
} fcc_lines_node_t;

typedef struct {
    int64_t   ms;
    size_t    order;                    /* in which it came */
    json_t   *line;
} fcc_lines_one_t;

typedef struct {
    fcc_lines_one_t   *list;            /* by time */
    size_t             n, size;
    fcc_lines_node_t  *nodes;
    size_t             nnodes;          /* that have been asked */
    int                away;            /* etcd does not say which there are */
} fcc_lines_t;                          /* zeroed memory is empty */

/* Those that have come since the last time.  -1: some nodes have not answered,
 * which is told on standard error, once, as is their return; or lines->away. */
int fcc_lines_read(fcc_lines_t *lines, fcc_t *fcc,
    const fcc_lines_want_t *want, fcf_err_t *err) fcf_must_check;
/* the lines alone; and all of it */
void fcc_lines_clear(fcc_lines_t *lines);
void fcc_lines_free(fcc_lines_t *lines);

#endif /* _FCC_LOGS_H_INCLUDED_ */
