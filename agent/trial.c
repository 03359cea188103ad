#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "agent/base/loop.h"
#include "agent/host.h"
#include "agent/trial.h"
#include "agent/vmm/vmm.h"

#define FCA_TRIAL_LOOK_MS  20

typedef struct {
    uv_loop_t     uv;
    fcf_loop_t    loop;
    fcf_timer_t  *timer;
    fca_vmm_t    *vmm;
    uint64_t      born, timeout;
    unsigned      ms;
    int           good, killed, decided;
    fcf_err_t     err;
} fca_trial_t;

static void
fca_trial_decide(fca_trial_t *trial, int good)
{
    if (trial->decided) {
        return;
    }

    trial->decided = 1;
    trial->good = good;
    trial->ms = (unsigned) (trial->loop.now(&trial->loop) - trial->born);
}

static void
fca_trial_console(fca_trial_t *trial)
{
    char  console[FCA_CONSOLE_KEEP];

    fca_vmm_console(trial->vmm, console, sizeof(console));

    if (strstr(console, FCA_TRIAL_WORD)) {
        fca_trial_decide(trial, 1);
    }
}

static void
fca_trial_failed(fca_trial_t *trial, const char *what, const fcf_err_t *err)
{
    char  console[FCA_CONSOLE_KEEP];
    size_t  n;

    if (trial->decided) {
        return;
    }

    n = fca_vmm_console(trial->vmm, console, sizeof(console));
    fcf_err_set(&trial->err, FCF_E_REFUSED, "%s%s%s%s%.150s", what,
                err ? ": " : "", err ? err->msg : "",
                n ? "; console: " : "", console + (n > 150 ? n - 150 : 0));
    fca_trial_decide(trial, 0);
}

static void
fca_trial_look(void *arg)
{
    fca_trial_t  *trial = arg;

    fca_trial_console(trial);

    if (!trial->decided
        && trial->loop.now(&trial->loop) - trial->born >= trial->timeout)
    {
        fca_trial_failed(trial, "the guest did not come up in time", NULL);
    }

    if (trial->decided && !trial->killed) {
        trial->killed = 1;

        if (fca_vmm_pid(trial->vmm) == 0) {
            uv_stop(&trial->uv);
            return;
        }

        fca_vmm_kill(trial->vmm);
    }

    trial->loop.timer_set(trial->timer, FCA_TRIAL_LOOK_MS);
}

static void
fca_trial_event(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    fca_trial_t  *trial = arg;

    switch (event) {

    case FCA_VMM_SPAWNED:
        fca_vmm_configure(trial->vmm);
        return;

    case FCA_VMM_CONFIGURED:
        fca_vmm_boot(trial->vmm);
        return;

    case FCA_VMM_BOOTED:
        return;

    case FCA_VMM_FAILED:
        fca_trial_failed(trial, "the VMM", err);
        return;

    case FCA_VMM_EXITED:
        fca_trial_console(trial);
        fca_trial_failed(trial, "the VM ended", err);
        uv_stop(&trial->uv);
        return;
    }
}

static int
fca_trial_run(fca_trial_t *trial, const fca_conf_t *conf, const char *dir,
    const char *args, fcf_http_t *http, fcf_err_t *err)
{
    fca_vmm_spec_t  spec = { .worker_id = "trial", .cpu = 1,
                             .memory_mb = 128, .config_json = "{}" };
    fca_vmm_conf_t  vmm;

    fca_host_vmm(&vmm, conf, &trial->uv);
    vmm.http = http;
    vmm.state_dir = dir;
    vmm.kernel_args = args;

    trial->born = trial->loop.now(&trial->loop);
    trial->vmm = fca_vmm_spawn(&vmm, &spec, fca_trial_event, trial, err);
    if (trial->vmm == NULL) {
        return -1;
    }

    trial->loop.timer_set(trial->timer, FCA_TRIAL_LOOK_MS);
    uv_run(&trial->uv, UV_RUN_DEFAULT);
    fca_vmm_free(trial->vmm);

    if (!trial->good) {
        *err = trial->err;
        return -1;
    }

    return 0;
}

int
fca_trial(const fca_conf_t *conf, int timeout_s, unsigned *ms, fcf_err_t *err)
{
    int           rc;
    char          dir[] = "/tmp/fcfaas-trial-XXXXXX";
    char          args[FCA_KERNEL_ARGS_MAX + sizeof(" " FCA_TRIAL_ARG)];
    fcf_http_t   *http;
    fca_trial_t   trial;

    memset(&trial, 0, sizeof(trial));
    trial.timeout = (uint64_t) timeout_s * 1000;
    snprintf(args, sizeof(args), "%s%s" FCA_TRIAL_ARG, conf->kernel_args,
             *conf->kernel_args ? " " : "");

    if (mkdtemp(dir) == NULL) {
        return fcf_err_sys(err, errno, "%s", dir);
    }

    if (uv_loop_init(&trial.uv) != 0) {
        rmdir(dir);
        return fcf_err_set(err, FCF_E_NOMEM, "no event loop");
    }

    fca_loop_init(&trial.loop, &trial.uv, NULL);
    trial.timer = trial.loop.timer_new(&trial.loop, fca_trial_look, &trial);
    http = fcf_http_new(&trial.loop, err);

    rc = trial.timer && http ? fca_trial_run(&trial, conf, dir, args, http,
                                             err)
                             : -1;

    if (http) {
        fcf_http_free(http);
    }

    if (trial.timer) {
        trial.loop.timer_free(trial.timer);
    }

    fca_loop_end(&trial.uv);
    rmdir(dir);
    *ms = trial.ms;

    return rc;
}
