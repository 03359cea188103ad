#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/vmm/vmm_child.h"
#include "agent/vmm/vmm_int.h"


/* Firecracker wants letters, digits and "-" only, at most 64; ids that differ
 * in what is replaced are told apart by their end, a number never reused. */
void
fca_vmm_id(const char *worker_id, char *id)
{
    size_t  i, n;

    n = strlen(worker_id);

    if (n > FCA_VMM_ID_MAX) {
        worker_id += n - FCA_VMM_ID_MAX;
    }

    for (i = 0; worker_id[i] != '\0'; i++) {
        id[i] = worker_id[i] == '.' || worker_id[i] == '_' ? '-'
                                                           : worker_id[i];
    }

    id[i] = '\0';
}


static int
child_arg(fca_vmm_child_t *child, size_t *n, const char *arg, fcf_err_t *err)
{
    if (*n == FCA_VMM_ARGS_MAX - 1) {
        return fcf_err_set(err, FCF_E_LIMIT, "VMM %s: more than %d arguments",
                           child->program, FCA_VMM_ARGS_MAX - 1);
    }

    child->argv[(*n)++] = arg;
    child->argv[*n] = NULL;

    return 0;
}


static int
child_words(fca_vmm_child_t *child, size_t *n, const char *const *words,
    fcf_err_t *err)
{
    for ( /* void */ ; *words != NULL; words++) {
        if (child_arg(child, n, *words, err) != 0) {
            return -1;
        }
    }

    return 0;
}


/* Its log goes to the pipe: at level Info that is every call with its body,
 * at Warn what went wrong.  Who sets a level has it. */
static int
vmm_words(fca_vmm_child_t *child, const fca_vmm_t *vmm, size_t n,
    fcf_err_t *err)
{
    int                        level;
    const char *const         *extra;

    static const char *const   warn[] = { "--level", "Warn", NULL };

    level = 0;

    for (extra = vmm->conf->extra_args; extra != NULL && *extra != NULL;
         extra++)
    {
        level |= strncmp(*extra, "--level", 7) == 0;
    }

    return (vmm->conf->extra_args != NULL
            && child_words(child, &n, vmm->conf->extra_args, err) != 0)
           || (!level && child_words(child, &n, warn, err) != 0) ? -1 : 0;
}


/* a template writes its memory into one */
static int
vmm_file_max_mb(const fca_vmm_t *vmm)
{
    return vmm->template ? vmm->memory_mb + FCA_VMM_SNAP_MORE_MB
                         : FCA_VMM_FILE_MAX_MB;
}


static int
child_args(fca_vmm_child_t *child, const fca_vmm_t *vmm, fcf_err_t *err)
{
    size_t      n = 0;
    const char *words[] = { NULL, "--api-sock", FCA_VMM_SOCKET, "--id",
                            child->id, NULL };

    child->file_max = (rlim_t) vmm_file_max_mb(vmm) << 20;
    child->program = realpath(vmm->conf->binary, NULL);
    words[0] = child->program;

    if (child->program == NULL) {
        return fcf_err_sys(err, errno, "VMM %s", vmm->conf->binary);
    }

    return child_words(child, &n, words, err) != 0 ? -1
           : vmm_words(child, vmm, n, err);
}


/* The jailer gives the VMM its id and its limits; its own must let it copy the
 * VMM's program into the jail. */
static int
jailer_args(fca_vmm_child_t *child, const fca_vmm_t *vmm, fcf_err_t *err)
{
    size_t             n = 0;
    const fca_jail_t  *jail = vmm->conf->jail;
    const char        *words[] = {
        fca_jail_jailer(jail), "--id", child->id,
        "--exec-file", fca_jail_program(jail), "--uid", child->uid,
        "--gid", child->uid, "--chroot-base-dir", fca_jail_base(jail),
        "--resource-limit", child->fsize, "--",
        "--api-sock", FCA_VMM_SOCKET, NULL
    };

    snprintf(child->uid, sizeof(child->uid), "%u", (unsigned) vmm->uid);
    snprintf(child->fsize, sizeof(child->fsize), "fsize=%lu",
             (unsigned long) vmm_file_max_mb(vmm) << 20);

    child->file_max = RLIM_INFINITY;
    child->program = strdup(words[0]);

    if (child->program == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "VMM: out of memory");
    }

    return child_words(child, &n, words, err) != 0 ? -1
           : vmm_words(child, vmm, n, err);
}


static int
child_start(fca_vmm_t *vmm, fca_vmm_child_t *child, fcf_err_t *err)
{
    vmm->pid = fca_vmm_child_start(child, &vmm->pidfd);

    if (vmm->pid < 0) {
        vmm->pid = 0;
        vmm->pidfd = -1;
        return fcf_err_sys(err, errno, "clone3 for VMM %s", child->program);
    }

    if (child->err.code != FCF_OK) {
        *err = child->err;
        return -1;
    }

    return 0;
}


int
fca_vmm_process_start(fca_vmm_t *vmm, fcf_err_t *err)
{
    int                   rc;
    fca_vmm_child_t       child;
    fca_cgroup_limits_t   limits = {
        fca_vmm_memory_mb(vmm->conf, vmm->memory_mb), vmm->cpu,
        FCA_VMM_PIDS
    };

    child.dirfd = vmm->dirfd;
    child.program = NULL;
    child.err.code = FCF_OK;
    fca_vmm_id(vmm->worker_id, child.id);

    rc = vmm->jail != NULL ? jailer_args(&child, vmm, err)
                           : child_args(&child, vmm, err);

    if (rc == 0) {
        rc = fca_cgroup_make(vmm->conf->cgroups, vmm->worker_id, &limits,
                             &child.group, err);
    }

    if (rc == 0) {
        rc = child_start(vmm, &child, err);
        fca_cgroup_entry_close(&child.group);
    }

    free(child.program);

    return rc;
}


void
fca_vmm_exit_words(const fca_vmm_t *vmm, const siginfo_t *info, int last_words,
    fcf_err_t *err)
{
    int   code;
    char  memory[96], words[FCF_ERR_MSG_MAX / 2];

    fca_vmm_memory_words(vmm, memory, sizeof(memory));

    if (vmm->adopted) {
        fcf_err_set(err, FCF_E_UNAVAILABLE, "VMM ended%s", memory);

    } else if (info->si_code == CLD_EXITED) {
        fcf_err_set(err, FCF_E_UNAVAILABLE, "VMM exited with code %d%s",
                    info->si_status, memory);

    } else {
        fcf_err_set(err, FCF_E_UNAVAILABLE, "VMM was killed by signal %d%s",
                    info->si_status, memory);
    }

    fca_vmm_last_words(vmm, words, sizeof(words));

    if (words[0] != '\0' && last_words) {
        code = (int) strlen(err->msg);
        snprintf(err->msg + code, sizeof(err->msg) - (size_t) code, ": %s",
                 words);
    }
}
