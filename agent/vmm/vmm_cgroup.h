/*
 * A control group per VM: memory, cpu, pids, and io where the controller is.
 * Version 2, or 1 on a host that has the controllers there.
 *
 * VMs' groups are "vm-<worker_id>.<tag>" below one base; the tag is this
 * agent's alone, for another one may have the same node_id there:
 *   - the setting cgroup_root, if there is one, or
 *   - version 2: the agent's own group, from which it moves itself into the
 *     leaf "agent" (a group with controllers for its children may hold no
 *     process itself), or
 *   - version 1: the agent's own group, in each hierarchy.
 * An agent that runs in the root of a hierarchy uses "fcfaas-<node_id>.<tag>"
 * there.
 */

#ifndef _FCA_VMM_CGROUP_H_INCLUDED_
#define _FCA_VMM_CGROUP_H_INCLUDED_

#include <stdint.h>
#include <sys/types.h>

#include "agent/base/bounds.h"

typedef enum { FCA_CGROUPS_AUTO = 0, FCA_CGROUPS_YES, FCA_CGROUPS_NO }
    fca_cgroups_e;

#define FCA_CGROUP_TAG  40

typedef struct {
    fca_cgroups_e   mode;
    const char     *root;               /* cgroup_root; "": none */
    const char     *node_id;
    const char     *tag;                /* FCA_CGROUP_TAG bytes at most */
    const char     *proc;               /* NULL: /proc/self */
    int             look;               /* for a check: what is there stays */
} fca_cgroups_conf_t;

typedef struct {
    long long       memory_mb;
    int             cpu;                /* vCPUs: the weight follows them */
    int             pids;
} fca_cgroup_limits_t;

#define FCA_CGROUP_FDS  4

/* How a process gets into a group: version 2 by clone3(CLONE_INTO_CGROUP)
 * with fds[0], version 1 by writing to each. */
typedef struct {
    int             version;            /* 0: no groups; nothing to do */
    int             nfds;
    int             fds[FCA_CGROUP_FDS];
} fca_cgroup_entry_t;

typedef struct fca_cgroups_s  fca_cgroups_t;

/* Synchronous, at start; removes the empty groups that an earlier life of
 * this node left, unless it is only a look.  NULL with mode yes: err says what
 * is missing; with auto only if memory runs out: then there are no limits, and
 * the words say so. */
fca_cgroups_t *fca_cgroups_open(const fca_cgroups_conf_t *conf,
    fcf_err_t *err);
/* groups of VMs stay; NULL is fine, here and below */
void fca_cgroups_close(fca_cgroups_t *cgroups);
/* 0: VMs run without limits */
int fca_cgroups_version(const fca_cgroups_t *cgroups);
/* one line for people: what there is, or why there is nothing */
const char *fca_cgroups_words(const fca_cgroups_t *cgroups);

/* What the groups bound that VMs are made below, whether these have some of
 * their own or not; as of now. */
void fca_cgroups_bounds(const fca_cgroups_t *cgroups, fca_bounds_t *bounds);

/* The rest may run on any thread.  On failure nothing is left. */
int fca_cgroup_make(const fca_cgroups_t *cgroups, const char *worker_id,
    const fca_cgroup_limits_t *limits, fca_cgroup_entry_t *entry,
    fcf_err_t *err) fcf_must_check;
/* for clone3(): version 2 puts the child there from the first */
void fca_cgroup_clone(const fca_cgroup_entry_t *entry, uint64_t *flags,
    uint64_t *cgroup);
/* version 1: the calling thread goes there, the only one of its process */
int fca_cgroup_enter(const fca_cgroup_entry_t *entry, fcf_err_t *err)
    fcf_must_check;
void fca_cgroup_entry_close(fca_cgroup_entry_t *entry);
/* how many of its processes the kernel has killed for want of memory */
long long fca_cgroup_oom_kills(const fca_cgroups_t *cgroups,
    const char *worker_id);
/* Waits up to wait_ms for its processes to be gone, so not on a loop's
 * thread.  0 also if there is none. */
int fca_cgroup_remove(const fca_cgroups_t *cgroups, const char *worker_id,
    unsigned wait_ms, fcf_err_t *err) fcf_must_check;

#endif /* _FCA_VMM_CGROUP_H_INCLUDED_ */
