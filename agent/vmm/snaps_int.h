/* Shared by snaps*.c only. */

#ifndef _FCA_SNAPS_INT_H_INCLUDED_
#define _FCA_SNAPS_INT_H_INCLUDED_

#include <sys/queue.h>
#include "agent/vmm/snaps.h"

#define FCA_SNAP_META    "meta"
#define FCA_SNAP_ASIDE   ".new-"        /* stands before what is not whole */

/* what stands beside a snapshot */
typedef struct {
    fca_snap_id_t      id;
    fca_snap_origin_t  origin;
    char               digest[FCA_DIGEST + 1]; /* of its memory */
    uint64_t           bytes;                       /* on the disk */
} fca_snap_meta_t;

typedef enum {
    FCA_SNAP_MAKING,
    FCA_SNAP_THERE,
    FCA_SNAP_GIVEN_UP
} fca_snaps_snap_state_e;

typedef struct fca_snaps_snap_s  fca_snaps_snap_t;

struct fca_snaps_snap_s {
    TAILQ_ENTRY(fca_snaps_snap_s)  link;        /* the least recently used
                                                   first */
    fca_snaps_snap_state_e         state;
    fca_snap_meta_t                meta;
    unsigned                       failures;
};

typedef enum { FCA_JOB_LOOK, FCA_JOB_WRITE, FCA_JOB_REMOVE } fca_snaps_job_e;

typedef struct fca_snaps_job_s  fca_snaps_job_t;

struct fca_snaps_job_s {
    STAILQ_ENTRY(fca_snaps_job_s)  next;
    fca_snaps_job_e                what;
    char                           name[FCA_DIGEST + 8]; /* directory's */
    fca_snap_meta_t                meta;
    int                            dirfd;
    fca_snaps_pt                   done;
    void                          *arg;
    int                            rc;
    fcf_err_t                      err;
};

struct fca_snaps_s {
    uv_loop_t                       *uv;
    uv_work_t                        work;
    char                            *dir;
    uint64_t                         max_bytes;
    int                              busy, freed;
    fca_snaps_job_t                 *now;
    fca_snaps_stat_t                 stat;
    STAILQ_HEAD(, fca_snaps_job_s)   jobs;      /* one at a time: a disk has
                                                   one head */
    TAILQ_HEAD(, fca_snaps_snap_s)   list;
};

/* snaps.c */
fca_snaps_snap_t *fca_snaps_get(const fca_snaps_t *snaps, const char *key);
fca_snaps_snap_t *fca_snaps_entry(fca_snaps_t *snaps,
    const fca_snap_meta_t *meta, fca_snaps_snap_state_e state);
/* it may be used from now on; others may have to go */
void fca_snaps_enter(fca_snaps_t *snaps, fca_snaps_snap_t *snap,
    const fca_snap_meta_t *meta);

/* snaps_work.c; NULL: out of memory */
fca_snaps_job_t *fca_snaps_job(fca_snaps_t *snaps, fca_snaps_job_e what,
    const char *name);

/* snaps_disk.c: all of it on a worker thread */
/* into <dir>/<key>; meta's digest and bytes are filled in */
int fca_snap_write(const char *dir, int fromfd, fca_snap_meta_t *meta,
    fcf_err_t *err) fcf_must_check;
/* reads <dir>/<name>, and its memory; FCF_E_NOT_FOUND: it is none */
int fca_snap_check(const char *dir, const char *name, fca_snap_meta_t *meta,
    fcf_err_t *err) fcf_must_check;
int fca_snap_remove(const char *dir, const char *name, fcf_err_t *err);

#endif /* _FCA_SNAPS_INT_H_INCLUDED_ */
