/* A VMM that an earlier agent started and that goes on: known by a descriptor
 * of its process, reached by the names in its directory. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/vmm/vmm_int.h"


void
fca_vmm_leave(const fca_vmm_t *vmm)
{
    int     fd;
    char   *said;
    size_t  n;

    if (vmm->working || vmm->pidfd < 0 || !vmm->has_dir) {
        return;
    }

    said = malloc(FCA_CONSOLE_MAX);
    n = said != NULL ? fca_vmm_console_tail(vmm, said, FCA_CONSOLE_MAX) : 0;
    fd = open(vmm->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    /* without it the next agent knows less, and that is all */
    if (fd >= 0) {
        if (n > 0
            && fca_vmm_file_write(fd, FCA_VMM_SAID, said, n, NULL) != 0)
        {
            (void) unlinkat(fd, FCA_VMM_SAID, 0);
        }

        close(fd);
    }

    free(said);
}


static void
adopt_said(fca_vmm_t *vmm)
{
    int      fd;
    char    *said;
    ssize_t  n;

    fd = openat(vmm->dirfd, FCA_VMM_SAID,
                O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return;
    }

    said = malloc(FCA_CONSOLE_MAX);
    n = said != NULL ? read(fd, said, FCA_CONSOLE_MAX) : 0;

    if (n > 0) {
        fca_ring_add(&vmm->console.ring, said, (size_t) n);
    }

    free(said);
    close(fd);
    (void) unlinkat(vmm->dirfd, FCA_VMM_SAID, 0);
}


/* What it said while no agent was there waits in the FIFOs, as much as they
 * hold.  Without them it is as good, but for its words. */
static void
adopt_pipes(fca_vmm_t *vmm)
{
    fcf_err_t      err;
    fca_log_ctx_t  ctx = { NULL, NULL, vmm->worker_id };

    vmm->console.fd = fca_vmm_fifo_open(fca_vmm_files_fd(vmm),
                                        FCA_VMM_CONSOLE, &err);
    if (vmm->console.fd >= 0) {
        vmm->output.fd = fca_vmm_fifo_open(vmm->dirfd, FCA_VMM_OUTPUT, &err);
    }

    if (vmm->console.fd < 0 || vmm->output.fd < 0
        || fca_vmm_pipes_watch(vmm, &err) != 0)
    {
        fca_log(FCF_LOG_WARN, &ctx, "its output is lost: %s", err.msg);
        fca_vmm_pipes_close(vmm);
    }
}


/* Whether it is in a jail its directory says, not today's settings. */
static int
adopt_jail(fca_vmm_t *vmm, fcf_err_t *err)
{
    char         root[PATH_MAX + 8];
    struct stat  st;

    free(vmm->jail);
    vmm->jail = fca_vmm_jail_of(vmm->dir);

    if (vmm->jail == NULL) {
        return 0;
    }

    snprintf(root, sizeof(root), "%s/root", vmm->jail);
    vmm->jailfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (vmm->jailfd < 0 || fstat(vmm->jailfd, &st) != 0) {
        return fcf_err_sys(err, errno, "opening %s", root);
    }

    vmm->uid = st.st_uid;

    return 0;
}


static int
adopt_open(fca_vmm_t *vmm, fcf_err_t *err)
{
    vmm->dirfd = open(vmm->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC
                                | O_NOFOLLOW);

    if (vmm->dirfd < 0) {
        return fcf_err_sys(err, errno, "opening directory %s", vmm->dir);
    }

    vmm->has_dir = 1;

    if (adopt_jail(vmm, err) != 0) {
        return -1;
    }

    adopt_said(vmm);
    adopt_pipes(vmm);

    return fca_vmm_exit_start(vmm, err);
}


fca_vmm_t *
fca_vmm_adopt(const fca_vmm_conf_t *conf, const fca_vmm_spec_t *spec,
    const fca_vmm_left_t *left, int ask, fca_vmm_pt handler, void *arg,
    fcf_err_t *err)
{
    fca_vmm_t  *vmm;

    vmm = fca_vmm_new(conf, spec, handler, arg, err);

    if (vmm != NULL) {
        vmm->pid = left->pid;
        vmm->pidfd = left->pidfd;
        vmm->adopted = 1;

        if (adopt_open(vmm, err) == 0) {
            fca_vmm_set_state(vmm, ask ? FCA_VMM_IS_BOOTING
                                       : FCA_VMM_IS_BOOTED);

            if (ask) {
                fca_vmm_limit_start(vmm);
                fca_vmm_api_start(vmm, fca_vmm_look_calls);

            } else {
                fca_fd_close(&vmm->dirfd);
                fca_fd_close(&vmm->jailfd);
            }

            return vmm;
        }
    }

    (void) syscall(SYS_pidfd_send_signal, left->pidfd, SIGKILL, NULL, 0);

    if (vmm != NULL) {
        fca_vmm_free(vmm);

    } else {
        close(left->pidfd);
    }

    return NULL;
}
