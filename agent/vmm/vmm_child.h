/* The VMM's process before it is the VMM.  Private to vmm_spawn.c and its
 * child. */

#ifndef _FCA_VMM_CHILD_H_INCLUDED_
#define _FCA_VMM_CHILD_H_INCLUDED_

#include <sys/resource.h>
#include <sys/types.h>

#include "agent/vmm/vmm_int.h"

#define FCA_VMM_ARGS_MAX  56

/* all made before the clone; in memory that both share */
typedef struct {
    pid_t        pid;                   /* as the agent's /proc has it: in its
                                           own namespace it is 1 */
    int          dirfd;                 /* the VM's own directory */
    char        *program;
    fca_cgroup_entry_t  group;
    const char  *argv[FCA_VMM_ARGS_MAX];
    rlim_t       file_max;              /* bytes of a file it may write */
    char         id[FCA_VMM_ID_MAX + 1];
    char         uid[16], fsize[40];    /* for the jailer */
    fcf_err_t    err;                   /* the child's: why it is no VMM; it
                                           has ended then */
} fca_vmm_child_t;

/* Returns once the child runs its program or has ended: its pid, or -1 with
 * errno. */
pid_t fca_vmm_child_start(fca_vmm_child_t *child, int *pidfd);

#endif /* _FCA_VMM_CHILD_H_INCLUDED_ */
