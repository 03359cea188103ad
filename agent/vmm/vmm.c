#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/vmm/vmm_int.h"

/* an answer that was cut off: it is mostly the process's end, whose words say
 * more */
#define VMM_CUT_MS  500

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
    [FCA_VMM_IS_RESTORING]   = { FCA_VMM_IS_BOOTED, FCA_VMM_BOOTED },
    [FCA_VMM_IS_LOADING]     = { FCA_VMM_IS_LOADED, FCA_VMM_LOADED },
    [FCA_VMM_IS_RESUMING]    = { FCA_VMM_IS_BOOTED, FCA_VMM_BOOTED },
    [FCA_VMM_IS_SAVING]      = { FCA_VMM_IS_SAVED, FCA_VMM_SAVED },
};


static void vmm_timer(uv_timer_t *timer);


void
fca_vmm_set_state(fca_vmm_t *vmm, fca_vmm_state_e state)
{
    fca_log_ctx_t  ctx = { NULL, NULL, vmm->worker_id };

    fca_log(FCF_LOG_DEBUG, &ctx, "vmm %d: %s -> %s", (int) vmm->pid,
            vmm_states[vmm->state].name, vmm_states[state].name);

    vmm->state = state;
}


static void
vmm_destroy(fca_vmm_t *vmm)
{
    fca_vmm_pipes_free(vmm);
    fca_vmm_spec_free(vmm);
    free(vmm);
}


void
fca_fd_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
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


/* What is refused of what was asked for is refused everywhere, unless it is
 * for want of what the host has; so is the end of a VMM that says so.  All else
 * that goes wrong before the guest runs is this host's. */
void
fca_vmm_blame_set(fca_vmm_t *vmm, const fcf_err_t *err)
{
    int  lacks;

    if (vmm->killed) {
        return;
    }

    lacks = fca_vmm_host_lacks(err->msg);

    if (vmm->state == FCA_VMM_IS_BOOTED) {
        vmm->blame = lacks ? FCA_BLAME_HOST : FCA_BLAME_GUEST;

    } else if (vmm->blame == FCA_BLAME_NOBODY) {
        vmm->blame = vmm->state == FCA_VMM_IS_CONFIGURING && !lacks
                     && err->code == FCF_E_REFUSED
                     && vmm->call == fca_vmm_configure_calls
                     ? FCA_BLAME_SPEC : FCA_BLAME_HOST;
    }
}


int
fca_vmm_busy(const fca_vmm_t *vmm)
{
    return vmm_states[vmm->state].busy;
}


void
fca_vmm_step_done(fca_vmm_t *vmm, const fcf_err_t *err)
{
    fca_vmm_state_e  state = vmm->state;

    assert(vmm_states[state].busy);

    fca_vmm_limit_stop(vmm);

    if (state == FCA_VMM_IS_STARTING) {
        fca_vmm_handle_close((uv_handle_t *) &vmm->watch);
    }

    if (vmm_success[state].next == FCA_VMM_IS_BOOTED && !vmm->template) {
        fca_fd_close(&vmm->dirfd);
        fca_fd_close(&vmm->jailfd);
    }

    if (err != NULL) {
        fca_vmm_blame_set(vmm, err);
        fca_vmm_set_state(vmm, FCA_VMM_IS_FAILED);
        vmm->handler(vmm->arg, FCA_VMM_FAILED, err);
        return;
    }

    fca_vmm_set_state(vmm, vmm_success[state].next);
    vmm->handler(vmm->arg, vmm_success[state].event, NULL);
}


void
fca_vmm_step_fail_later(fca_vmm_t *vmm, const fcf_err_t *err)
{
    vmm->deferred = *err;
    uv_timer_start(&vmm->timer, vmm_timer, 0, 0);
}


void
fca_vmm_step_fail_unless_exit(fca_vmm_t *vmm, const fcf_err_t *err)
{
    vmm->deferred = *err;
    vmm->cut = 1;
    uv_timer_start(&vmm->timer, vmm_timer, VMM_CUT_MS, 0);
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

    if (fca_vmm_reap_again(vmm)) {
        return;
    }

    /* the handlers may free vmm */
    err = vmm->deferred;

    if (vmm->state == FCA_VMM_IS_FAILED) {
        fca_vmm_set_state(vmm, FCA_VMM_IS_EXITED);
        vmm->handler(vmm->arg, FCA_VMM_EXITED, &err);
        return;
    }

    if (err.code != FCF_OK) {
        fca_vmm_step_done(vmm, &err);
        return;
    }

    fca_vmm_api_start(vmm, fca_vmm_probe_calls);
}


fca_vmm_t *
fca_vmm_new(const fca_vmm_conf_t *conf, const fca_vmm_spec_t *spec,
    fca_vmm_pt handler, void *arg, fcf_err_t *err)
{
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
    vmm->dirfd = -1;
    vmm->jailfd = -1;
    fca_vmm_pipes_init(vmm);
    vmm->work.data = vmm;

    if (fca_vmm_spec_copy(vmm, spec, err) != 0) {
        vmm_destroy(vmm);
        return NULL;
    }

    uv_timer_init(conf->uv, &vmm->timer);
    fca_vmm_handle_add(vmm, (uv_handle_t *) &vmm->timer);
    fca_vmm_limit_init(vmm);

    return vmm;
}


fca_vmm_t *
fca_vmm_spawn(const fca_vmm_conf_t *conf, const fca_vmm_spec_t *spec,
    fca_vmm_pt handler, void *arg, fcf_err_t *err)
{
    fca_vmm_t  *vmm;

    vmm = fca_vmm_new(conf, spec, handler, arg, err);

    if (vmm != NULL && fca_vmm_start(vmm, err) != 0) {
        fca_vmm_free(vmm);
        vmm = NULL;
    }

    return vmm;
}


void
fca_vmm_hand(fca_vmm_t *vmm, fca_vmm_pt handler, fca_vmm_said_pt said,
    void *arg)
{
    assert(!fca_vmm_busy(vmm));

    vmm->handler = handler;
    vmm->said = said;
    vmm->arg = arg;
}


void
fca_vmm_nic(fca_vmm_t *vmm, const fca_nic_t *nic)
{
    vmm->has_nic = 1;
    vmm->nic = *nic;
}


static void
vmm_step(fca_vmm_t *vmm, fca_vmm_state_e from, fca_vmm_state_e state,
    const fca_vmm_call_t *calls)
{
    assert(vmm->state == from);

    fca_vmm_set_state(vmm, state);
    fca_vmm_api_start(vmm, calls);
}


void
fca_vmm_configure(fca_vmm_t *vmm)
{
    vmm_step(vmm, FCA_VMM_IS_SPAWNED, FCA_VMM_IS_CONFIGURING,
             fca_vmm_configure_calls);
}


void
fca_vmm_boot(fca_vmm_t *vmm)
{
    vmm_step(vmm, FCA_VMM_IS_CONFIGURED, FCA_VMM_IS_BOOTING,
             fca_vmm_boot_calls);
}


void
fca_vmm_restore(fca_vmm_t *vmm)
{
    vmm_step(vmm, FCA_VMM_IS_SPAWNED, FCA_VMM_IS_RESTORING,
             fca_vmm_restore_calls);
}


void
fca_vmm_load(fca_vmm_t *vmm)
{
    vmm_step(vmm, FCA_VMM_IS_SPAWNED, FCA_VMM_IS_LOADING,
             fca_vmm_restore_calls);
}


void
fca_vmm_resume(fca_vmm_t *vmm)
{
    vmm_step(vmm, FCA_VMM_IS_LOADED, FCA_VMM_IS_RESUMING,
             fca_vmm_resume_calls);
}


void
fca_vmm_save(fca_vmm_t *vmm)
{
    assert(vmm->template);
    vmm_step(vmm, FCA_VMM_IS_BOOTED, FCA_VMM_IS_SAVING, fca_vmm_save_calls);
}


int
fca_vmm_files(const fca_vmm_t *vmm)
{
    return fca_vmm_files_fd(vmm);
}


void
fca_vmm_stop_guest(fca_vmm_t *vmm, unsigned timeout_ms)
{
    if (vmm->working || vmm->pidfd < 0 || !vmm->has_nic
        || vmm->control != NULL)
    {
        return;
    }

    fca_control_stop(vmm->conf->uv, &vmm->nic, timeout_ms,
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
    fca_vmm_free_then(vmm, NULL, NULL);
}


void
fca_vmm_free_then(fca_vmm_t *vmm, void (*gone)(void *arg), void *arg)
{
    assert(!vmm->freed && !vmm->working);

    vmm->freed = 1;

    fca_vmm_api_cancel(vmm);
    if (vmm->follow != NULL) {
        fca_follow_cancel(vmm->follow);
    }

    fca_vmm_pipes_close(vmm);

    fca_vmm_handle_close((uv_handle_t *) &vmm->timer);
    fca_vmm_handle_close((uv_handle_t *) &vmm->limit);
    fca_vmm_handle_close((uv_handle_t *) &vmm->watch);
    fca_vmm_handle_close((uv_handle_t *) &vmm->exit);

    if (vmm->control != NULL) {
        fca_control_cancel(vmm->control);
    }

    fca_fd_close(&vmm->dirfd);
    fca_fd_close(&vmm->jailfd);
    fca_fd_close(&vmm->pidfd);

    if (vmm->has_dir || gone != NULL) {
        fca_vmm_dir_remove_later(vmm, gone, arg);
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


fca_blame_e
fca_vmm_blame(const fca_vmm_t *vmm)
{
    return vmm->blame;
}


uid_t
fca_vmm_uid(const fca_vmm_t *vmm)
{
    return vmm->jail != NULL ? vmm->uid : 0;
}


const char *
fca_vmm_version(const fca_vmm_t *vmm)
{
    return vmm->version;
}
