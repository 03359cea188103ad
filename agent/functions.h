/* What this node knows of functions beyond the lives of their VMs: how much
 * they served, and what their last VMs printed.  Bounded: so many functions by
 * name and all others as one, so many outputs, the oldest go first. */

#ifndef _FCA_FUNCTIONS_H_INCLUDED_
#define _FCA_FUNCTIONS_H_INCLUDED_

#include <sys/queue.h>
#include "agent/instance/instance.h"
#include "contract/fcf_buf.h"

#define FCA_FUNCTIONS_MAX   1000
#define FCA_FUNCTIONS_REST  "other"     /* the name of all others */
#define FCA_OUTPUTS_MAX     64
#define FCA_OUTPUT_KEEP     4096        /* bytes of each */

typedef struct {
    char      id[FCF_ID_MAX + 1];
    uint64_t  requests;
    uint64_t  drained;                  /* of them, sent elsewhere */
    uint64_t  counts[FCA_COUNTS];
    uint64_t  live_requests, live_drained;  /* the same, of routes that are */
    uint64_t  live_counts[FCA_COUNTS];
    uint32_t  inflight;
    unsigned  vms;
} fca_function_t;

typedef struct fca_output_s  fca_output_t;

typedef struct {
    void            *tree;              /* of fca_function_t, by id */
    size_t           n;
    TAILQ_HEAD(fca_outputs_s, fca_output_s)  outputs;   /* oldest first */
    size_t           noutputs;
} fca_functions_t;

void fca_functions_init(fca_functions_t *functions);
void fca_functions_free(fca_functions_t *functions);

/* A route is closed: what it counted is kept. */
void fca_functions_closed(fca_functions_t *functions,
    const fca_instance_view_t *view);
/* A VM's process has ended: what it printed is kept. */
void fca_functions_ended(fca_functions_t *functions,
    const fca_instance_view_t *view);

/* Sets the live part of every function from what lives now. */
void fca_functions_count(fca_functions_t *functions,
    const fca_instances_t *all);
void fca_functions_each(const fca_functions_t *functions,
    void (*each)(void *arg, const fca_function_t *function), void *arg);

/* What VMs of this function printed, those that ended first; each behind a
 * line that names it.  -FCF_E_NOT_FOUND: none was ever here, or it is long
 * ago; else as fcf_buf_add(). */
int fca_functions_output(const fca_functions_t *functions,
    const fca_instances_t *all, const char *function_id, fcf_buf_t *out);

#endif /* _FCA_FUNCTIONS_H_INCLUDED_ */
