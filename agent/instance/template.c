#include <stdlib.h>
#include <string.h>
#include "agent/instance/ahead.h"
#include "agent/instance/template_int.h"

static const struct {
    const char  *name;
    unsigned     ms;
} template_states[FCA_T_N] = {
#define FCA_X(id, name, ms)  { name, ms },
    FCA_TEMPLATE_STATES(FCA_X)
#undef FCA_X
};

void
fca_template_event(fca_template_t *t, fca_template_event_e event,
    const fcf_err_t *err)
{
    fca_template_pt  action;

    action = fca_template_table[t->state][event];

    if (action == NULL) {
        t->all->illegal++;
        fca_log(FCF_LOG_ERROR, &t->log, "template: event %d is not possible "
                "in state %s; ignored", (int) event,
                template_states[t->state].name);
        return;
    }

    action(t, err);
}

/* the only one that assigns the state */
void
fca_template_set(fca_template_t *t, fca_template_state_e state)
{
    unsigned  ms;

    ms = template_states[state].ms;

    if (state == FCA_T_BOOT) {
        ms = (unsigned) t->spec.boot_timeout_s * 1000;
    }

    fca_log(FCF_LOG_DEBUG, &t->log, "template: %s -> %s",
            template_states[t->state].name, template_states[state].name);
    t->state = state;
    t->all->loop->timer_set(t->timer, ms);
}

static void
template_timer(void *arg)
{
    fca_template_event(arg, FCA_TE_TIMEOUT, NULL);
}

void
fca_template_fail(fca_template_t *t, const fcf_err_t *err)
{
    char  console[FCA_CONSOLE_KEEP];

    console[0] = '\0';

    if (t->vmm) {
        fca_vmm_console(t->vmm, console, sizeof(console));
    }

    fca_log(FCF_LOG_WARN, &t->log, "no snapshot of version %" PRId64 ": %s: "
            "%s%s%s", t->spec.version, template_states[t->state].name,
            err ? err->msg : "it takes too long",
            console[0] ? "; its console: " : "", console);

    fca_template_set(t, FCA_T_END);
    fca_template_event(t, FCA_TE_STEP, NULL);
}

static void
fca_template_end(fca_template_t *t, const fcf_err_t *err)
{
    (void) err;
    fca_template_set(t, FCA_T_END);
    fca_template_event(t, FCA_TE_STEP, NULL);
}

static void
fca_template_ignore(fca_template_t *t, const fcf_err_t *err)
{
    (void) t;
    (void) err;
}

static void
template_nic_given(void *arg)
{
    fca_template_t  *t = arg;

    t->nic_state = FCA_NIC_NONE;
    fca_template_event(t, FCA_TE_STEP, NULL);
}

/* a worker reads out of the VM's directory: that stays */
static int
template_end_vmm(fca_template_t *t)
{
    if (t->vmm && !t->exited && fca_vmm_pid(t->vmm) != 0) {
        fca_vmm_kill(t->vmm);
        return 1;
    }

    if (t->keeping) {
        return 1;
    }

    if (t->vmm) {
        fca_vmm_free(t->vmm);
        t->vmm = NULL;
    }

    return 0;
}

static void
fca_template_step(fca_template_t *t, const fcf_err_t *err)
{
    fca_instances_t  *all = t->all;

    (void) err;
    all->loop->timer_stop(t->again);
    all->loop->timer_set(t->timer, template_states[FCA_T_END].ms);

    if (t->look) {
        fca_image_look_drop(t->look);
        t->look = NULL;
    }

    fca_secrets_drop(t->secrets);
    t->secrets = NULL;

    if (t->ask) {
        fca_ask_cancel(t->ask);
        t->ask = NULL;
    }

    if (template_end_vmm(t)) {
        return;
    }

    if (t->nic_state == FCA_NIC_HELD) {
        t->nic_state = FCA_NIC_GIVING;
        fca_net_give(all->net, &t->nic, template_nic_given, t);
    }

    if (t->nic_state == FCA_NIC_NONE) {
        fca_template_set(t, FCA_T_GONE);
        return;
    }
}

static void
template_free(fca_template_t *t)
{
    size_t            i;
    fcf_timer_t      *timers[] = { t->timer, t->again };
    fca_instances_t  *all = t->all;

    for (i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
        if (timers[i]) {
            all->loop->timer_free(timers[i]);
        }
    }

    if (t->uid) {
        fca_pool_give(all->uids, t->uid, 0);
    }

    if (t->held) {
        fca_capacity_booted(all->capacity);
        fca_capacity_give(all->capacity, t->spec.cpu,
                          fca_vmm_memory_mb(all->vmm, t->spec.memory_mb));
    }

    fcf_env_free(&t->env);
    free(t->images);
    free(t);
}

static void
fca_template_gone(fca_template_t *t, const fcf_err_t *err)
{
    fca_instances_t  *all = t->all;

    (void) err;

    if (!t->made) {
        fca_snaps_not_made(all->snaps, t->id.key, t->final);
    }

    all->template = NULL;
    template_free(t);
    fca_ahead_load_more(all);
    all->changed(all->arg);
}

const fca_template_pt  fca_template_table[FCA_T_N][FCA_TE_N] = {

    [FCA_T_LOOKING] = {
        [FCA_TE_IMAGES]     = fca_template_images,
        [FCA_TE_ENV]        = fca_template_env,
        [FCA_TE_FAILED]     = fca_template_fail,
        [FCA_TE_STOP]       = fca_template_end,
        [FCA_TE_TIMEOUT]    = fca_template_fail,
    },

    [FCA_T_NETWORK] = {
        [FCA_TE_NIC]        = fca_template_nic,
        [FCA_TE_FAILED]     = fca_template_fail,
        [FCA_TE_STOP]       = fca_template_end,
        [FCA_TE_TIMEOUT]    = fca_template_fail,
    },

    [FCA_T_SPAWN] = {
        [FCA_TE_SPAWNED]    = fca_template_spawned,
        [FCA_TE_FAILED]     = fca_template_fail,
        [FCA_TE_EXIT]       = fca_template_fail,
        [FCA_TE_STOP]       = fca_template_end,
        [FCA_TE_TIMEOUT]    = fca_template_fail,
    },

    [FCA_T_CONFIGURE] = {
        [FCA_TE_CONFIGURED] = fca_template_configured,
        [FCA_TE_FAILED]     = fca_template_fail,
        [FCA_TE_EXIT]       = fca_template_fail,
        [FCA_TE_STOP]       = fca_template_end,
        [FCA_TE_TIMEOUT]    = fca_template_fail,
    },

    [FCA_T_BOOT] = {
        [FCA_TE_BOOTED]     = fca_template_booted,
        [FCA_TE_ASKED]      = fca_template_asked,
        [FCA_TE_FAILED]     = fca_template_fail,
        [FCA_TE_EXIT]       = fca_template_fail,
        [FCA_TE_STOP]       = fca_template_end,
        [FCA_TE_TIMEOUT]    = fca_template_fail,
    },

    [FCA_T_SETTLE] = {
        [FCA_TE_FAILED]     = fca_template_fail,
        [FCA_TE_EXIT]       = fca_template_fail,
        [FCA_TE_STOP]       = fca_template_end,
        [FCA_TE_TIMEOUT]    = fca_template_settled,
    },

    [FCA_T_SAVE] = {
        [FCA_TE_SAVED]      = fca_template_saved,
        [FCA_TE_FAILED]     = fca_template_fail,
        [FCA_TE_EXIT]       = fca_template_fail,
        [FCA_TE_STOP]       = fca_template_end,
        [FCA_TE_TIMEOUT]    = fca_template_fail,
    },

    [FCA_T_KEEP] = {
        [FCA_TE_KEPT]       = fca_template_done,
        [FCA_TE_FAILED]     = fca_template_fail,
        [FCA_TE_EXIT]       = fca_template_ignore,
        [FCA_TE_STOP]       = fca_template_end,
        [FCA_TE_TIMEOUT]    = fca_template_fail,
    },

    [FCA_T_END] = {
        [FCA_TE_NIC]        = fca_template_step,
        [FCA_TE_SPAWNED]    = fca_template_step,
        [FCA_TE_CONFIGURED] = fca_template_step,
        [FCA_TE_BOOTED]     = fca_template_step,
        [FCA_TE_SAVED]      = fca_template_step,
        [FCA_TE_KEPT]       = fca_template_step,
        [FCA_TE_FAILED]     = fca_template_step,
        [FCA_TE_EXIT]       = fca_template_step,
        [FCA_TE_STEP]       = fca_template_step,
        [FCA_TE_STOP]       = fca_template_ignore,
        [FCA_TE_TIMEOUT]    = fca_template_step,
    },

    [FCA_T_GONE] = {
        [FCA_TE_STOP]       = fca_template_ignore,
        [FCA_TE_TIMEOUT]    = fca_template_gone,
    },
};

static int
template_name(fca_template_t *t, fcf_err_t *err)
{
    uint64_t  number;

    if (fca_state_number(t->all->state, &number, err) != 0) {
        return -1;
    }

    fca_worker_id(t->all, number, t->worker_id);

    return 0;
}

static int
template_start(fca_template_t *t, fcf_err_t *err)
{
    fca_instances_t  *all = t->all;
    fcf_loop_t       *loop = all->loop;

    t->timer = loop->timer_new(loop, template_timer, t);
    t->again = loop->timer_new(loop, fca_template_ask, t);
    t->images = malloc(sizeof(*t->images));

    if (!t->timer || !t->again || !t->images) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a template");
    }

    if (fca_jail_take(all, &t->uid, err) != 0 || template_name(t, err) != 0) {
        return -1;
    }

    t->look = fca_images_look(all->looker, t->function_id, &t->spec,
                              NULL, fca_template_looked, t, err);

    if (t->look == NULL) {
        return -1;
    }

    if (fca_snaps_begin(all->snaps, &t->id, err) != 0) {
        fca_image_look_drop(t->look);
        return -1;
    }

    return 0;
}

static int
template_new(fca_instances_t *all, const fca_instance_t *inst, fcf_err_t *err)
{
    int              memory_mb;
    fca_template_t  *t;

    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a template");
    }

    t->all = all;
    t->born = fca_now(all->loop);
    t->id = inst->snap_id;
    t->spec = inst->spec;
    memcpy(t->function_id, inst->function_id, sizeof(t->function_id));
    t->log = (fca_log_ctx_t) { t->function_id, NULL, t->worker_id };

    if (template_start(t, err) != 0) {
        template_free(t);
        return -1;
    }

    memory_mb = fca_vmm_memory_mb(all->vmm, t->spec.memory_mb);
    fca_ahead_yield_memory(all, NULL, memory_mb);
    fca_capacity_take(all->capacity, t->spec.cpu, memory_mb);
    t->held = 1;
    all->template = t;
    fca_template_set(t, FCA_T_LOOKING);

    return 0;
}

/* one that serves on until another version does would lose it at once */
static int
template_serves(const fca_instance_t *inst)
{
    const fcf_spec_t  *spec;

    spec = fca_specs_get(inst->all->specs, inst->function_id);

    return spec != NULL && fcf_spec_serves(spec, inst->spec.version);
}

void
fca_template_consider(fca_instance_t *inst)
{
    fcf_err_t         err;
    fca_instances_t  *all = inst->all;

    if (all->snaps == NULL || all->template != NULL
        || inst->snap_id.key[0] == '\0'
        || !template_serves(inst)
        || !fca_snaps_lacks(all->snaps, inst->snap_id.key)
        || fca_capacity_fit(all->capacity, inst->spec.cpu,
                            fca_vmm_memory_mb(all->vmm, inst->spec.memory_mb))
           != FCA_FITS)
    {
        return;
    }

    if (!fca_instances_address(all, 0)) {
        fca_ahead_yield_nic(all, NULL);
        return;
    }

    if (template_new(all, inst, &err) != 0) {
        fca_inst_log(inst, FCF_LOG_WARN, "no snapshot of it now: %s",
                     err.msg);
    }
}

int
fca_template_runs(const fca_instances_t *all, const char *sha256)
{
    return all->template != NULL
           && fcf_spec_names(&all->template->spec, sha256);
}

void
fca_template_stop(fca_instances_t *all)
{
    if (all->template) {
        fca_template_event(all->template, FCA_TE_STOP, NULL);
    }
}

void
fca_template_abandon(const fca_instances_t *all)
{
    if (all->template && all->template->vmm && !all->template->exited) {
        fca_vmm_kill(all->template->vmm);
    }
}
