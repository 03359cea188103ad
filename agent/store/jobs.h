/*
 * The work queue's taking end.  A job lies in this node's taken list from
 * the moment it is popped until what became of it is settled; should the
 * agent die meanwhile, it is given back from there.
 */

#ifndef _FCA_JOBS_H_INCLUDED_
#define _FCA_JOBS_H_INCLUDED_

#include <sys/queue.h>
#include "agent/store/specs.h"
#include "client/fcf_redis.h"

typedef struct fca_jobs_s  fca_jobs_t;

/* One entry of the taken list. */
typedef struct fca_job_s  fca_job_t;

struct fca_job_s {
    TAILQ_ENTRY(fca_job_s)   link;      /* every one that is not settled */
    TAILQ_ENTRY(fca_job_s)   held;      /* those that wait for room */
    fca_jobs_t              *jobs;
    char                    *text;      /* as taken */
    size_t                   len;
    uint64_t                 number;    /* no two have the same */
    uint64_t                 since;     /* taken; loop ms */
    fcf_timer_t             *retry;
    int                      outcome;   /* fca_outcome_e, once finished */
    unsigned                 waits;     /* scripts not answered */
    unsigned                 failed;    /* of them, to be done again */
    int                      said;      /* this trouble was logged */
    char                    *again;     /* text for the queue, or NULL */
    unsigned                 aside_ms;  /* back there: set aside so long */
    int                      renew;     /* and pending anew */
    char                    *reason;    /* for the dead */
    int64_t                  revision;  /* of etcd, with its instance; 0: not
                                           known */

    char                     function_id[FCF_ID_MAX + 1];
    char                     request_id[FCF_REQUEST_ID_MAX + 1];
    int64_t                  version;
    int                      cpu, memory_mb;
    int                      ours;
    int64_t                  not_before;    /* 0, or by Redis' clock */
    int                      refused;   /* by this node, before */
    unsigned                 nrefused;  /* by how many nodes */
};

typedef enum {
    FCA_JOB_TAKEN = 0,
    FCA_JOB_DONE,               /* registered: pending for a little longer */
    FCA_JOB_FAILED,             /* pending no more */
    FCA_JOB_DROPPED,            /* pending is somebody else's affair */
    FCA_JOB_BACK,               /* to the queue again: fca_job_back() */
    FCA_JOB_BURIED,
    FCA_JOB_OUTCOMES
} fca_outcome_e;

typedef enum {
    FCA_JOB_MINE = 0,           /* it was finished, or will be */
    FCA_JOB_WAITS,              /* for room: held, and asked about again */
    FCA_JOB_AWAY                /* another node's, by fca_job_refuse() */
} fca_verdict_e;

typedef struct {
    fcf_loop_t              *loop;
    fcf_redis_t             *redis;     /* for all but BLMOVE */
    const fcf_redis_conf_t  *redis_conf;    /* for BLMOVE's connection; read
                                               once */
    const fca_specs_t       *specs;     /* which nodes live */
    const char              *prefix, *node_id;
    int                      adopt;     /* fca_job_adopt() will be called for
                                           jobs of an earlier life that go on;
                                           only the others are given back */
} fca_jobs_conf_t;

typedef struct {
    /* jobs may be taken at all; fca_jobs_kick() when that changes */
    int   (*ready)(void *arg);
    /* there is room for the smallest VM */
    int   (*room)(void *arg);
    /* decides about a job just taken, or held */
    fca_verdict_e  (*place)(void *arg, fca_job_t *job);
    void   *arg;
} fca_jobs_handler_t;

fca_jobs_t *fca_jobs_new(const fca_jobs_conf_t *conf,
    const fca_jobs_handler_t *handler, fcf_err_t *err);
/* conf's redis must be gone by now: it calls back */
void fca_jobs_free(fca_jobs_t *jobs);

/* The node lives: gives back what an earlier life left, then takes. */
void fca_jobs_start(fca_jobs_t *jobs);
/* something that a job waited for may be there now */
void fca_jobs_kick(fca_jobs_t *jobs);

/* A job of an earlier life, before fca_jobs_start().  NULL: out of memory. */
fca_job_t *fca_job_adopt(fca_jobs_t *jobs, const char *text);

/* Says what became of a job, and gives it up: repeated until Redis has it. */
void fca_job_finish(fca_job_t *job, fca_outcome_e outcome);
/* To the queue's far end.  aside_ms: for so long whoever has no room for it
 * passes it on at once. */
void fca_job_back(fca_job_t *job, unsigned aside_ms);
/* The same for one that this node has tried: its id, which was extended by no
 * more than that took, stays pending until another has had its time. */
void fca_job_back_tried(fca_job_t *job);
#define FCA_ASIDE_MS  1000
/* Not on this node, which is named in refused_by from now on: the caller gives
 * it back.  0: no node is left that could take it; it is as it was. */
int fca_job_refuse(fca_job_t *job);
/* Keeps the job's id pending this much longer.  done gets 0 if it no longer
 * was, else 1 (also when Redis does not answer), and number, by which the
 * caller knows whether what it asked for still exists. */
#define FCA_PENDING_MS  10000
#define FCA_EXTEND_MS   3000            /* when to do it again */
typedef void (*fca_job_extend_pt)(void *arg, uint64_t number, int pending);
void fca_job_extend(fca_job_t *job, uint64_t number, fca_job_extend_pt done,
    void *arg);

/* how many jobs came to this since the start; TAKEN: all that were taken */
uint64_t fca_jobs_count(const fca_jobs_t *jobs, fca_outcome_e outcome);
const char *fca_outcome_name(fca_outcome_e outcome);

/* No more is taken; what is held or comes meanwhile goes back. */
void fca_jobs_stop(fca_jobs_t *jobs);
/* everything is settled */
int fca_jobs_stopped(const fca_jobs_t *jobs);
/* Redis was told all that is known so far: only jobs of VMs on their way up
 * are not settled */
int fca_jobs_told(const fca_jobs_t *jobs);
/* after that: Redis forgets this node, whose list is empty */
void fca_jobs_leave(fca_jobs_t *jobs);
int fca_jobs_left(const fca_jobs_t *jobs);

#endif /* _FCA_JOBS_H_INCLUDED_ */
