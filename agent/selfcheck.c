#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/loop.h"
#include "agent/reach.h"
#include "agent/selfcheck.h"
#include "agent/vmm/guest_config.h"
#include "vm/guest.h"

#define FCA_SELFCHECK_LOOK_MS  1000
#define FCA_SELFCHECK_BOOT_MS  20       /* once the guest boots */
#define FCA_SELFCHECK_MAX_MS   20000

struct fca_selfcheck_s {
    fca_instances_t   *all;
    fca_selfcheck_pt   done;
    void              *arg;
    fcf_timer_t       *timer;
    uint64_t           since;
    uint32_t           uid;             /* of the pool; 0: none */
    fca_nic_t          nic;
    int                has_nic;
    int                nic_busy;        /* is being taken, or given back */
    fca_vmm_conf_t     conf;            /* the agent's, with args */
    char               args[FCA_KERNEL_ARGS_MAX
                            + sizeof(" " FCV_TRIAL_WHOLE)];
    fca_vmm_t         *vmm;
    int                booted;
    fca_reach_t        reach;
    fca_image_look_t  *look;
    char              *image;           /* to boot; NULL: there is none */
    int                decided;
    fcf_err_t          err;             /* code FCF_OK: it can */
    char               worker_id[FCF_WORKER_ID_MAX + 1];
};

static void
fca_selfcheck_end(fca_selfcheck_t *check)
{
    check->all->loop->timer_stop(check->timer);
    fca_reach_end(&check->reach);

    if (check->uid) {
        fca_pool_give(check->all->uids, check->uid, 0);
        check->uid = 0;
    }

    free(check->image);
    check->image = NULL;
    check->done(check->arg, check->err.code != FCF_OK ? &check->err : NULL);
}

static void
fca_selfcheck_given(void *arg)
{
    fca_selfcheck_t  *check = arg;

    check->nic_busy = 0;
    fca_selfcheck_end(check);
}

/* what is held is given back, the VMM first */
static void
fca_selfcheck_back(fca_selfcheck_t *check)
{
    if (check->vmm) {
        fca_vmm_kill(check->vmm);       /* EXITED follows */

    } else if (check->has_nic) {
        check->has_nic = 0;
        check->nic_busy = 1;
        fca_net_give(check->all->net, &check->nic, fca_selfcheck_given,
                     check);

    } else {
        check->all->loop->timer_set(check->timer, 0);
    }
}

/* err NULL: well; what NULL: it says all */
static void
fca_selfcheck_decide(fca_selfcheck_t *check, const char *what,
    const fcf_err_t *err)
{
    if (check->decided) {
        return;
    }

    check->decided = 1;

    if (err) {
        check->err = *err;

        if (what) {
            fcf_err_wrap(&check->err, "%s", what);
        }
    }
}

static void
fca_selfcheck_vmm(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    fca_selfcheck_t  *check = arg;

    if (event == FCA_VMM_EXITED) {
        fca_selfcheck_decide(check, check->booted ? "the guest ended"
                             : "the VMM", err);
        fca_vmm_free(check->vmm);
        check->vmm = NULL;
        fca_selfcheck_back(check);
        return;
    }

    if (check->decided) {
        return;
    }

    switch (event) {

    case FCA_VMM_SPAWNED:
        fca_vmm_configure(check->vmm);
        return;

    case FCA_VMM_BOOTED:
        check->booted = 1;
        check->all->loop->timer_set(check->timer, FCA_SELFCHECK_BOOT_MS);
        return;

    case FCA_VMM_CONFIGURED:
        if (check->image) {
            fca_vmm_boot(check->vmm);
            return;
        }

        /* fall through */

    default:
        fca_selfcheck_decide(check, "the VMM",
                             event == FCA_VMM_FAILED ? err : NULL);
        fca_selfcheck_back(check);
    }
}

/* what init is told by */
static void
fca_selfcheck_conf(fca_selfcheck_t *check)
{
    check->conf = *check->all->vmm;
    snprintf(check->args, sizeof(check->args), "%s%s%s",
             check->conf.kernel_args, *check->conf.kernel_args ? " " : "",
             FCV_TRIAL_WHOLE);
    check->conf.kernel_args = check->args;
}

/* Any runtime's image serves for both drives: what is in the second is not
 * looked at. */
static void
fca_selfcheck_spawn(fca_selfcheck_t *check, fcf_err_t *err)
{
    char                *config;
    fca_vmm_spec_t       spec;
    const fca_conf_t    *conf = check->all->conf;
    fca_guest_config_t   guest = {
        .function_id = "selfcheck", .instance_id = check->worker_id,
        .version = 1, .port = FCF_DEFAULT_PORT,
        .address = check->nic.address, .gateway = conf->bridge_address,
        .prefix_len = conf->bridge_prefix_len, .mtu = check->nic.mtu,
    };

    memcpy(guest.mac, check->nic.mac, sizeof(guest.mac));

    config = fca_guest_config(&guest);
    if (config == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory");
        return;
    }

    spec = (fca_vmm_spec_t) {
        .worker_id = check->worker_id, .cpu = FCF_DEFAULT_CPU,
        .memory_mb = FCF_DEFAULT_MEMORY_MB, .config_json = config,
        .nic = &check->nic, .gateway = conf->bridge_address,
        .prefix_len = conf->bridge_prefix_len,
        .uid = fca_jail_uid(check->all, check->uid),
    };

    if (check->image) {
        spec.runtime_image = spec.function_image = check->image;
    }

    fca_selfcheck_conf(check);
    check->vmm = fca_vmm_spawn(&check->conf, &spec, fca_selfcheck_vmm, check,
                               err);
    fcf_env_wipe(config);
}

static void
fca_selfcheck_nic(void *arg, const fca_nic_t *nic, const fcf_err_t *err)
{
    fcf_err_t         why;
    fca_selfcheck_t  *check = arg;

    check->nic_busy = 0;

    if (err) {
        fca_selfcheck_decide(check, "network", err);
        fca_selfcheck_back(check);
        return;
    }

    check->nic = *nic;
    check->has_nic = 1;

    if (!check->decided) {
        fca_selfcheck_spawn(check, &why);
    }

    if (check->vmm == NULL) {
        fca_selfcheck_decide(check, "the VMM", &why);
        fca_selfcheck_back(check);
    }
}

static int
fca_selfcheck_port(fca_instances_t *all, fcf_err_t *err)
{
    int       fd;
    uint32_t  port;

    port = fca_pool_take(all->ports, fca_now(all->loop));
    if (port == 0) {
        return 0;               /* all are in use: they could be had */
    }

    fd = fca_listen(fca_conf_listen_on(all->conf), port, err);
    fca_pool_give(all->ports, port, 0);

    if (fd != -1) {
        close(fd);
    }

    return fd == -1 && err->code != FCF_E_EXISTS ? -1 : 0;
}

static void
fca_selfcheck_looked(void *arg, const fca_images_t *images,
    const fcf_err_t *err)
{
    uid_t             uid;
    fcf_err_t         why;
    fca_nic_owner_t   owner;
    fca_selfcheck_t  *check = arg;

    check->look = NULL;

    if (err) {
        fca_selfcheck_decide(check, "starting", err);
        fca_selfcheck_back(check);
        return;
    }

    if (*images->runtime) {
        check->image = strdup(images->runtime);
    }

    uid = fca_jail_uid(check->all, check->uid);
    owner = (fca_nic_owner_t) { uid, uid };

    if (fca_net_take(check->all->net, uid ? &owner : NULL, fca_selfcheck_nic,
                     check, &why) != 0)
    {
        fca_selfcheck_decide(check, "network", &why);
        fca_selfcheck_back(check);
        return;
    }

    check->nic_busy = 1;
}

/* what needs no waiting, and the beginning of what does */
static int
fca_selfcheck_begin(fca_selfcheck_t *check, fcf_err_t *err)
{
    uint64_t          number;
    fca_instances_t  *all = check->all;

    if (all->routes && !fca_routes_live(all->routes)) {
        return fcf_err_set(err, FCF_E_UNAVAILABLE, FCA_NO_PROXY);
    }

    if (fca_state_number(all->state, &number, err) != 0
        || fca_selfcheck_port(all, err) != 0)
    {
        return -1;
    }

    if (fca_jail_take(all, &check->uid, err) != 0) {
        return -1;
    }

    fca_worker_id(all, number, check->worker_id);

    check->look = fca_images_look_any(all->looker, fca_selfcheck_looked, check,
                                      err);

    return check->look ? 0 : -1;
}

static void
fca_selfcheck_unlook(fca_selfcheck_t *check)
{
    if (check->look) {
        fca_image_look_drop(check->look);
        check->look = NULL;
    }
}

static void
fca_selfcheck_guest(fca_selfcheck_t *check)
{
    int        rc;
    fcf_err_t  err;

    rc = fca_reach(&check->reach, check->vmm, &check->nic, &err);
    if (rc != 0) {
        fca_selfcheck_decide(check, "the guest", rc < 0 ? &err : NULL);
        fca_selfcheck_back(check);
    }
}

static int
fca_selfcheck_late(const fca_selfcheck_t *check)
{
    return !check->decided && (check->vmm || check->look)
           && fca_now(check->all->loop) - check->since
              >= FCA_SELFCHECK_MAX_MS;
}

static void
fca_selfcheck_too_late(fca_selfcheck_t *check)
{
    fcf_err_t  err;

    fcf_err_set(&err, FCF_E_TIMEOUT, "%s", check->booted
                ? fca_reach_late(&check->reach) : "did not end in time");
    fca_selfcheck_decide(check, check->booted ? NULL : check->vmm ? "the VMM"
                         : "looking for images", &err);
    fca_selfcheck_unlook(check);
    fca_selfcheck_back(check);
}

/* Either its end is due, or it has to be seen that something goes on. */
static void
fca_selfcheck_timer(void *arg)
{
    fca_selfcheck_t  *check = arg;

    if (check->decided && !check->vmm && !check->nic_busy) {
        fca_selfcheck_end(check);
        return;
    }

    if (check->booted && check->vmm && !check->decided) {
        fca_selfcheck_guest(check);
    }

    if (fca_selfcheck_late(check)) {
        fca_selfcheck_too_late(check);
    }

    check->all->loop->timer_set(check->timer, check->booted && !check->decided
                                ? FCA_SELFCHECK_BOOT_MS
                                : FCA_SELFCHECK_LOOK_MS);
}

fca_selfcheck_t *
fca_selfcheck_new(fca_instances_t *all, fca_selfcheck_pt done, void *arg,
    fcf_err_t *err)
{
    fca_selfcheck_t  *check;

    check = calloc(1, sizeof(*check));
    if (check) {
        check->all = all;
        check->done = done;
        check->arg = arg;
        fca_reach_init(&check->reach);
        check->timer = all->loop->timer_new(all->loop, fca_selfcheck_timer,
                                            check);
        if (check->timer) {
            return check;
        }
    }

    free(check);
    fcf_err_set(err, FCF_E_NOMEM, "no memory for the host's check");

    return NULL;
}

void
fca_selfcheck_start(fca_selfcheck_t *check)
{
    fcf_err_t    err;
    fcf_loop_t  *loop = check->all->loop;

    check->decided = 0;
    check->has_nic = 0;
    check->booted = 0;
    check->err.code = FCF_OK;
    check->since = fca_now(loop);
    loop->timer_set(check->timer, FCA_SELFCHECK_LOOK_MS);

    if (fca_selfcheck_begin(check, &err) != 0) {
        fca_selfcheck_decide(check, "starting", &err);
        loop->timer_set(check->timer, 0);
    }
}

void
fca_selfcheck_stop(fca_selfcheck_t *check)
{
    fcf_err_t  err;

    fcf_err_set(&err, FCF_E_CANCELED, "the agent ends");
    fca_selfcheck_decide(check, "check", &err);

    if (check->look) {
        fca_selfcheck_unlook(check);
        fca_selfcheck_back(check);

    } else if (check->vmm) {
        fca_vmm_kill(check->vmm);
    }
}

void
fca_selfcheck_free(fca_selfcheck_t *check)
{
    if (check) {
        check->all->loop->timer_free(check->timer);
        free(check);
    }
}
