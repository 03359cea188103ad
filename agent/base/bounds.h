/* What bounds this node's VMs beside its settings: what the host has, and the
 * control groups in which the agent lives.  Each of those who know of a bound
 * narrows what was known before. */

#ifndef _FCA_BOUNDS_H_INCLUDED_
#define _FCA_BOUNDS_H_INCLUDED_

#include "contract/fcf_err.h"

#define FCA_BOUNDS_WHERE  160

typedef enum {
    FCA_BOUND_CPU = 0,          /* thousandths of a CPU */
    FCA_BOUND_MEMORY,           /* MB */
    FCA_BOUND_PIDS,             /* processes and threads */
    FCA_BOUNDS_N
} fca_bound_e;

typedef struct {
    int   all;                          /* at most; -1: no bound is known */
    int   left;                         /* of it now; -1: not known */
    char  where[FCA_BOUNDS_WHERE];      /* the file that leaves least, else the
                                           one that gives least; "" */
} fca_bound_t;

typedef struct {
    fca_bound_t  of[FCA_BOUNDS_N];
} fca_bounds_t;

void fca_bounds_init(fca_bounds_t *bounds);
/* values below 0 or above INT_MAX are no bound */
void fca_bounds_narrow(fca_bounds_t *bounds, fca_bound_e which,
    long long all, long long left, const char *where);
/* The host's own, by proc, a directory like /proc (proc(5)), and the CPUs that
 * this process may run on.  A file that cannot be read bounds nothing.  Reads
 * no disk. */
void fca_bounds_host(fca_bounds_t *bounds, const char *proc);
/* a small file's text, "" if it cannot be read; -1 then */
int fca_bounds_read(char *buf, size_t size, const char *dir,
    const char *file);
/* the number in a file; -1: none, or "max" */
long long fca_bounds_number(const char *dir, const char *file);

#endif /* _FCA_BOUNDS_H_INCLUDED_ */
