#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "agent/base/dir.h"
#include "agent/base/log.h"
#include "agent/vmm/snaps_int.h"


fca_snaps_snap_t *
fca_snaps_get(const fca_snaps_t *snaps, const char *key)
{
    fca_snaps_snap_t  *snap;

    TAILQ_FOREACH(snap, &snaps->list, link) {
        if (strcmp(snap->meta.id.key, key) == 0) {
            return snap;
        }
    }

    return NULL;
}


fca_snaps_snap_t *
fca_snaps_entry(fca_snaps_t *snaps, const fca_snap_meta_t *meta,
    fca_snaps_snap_state_e state)
{
    fca_snaps_snap_t  *snap;

    snap = calloc(1, sizeof(*snap));

    if (snap != NULL) {
        snap->meta = *meta;
        snap->state = state;
        TAILQ_INSERT_TAIL(&snaps->list, snap, link);
    }

    return snap;
}


/* without memory for its removal it is found by the next start */
static void
snaps_drop(fca_snaps_t *snaps, fca_snaps_snap_t *snap)
{
    assert(snap->state == FCA_SNAP_THERE);

    TAILQ_REMOVE(&snaps->list, snap, link);
    snaps->stat.n--;
    snaps->stat.bytes -= snap->meta.bytes;
    snaps->stat.dropped++;
    (void) fca_snaps_job(snaps, FCA_JOB_REMOVE, snap->meta.id.key);
    free(snap);
}


static void
snaps_bound(fca_snaps_t *snaps)
{
    fca_snaps_snap_t  *snap, *next;

    for (snap = TAILQ_FIRST(&snaps->list);
         snap != NULL && snaps->stat.bytes > snaps->max_bytes; snap = next)
    {
        next = TAILQ_NEXT(snap, link);

        if (snap->state == FCA_SNAP_THERE) {
            fca_log(FCF_LOG_INFO, NULL, "snapshot of %s, version %lld, goes: "
                    "all of them take more than snapshots_mb",
                    snap->meta.id.function_id,
                    (long long) snap->meta.id.version);
            snaps_drop(snaps, snap);
        }
    }
}


void
fca_snaps_enter(fca_snaps_t *snaps, fca_snaps_snap_t *snap,
    const fca_snap_meta_t *meta)
{
    snap->state = FCA_SNAP_THERE;
    snap->meta = *meta;
    snaps->stat.n++;
    snaps->stat.bytes += meta->bytes;
    snaps_bound(snaps);
}


static void
snaps_scan(fca_snaps_t *snaps)
{
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(snaps->dir);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0
            && strcmp(entry->d_name, "..") != 0
            && strlen(entry->d_name) < sizeof(((fca_snaps_job_t *) 0)->name))
        {
            (void) fca_snaps_job(snaps, FCA_JOB_LOOK, entry->d_name);
        }
    }

    if (dir != NULL) {
        closedir(dir);
    }
}


fca_snaps_t *
fca_snaps_new(uv_loop_t *uv, const char *dir, uint64_t max_bytes,
    fcf_err_t *err)
{
    fca_snaps_t  *snaps;

    if (fca_dir_make("snapshots", dir, err) != 0) {
        return NULL;
    }

    snaps = calloc(1, sizeof(*snaps));

    if (snaps == NULL || (snaps->dir = strdup(dir)) == NULL) {
        free(snaps);
        fcf_err_set(err, FCF_E_NOMEM, "snapshots: out of memory");
        return NULL;
    }

    snaps->uv = uv;
    snaps->max_bytes = max_bytes;
    STAILQ_INIT(&snaps->jobs);
    TAILQ_INIT(&snaps->list);
    snaps_scan(snaps);

    return snaps;
}


void
fca_snaps_free(fca_snaps_t *snaps)
{
    fca_snaps_job_t   *job;
    fca_snaps_snap_t  *snap;

    if (snaps == NULL) {
        return;
    }

    if (snaps->busy) {
        snaps->freed = 1;               /* the worker has it still */
        return;
    }

    while ((job = STAILQ_FIRST(&snaps->jobs)) != NULL) {
        STAILQ_REMOVE_HEAD(&snaps->jobs, next);
        free(job);
    }

    while ((snap = TAILQ_FIRST(&snaps->list)) != NULL) {
        TAILQ_REMOVE(&snaps->list, snap, link);
        free(snap);
    }

    free(snaps->dir);
    free(snaps);
}


int
fca_snaps_there(const fca_snaps_t *snaps, const char *key)
{
    const fca_snaps_snap_t  *snap;

    snap = fca_snaps_get(snaps, key);

    return snap != NULL && snap->state == FCA_SNAP_THERE;
}


int
fca_snaps_find(fca_snaps_t *snaps, const char *key, fca_snap_t *out)
{
    fca_snaps_snap_t  *snap;

    snap = fca_snaps_get(snaps, key);

    if (snap == NULL || snap->state != FCA_SNAP_THERE) {
        return 0;
    }

    TAILQ_REMOVE(&snaps->list, snap, link);
    TAILQ_INSERT_TAIL(&snaps->list, snap, link);

    snprintf(out->state, sizeof(out->state), "%s/%s/" FCA_SNAP_STATE,
             snaps->dir, key);
    snprintf(out->memory, sizeof(out->memory), "%s/%s/" FCA_SNAP_MEMORY,
             snaps->dir, key);
    out->origin = snap->meta.origin;

    return 1;
}


int
fca_snaps_checked(const fca_snaps_t *snaps)
{
    return snaps->stat.unchecked == 0;
}


int
fca_snaps_lacks(const fca_snaps_t *snaps, const char *key)
{
    const fca_snaps_snap_t  *snap;

    snap = fca_snaps_get(snaps, key);

    return fca_snaps_checked(snaps)
           && (snap == NULL || (snap->state == FCA_SNAP_GIVEN_UP
                                && snap->failures < FCA_SNAP_FAILURES));
}


int
fca_snaps_begin(fca_snaps_t *snaps, const fca_snap_id_t *id, fcf_err_t *err)
{
    fca_snaps_snap_t           *snap;
    fca_snap_meta_t   meta;

    snap = fca_snaps_get(snaps, id->key);

    if (snap != NULL) {
        assert(snap->state == FCA_SNAP_GIVEN_UP);
        snap->state = FCA_SNAP_MAKING;
        snaps->stat.given_up--;
        return 0;
    }

    memset(&meta, 0, sizeof(meta));
    meta.id = *id;

    return fca_snaps_entry(snaps, &meta, FCA_SNAP_MAKING) != NULL
           ? 0 : fcf_err_set(err, FCF_E_NOMEM, "snapshot: out of memory");
}


void
fca_snaps_not_made(fca_snaps_t *snaps, const char *key, int final)
{
    fca_snaps_snap_t  *snap;

    snap = fca_snaps_get(snaps, key);

    if (snap == NULL || snap->state != FCA_SNAP_MAKING) {
        return;
    }

    snap->state = FCA_SNAP_GIVEN_UP;
    snap->failures = final ? FCA_SNAP_FAILURES : snap->failures + 1;
    snaps->stat.given_up++;
}


void
fca_snaps_outdated(fca_snaps_t *snaps, const char *key)
{
    fca_snaps_snap_t  *snap;

    snap = fca_snaps_get(snaps, key);

    if (snap != NULL && snap->state == FCA_SNAP_THERE) {
        snaps_drop(snaps, snap);
    }
}


int
fca_snaps_failed(fca_snaps_t *snaps, const char *key)
{
    fca_snaps_snap_t           *snap;
    fca_snap_meta_t   meta;

    snap = fca_snaps_get(snaps, key);

    if (snap == NULL || snap->state != FCA_SNAP_THERE
        || ++snap->failures < FCA_SNAP_FAILURES)
    {
        return 0;
    }

    /* another is not made: it would be as this one */
    meta = snap->meta;
    snaps_drop(snaps, snap);
    snap = fca_snaps_entry(snaps, &meta, FCA_SNAP_GIVEN_UP);

    if (snap != NULL) {
        snap->failures = FCA_SNAP_FAILURES;
        snaps->stat.given_up++;
    }

    return 1;
}


void
fca_snaps_prune(fca_snaps_t *snaps, const char *function_id,
    const fcf_spec_t *spec)
{
    fca_snaps_snap_t  *snap, *next;

    for (snap = TAILQ_FIRST(&snaps->list); snap != NULL; snap = next) {
        next = TAILQ_NEXT(snap, link);

        if (strcmp(snap->meta.id.function_id, function_id) != 0
            || (spec && fcf_spec_serves(spec, snap->meta.id.version)))
        {
            continue;
        }

        if (snap->state == FCA_SNAP_THERE) {
            snaps_drop(snaps, snap);

        } else {
            TAILQ_REMOVE(&snaps->list, snap, link);
            free(snap);
        }
    }
}


void
fca_snaps_stat(const fca_snaps_t *snaps, fca_snaps_stat_t *stat)
{
    *stat = snaps->stat;
}
