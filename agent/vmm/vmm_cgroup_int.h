/* Shared by vmm_cgroup.c (a VM's group), vmm_cgroup_open.c (where groups are
 * made) and vmm_cgroup_host.c (what the host has). */

#ifndef _FCA_VMM_CGROUP_INT_H_INCLUDED_
#define _FCA_VMM_CGROUP_INT_H_INCLUDED_

#include <limits.h>
#include "agent/vmm/vmm_cgroup.h"

#define FCA_CGROUP_LEAF    "agent"
#define FCA_CGROUP_PREFIX  "vm-"
#define FCA_CGROUP_NAME    300

/* name in version 1 and 2 */
#define FCA_CGROUP_KINDS(X)                                                 \
    X(MEMORY, "memory", "memory")                                           \
    X(CPU,    "cpu",    "cpu")                                              \
    X(PIDS,   "pids",   "pids")                                             \
    X(IO,     "blkio",  "io")

typedef enum {
#define FCA_X(id, v1, v2)  FCA_CGROUP_##id,
    FCA_CGROUP_KINDS(FCA_X)
#undef FCA_X
    FCA_CGROUP_NKINDS
} fca_cgroup_kind_e;

typedef struct {
    int   on;                           /* this controller is to be had */
    int   named;                        /* base is named after this node */
    char  base[PATH_MAX];               /* version 2: the same in all */
} fca_cgroup_tree_t;

/* those that bound something: memory, cpu, pids */
#define FCA_CGROUP_NCHAINS  3

typedef struct {
    int     version;                    /* 0: there is no such controller */
    size_t  top;                        /* bytes of dir that are its mount */
    char    dir[PATH_MAX];              /* VMs are below it */
} fca_cgroup_chain_t;

struct fca_cgroups_s {
    int                 version;
    char                tag[FCA_CGROUP_TAG + 1];
    char                words[FCF_ERR_MSG_MAX + 64];
    fca_cgroup_tree_t   trees[FCA_CGROUP_NKINDS];
    fca_cgroup_chain_t  chains[FCA_CGROUP_NCHAINS];
};

typedef struct {
    char  dir[PATH_MAX];                /* where it is mounted */
    char  root[PATH_MAX];               /* which of its groups is, there */
} fca_cgroup_mount_t;

/* by version and kind */
extern const char *const  fca_cgroup_names[3][FCA_CGROUP_NKINDS];

/* vmm_cgroup_host.c: proc is /proc/self; 0: there is none */
int fca_cgroup_mount(const char *proc, int version, const char *controller,
    fca_cgroup_mount_t *m);
int fca_cgroup_own(const char *proc, int version, const char *controller,
    char *buf, size_t size);
const char *fca_cgroup_below(const fca_cgroup_mount_t *m, const char *group);

/* vmm_cgroup_bounds.c: chain is zeroed; tree NULL: VMs have no groups */
void fca_cgroup_chain_find(fca_cgroup_chain_t *chain, const char *proc,
    const fca_cgroup_tree_t *tree, unsigned kind);

/* vmm_cgroup.c */
/* one write(2), as these files want it */
int fca_cgroup_write(const char *dir, const char *file, const char *value,
    fcf_err_t *err) fcf_must_check;
int fca_cgroup_kind_done(const fca_cgroups_t *cgroups, unsigned kind);

#endif /* _FCA_VMM_CGROUP_INT_H_INCLUDED_ */
