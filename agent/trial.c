#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/dir.h"
#include "agent/base/loop.h"
#include "agent/host.h"
#include "agent/limits.h"
#include "agent/reach.h"
#include "agent/trial.h"
#include "agent/vmm/guest_config.h"
#include "vm/guest.h"

#define FCA_TRIAL_LOOK_MS  20

typedef struct {
    const fca_conf_t    *conf;
    uv_loop_t            uv;
    fcf_loop_t           loop;
    fcf_http_t          *http;
    fcf_timer_t         *timer;
    fca_vmm_conf_t       vmm_conf;
    char                 id[32];        /* the VM's, and its directory's */
    char                 dir[sizeof("/tmp/fcfaas-trial-XXXXXX")];
    char                 args[FCA_KERNEL_ARGS_MAX
                              + sizeof(" " FCV_TRIAL_WHOLE)];
    fca_state_t          state;
    fca_run_dir_t        run;
    fca_net_t           *net;           /* NULL: kernel and initramfs alone */
    char                 runtime[4096];
    fca_nic_t            nic;
    int                  has_nic;
    fca_vmm_t           *vmm;
    fca_reach_t          reach;
    uint64_t             born, timeout;
    fca_trial_result_t  *result;
    int                  good, killed, decided;
    fcf_err_t            err;
} fca_trial_t;

static void
fca_trial_decide(fca_trial_t *trial, int good)
{
    if (trial->decided) {
        return;
    }

    trial->decided = 1;
    trial->good = good;
    trial->result->ms = (unsigned) (trial->loop.now(&trial->loop)
                                    - trial->born);
}

static void
fca_trial_failed(fca_trial_t *trial, const char *what, const fcf_err_t *err)
{
    char    console[FCA_CONSOLE_KEEP] = "";
    size_t  n = 0;

    if (trial->decided) {
        return;
    }

    if (trial->vmm) {
        n = fca_vmm_console(trial->vmm, console, sizeof(console));
    }

    fcf_err_set(&trial->err, FCF_E_REFUSED, "%s%s%s%s%.150s", what,
                err ? ": " : "", err ? err->msg : "",
                n ? "; console: " : "", console + (n > 150 ? n - 150 : 0));
    fca_trial_decide(trial, 0);
}

static void
fca_trial_guest(fca_trial_t *trial)
{
    int  rc;

    if (trial->decided) {
        return;
    }

    rc = fca_reach(&trial->reach, trial->vmm,
                   trial->has_nic ? &trial->nic : NULL, &trial->err);
    if (rc != 0) {
        fca_trial_decide(trial, rc > 0);
    }
}

static void
fca_trial_given(void *arg)
{
    fca_trial_t  *trial = arg;

    trial->has_nic = 0;
    uv_stop(&trial->uv);
}

/* the process is gone, or there never was one */
static void
fca_trial_ended(fca_trial_t *trial)
{
    trial->loop.timer_stop(trial->timer);

    if (trial->vmm) {
        fca_vmm_free(trial->vmm);
        trial->vmm = NULL;
    }

    if (trial->has_nic) {
        fca_net_give(trial->net, &trial->nic, fca_trial_given, trial);
    } else {
        uv_stop(&trial->uv);
    }
}

static void
fca_trial_look(void *arg)
{
    fca_trial_t  *trial = arg;

    if (trial->vmm) {
        fca_trial_guest(trial);
    }

    if (!trial->decided
        && trial->loop.now(&trial->loop) - trial->born >= trial->timeout)
    {
        trial->result->unreached = trial->reach.up;
        fca_trial_failed(trial, fca_reach_late(&trial->reach), NULL);
    }

    if (trial->decided && trial->vmm && !trial->killed) {
        trial->killed = 1;

        if (fca_vmm_pid(trial->vmm) == 0) {
            fca_trial_ended(trial);
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
        snprintf(trial->result->version, sizeof(trial->result->version), "%s",
                 fca_vmm_version(trial->vmm));
        fca_vmm_configure(trial->vmm);
        return;

    case FCA_VMM_CONFIGURED:
        fca_vmm_boot(trial->vmm);
        return;

    case FCA_VMM_BOOTED:
    case FCA_VMM_LOADED:
    case FCA_VMM_SAVED:
        return;

    case FCA_VMM_FAILED:
        fca_trial_failed(trial, "the VMM", err);
        return;

    case FCA_VMM_EXITED:
        fca_trial_guest(trial);
        fca_trial_failed(trial, "the VM ended", err);
        fca_trial_ended(trial);
        return;
    }
}

static void
fca_trial_spawn(fca_trial_t *trial)
{
    char                *config = NULL;
    fcf_err_t            err;
    const fca_conf_t    *conf = trial->conf;
    fca_vmm_spec_t       spec = { .worker_id = trial->id, .cpu = 1,
                                  .memory_mb = 128, .config_json = "{}",
                                  .uid = (uid_t) conf->jail_uid_first,
                                  .gateway = conf->bridge_address,
                                  .prefix_len = conf->bridge_prefix_len };
    fca_guest_config_t   guest = {
        .function_id = trial->id, .instance_id = trial->id,
        .version = 1, .port = 80, .gateway = conf->bridge_address,
        .prefix_len = conf->bridge_prefix_len, .address = trial->nic.address,
    };

    if (trial->has_nic) {
        memcpy(guest.mac, trial->nic.mac, sizeof(guest.mac));
        config = fca_guest_config(&guest);
        spec.config_json = config ? config : "{}";
        spec.nic = &trial->nic;
        /* init mounts both; what is in the second is not looked at */
        spec.runtime_image = spec.function_image = trial->runtime;
    }

    trial->vmm = fca_vmm_spawn(&trial->vmm_conf, &spec, fca_trial_event, trial,
                               &err);
    fcf_env_wipe(config);

    if (trial->vmm == NULL) {
        fca_trial_failed(trial, "the VMM", &err);
        fca_trial_ended(trial);
    }
}

static void
fca_trial_nic(void *arg, const fca_nic_t *nic, const fcf_err_t *err)
{
    fca_trial_t  *trial = arg;

    if (err) {
        fca_trial_failed(trial, "network", err);
        fca_trial_ended(trial);
        return;
    }

    trial->nic = *nic;
    trial->has_nic = 1;
    fca_trial_spawn(trial);
}

static void
fca_trial_run(fca_trial_t *trial)
{
    uid_t             uid = (uid_t) trial->conf->jail_uid_first;
    fcf_err_t         err;
    fca_nic_owner_t   owner = { uid, uid };

    trial->born = trial->loop.now(&trial->loop);
    trial->loop.timer_set(trial->timer, FCA_TRIAL_LOOK_MS);

    if (trial->net == NULL) {
        fca_trial_spawn(trial);

    } else if (fca_net_take(trial->net, trial->conf->jailer ? &owner : NULL,
                            fca_trial_nic, trial, &err) != 0)
    {
        fca_trial_failed(trial, "network", &err);
        return;
    }

    if (!trial->decided || trial->vmm) {
        uv_run(&trial->uv, UV_RUN_DEFAULT);
    }
}

/* Whether VMs that an agent left are still there: theirs are the bridge and
 * the TAPs. */
static int
fca_trial_vms(const char *path)
{
    int             found = 0;
    DIR            *dir;
    struct dirent  *entry;

    dir = path ? opendir(path) : NULL;

    while (dir && !found && (entry = readdir(dir)) != NULL) {
        found = entry->d_type == DT_DIR && entry->d_name[0] != '.';
    }

    if (dir) {
        closedir(dir);
    }

    return found;
}

/* What a whole VM needs; why not, if it is not there. */
static const char *
fca_trial_whole(fca_trial_t *trial)
{
    fcf_err_t          err;
    fca_net_conf_t     net;
    const fca_conf_t  *conf = trial->conf;

    if (fca_state_open(&trial->state, conf->state_dir, &err) != 0) {
        return err.code == FCF_E_EXISTS ? "an agent runs with this state_dir"
                                        : "state_dir cannot be used";
    }

    if (fca_run_dir_open(&trial->run, conf->run_dir, &trial->state, &err)
        != 0)
    {
        return err.code == FCF_E_EXISTS ? "an agent runs with this run_dir"
                                        : "run_dir cannot be used";
    }

    if (fca_trial_vms(conf->run_dir) || fca_trial_vms(trial->run.before)) {
        return "VMs of an earlier agent are in run_dir";
    }

    if ((size_t) snprintf(trial->runtime, sizeof(trial->runtime),
                          "%s/base.img", conf->runtimes)
            >= sizeof(trial->runtime)
        || access(trial->runtime, R_OK) != 0)
    {
        return "there is no runtime image \"base\"";
    }

    fca_host_net(&net, conf);

    if (fca_net_check(&net, &err) != 0
        || (trial->net = fca_net_open(&trial->uv, &net, &err)) == NULL)
    {
        return "the network cannot be set up";
    }

    return NULL;
}

static int
fca_trial_open(fca_trial_t *trial, fcf_err_t *err)
{
    const fca_conf_t  *conf = trial->conf;

    trial->result->alone = fca_trial_whole(trial);

    snprintf(trial->args, sizeof(trial->args), "%s%s%s", conf->kernel_args,
             *conf->kernel_args ? " " : "",
             trial->net ? FCV_TRIAL_WHOLE : FCV_TRIAL_ALONE);

    fca_host_vmm(&trial->vmm_conf, conf, &trial->uv);
    trial->vmm_conf.kernel_args = trial->args;

    if (conf->jailer) {
        trial->vmm_conf.jail = fca_limits_jail(conf, err);

        if (trial->vmm_conf.jail == NULL) {
            return -1;
        }
    }

    if (trial->net == NULL) {
        strcpy(trial->dir, "/tmp/fcfaas-trial-XXXXXX");

        if (mkdtemp(trial->dir) == NULL) {
            trial->dir[0] = '\0';
            return fcf_err_sys(err, errno, "a directory in /tmp");
        }

        trial->vmm_conf.run_dir = trial->dir;
    }

    trial->timer = trial->loop.timer_new(&trial->loop, fca_trial_look, trial);
    trial->http = fcf_http_new(&trial->loop, err);
    trial->vmm_conf.http = trial->http;

    return trial->timer && trial->http ? 0 : -1;
}

static void
fca_trial_close(fca_trial_t *trial)
{
    fca_reach_end(&trial->reach);

    if (trial->http) {
        fcf_http_free(trial->http);
    }

    if (trial->timer) {
        trial->loop.timer_free(trial->timer);
    }

    if (trial->net) {
        fca_net_close(trial->net, 1);
    }

    fca_run_dir_close(&trial->run);

    if (trial->state.dir) {
        fca_state_close(&trial->state);
    }

    /* until the VM's directory is removed */
    uv_run(&trial->uv, UV_RUN_DEFAULT);
    fca_loop_end(&trial->uv);
    fca_jail_close(trial->vmm_conf.jail);

    if (trial->dir[0]) {
        rmdir(trial->dir);
    }
}

int
fca_trial(const fca_conf_t *conf, int timeout_s, fca_trial_result_t *result,
    fcf_err_t *err)
{
    int          rc;
    fca_trial_t  trial;

    memset(&trial, 0, sizeof(trial));
    memset(result, 0, sizeof(*result));
    trial.conf = conf;
    trial.result = result;
    fca_reach_init(&trial.reach);
    trial.run.lock = trial.run.before_lock = -1;
    snprintf(trial.id, sizeof(trial.id), "trial-%d", (int) getpid());
    trial.timeout = (uint64_t) timeout_s * 1000;

    if (uv_loop_init(&trial.uv) != 0) {
        return fcf_err_set(err, FCF_E_NOMEM, "no event loop");
    }

    fca_loop_init(&trial.loop, &trial.uv, NULL);

    rc = fca_trial_open(&trial, err);

    if (rc == 0) {
        fca_trial_run(&trial);

        if (!trial.good) {
            *err = trial.err;
            rc = -1;
        }
    }

    fca_trial_close(&trial);

    return rc;
}
