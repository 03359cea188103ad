/* Shared by lines*.c only. */

#ifndef _FCA_LINES_INT_H_INCLUDED_
#define _FCA_LINES_INT_H_INCLUDED_

#include <sys/queue.h>
#include "agent/lines.h"

typedef struct fca_line_s   fca_line_t;
typedef struct fca_lines_of_s  fca_lines_of_t;

struct fca_line_s {
    TAILQ_ENTRY(fca_line_s)  all;       /* the oldest first, in both */
    TAILQ_ENTRY(fca_line_s)  own;
    fca_lines_of_t          *of;
    int64_t                  ms;        /* Unix time */
    uint64_t                 seq;
    int64_t                  version;
    fca_stream_e             stream;
    size_t                   size;      /* of all of it */
    const char              *request_id, *text; /* behind the worker id */
    char                     worker_id[];
};

TAILQ_HEAD(fca_line_list_s, fca_line_s);

/* a function */
struct fca_lines_of_s {
    char                    id[FCF_ID_MAX + 1];
    struct fca_line_list_s  list;
    size_t                  size;
    uint64_t                last;       /* the newest's number */
    uint64_t                dropped;
};

struct fca_lines_s {
    fca_lines_conf_t        conf;
    int64_t                 epoch;
    struct fca_line_list_s  list;
    size_t                  size;
    uint64_t                total;      /* lines that ever came */
    void                   *functions;  /* tree of fca_lines_of_t, by id */
    void                   *vms;        /* of fca_lines_vm_t, by worker_id */
};

/* NULL: nothing is known of it */
fca_lines_of_t *fca_lines_find(const fca_lines_t *lines, const char *id);
/* those that are too old go */
void fca_lines_age(fca_lines_t *lines, int64_t now_ms);

#endif /* _FCA_LINES_INT_H_INCLUDED_ */
