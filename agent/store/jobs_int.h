/* What the files of jobs*.c share. */

#ifndef _FCA_JOBS_INT_H_INCLUDED_
#define _FCA_JOBS_INT_H_INCLUDED_

#include "agent/store/jobs.h"

#define FCA_JOBS_BLOCK_S    2           /* of BLMOVE */
#define FCA_JOBS_SCAN_MS    5000        /* for nodes that are gone */
#define FCA_JOBS_ABSENT_MAX 64
#define FCA_JOBS_LOOK_MS    250         /* at what is held */
#define FCA_JOBS_HOLD_MS    1000        /* then others are offered it */
#define FCA_JOBS_HELD_MAX   64
#define FCA_PENDING_BACK_MS 30000       /* for the next node */
#define FCA_JOBS_ROUND_MAX  256         /* set aside in a row: a pause */
#define FCA_JOBS_PAUSE_MIN_MS  100
#define FCA_JOBS_PAUSE_MAX_MS  400

struct fca_jobs_s {
    fca_jobs_conf_t          conf;
    fca_jobs_handler_t       handler;
    fcf_loop_t              *loop;
    fcf_redis_t             *redis;     /* BLMOVE's own connection */
    TAILQ_HEAD(, fca_job_s)  all;       /* not settled */
    TAILQ_HEAD(, fca_job_s)  held;      /* of these: fit later */
    unsigned                 nheld;
    uint64_t                 serial;    /* of the last job */
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
    uint64_t                 redis_ms;  /* Redis' clock is loop's + this */
    int                      redis_ms_known;
    /* a round: jobs that were set aside come again before their time */
    char                     round_id[FCF_REQUEST_ID_MAX + 1];
    unsigned                 nround;
    unsigned                 pause_ms;      /* after the last round; 0: a job
                                               was good since */
    uint64_t                 pause_until;   /* loop ms */

    size_t                   nabsent;   /* nodes missing at the last scan */
    char                     absent[FCA_JOBS_ABSENT_MAX][FCF_ID_MAX + 1];

    char                     queue[FCF_KEY_MAX], taken[FCF_KEY_MAX];
    char                     dead[FCF_KEY_MAX], nodes[FCF_KEY_MAX];
};

/* jobs_job.c: decodes and puts it among all; what does not decode is buried.
 * NULL: out of memory, or buried */
fca_job_t *fca_job_new(fca_jobs_t *jobs, const char *text, size_t len);
void fca_job_free(fca_job_t *job);
/* any bytes as printable text, malloc'd, at most FCA_SHOWN_MAX of them; NULL:
 * out of memory */
#define FCA_SHOWN_MAX  4096
char *fca_job_shown(const char *bytes, size_t len);
/* jobs_settle.c: as fca_job_extend(), for one that waits for room */
void fca_job_hold(fca_job_t *job, fca_job_extend_pt done);
int fca_job_known(const fca_jobs_t *jobs, const char *text, size_t len);

/* jobs_held.c */
void fca_jobs_decide(fca_job_t *job);
/* asks again about those held; what waited long enough goes back */
void fca_jobs_look(fca_jobs_t *jobs);
/* all of them go back */
void fca_jobs_let_go(fca_jobs_t *jobs);

/* jobs_nodes.c */
void fca_jobs_scan(void *arg);

#endif /* _FCA_JOBS_INT_H_INCLUDED_ */
