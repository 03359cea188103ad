/* What became of a job, told to Redis until it has it. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/store/jobs_int.h"

#define FCA_SETTLE   1u
#define FCA_ENTRY    2u
#define FCA_JOB_RETRY_MS  500

typedef struct {
    uint64_t             number;
    fca_job_extend_pt    done;
    void                *arg;
} fca_extend_t;

static void fca_job_send(fca_job_t *job);

void
fca_job_free(fca_job_t *job)
{
    TAILQ_REMOVE(&job->jobs->all, job, link);

    if (job->retry) {
        job->jobs->loop->timer_free(job->retry);
    }

    free(job->text);
    free(job->again);
    free(job->reason);
    free(job);
}

static void
fca_job_retry(void *arg)
{
    fca_job_send(arg);
}

static void
fca_job_answered(fca_job_t *job, unsigned part, const fcf_err_t *err)
{
    fcf_loop_t     *loop = job->jobs->loop;
    fca_log_ctx_t   ctx = { .function_id = job->function_id,
                            .request_id = job->request_id };

    job->waits &= ~part;

    if (err && err->code == FCF_E_CANCELED) {
        return;
    }

    /* also what Redis refuses: it may be loading, full, or a replica now */
    if (err) {
        job->failed |= part;
    }

    if (job->waits) {
        return;
    }

    if (job->failed == 0) {
        fca_job_free(job);
        return;
    }

    if (!job->said) {
        job->said = 1;
        fca_log(FCF_LOG_WARN, &ctx, "settling a job: %s; trying again",
                err ? err->msg : "no answer");
    }

    if (job->retry == NULL) {
        job->retry = loop->timer_new(loop, fca_job_retry, job);
    }

    if (job->retry) {
        loop->timer_set(job->retry, FCA_JOB_RETRY_MS);
    } else {
        fca_job_free(job);
    }
}

static void
fca_job_settled(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    (void) reply;
    fca_job_answered(arg, FCA_SETTLE, err);
}

static void
fca_job_removed(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    (void) reply;
    fca_job_answered(arg, FCA_ENTRY, err);
}

static int
fca_job_send_settle(fca_job_t *job)
{
    int          done = job->outcome == FCA_JOB_DONE && job->revision;
    char         pending[FCF_KEY_MAX], ttl[16], revision[24];
    fca_jobs_t  *jobs = job->jobs;
    const char  *argv[] = { pending, job->request_id, ttl, revision };

    fcf_redis_pending(pending, jobs->conf.prefix, job->function_id);
    snprintf(ttl, sizeof(ttl), "%d",
             job->outcome == FCA_JOB_DONE ? FCF_PENDING_AFTER_PUT_MS
             : job->outcome == FCA_JOB_BACK ? FCA_PENDING_BACK_MS : 0);
    snprintf(revision, sizeof(revision), "%" PRId64, job->revision);

    return fcf_redis_script(jobs->conf.redis, job->outcome == FCA_JOB_BACK
                            ? &fcf_script_extend : &fcf_script_settle, 1,
                            done ? 4 : 3, argv, fca_job_settled, job);
}

/* a job may be any bytes */
static int
fca_job_send_script(fca_job_t *job, const fcf_script_t *script, int argc,
    const char **argv)
{
    int     i;
    size_t  lens[FCF_REDIS_SCRIPT_ARGS];

    for (i = 0; i < argc; i++) {
        lens[i] = argv[i] == job->text ? job->len : strlen(argv[i]);
    }

    return fcf_redis_script_bytes(job->jobs->conf.redis, script, 2, argc,
                                  argv, lens, fca_job_removed, job);
}

static int
fca_job_send_bury(fca_job_t *job)
{
    int          rc;
    char         max[16], *shown;
    const char  *argv[] = { job->jobs->taken, job->jobs->dead, job->text,
                            job->reason, max, NULL };

    snprintf(max, sizeof(max), "%d", FCF_DEAD_MAX);

    argv[5] = shown = fca_job_shown(job->text, job->len);
    if (shown == NULL) {
        return -1;
    }

    rc = fca_job_send_script(job, &fcf_script_bury, 6, argv);
    free(shown);

    return rc;
}

static int
fca_job_send_entry(fca_job_t *job)
{
    char         aside[16];
    const char  *argv[] = { job->jobs->taken, job->jobs->queue, job->text,
                            job->outcome != FCA_JOB_BACK ? ""
                            : job->again ? job->again : job->text, aside };

    if (job->outcome == FCA_JOB_BURIED) {
        return fca_job_send_bury(job);
    }

    snprintf(aside, sizeof(aside), "%u", job->aside_ms);

    return fca_job_send_script(job, &fcf_script_restore, 5, argv);
}

/* sends what has to be sent, or sent again */
static void
fca_job_send(fca_job_t *job)
{
    unsigned  parts;

    parts = job->failed;
    job->failed = 0;
    job->waits = parts;

    if ((parts & FCA_SETTLE) && fca_job_send_settle(job) != 0) {
        job->waits &= ~FCA_SETTLE;
        job->failed |= FCA_SETTLE;
    }

    if ((parts & FCA_ENTRY) && fca_job_send_entry(job) != 0) {
        job->waits &= ~FCA_ENTRY;
        job->failed |= FCA_ENTRY;
    }

    if (job->waits == 0) {
        fca_job_answered(job, 0, NULL);
    }
}

static void
fca_job_outcome(fca_job_t *job, fca_outcome_e outcome)
{
    job->outcome = outcome;
    job->jobs->counts[outcome]++;
}

uint64_t
fca_jobs_count(const fca_jobs_t *jobs, fca_outcome_e outcome)
{
    return jobs->counts[outcome];
}

const char *
fca_outcome_name(fca_outcome_e outcome)
{
    static const char *const  names[FCA_JOB_OUTCOMES] = {
        "taken", "done", "failed", "dropped", "given_back", "dead"
    };

    return names[outcome];
}

void
fca_job_finish(fca_job_t *job, fca_outcome_e outcome)
{
    fca_job_outcome(job, outcome);
    job->failed = FCA_ENTRY;

    if (job->ours && (outcome == FCA_JOB_DONE || outcome == FCA_JOB_FAILED
                      || job->renew))
    {
        job->failed |= FCA_SETTLE;
    }

    fca_job_send(job);
}

void
fca_job_back(fca_job_t *job, unsigned aside_ms)
{
    job->aside_ms = aside_ms;
    fca_job_finish(job, FCA_JOB_BACK);
}

void
fca_job_back_tried(fca_job_t *job)
{
    job->renew = 1;
    fca_job_back(job, FCA_ASIDE_MS);
}

static void
fca_job_extended(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    int            gone;
    fca_extend_t  *e = arg;

    gone = err == NULL && reply->type == REDIS_REPLY_INTEGER
           && reply->integer == 0;

    if (err == NULL || err->code != FCF_E_CANCELED) {
        e->done(e->arg, e->number, !gone);
    }

    free(e);
}

static void
fca_job_ask(fca_job_t *job, const fcf_script_t *script, unsigned ms,
    uint64_t number, fca_job_extend_pt done, void *arg)
{
    int            n = 0, nkeys;
    char           pending[FCF_KEY_MAX], demand[FCF_KEY_MAX], ttl[16];
    const char    *argv[4];
    fca_jobs_t    *jobs = job->jobs;
    fca_extend_t  *e;

    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return;             /* the state's timeout, or the next time */
    }

    e->number = number;
    e->done = done;
    e->arg = arg;

    argv[n++] = fcf_redis_pending(pending, jobs->conf.prefix,
                                  job->function_id);

    if (script == &fcf_script_hold) {
        argv[n++] = fcf_redis_demand(demand, jobs->conf.prefix,
                                     job->function_id);
    }

    nkeys = n;
    argv[n++] = job->request_id;
    argv[n++] = ttl;
    snprintf(ttl, sizeof(ttl), "%u", ms);

    if (fcf_redis_script(jobs->conf.redis, script, nkeys, n, argv,
                         fca_job_extended, e) != 0)
    {
        free(e);
    }
}

void
fca_job_extend(fca_job_t *job, uint64_t number, fca_job_extend_pt done,
    void *arg)
{
    fca_job_ask(job, &fcf_script_extend, FCA_PENDING_MS, number, done, arg);
}

void
fca_job_hold(fca_job_t *job, fca_job_extend_pt done)
{
    fca_job_ask(job, &fcf_script_hold, 2 * FCA_JOBS_HOLD_MS, job->number,
                done, job->jobs);
}
