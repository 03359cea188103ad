#include <assert.h>
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

#define VMM_REAP_MS  100

static const struct {
    const char  *name;
    int          busy;
} vmm_states[FCA_VMM_NSTATES] = {
#define FCA_VMM_STATE(name, busy)  [FCA_VMM_IS_##name] = { #name, busy },
    FCA_VMM_STATES(FCA_VMM_STATE)
#undef FCA_VMM_STATE
};

/* what a step that succeeds leads to, and what is reported */
static const struct {
    fca_vmm_state_e  next;
    fca_vmm_event_e  event;
} vmm_success[FCA_VMM_NSTATES] = {
    [FCA_VMM_IS_STARTING]    = { FCA_VMM_IS_SPAWNED, FCA_VMM_SPAWNED },
    [FCA_VMM_IS_CONFIGURING] = { FCA_VMM_IS_CONFIGURED, FCA_VMM_CONFIGURED },
    [FCA_VMM_IS_BOOTING]     = { FCA_VMM_IS_BOOTED, FCA_VMM_BOOTED },
};


static void vmm_timer(uv_timer_t *timer);
static void vmm_exited(uv_poll_t *poll, int status, int events);


static void
vmm_set_state(fca_vmm_t *vmm, fca_vmm_state_e state)
{
    fca_log_ctx_t  ctx = { NULL, NULL, vmm->worker_id };

    fca_log(FCF_LOG_DEBUG, &ctx, "vmm %d: %s -> %s", (int) vmm->pid,
            vmm_states[vmm->state].name, vmm_states[state].name);

    vmm->state = state;
}


static void
vmm_destroy(fca_vmm_t *vmm)
{
    fca_vmm_spec_free(vmm);
    free(vmm);
}


void
fca_vmm_handle_add(fca_vmm_t *vmm, uv_handle_t *handle)
{
    handle->data = vmm;
    vmm->nhandles++;
}


static void
vmm_handle_closed(uv_handle_t *handle)
{
    fca_vmm_t  *vmm = handle->data;

    if (--vmm->nhandles == 0 && vmm->freed) {
        vmm_destroy(vmm);
    }
}


void
fca_vmm_handle_close(uv_handle_t *handle)
{
    if (handle->data != NULL && !uv_is_closing(handle)) {
        uv_close(handle, vmm_handle_closed);
    }
}


static void
vmm_close_sync(fca_vmm_t *vmm)
{
    if (vmm->sync >= 0) {
        close(vmm->sync);
        vmm->sync = -1;
    }
}


void
fca_vmm_step_done(fca_vmm_t *vmm, const fcf_err_t *err)
{
    fca_vmm_state_e  state = vmm->state;

    assert(vmm_states[state].busy);

    if (state == FCA_VMM_IS_STARTING) {
        fca_vmm_handle_close((uv_handle_t *) &vmm->watch);
        vmm_close_sync(vmm);
    }

    if (err != NULL) {
        vmm_set_state(vmm, FCA_VMM_IS_FAILED);
        vmm->handler(vmm->arg, FCA_VMM_FAILED, err);
        return;
    }

    vmm_set_state(vmm, vmm_success[state].next);
    vmm->handler(vmm->arg, vmm_success[state].event, NULL);
}


void
fca_vmm_step_fail_later(fca_vmm_t *vmm, const fcf_err_t *err)
{
    vmm->deferred = *err;
    uv_timer_start(&vmm->timer, vmm_timer, 0, 0);
}


void
fca_vmm_probe_later(fca_vmm_t *vmm, unsigned ms)
{
    uv_timer_start(&vmm->timer, vmm_timer, ms, 0);
}


/* The next try of the socket, a failure that came too early to report, or the
 * end of what never began. */
static void
vmm_timer(uv_timer_t *timer)
{
    fcf_err_t   err;
    fca_vmm_t  *vmm = timer->data;

    if (vmm->unreaped) {
        vmm->unreaped = 0;
        uv_poll_start(&vmm->exit, UV_READABLE, vmm_exited);
        return;
    }

    /* the handlers may free vmm */
    err = vmm->deferred;

    if (vmm->state == FCA_VMM_IS_FAILED) {
        vmm_set_state(vmm, FCA_VMM_IS_EXITED);
        vmm->handler(vmm->arg, FCA_VMM_EXITED, &err);
        return;
    }

    if (err.code != FCF_OK) {
        fca_vmm_step_done(vmm, &err);
        return;
    }

    fca_vmm_api_probe(vmm);
}


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
    fca_vmm_api_probe(vmm);
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

    do {
        rc = waitid(P_PIDFD, (id_t) vmm->pidfd, &info, WEXITED | WNOHANG);
    } while (rc != 0 && errno == EINTR);

    if (rc == 0 && info.si_pid == 0) {
        /* a debugger reaps it first, and until then it stays readable */
        uv_poll_stop(poll);
        vmm->unreaped = 1;
        uv_timer_start(&vmm->timer, vmm_timer, VMM_REAP_MS, 0);
        return;
    }

    fca_vmm_exit_words(vmm, &info, vmm_states[vmm->state].busy, &err);

    fca_vmm_api_cancel(vmm);
    uv_timer_stop(&vmm->timer);
    fca_vmm_handle_close((uv_handle_t *) poll);
    fca_vmm_handle_close((uv_handle_t *) &vmm->watch);
    fca_vmm_console_close(vmm);

    if (vmm->control != NULL) {
        fca_control_cancel(vmm->control);
    }

    close(vmm->pidfd);
    vmm->pidfd = -1;

    if (vmm_states[vmm->state].busy) {
        fca_vmm_step_done(vmm, vmm->deferred.code != FCF_OK ? &vmm->deferred
                                                            : &err);
    }

    vmm_close_sync(vmm);
    vmm_set_state(vmm, FCA_VMM_IS_EXITED);

    /* the last word: the handler may free the vmm */
    vmm->handler(vmm->arg, FCA_VMM_EXITED, &err);
}


static int
vmm_exit_start(fca_vmm_t *vmm, fcf_err_t *err)
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
    int  rc;

    rc = uv_fs_event_init(vmm->conf->uv, &vmm->watch);

    if (rc == 0) {
        fca_vmm_handle_add(vmm, (uv_handle_t *) &vmm->watch);
        rc = uv_fs_event_start(&vmm->watch, vmm_watch, vmm->dir, 0);
    }

    return rc != 0 ? fcf_err_sys(err, -rc, "watching %s", vmm->dir) : 0;
}


/* a process that cannot be watched: ended and reaped at once */
static void
vmm_abandon(fca_vmm_t *vmm)
{
    siginfo_t  info;

    if (vmm->pidfd >= 0) {
        (void) syscall(SYS_pidfd_send_signal, vmm->pidfd, SIGKILL, NULL, 0);

        while (waitid(P_PIDFD, (id_t) vmm->pidfd, &info, WEXITED) != 0
               && errno == EINTR)
        {
            /* again */
        }

        close(vmm->pidfd);
        vmm->pidfd = -1;
    }

    vmm->pid = 0;
}


/* On a worker thread, since making files and copying a process take their
 * time.  The loop does not look at vmm meanwhile but for killed. */
static void
vmm_work(uv_work_t *work)
{
    fca_vmm_t  *vmm = work->data;

    vmm->work_rc = fca_vmm_dir_make(vmm, &vmm->work_err);

    if (vmm->work_rc == 0) {
        vmm->work_rc = fca_vmm_process_start(vmm, &vmm->work_err);

        if (vmm->work_rc != 0) {
            vmm_abandon(vmm);
            fca_vmm_dir_remove(vmm->dir, NULL);
        }
    }
}


/* The socket may be there before the watch is: both are looked at. */
static void
vmm_worked(uv_work_t *work, int status)
{
    fcf_err_t   err;
    fca_vmm_t  *vmm = work->data;

    (void) status;

    vmm->working = 0;

    if (vmm->work_rc == 0
        && (fca_vmm_console_open(vmm, &vmm->work_err) != 0
            || vmm_watch_start(vmm, &vmm->work_err) != 0
            || vmm_exit_start(vmm, &vmm->work_err) != 0))
    {
        vmm->work_rc = -1;
        vmm_abandon(vmm);
    }

    if (vmm->work_rc != 0) {
        /* no process: EXITED is the timer's, unless the handler frees vmm */
        err = vmm->work_err;
        fca_vmm_step_fail_later(vmm, &err);
        fca_vmm_step_done(vmm, &err);
        return;
    }

    if (vmm->killed) {
        fca_vmm_kill(vmm);

    } else if (access(vmm->socket, F_OK) == 0) {
        fca_vmm_handle_close((uv_handle_t *) &vmm->watch);
        fca_vmm_api_probe(vmm);
    }
}


fca_vmm_t *
fca_vmm_spawn(const fca_vmm_conf_t *conf, const fca_vmm_spec_t *spec,
    fca_vmm_pt handler, void *arg, fcf_err_t *err)
{
    int         rc;
    fca_vmm_t  *vmm;

    vmm = calloc(1, sizeof(*vmm));
    if (vmm == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "VMM: out of memory");
        return NULL;
    }

    vmm->conf = conf;
    vmm->handler = handler;
    vmm->arg = arg;
    vmm->pidfd = -1;
    vmm->sync = -1;
    vmm->console.fd = -1;
    vmm->console.log = -1;
    vmm->work.data = vmm;

    if (fca_vmm_spec_copy(vmm, spec, err) != 0) {
        vmm_destroy(vmm);
        return NULL;
    }

    rc = uv_queue_work(conf->uv, &vmm->work, vmm_work, vmm_worked);

    if (rc != 0) {
        vmm_destroy(vmm);
        fcf_err_sys(err, -rc, "starting a VMM");
        return NULL;
    }

    vmm->working = 1;

    uv_timer_init(conf->uv, &vmm->timer);
    fca_vmm_handle_add(vmm, (uv_handle_t *) &vmm->timer);

    return vmm;
}


void
fca_vmm_configure(fca_vmm_t *vmm)
{
    assert(vmm->state == FCA_VMM_IS_SPAWNED);

    vmm_set_state(vmm, FCA_VMM_IS_CONFIGURING);
    fca_vmm_api_configure(vmm);
}


void
fca_vmm_boot(fca_vmm_t *vmm)
{
    assert(vmm->state == FCA_VMM_IS_CONFIGURED);

    vmm_set_state(vmm, FCA_VMM_IS_BOOTING);
    fca_vmm_api_boot(vmm);
}


void
fca_vmm_stop_guest(fca_vmm_t *vmm, unsigned timeout_ms)
{
    if (vmm->working || vmm->pidfd < 0 || !vmm->has_nic
        || vmm->control != NULL)
    {
        return;
    }

    fca_control_stop(vmm->conf->uv, vmm->nic.address, timeout_ms,
                     &vmm->control);
}


void
fca_vmm_kill(fca_vmm_t *vmm)
{
    vmm->killed = 1;

    if (!vmm->working && vmm->pidfd >= 0) {
        (void) syscall(SYS_pidfd_send_signal, vmm->pidfd, SIGKILL, NULL, 0);
    }
}


void
fca_vmm_free(fca_vmm_t *vmm)
{
    fcf_err_t      err;
    fca_log_ctx_t  ctx = { NULL, NULL, vmm->worker_id };

    assert(!vmm->freed && !vmm->working);

    vmm->freed = 1;

    fca_vmm_api_cancel(vmm);
    fca_vmm_console_close(vmm);
    vmm_close_sync(vmm);

    fca_vmm_handle_close((uv_handle_t *) &vmm->timer);
    fca_vmm_handle_close((uv_handle_t *) &vmm->watch);
    fca_vmm_handle_close((uv_handle_t *) &vmm->exit);

    if (vmm->control != NULL) {
        fca_control_cancel(vmm->control);
    }

    if (vmm->pidfd >= 0) {
        close(vmm->pidfd);
        vmm->pidfd = -1;
    }

    if (fca_vmm_dir_remove(vmm->dir, &err) != 0) {
        fca_log(FCF_LOG_WARN, &ctx, "%s", err.msg);
    }

    if (vmm->nhandles == 0) {
        vmm_destroy(vmm);
    }
}


pid_t
fca_vmm_pid(const fca_vmm_t *vmm)
{
    if (vmm->working) {
        return -1;
    }

    return vmm->state != FCA_VMM_IS_EXITED ? vmm->pid : 0;
}
