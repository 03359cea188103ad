/*
 * Jobs that this node cannot start now.  One that may fit in a moment is held
 * for a second at most, while others are taken; then it goes back for other
 * nodes, set aside for a second more.  If it comes here again before that,
 * and still does not fit, it is passed on at once, and once all have gone
 * round like this, nothing is taken for a while.
 */

#include <string.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/store/jobs_int.h"

static void
fca_jobs_unhold(fca_job_t *job)
{
    TAILQ_REMOVE(&job->jobs->held, job, held);
    job->jobs->nheld--;
}

static int
fca_jobs_set_aside(const fca_job_t *job)
{
    int64_t            left;
    const fca_jobs_t  *jobs = job->jobs;

    if (job->not_before == 0 || !jobs->redis_ms_known) {
        return 0;
    }

    left = job->not_before
           - (int64_t) (fca_now(jobs->loop) + jobs->redis_ms);

    /* farther ahead than anybody sets it: that clock has stepped */
    return left > 0 && left <= 2 * FCA_ASIDE_MS;
}

/* A round is over when the job that began it comes again. */
static void
fca_jobs_pass_on(fca_job_t *job)
{
    uint64_t     now;
    fca_jobs_t  *jobs = job->jobs;

    now = fca_now(jobs->loop);

    if (strcmp(jobs->round_id, job->request_id) == 0
        || ++jobs->nround == FCA_JOBS_ROUND_MAX)
    {
        jobs->pause_ms = jobs->pause_ms == 0 ? FCA_JOBS_PAUSE_MIN_MS
                         : jobs->pause_ms < FCA_JOBS_PAUSE_MAX_MS
                         ? jobs->pause_ms * 2 : jobs->pause_ms;
        jobs->pause_until = now + jobs->pause_ms;
        jobs->nround = 0;
        memcpy(jobs->round_id, job->request_id, sizeof(jobs->round_id));
    }

    fca_job_back(job, 0);
}

/* back, and others before it comes here again */
static void
fca_jobs_put_aside(fca_job_t *job)
{
    fca_jobs_t  *jobs = job->jobs;

    if (jobs->nround++ == 0) {
        memcpy(jobs->round_id, job->request_id, sizeof(jobs->round_id));
    }

    fca_job_back(job, FCA_ASIDE_MS);
}

/* the job may be gone by the time Redis answers */
static void
fca_jobs_still(void *arg, uint64_t number, int pending)
{
    fca_job_t      *job;
    fca_jobs_t     *jobs = arg;
    fca_log_ctx_t   ctx;

    if (pending) {
        return;
    }

    TAILQ_FOREACH(job, &jobs->held, held) {
        if (job->number == number) {
            ctx = (fca_log_ctx_t) { .function_id = job->function_id,
                                    .request_id = job->request_id };
            fca_log(FCF_LOG_INFO, &ctx, "job dropped: nobody waits for it "
                    "any more");
            fca_jobs_unhold(job);
            fca_job_finish(job, FCA_JOB_DROPPED);
            return;
        }
    }
}

static void
fca_jobs_hold(fca_job_t *job)
{
    fca_jobs_t     *jobs = job->jobs;
    fca_log_ctx_t   ctx = { .function_id = job->function_id,
                            .request_id = job->request_id };

    if (fca_jobs_set_aside(job)) {
        fca_jobs_pass_on(job);
        return;
    }

    fca_log(FCF_LOG_DEBUG, &ctx, "held until there is room");
    TAILQ_INSERT_TAIL(&jobs->held, job, held);
    jobs->nheld++;

    if (job->ours) {
        fca_job_hold(job, fca_jobs_still);
    }
}

void
fca_jobs_decide(fca_job_t *job)
{
    fca_jobs_t  *jobs = job->jobs;

    if (jobs->stopping || !jobs->handler.ready(jobs->handler.arg)) {
        fca_job_back(job, 0);
        return;
    }

    switch (jobs->handler.place(jobs->handler.arg, job)) {

    case FCA_JOB_MINE:
        jobs->pause_ms = 0;
        break;

    case FCA_JOB_WAITS:
        fca_jobs_hold(job);
        break;

    case FCA_JOB_AWAY:
        if (fca_jobs_set_aside(job)) {
            fca_jobs_pass_on(job);
        } else {
            fca_jobs_put_aside(job);
        }
    }
}

/* 1: it is held still */
static int
fca_jobs_again(fca_job_t *job)
{
    fca_jobs_t  *jobs = job->jobs;

    switch (jobs->handler.place(jobs->handler.arg, job)) {

    case FCA_JOB_WAITS:
        if (fca_now(jobs->loop) - job->since < FCA_JOBS_HOLD_MS) {
            return 1;
        }

        /* fall through */

    case FCA_JOB_AWAY:
        fca_jobs_put_aside(job);
        break;

    default:
        break;
    }

    return 0;
}

void
fca_jobs_look(fca_jobs_t *jobs)
{
    unsigned    n;
    fca_job_t  *job;

    for (n = jobs->nheld; n > 0; n--) {
        job = TAILQ_FIRST(&jobs->held);
        fca_jobs_unhold(job);

        if (fca_jobs_again(job)) {
            TAILQ_INSERT_TAIL(&jobs->held, job, held);
            jobs->nheld++;
        }
    }
}

void
fca_jobs_let_go(fca_jobs_t *jobs)
{
    fca_job_t  *job;

    while ((job = TAILQ_FIRST(&jobs->held)) != NULL) {
        fca_jobs_unhold(job);
        fca_job_back(job, 0);
    }
}
