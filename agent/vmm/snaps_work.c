/* What is done on the worker thread, one job at a time, and what follows. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/vmm/snaps_int.h"

static void fca_snaps_run(fca_snaps_t *snaps);


fca_snaps_job_t *
fca_snaps_job(fca_snaps_t *snaps, fca_snaps_job_e what, const char *name)
{
    fca_snaps_job_t  *job;

    job = calloc(1, sizeof(*job));

    if (job != NULL) {
        job->what = what;
        job->dirfd = -1;
        snprintf(job->name, sizeof(job->name), "%s", name);
        STAILQ_INSERT_TAIL(&snaps->jobs, job, next);
        snaps->stat.unchecked += what == FCA_JOB_LOOK;
        fca_snaps_run(snaps);
    }

    return job;
}


static void
snaps_looked(fca_snaps_t *snaps, fca_snaps_job_t *job)
{
    fca_snaps_snap_t  *snap;

    snaps->stat.unchecked--;

    if (job->rc != 0) {
        if (strncmp(job->name, FCA_SNAP_ASIDE, sizeof(FCA_SNAP_ASIDE) - 1)
            != 0)
        {
            snaps->stat.damaged++;
            fca_log(FCF_LOG_WARN, NULL, "%s; removed", job->err.msg);
        }

        (void) fca_snaps_job(snaps, FCA_JOB_REMOVE, job->name);
        return;
    }

    /* one that was made meanwhile has taken its place */
    if (fca_snaps_get(snaps, job->meta.id.key) != NULL) {
        return;
    }

    snap = fca_snaps_entry(snaps, &job->meta, FCA_SNAP_THERE);

    if (snap != NULL) {
        fca_snaps_enter(snaps, snap, &job->meta);
    }
}


static void
snaps_written(fca_snaps_t *snaps, fca_snaps_job_t *job)
{
    fca_snaps_snap_t  *snap;

    snap = fca_snaps_get(snaps, job->meta.id.key);

    if (job->rc != 0) {
        fca_snaps_not_made(snaps, job->meta.id.key, 0);

    } else if (snap == NULL) {
        /* its version went meanwhile */
        (void) fca_snaps_job(snaps, FCA_JOB_REMOVE, job->meta.id.key);

    } else {
        snaps->stat.made++;
        fca_snaps_enter(snaps, snap, &job->meta);
    }

    job->done(job->arg, job->rc != 0 ? &job->err : NULL);
}


static void
snaps_work(uv_work_t *work)
{
    fca_snaps_t  *snaps = work->data;
    fca_snaps_job_t        *job = snaps->now;

    switch (job->what) {

    case FCA_JOB_LOOK:
        job->rc = fca_snap_check(snaps->dir, job->name, &job->meta,
                                 &job->err);
        break;

    case FCA_JOB_WRITE:
        job->rc = fca_snap_write(snaps->dir, job->dirfd, &job->meta,
                                 &job->err);
        break;

    case FCA_JOB_REMOVE:
        job->rc = fca_snap_remove(snaps->dir, job->name, &job->err);
        break;
    }
}


static void
snaps_worked(uv_work_t *work, int status)
{
    fca_snaps_t  *snaps = work->data;
    fca_snaps_job_t        *job = snaps->now;

    (void) status;
    snaps->busy = 0;

    if (snaps->freed) {
        free(job);
        fca_snaps_free(snaps);
        return;
    }

    if (job->what == FCA_JOB_LOOK) {
        snaps_looked(snaps, job);

    } else if (job->what == FCA_JOB_WRITE) {
        snaps_written(snaps, job);

    } else if (job->rc != 0) {
        fca_log(FCF_LOG_WARN, NULL, "%s", job->err.msg);
    }

    free(job);
    fca_snaps_run(snaps);
}


static void
fca_snaps_run(fca_snaps_t *snaps)
{
    if (snaps->busy || STAILQ_EMPTY(&snaps->jobs)) {
        return;
    }

    snaps->now = STAILQ_FIRST(&snaps->jobs);
    STAILQ_REMOVE_HEAD(&snaps->jobs, next);
    snaps->busy = 1;
    snaps->work.data = snaps;
    uv_queue_work(snaps->uv, &snaps->work, snaps_work, snaps_worked);
}


int
fca_snaps_add(fca_snaps_t *snaps, const fca_snap_id_t *id, int dirfd,
    const fca_snap_origin_t *origin, fca_snaps_pt done, void *arg,
    fcf_err_t *err)
{
    fca_snaps_job_t  *job;

    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "snapshot: out of memory");
    }

    job->what = FCA_JOB_WRITE;
    job->dirfd = dirfd;
    job->done = done;
    job->arg = arg;
    job->meta.id = *id;
    job->meta.origin = *origin;
    STAILQ_INSERT_TAIL(&snaps->jobs, job, next);
    fca_snaps_run(snaps);

    return 0;
}
