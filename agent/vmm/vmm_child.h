/* The VMM's process before it is the VMM.  Private to vmm_spawn.c and its
 * child. */

#ifndef _FCA_VMM_CHILD_H_INCLUDED_
#define _FCA_VMM_CHILD_H_INCLUDED_

#include <sys/resource.h>
#include <sys/types.h>

#include "agent/vmm/vmm_int.h"

#define FCA_VMM_ARGS_MAX  56

/* all made before the clone: the child may not allocate */
typedef struct {
    const char  *dir;                   /* the VM's own; its FIFOs are there */
    char        *program;
    const char  *argv[FCA_VMM_ARGS_MAX];
    rlim_t       file_max;              /* bytes of a file it may write */
    char         id[FCA_VMM_ID_MAX + 1];
    char         uid[16], fsize[40];    /* for the jailer */
} fca_vmm_child_t;

/* Runs in the child, whose table of descriptors is still the agent's own, and
 * does not return. */
__attribute__((noreturn))
void fca_vmm_child_run(const fca_vmm_child_t *child);

#endif /* _FCA_VMM_CHILD_H_INCLUDED_ */
