/* A job: read, known again, refused. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/store/jobs_int.h"

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

char *
fca_job_shown(const char *bytes, size_t len)
{
    char    *text, *p;
    size_t   i;

    if (len > FCA_SHOWN_MAX) {
        len = FCA_SHOWN_MAX;
    }

    text = p = malloc(4 * len + 1);

    for (i = 0; text && i < len; i++) {
        if (bytes[i] >= ' ' && bytes[i] <= '~') {
            *p++ = bytes[i];
        } else {
            p += sprintf(p, "\\x%02x", (unsigned char) bytes[i]);
        }
    }

    if (text) {
        *p = '\0';
    }

    return text;
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
    job->number = ++jobs->serial;
    job->since = fca_now(jobs->loop);
    jobs->counts[FCA_JOB_TAKEN]++;
    TAILQ_INSERT_TAIL(&jobs->all, job, link);

    if (fcf_job_decode(&decoded, text, len, &err) != 0) {
        fca_log(FCF_LOG_ERROR, NULL, "a job is malformed, put to %s: %s",
                jobs->dead, err.msg);
        job->reason = fca_job_shown(err.msg, strlen(err.msg));
        fca_job_finish(job, job->reason ? FCA_JOB_BURIED : FCA_JOB_DROPPED);
        return NULL;
    }

    memcpy(job->function_id, decoded.function_id, sizeof(job->function_id));
    memcpy(job->request_id, decoded.request_id, sizeof(job->request_id));
    job->version = decoded.version;
    job->cpu = decoded.cpu;
    job->memory_mb = decoded.memory_mb;
    job->ours = decoded.ours;
    job->not_before = decoded.not_before;
    job->refused = fca_job_refused(&decoded, jobs->conf.node_id);
    job->nrefused = decoded.nrefused;

    return job;
}

fca_job_t *
fca_job_adopt(fca_jobs_t *jobs, const char *text)
{
    return fca_job_new(jobs, text, strlen(text));
}

/* every node that takes jobs is among those that refused */
static int
fca_job_refused_by_all(const fca_specs_t *specs, const fcf_job_t *decoded)
{
    size_t       i;
    unsigned     k;
    const char  *node;

    for (i = 0; i < fca_specs_nodes(specs); i++) {
        if (!fca_specs_node_ready(specs, i)) {
            continue;
        }

        node = fca_specs_node(specs, i);

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

int
fca_job_refuse(fca_job_t *job)
{
    char        *again;
    fcf_job_t    decoded;
    fca_jobs_t  *jobs = job->jobs;

    if (fcf_job_decode(&decoded, job->text, job->len, NULL) != 0) {
        return 0;
    }

    if (job->refused) {
        /* the others are busy, or are just looking */
        return !fca_job_refused_by_all(jobs->conf.specs, &decoded);
    }

    if (decoded.nrefused == FCF_REFUSED_MAX) {
        return 0;
    }

    snprintf(decoded.refused_by[decoded.nrefused++],
             sizeof(decoded.refused_by[0]), "%s", jobs->conf.node_id);
    decoded.not_before = 0;

    if (fca_job_refused_by_all(jobs->conf.specs, &decoded)) {
        return 0;
    }

    again = fcf_job_encode(&decoded);
    if (again == NULL) {
        return 0;
    }

    free(job->again);
    job->again = again;

    return 1;
}
