#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/host.h"
#include "agent/instance/ahead.h"
#include "agent/place.h"

/* a version not heard of is awaited */
#define FCA_PLACE_AHEAD_MS  500
/* a proxy that died is there again by then */
#define FCA_PLACE_PROXY_MS  500
/* how old what the host has left may be */
#define FCA_PLACE_LOOK_MS   50

/* a port and an address are free; more: addresses that are as well */
static int
fca_place_ends(fca_instances_t *all, unsigned more)
{
    return fca_pool_any(all->ports, fca_now(all->loop))
           && fca_instances_address(all, more);
}

/* the same for one that has an address if it was loaded ahead; those of others
 * that were go for it */
static int
fca_place_yield(fca_instances_t *all, const fca_ahead_t *own)
{
    if (fca_place_ends(all, own && fca_ahead_loaded(own))) {
        return 1;
    }

    fca_ahead_yield_nic(all, own);

    return 0;
}

int
fca_place_room(fca_instances_t *all)
{
    fca_capacity_t  own = *all->capacity;

    /* that somebody else gives memory back is told by nothing: a job is taken
     * and looked at, and goes elsewhere if there is none */
    fca_capacity_own(&own);

    return fca_capacity_fit(&own, 1, 1) == FCA_FITS
           && fca_place_ends(all, fca_ahead_nics(all));
}

static void
fca_place_fail(fca_instances_t *all, fca_job_t *job, fcf_failure_e error,
    const char *why)
{
    fca_failures_put(all->failures, job->function_id, job->request_id,
                     job->version, error, NULL, "%s", why);
    fca_job_finish(job, FCA_JOB_FAILED);
}

void
fca_place_ill(fca_instances_t *all, fca_job_t *job, const char *reason)
{
    char  why[FCF_ERR_MSG_MAX];

    snprintf(why, sizeof(why), "no node can start VMs; here: %s", reason);
    fca_place_fail(all, job, FCF_FAILURE_NO_CAPACITY, why);
}

/* Not here: another node's turn, if there is one left. */
static fca_verdict_e
fca_place_refuse(fca_instances_t *all, fca_job_t *job, fcf_failure_e error,
    const char *why)
{
    fca_log_ctx_t  ctx = { .function_id = job->function_id,
                           .request_id = job->request_id };

    if (fca_job_refuse(job)) {
        fca_log(FCF_LOG_INFO, &ctx, "%s; another node may try", why);
        return FCA_JOB_AWAY;
    }

    fca_place_fail(all, job, error, why);

    return FCA_JOB_MINE;
}

/* never, whatever ends */
static fca_verdict_e
fca_place_too_big(fca_instances_t *all, fca_job_t *job, const fcf_spec_t *spec)
{
    char                why[FCF_ERR_MSG_MAX];
    const fca_bound_t  *pids = &all->capacity->bounds.of[FCA_BOUND_PIDS];

    if (pids->all >= 0 && pids->all < all->capacity->vm_pids) {
        snprintf(why, sizeof(why), "a VM may need %d processes and threads, "
                 "and no node gives so many (here: %d, by %s)",
                 all->capacity->vm_pids, pids->all, pids->where);
        return fca_place_refuse(all, job, FCF_FAILURE_NO_CAPACITY, why);
    }

    snprintf(why, sizeof(why), "%d vCPUs and %d MB fit on no node (here: %d "
             "vCPUs, %d MB)", spec->cpu, spec->memory_mb, all->capacity->cpu,
             all->capacity->memory_mb);

    return fca_place_refuse(all, job, FCF_FAILURE_NO_CAPACITY, why);
}

static fca_verdict_e
fca_place_no_proxy(fca_instances_t *all, fca_job_t *job)
{
    if (fca_now(all->loop) - job->since < FCA_PLACE_PROXY_MS) {
        return FCA_JOB_WAITS;
    }

    all->failed(all->arg, FCA_NO_PROXY);

    return fca_place_refuse(all, job, FCF_FAILURE_BOOT_FAILED, FCA_NO_PROXY);
}

static void
fca_place_look(fca_instances_t *all)
{
    uint64_t      now = fca_now(all->loop);
    fca_bounds_t  bounds;

    /* not for each of those that come at once */
    if (all->looked && now - all->looked < FCA_PLACE_LOOK_MS) {
        return;
    }

    all->looked = now;
    fca_host_bounds(&bounds, all->vmm->cgroups);

    if (fca_capacity_look(all->capacity, &bounds)) {
        all->changed(all->arg);         /* others are told */
    }
}

/* declared functions by their spec, or that of the version that the job is
 * for; others by what the job says */
static void
fca_place_spec(const fca_instances_t *all, const fca_job_t *job,
    fcf_spec_t *out)
{
    const fcf_spec_t  *spec, *other;

    spec = fca_specs_get(all->specs, job->function_id);

    /* the first version is started before its function is declared */
    other = job->version != 0 && (!spec || job->version != spec->version)
            ? fca_specs_version(all->specs, job->function_id, job->version)
            : NULL;

    if (other || spec) {
        *out = other ? *other : *spec;
        return;
    }

    fcf_spec_default(out);
    out->version = job->version;
    out->cpu = job->cpu;
    out->memory_mb = job->memory_mb;
}

/* A gateway may have heard of a version that we have not: a moment later we
 * have, and start that one. */
static int
fca_place_ahead(const fca_instances_t *all, const fca_job_t *job)
{
    const fcf_spec_t  *spec;

    spec = fca_specs_get(all->specs, job->function_id);

    return job->version > (spec ? spec->version : 0)
           && fca_specs_version(all->specs, job->function_id, job->version)
              == NULL
           && fca_now(all->loop) - job->since < FCA_PLACE_AHEAD_MS;
}

/* this request has its VM already, or gets one that was about to go */
static int
fca_place_settled(fca_instances_t *all, fca_job_t *job, int64_t version)
{
    if (fca_instance_boots(all, job->function_id, job->request_id)) {
        /* its id stays pending, for the other one's sake */
        fca_failures_put(all->failures, job->function_id, job->request_id,
                         job->version, FCF_FAILURE_DUPLICATE, NULL,
                         "this request's VM is being started already");
        fca_job_finish(job, FCA_JOB_DROPPED);
        return 1;
    }

    if (fca_instance_revive(all, job->function_id, version)) {
        fca_job_finish(job, FCA_JOB_DONE);
        return 1;
    }

    return 0;
}

fca_verdict_e
fca_place(fca_instances_t *all, fca_job_t *job)
{
    int            memory_mb;
    fcf_err_t      err;
    fca_fit_e      fit;
    fcf_spec_t     spec;
    fca_ahead_t   *own;

    if (fca_place_ahead(all, job)) {
        return FCA_JOB_WAITS;
    }

    fca_place_spec(all, job, &spec);

    if (fca_place_settled(all, job, spec.version)) {
        return FCA_JOB_MINE;
    }

    /* it was tried here; the last that is left tries again, and says why not */
    if (job->refused && fca_job_refuse(job)) {
        return FCA_JOB_AWAY;
    }

    if (all->routes && !fca_routes_live(all->routes)) {
        return fca_place_no_proxy(all, job);
    }

    fca_place_look(all);
    memory_mb = fca_vmm_memory_mb(all->vmm, spec.memory_mb);
    fit = fca_capacity_fit(all->capacity, spec.cpu, memory_mb);

    if (fit == FCA_FITS_NEVER) {
        return fca_place_too_big(all, job, &spec);
    }

    own = fca_ahead_find(all, job->function_id, &spec);
    fca_ahead_yield_memory(all, own, memory_mb);

    if (fit == FCA_FITS_LATER || !fca_place_yield(all, own)) {
        return FCA_JOB_WAITS;
    }

    if (fca_instance_new(all, job, &spec, &err) != 0) {
        /* the next numbers are being written */
        if (err.code == FCF_E_UNAVAILABLE) {
            return FCA_JOB_WAITS;
        }

        all->failed(all->arg, err.msg);
        return fca_place_refuse(all, job, FCF_FAILURE_BOOT_FAILED, err.msg);
    }

    return FCA_JOB_MINE;
}
