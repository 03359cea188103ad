/* What the files of jobs*.c share. */

#ifndef _FCA_JOBS_INT_H_INCLUDED_
#define _FCA_JOBS_INT_H_INCLUDED_

#include "agent/store/jobs.h"

#define FCA_JOBS_BLOCK_S    2           /* of BLMOVE */
#define FCA_JOBS_SCAN_MS    5000        /* for nodes that are gone */
#define FCA_JOBS_ABSENT_MAX 64
#define FCA_JOBS_LOOK_MS    250         /* at what is held */

struct fca_jobs_s {
    fca_jobs_conf_t          conf;
    fca_jobs_handler_t       handler;
    fcf_loop_t              *loop;
    fcf_redis_t             *redis;     /* BLMOVE's own connection */
    TAILQ_HEAD(, fca_job_s)  all;       /* not settled */
    fca_job_t               *held;      /* fits later; also in all */
    fcf_timer_t             *timer, *scan_timer;
    int64_t                  client_id; /* of redis' connection */
    unsigned                 backoff;
    unsigned                 started:1;
    unsigned                 given_back:1;  /* the list of the last life */
    unsigned                 busy:1;    /* BLMOVE or a sweep is under way */
    unsigned                 lost:1;    /* an answer was: look into taken */
    unsigned                 said:1;    /* this trouble was logged */
    unsigned                 stopping:1;
    unsigned                 leaving:1;

    uint64_t                 counts[FCA_JOB_OUTCOMES];

    size_t                   nabsent;   /* nodes missing at the last scan */
    char                     absent[FCA_JOBS_ABSENT_MAX][FCF_ID_MAX + 1];

    char                     queue[FCF_KEY_MAX], taken[FCF_KEY_MAX];
    char                     dead[FCF_KEY_MAX], nodes[FCF_KEY_MAX];
};

/* jobs_job.c: decodes and puts it among all; what does not decode is buried.
 * NULL: out of memory, or buried */
fca_job_t *fca_job_new(fca_jobs_t *jobs, const char *text, size_t len);
void fca_job_free(fca_job_t *job);
int fca_job_known(const fca_jobs_t *jobs, const char *text, size_t len);

/* jobs_nodes.c */
void fca_jobs_scan(void *arg);

#endif /* _FCA_JOBS_INT_H_INCLUDED_ */
