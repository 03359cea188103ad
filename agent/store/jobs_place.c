/* A job just taken, or held: what becomes of it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/store/failures.h"
#include "agent/vmm/image.h"
#include "agent/instance/instance.h"
#include "agent/store/jobs_int.h"
#include "agent/store/specs.h"

int
fca_job_known(const fca_jobs_t *jobs, const char *text, size_t len)
{
    fca_job_t  *job;

    TAILQ_FOREACH(job, &jobs->all, link) {
        if (job->len == len && memcmp(job->text, text, len) == 0) {
            return 1;
        }
    }

    return 0;
}

fca_job_t *
fca_job_new(fca_jobs_t *jobs, const char *text, size_t len)
{
    fca_job_t  *job;
    fcf_err_t   err;
    fcf_job_t   decoded;

    job = calloc(1, sizeof(*job));
    if (job == NULL || (job->text = malloc(len + 1)) == NULL) {
        free(job);
        fca_log(FCF_LOG_ERROR, NULL, "no memory for a job");
        jobs->lost = 1;     /* the sweep gives it back */
        return NULL;
    }

    memcpy(job->text, text, len);
    job->text[len] = '\0';
    job->len = len;
    job->jobs = jobs;
    job->since = fca_now(jobs->agent);
    TAILQ_INSERT_TAIL(&jobs->all, job, link);

    if (fcf_job_decode(&decoded, text, len, &err) != 0) {
        fca_log(FCF_LOG_ERROR, NULL, "a job is malformed, put to %s: %s",
                jobs->dead, err.msg);
        job->reason = strdup(err.msg);
        fca_job_finish(job, job->reason ? FCA_JOB_BURIED : FCA_JOB_DROPPED,
                       NULL);
        return NULL;
    }

    memcpy(job->function_id, decoded.function_id, sizeof(job->function_id));
    memcpy(job->request_id, decoded.request_id, sizeof(job->request_id));
    job->version = decoded.version;
    job->cpu = decoded.cpu;
    job->memory_mb = decoded.memory_mb;
    job->ours = decoded.ours;

    return job;
}

static void
fca_job_fail(fca_job_t *job, fcf_failure_e error, const char *why)
{
    fca_failures_put(job->jobs->agent->failures, job->function_id,
                     job->request_id, job->version, error, NULL, "%s", why);
    fca_job_finish(job, FCA_JOB_FAILED, NULL);
}

/* every live node is among those that refused, this one included */
static int
fca_job_refused_by_all(const fca_t *agent, const fcf_job_t *decoded)
{
    size_t       i;
    unsigned     k;
    const char  *node;

    for (i = 0; i < fca_specs_nodes(agent->specs); i++) {
        node = fca_specs_node(agent->specs, i);

        for (k = 0; k < decoded->nrefused; k++) {
            if (strcmp(decoded->refused_by[k], node) == 0) {
                break;
            }
        }

        if (k == decoded->nrefused) {
            return 0;
        }
    }

    return 1;
}

static int
fca_job_refused(const fcf_job_t *decoded, const char *node_id)
{
    unsigned  i;

    for (i = 0; i < decoded->nrefused; i++) {
        if (strcmp(decoded->refused_by[i], node_id) == 0) {
            return 1;
        }
    }

    return 0;
}

/* It can never run here: another node's turn, if there is one left. */
static void
fca_job_refuse(fca_job_t *job, const fcf_spec_t *spec)
{
    int         ours;
    char        why[FCF_ERR_MSG_MAX], *again;
    fca_t      *agent = job->jobs->agent;
    fcf_job_t   decoded;

    snprintf(why, sizeof(why), "%d vCPUs and %d MB fit on no node (here: %d "
             "vCPUs, %d MB)", spec->cpu, spec->memory_mb, agent->capacity.cpu,
             agent->capacity.memory_mb);

    if (fcf_job_decode(&decoded, job->text, job->len, NULL) != 0) {
        fca_job_fail(job, FCF_FAILURE_NO_CAPACITY, why);
        return;
    }

    ours = fca_job_refused(&decoded, agent->conf.node_id);

    if (!ours && decoded.nrefused < FCF_REFUSED_MAX) {
        snprintf(decoded.refused_by[decoded.nrefused++],
                 sizeof(decoded.refused_by[0]), "%s", agent->conf.node_id);
    }

    again = NULL;

    if (decoded.nrefused == FCF_REFUSED_MAX
        || fca_job_refused_by_all(agent, &decoded)
        || (!ours && (again = fcf_job_encode(&decoded)) == NULL))
    {
        fca_job_fail(job, FCF_FAILURE_NO_CAPACITY, why);
        return;
    }

    /* the others are busy, or are just looking */
    if (ours) {
        fca_job_back_later(job);
        return;
    }

    fca_job_finish(job, FCA_JOB_BACK, again);
    free(again);
}

/* declared functions by their spec; others by what the job says */
static int
fca_job_spec(const fca_job_t *job, fcf_spec_t *out)
{
    const fcf_spec_t  *spec;

    spec = fca_specs_get(job->jobs->agent->specs, job->function_id);
    if (spec) {
        *out = *spec;
        return 1;
    }

    fcf_spec_default(out);
    out->version = job->version;
    out->cpu = job->cpu;
    out->memory_mb = job->memory_mb;

    return 0;
}

/* A gateway may have heard of a version that we have not: a moment later we
 * have, and start that one. */
static int
fca_job_ahead(const fca_job_t *job)
{
    fca_t             *agent = job->jobs->agent;
    const fcf_spec_t  *spec;

    spec = fca_specs_get(agent->specs, job->function_id);

    return job->version > (spec ? spec->version : 0)
           && fca_now(agent) - job->since < FCA_JOBS_AHEAD_MS;
}

int
fca_job_place(fca_job_t *job)
{
    int             declared;
    fca_t          *agent = job->jobs->agent;
    fcf_err_t       err;
    fca_fit_e       fit;
    fcf_spec_t      spec;
    fca_images_t    images;
    fca_log_ctx_t   ctx = { .function_id = job->function_id,
                            .request_id = job->request_id };

    if (fca_job_ahead(job)) {
        return 1;
    }

    declared = fca_job_spec(job, &spec);

    if (fca_instance_boots(agent, job->function_id, job->request_id)) {
        /* its id stays pending, for the other one's sake */
        fca_failures_put(agent->failures, job->function_id, job->request_id,
                         job->version, FCF_FAILURE_DUPLICATE, NULL,
                         "this request's VM is being started already");
        fca_job_finish(job, FCA_JOB_DROPPED, NULL);
        return 0;
    }

    if (fca_instance_revive(agent, job->function_id, spec.version)) {
        fca_job_finish(job, FCA_JOB_DONE, NULL);
        return 0;
    }

    if (fca_images_find(&images, &agent->conf, job->function_id, &spec, &err)
        != 0)
    {
        fca_job_fail(job, FCF_FAILURE_NO_IMAGE, err.msg);
        return 0;
    }

    fit = fca_capacity_fit(&agent->capacity, spec.cpu, spec.memory_mb);

    if (fit == FCA_FITS_NEVER) {
        fca_job_refuse(job, &spec);
        return 0;
    }

    if (fit == FCA_FITS_LATER || !fca_pool_any(&agent->ports, fca_now(agent))
        || fca_net_free_count(agent->net) <= fca_instances_without_nic(agent))
    {
        fca_log(FCF_LOG_DEBUG, &ctx, "held until there is room");
        return 1;
    }

    if (fca_instance_new(agent, job, &spec, declared, &images, &err) != 0) {
        fca_log(FCF_LOG_ERROR, &ctx, "job given back: %s", err.msg);
        fca_job_back_later(job);
    }

    return 0;
}
