/* A VM's process and directory as they come and go: what takes its time is
 * done by worker threads. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/vmm/vmm_int.h"

#define VMM_REAP_MS    100
/* a process that was reaped may still be on its way out of its cgroup */
#define VMM_CGROUP_MS  2000

static void vmm_exited(uv_poll_t *poll, int status, int events);


static void
vmm_watch(uv_fs_event_t *watch, const char *name, int events, int status)
{
    fca_vmm_t  *vmm = watch->data;

    (void) events;

    /* status: the watch itself failed; then trying has to do */
    if (status == 0
        && (name == NULL || strcmp(name, FCA_VMM_SOCKET) != 0))
    {
        return;
    }

    fca_vmm_handle_close((uv_handle_t *) watch);
    fca_vmm_api_start(vmm, fca_vmm_probe_calls);
}


int
fca_vmm_reap_again(fca_vmm_t *vmm)
{
    if (!vmm->unreaped) {
        return 0;
    }

    vmm->unreaped = 0;
    uv_poll_start(&vmm->exit, UV_READABLE, vmm_exited);

    return 1;
}


static void
vmm_exited(uv_poll_t *poll, int status, int events)
{
    int         rc;
    fcf_err_t   err;
    siginfo_t   info;
    fca_vmm_t  *vmm = poll->data;

    (void) status;
    (void) events;

    memset(&info, 0, sizeof(info));
    rc = vmm->adopted ? -1 : 0;

    while (rc == 0 && waitid(P_PIDFD, (id_t) vmm->pidfd, &info,
                             WEXITED | WNOHANG)
                      != 0)
    {
        rc = errno == EINTR ? 0 : -1;
    }

    if (rc == 0 && info.si_pid == 0) {
        /* a debugger reaps it first, and until then it stays readable */
        uv_poll_stop(poll);
        vmm->unreaped = 1;
        fca_vmm_probe_later(vmm, VMM_REAP_MS);
        return;
    }

    if (vmm->follow != NULL) {
        fca_follow_cancel(vmm->follow);
    }

    fca_vmm_pipes_close(vmm);
    fca_vmm_exit_words(vmm, &info, !vmm->killed, &err);

    fca_vmm_api_cancel(vmm);
    uv_timer_stop(&vmm->timer);
    fca_vmm_limit_stop(vmm);
    fca_vmm_handle_close((uv_handle_t *) poll);
    fca_vmm_handle_close((uv_handle_t *) &vmm->watch);

    if (vmm->control != NULL) {
        fca_control_cancel(vmm->control);
    }

    close(vmm->pidfd);
    vmm->pidfd = -1;

    if (fca_vmm_busy(vmm)) {
        fca_vmm_step_done(vmm, vmm->deferred.code != FCF_OK && !vmm->cut
                               ? &vmm->deferred : &err);
    }

    fca_vmm_blame_set(vmm, &err);
    fca_vmm_set_state(vmm, FCA_VMM_IS_EXITED);

    /* the last word: the handler may free the vmm */
    vmm->handler(vmm->arg, FCA_VMM_EXITED, &err);
}


int
fca_vmm_exit_start(fca_vmm_t *vmm, fcf_err_t *err)
{
    int  rc;

    rc = uv_poll_init(vmm->conf->uv, &vmm->exit, vmm->pidfd);

    if (rc == 0) {
        fca_vmm_handle_add(vmm, (uv_handle_t *) &vmm->exit);
        rc = uv_poll_start(&vmm->exit, UV_READABLE, vmm_exited);
    }

    return rc != 0 ? fcf_err_sys(err, -rc, "watching VMM %d", (int) vmm->pid)
                   : 0;
}


static int
vmm_watch_start(fca_vmm_t *vmm, fcf_err_t *err)
{
    int   rc;
    char  path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fca_vmm_files_fd(vmm));
    rc = uv_fs_event_init(vmm->conf->uv, &vmm->watch);

    if (rc == 0) {
        fca_vmm_handle_add(vmm, (uv_handle_t *) &vmm->watch);
        rc = uv_fs_event_start(&vmm->watch, vmm_watch, path, 0);
    }

    return rc != 0 ? fcf_err_sys(err, -rc, "watching %s", vmm->dir) : 0;
}


/* what a process leaves that is reaped; first the cgroup, since the directory
 * is what a later start knows a VM by */
static int
vmm_remains_remove(const fca_cgroups_t *cgroups, const char *worker_id,
    const char *dir, fcf_err_t *err)
{
    int  rc;

    rc = fca_cgroup_remove(cgroups, worker_id, VMM_CGROUP_MS, err);

    return fca_vmm_dir_remove(dir, err) != 0 ? -1 : rc;
}


/* A process that cannot be watched is ended and reaped, and nothing is left.
 * On a worker thread. */
static void
vmm_undo(fca_vmm_t *vmm)
{
    siginfo_t  info;

    if (vmm->pidfd >= 0) {
        (void) syscall(SYS_pidfd_send_signal, vmm->pidfd, SIGKILL, NULL, 0);

        while (waitid(P_PIDFD, (id_t) vmm->pidfd, &info, WEXITED) != 0
               && errno == EINTR)
        {
            /* again */
        }

        fca_fd_close(&vmm->pidfd);
    }

    vmm->pid = 0;
    (void) vmm_remains_remove(vmm->conf->cgroups, vmm->worker_id, vmm->dir,
                              NULL);
}


static void
vmm_undo_work(uv_work_t *work)
{
    vmm_undo(work->data);
}


/* On a worker thread, since making files and copying a process take their
 * time.  The loop does not look at vmm meanwhile but for killed. */
static void
vmm_work(uv_work_t *work)
{
    fca_vmm_t  *vmm = work->data;

    vmm->work_rc = fca_vmm_dir_make(vmm, &vmm->work_err);

    if (vmm->work_rc != 0) {
        return;
    }

    vmm->has_dir = 1;
    vmm->work_rc = fca_vmm_process_start(vmm, &vmm->work_err);

    if (vmm->work_rc != 0) {
        vmm_undo(vmm);
    }
}


/* no process: EXITED is the timer's, unless the handler frees vmm */
static void
vmm_not_started(uv_work_t *work, int status)
{
    fcf_err_t   err;
    fca_vmm_t  *vmm = work->data;

    (void) status;

    vmm->working = 0;
    err = vmm->work_err;
    fca_vmm_step_fail_later(vmm, &err);
    fca_vmm_step_done(vmm, &err);
}


static int
vmm_watch_all(fca_vmm_t *vmm, fcf_err_t *err)
{
    return fca_vmm_pipes_watch(vmm, err) != 0 || vmm_watch_start(vmm, err) != 0
           || fca_vmm_exit_start(vmm, err) != 0 ? -1 : 0;
}


/* The socket may be there before the watch is: both are looked at. */
static void
vmm_worked(uv_work_t *work, int status)
{
    char        path[64];
    fca_vmm_t  *vmm = work->data;

    if (vmm->work_rc != 0) {
        vmm_not_started(work, status);
        return;
    }

    if (vmm_watch_all(vmm, &vmm->work_err) != 0) {
        fca_vmm_handle_close((uv_handle_t *) &vmm->exit);
        fca_vmm_handle_close((uv_handle_t *) &vmm->watch);
        fca_vmm_pipes_close(vmm);

        if (uv_queue_work(vmm->conf->uv, work, vmm_undo_work, vmm_not_started)
            != 0)
        {
            vmm_undo(vmm);
            vmm_not_started(work, status);
        }

        return;
    }

    vmm->working = 0;
    fca_vmm_limit_start(vmm);

    if (vmm->killed) {
        fca_vmm_kill(vmm);

    } else if (fca_vmm_socket_path(vmm, path, sizeof(path)) == 0
               && access(path, F_OK) == 0)
    {
        fca_vmm_handle_close((uv_handle_t *) &vmm->watch);
        fca_vmm_api_start(vmm, fca_vmm_probe_calls);
    }
}


int
fca_vmm_start(fca_vmm_t *vmm, fcf_err_t *err)
{
    int  rc;

    rc = uv_queue_work(vmm->conf->uv, &vmm->work, vmm_work, vmm_worked);

    if (rc != 0) {
        return fcf_err_sys(err, -rc, "starting a VMM");
    }

    vmm->working = 1;

    return 0;
}


typedef struct {
    uv_work_t   work;
    int         rc;
    fcf_err_t   err;
    char        dir[FCA_VMM_PATH];
    char        worker_id[FCF_WORKER_ID_MAX + 1];
    const fca_cgroups_t  *cgroups;
    void      (*gone)(void *arg);       /* may be NULL */
    void       *arg;
} vmm_removal_t;


static void
vmm_remove(uv_work_t *work)
{
    vmm_removal_t  *removal = work->data;

    removal->rc = vmm_remains_remove(removal->cgroups, removal->worker_id,
                                     removal->dir, &removal->err);
}


static void
vmm_removed(uv_work_t *work, int status)
{
    vmm_removal_t  *removal = work->data;

    (void) status;

    if (removal->rc != 0) {
        fca_log(FCF_LOG_WARN, NULL, "%s", removal->err.msg);
    }

    if (removal->gone != NULL) {
        removal->gone(removal->arg);
    }

    free(removal);
}


/* It outlives vmm.  Without memory the directory is the next start's, and who
 * waits for its end does so in vain, up to his own time limit. */
void
fca_vmm_dir_remove_later(const fca_vmm_t *vmm, void (*gone)(void *arg),
    void *arg)
{
    vmm_removal_t  *removal;

    removal = malloc(sizeof(*removal));
    if (removal == NULL) {
        return;
    }

    removal->work.data = removal;
    removal->cgroups = vmm->conf->cgroups;
    removal->gone = gone;
    removal->arg = arg;
    memcpy(removal->dir, vmm->dir, sizeof(removal->dir));
    memcpy(removal->worker_id, vmm->worker_id, sizeof(removal->worker_id));

    if (uv_queue_work(vmm->conf->uv, &removal->work, vmm_remove, vmm_removed)
        != 0)
    {
        free(removal);
    }
}
