/*
 * The way back, the same from everywhere: keys, route, guest, VMM, directory,
 * NIC, port, capacity.  Each step that has to be waited for ends in an event,
 * upon which fca_stop_step() looks for the next thing still held.  It runs
 * from the state's timer only, so never inside a callback of what it frees.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/instance/ahead.h"
#include "vm/guest.h"

/* nodes that a guest is tried on, if it comes up on none */
#define FCA_GUEST_NODES  3

/* how long the port of a VM that is gone answers "draining", or "gone" */
#define FCA_LINGER_MS     1000
/* how long requests in flight may take */
#define FCA_GRACE_MS      10000
#define FCA_KILL_MS       5000

static void
fca_stop_soon(fca_instance_t *inst)
{
    inst->all->loop->timer_set(inst->timer, 0);
}

void
fca_stop_begin(fca_instance_t *inst, fca_event_e event)
{
    fca_instances_t  *all = inst->all;

    fca_inst_look_end(inst);
    fca_inst_boot_end(inst);
    fca_probe_stop(inst);
    fca_inst_snap_end(inst);
    all->loop->timer_stop(inst->extend_timer);

    if (inst->booting) {
        inst->booting = 0;
        fca_capacity_booted(all->capacity);
    }

    if (inst->graceful && inst->job) {
        /* it served, be it for less than its record takes */
        fca_job_finish(inst->job, FCA_JOB_DONE);
        inst->job = NULL;
    }

    if (inst->vmm_exited) {
        inst->graceful = 0;
    }

    fca_inst_unput(inst);
    fca_instance_set(inst, FCA_S_STOPPING, event);
    fca_stop_soon(inst);
}

/* the last lines that fit beside the reason */
const char *
fca_console_tail(const char *console)
{
    size_t       len;
    const char  *line;

    len = strlen(console);
    if (len < FCF_FAILURE_MESSAGE_MAX / 2) {
        return console;
    }

    console += len - FCF_FAILURE_MESSAGE_MAX / 2;
    line = strchr(console, '\n');

    return line ? line + 1 : console;
}

void
fca_fail(fca_instance_t *inst, fca_event_e event, fcf_failure_e error,
    const char *fmt, ...)
{
    char      why[512], console[FCA_CONSOLE_KEEP];
    va_list   args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);

    console[0] = '\0';
    if (inst->vmm) {
        fca_vmm_console(inst->vmm, console, sizeof(console));
    }

    inst->all->stats.failed[error]++;
    fca_failures_put(inst->all->failures, inst->function_id,
                     inst->request_id, inst->spec.version, error,
                     fca_console_tail(console), "%s", why);

    if (inst->job) {
        fca_job_finish(inst->job, FCA_JOB_FAILED);
        inst->job = NULL;
    }

    fca_stop_begin(inst, event);
}

void
fca_fail_elsewhere(fca_instance_t *inst, fca_event_e event,
    fcf_failure_e error, const char *fmt, ...)
{
    char     why[512];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);

    if (inst->job == NULL || !fca_job_refuse(inst->job)) {
        fca_fail(inst, event, error, "%s", why);
        return;
    }

    fca_inst_log(inst, FCF_LOG_WARN, "%s; another node may try", why);
    fca_stop_begin(inst, event);
}

void
fca_fail_here(fca_instance_t *inst, fca_event_e event, fcf_failure_e error,
    const char *fmt, ...)
{
    char     why[512];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);

    inst->all->failed(inst->all->arg, why);
    fca_fail_elsewhere(inst, event, error, "%s", why);
}

void
fca_fail_guest(fca_instance_t *inst, fca_event_e event, fcf_failure_e error,
    const char *fmt, ...)
{
    char     why[512];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);

    if (inst->all->doubt(inst->all->arg, inst->function_id, why)
        && inst->job && inst->job->nrefused + 1 < FCA_GUEST_NODES)
    {
        fca_fail_elsewhere(inst, event, error, "%s", why);
    } else {
        fca_fail(inst, event, error, "%s", why);
    }
}

void
fca_inst_route_closed(void *arg)
{
    fca_instance_t  *inst = arg;

    fca_instance_look(inst, inst->all->closed, inst->all->arg);
    inst->route = NULL;
    fca_instance_event(inst, FCA_E_STEP, NULL);
}

static void
fca_stop_nic_given(void *arg)
{
    fca_instance_t  *inst = arg;

    inst->nic_state = FCA_NIC_NONE;
    fca_instance_event(inst, FCA_E_STEP, NULL);
}

/* 1: it has to be waited for */
static int
fca_stop_vmm(fca_instance_t *inst)
{
    fcf_loop_t  *loop = inst->all->loop;

    if (inst->vmm == NULL) {
        return 0;
    }

    if (!inst->vmm_exited && fca_vmm_pid(inst->vmm) != 0) {
        if (inst->graceful && !inst->hurry && !inst->stop_sent) {
            inst->stop_sent = 1;
            inst->stop_since = fca_now(inst->all->loop);
            fca_vmm_stop_guest(inst->vmm, FCV_STOP_TIMEOUT_MS);
            loop->timer_set(inst->timer, FCV_STOP_TIMEOUT_MS + 1000);

        } else if (!inst->vmm_killed
                   && (!inst->stop_sent || inst->hurry || !inst->graceful))
        {
            inst->vmm_killed = 1;
            fca_vmm_kill(inst->vmm);
            loop->timer_set(inst->timer, FCA_KILL_MS);
        }

        return 1;
    }

    /* which is written into the directory that goes now */
    if (inst->record && fca_later_busy(inst->record)) {
        return 1;
    }

    fca_instance_look(inst, inst->all->ended, inst->all->arg);
    fca_vmm_free(inst->vmm);
    inst->vmm = NULL;

    return 0;
}

void
fca_inst_nic_give(fca_instance_t *inst)
{
    if (inst->nic_state == FCA_NIC_HELD) {
        inst->nic_state = FCA_NIC_GIVING;
        fca_net_give(inst->all->net, &inst->nic, fca_stop_nic_given, inst);
    }
}

static int
fca_stop_nic(fca_instance_t *inst)
{
    fca_inst_nic_give(inst);

    return inst->nic_state != FCA_NIC_NONE || inst->removing;
}

/* A dead guest's port lingers, too, but holds nothing else: those who were
 * about to send it something hear that nothing was sent. */
static void
fca_stop_route(fca_instance_t *inst)
{
    unsigned  linger;

    linger = inst->graceful || inst->vmm_exited ? FCA_LINGER_MS : 0;
    inst->route_closing = 1;
    inst->port_only = !!inst->vmm_exited;

    fca_route_close(inst->route, inst->hurry ? 0 : linger,
                    inst->hurry || !inst->graceful ? 0 : FCA_GRACE_MS,
                    inst->vmm_exited, fca_inst_route_closed, inst);
}

static void
fca_stop_step(fca_instance_t *inst)
{
    fca_instances_t       *all = inst->all;
    fcf_loop_t  *loop = all->loop;

    loop->timer_set(inst->timer, fca_state_ms(FCA_S_STOPPING));

    if (all->routes == NULL) {
        inst->route = NULL;
    }

    if (inst->route && !inst->route_closing) {
        fca_stop_route(inst);
    }

    if ((inst->route && !inst->port_only) || fca_stop_vmm(inst)
        || fca_stop_nic(inst))
    {
        return;
    }

    if (!inst->given_back) {
        inst->given_back = 1;
        fca_capacity_give(all->capacity, inst->spec.cpu,
                          fca_vmm_memory_mb(all->vmm, inst->spec.memory_mb));
        fca_ahead_load_more(all);
    }

    if (inst->route) {
        return;
    }

    if (inst->port) {
        /* one that never listened need not rest */
        fca_pool_give(all->ports, inst->port,
                      inst->port_used ? fca_now(all->loop) : 0);
        inst->port = 0;
    }

    fca_instance_set(inst, FCA_S_GONE, FCA_E_STEP);
}

FCA_ACTION(late)
{
    (void) inst;
    (void) event;
    (void) err;
}

FCA_ACTION(late_nic)
{
    (void) event;
    (void) err;
    fca_stop_soon(inst);
}

FCA_ACTION(step)
{
    (void) event;
    (void) err;
    fca_stop_soon(inst);
}

FCA_ACTION(stop_exit)
{
    (void) event;
    (void) err;
    inst->graceful = 0;

    /* it died while its last requests were awaited */
    if (inst->route && inst->route_closing && inst->all->routes) {
        inst->port_only = 1;
        fca_route_guest_dead(inst->route);
    }

    fca_stop_soon(inst);
}

FCA_ACTION(hurry)
{
    (void) event;
    (void) err;
    inst->hurry = 1;
    fca_stop_soon(inst);
}

/* Either the next step is due, or the one under way has not ended in its
 * time. */
FCA_ACTION(stuck)
{
    (void) event;
    (void) err;

    if (inst->stop_sent && !inst->vmm_killed && !inst->vmm_exited
        && fca_now(inst->all->loop) - inst->stop_since
           >= FCV_STOP_TIMEOUT_MS + 1000)
    {
        fca_inst_log(inst, FCF_LOG_WARN, "the guest did not stop; killed");
        inst->hurry = 1;
    }

    fca_stop_step(inst);
}

FCA_ACTION(end)
{
    fca_instances_t  *all = inst->all;

    (void) event;
    (void) err;
    fca_inst_log(inst, FCF_LOG_INFO, "gone");
    fca_instance_free(inst);
    all->changed(all->arg);
}
