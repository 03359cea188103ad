/* A template from its images to a snapshot that is kept. */

#include <stdlib.h>
#include <string.h>
#include "agent/instance/ahead.h"
#include "agent/instance/guest.h"
#include "agent/instance/template_int.h"

#define FCA_ASK_AGAIN_MS  20
/* in which a kernel does what it has put off at its boot */
#define FCA_YOUNG_MS      1500

/* its NIC, like any other; what the guest is told of it a clone is told anew */
static void
template_nic_done(void *arg, const fca_nic_t *nic, const fcf_err_t *err)
{
    fca_template_t  *t = arg;

    t->nic_state = err ? FCA_NIC_NONE : FCA_NIC_HELD;

    if (!err) {
        t->nic = *nic;
    }

    fca_template_event(t, err ? FCA_TE_FAILED : FCA_TE_NIC, err);
}

void
fca_template_looked(void *arg, const fca_images_t *images, const fcf_err_t *err)
{
    fca_template_t  *t = arg;

    t->look = NULL;

    if (!err) {
        *t->images = *images;
    }

    fca_template_event(t, err ? FCA_TE_FAILED : FCA_TE_IMAGES, err);
}

static void
template_env_read(void *arg, fcf_env_t *env, const fcf_err_t *err)
{
    fca_template_t  *t = arg;

    t->secrets = NULL;
    t->env = *env;
    fca_template_event(t, err ? FCA_TE_FAILED : FCA_TE_ENV, err);
}

void
fca_template_images(fca_template_t *t, const fcf_err_t *err)
{
    fcf_err_t         why;
    fca_instances_t  *all = t->all;

    if (t->spec.secrets_generation == 0) {
        fca_template_env(t, err);
        return;
    }

    t->secrets = fca_secrets_read(all->etcd, all->conf->prefix,
                                  t->function_id, t->spec.secrets_generation,
                                  template_env_read, t, &why);
    if (t->secrets == NULL) {
        fca_template_fail(t, &why);
    }
}

void
fca_template_env(fca_template_t *t, const fcf_err_t *err)
{
    uid_t            uid = fca_jail_uid(t->all, t->uid);
    fcf_err_t        why;
    fca_nic_owner_t  owner = { uid, uid };

    (void) err;
    fca_template_set(t, FCA_T_NETWORK);

    if (fca_net_take(t->all->net, uid ? &owner : NULL, template_nic_done, t,
                     &why) != 0)
    {
        fca_template_fail(t, &why);
        return;
    }

    t->nic_state = FCA_NIC_TAKING;
}

static void
template_vmm(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    fca_template_t  *t = arg;

    static const fca_template_event_e  events[] = {
        [FCA_VMM_SPAWNED]    = FCA_TE_SPAWNED,
        [FCA_VMM_CONFIGURED] = FCA_TE_CONFIGURED,
        [FCA_VMM_BOOTED]     = FCA_TE_BOOTED,
        [FCA_VMM_SAVED]      = FCA_TE_SAVED,
        [FCA_VMM_FAILED]     = FCA_TE_FAILED,
        [FCA_VMM_EXITED]     = FCA_TE_EXIT,
    };

    if (event == FCA_VMM_EXITED) {
        t->exited = 1;
    }

    fca_template_event(t, events[event], err);
}

void
fca_template_nic(fca_template_t *t, const fcf_err_t *err)
{
    fcf_err_t        why;
    fca_guest_vmm_t  want = {
        .function_id = t->function_id, .worker_id = t->worker_id,
        .spec = &t->spec, .images = t->images, .nic = &t->nic,
        .env = &t->env, .uid = t->uid, .template = 1,
    };

    (void) err;
    fca_template_set(t, FCA_T_SPAWN);

    t->vmm = fca_guest_vmm(t->all, &want, template_vmm, t, &why);
    fcf_env_free(&t->env);

    if (t->vmm == NULL) {
        fca_template_fail(t, &why);
    }
}

void
fca_template_spawned(fca_template_t *t, const fcf_err_t *err)
{
    (void) err;
    fca_template_set(t, FCA_T_CONFIGURE);
    memcpy(t->origin.vmm_version, fca_vmm_version(t->vmm),
           sizeof(t->origin.vmm_version));
    fca_vmm_configure(t->vmm);
}

void
fca_template_configured(fca_template_t *t, const fcf_err_t *err)
{
    (void) err;
    fca_template_set(t, FCA_T_BOOT);
    fca_vmm_boot(t->vmm);
}

/* What a snapshot cannot be of: a function whose clones would draw the same
 * random numbers, unless its spec says that they may. */
static void
template_answered(void *arg, int said, const fcf_err_t *err)
{
    fcf_err_t        why;
    fca_template_t  *t = arg;

    t->ask = NULL;

    if (err && (said & FCA_SAID_AGAIN)) {
        t->all->loop->timer_set(t->again, FCA_ASK_AGAIN_MS);
        return;
    }

    if (!err && !(said & FCA_SAID_RESEEDS)
        && t->spec.snapshot != FCF_SNAPSHOT_YES)
    {
        t->final = 1;
        fcf_err_set(&why, FCF_E_REFUSED, "its clones would draw the same "
                    "random numbers; \"snapshot\":true in the spec says that "
                    "they may");
        fca_template_event(t, FCA_TE_FAILED, &why);
        return;
    }

    t->young = (said & FCA_SAID_YOUNG) != 0;
    fca_template_event(t, err ? FCA_TE_FAILED : FCA_TE_ASKED, err);
}

static char *
template_question(void *arg)
{
    (void) arg;

    return strdup("{\"op\":\"snapshot\"}");
}

void
fca_template_ask(void *arg)
{
    fcf_err_t        why;
    fca_template_t  *t = arg;
    fca_ask_conf_t   ask = {
        .device = t->nic.device, .from = t->all->conf->bridge_address,
        .to = t->nic.address, .json = template_question,
        .timeout_ms = (unsigned) t->spec.boot_timeout_s * 1000,
    };

    t->ask = fca_ask_start(t->all->vmm->uv, &ask, template_answered, t, &why);

    if (t->ask == NULL) {
        fca_template_event(t, FCA_TE_FAILED, &why);
    }
}

void
fca_template_booted(fca_template_t *t, const fcf_err_t *err)
{
    (void) err;
    fca_template_ask(t);
}

void
fca_template_asked(fca_template_t *t, const fcf_err_t *err)
{
    (void) err;
    t->origin.boot_ms = fca_now(t->all->loop) - t->born;
    fca_template_set(t, FCA_T_SETTLE);

    if (t->young) {
        t->all->loop->timer_set(t->timer, FCA_YOUNG_MS);
    }
}

/* Saved at once, it would be in the middle of what its answer began (a
 * connection's end, that of the function's process for it, init's next look at
 * the port), or of its kernel's boot, and each clone would do that first. */
void
fca_template_settled(fca_template_t *t, const fcf_err_t *err)
{
    (void) err;
    fca_template_set(t, FCA_T_SAVE);
    fca_vmm_save(t->vmm);
}

static void
template_kept(void *arg, const fcf_err_t *err)
{
    fca_template_t  *t = arg;

    t->keeping = 0;
    t->made = err == NULL;
    fca_template_event(t, err ? FCA_TE_FAILED : FCA_TE_KEPT, err);
}

void
fca_template_saved(fca_template_t *t, const fcf_err_t *err)
{
    fcf_err_t  why;

    (void) err;
    fca_template_set(t, FCA_T_KEEP);
    t->origin.address = t->nic.address;
    memcpy(t->origin.mac, t->nic.mac, sizeof(t->origin.mac));

    if (fca_snaps_add(t->all->snaps, &t->id, fca_vmm_files(t->vmm),
                      &t->origin, template_kept, t, &why) != 0)
    {
        fca_template_fail(t, &why);
        return;
    }

    t->keeping = 1;
}

void
fca_template_done(fca_template_t *t, const fcf_err_t *err)
{
    fca_ahead_want_t  want = { &t->id, &t->spec, t->images };

    (void) err;
    fca_log(FCF_LOG_INFO, &t->log, "snapshot of version %" PRId64 " made, in "
            "%" PRIu64 " ms", t->spec.version,
            fca_now(t->all->loop) - t->born);
    fca_ahead_want(t->all, &want);
    fca_template_set(t, FCA_T_END);
    fca_template_event(t, FCA_TE_STEP, NULL);
}
