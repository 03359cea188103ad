#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/store/jobs_int.h"
#include "client/fcf_backoff.h"

static void fca_jobs_run(void *arg);

void
fca_jobs_kick(fca_jobs_t *jobs)
{
    if (jobs->started) {
        jobs->loop->timer_set(jobs->timer, 0);
    }
}

static void
fca_jobs_trouble(fca_jobs_t *jobs, const char *what, const fcf_err_t *err)
{
    if (!jobs->said) {
        jobs->said = 1;
        fca_log(FCF_LOG_WARN, NULL, "%s: %s; trying again", what,
                err ? err->msg : "no memory");
    }

    jobs->loop->timer_set(jobs->timer, fcf_backoff(++jobs->backoff,
                                                   FCA_BACKOFF_MAX_MS));
}

static void
fca_jobs_well(fca_jobs_t *jobs)
{
    if (jobs->said) {
        fca_log(FCF_LOG_INFO, NULL, "Redis answers again");
    }

    jobs->said = 0;
    jobs->backoff = 0;
}

static void
fca_jobs_popped(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    fca_job_t   *job;
    fca_jobs_t  *jobs = arg;

    jobs->busy = 0;

    if (err) {
        if (err->code != FCF_E_CANCELED) {
            jobs->lost = 1;
            fca_jobs_trouble(jobs, "taking a job", err);
        }

        return;
    }

    fca_jobs_well(jobs);

    if (reply->type == REDIS_REPLY_STRING) {
        job = fca_job_new(jobs, reply->str, reply->len);
        if (job) {
            fca_jobs_decide(job);
        }
    }

    fca_jobs_kick(jobs);
}

static void
fca_jobs_id(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    fca_jobs_t  *jobs = arg;

    if (err == NULL && reply->type == REDIS_REPLY_INTEGER) {
        jobs->client_id = reply->integer;
    }
}

/* The connection's id goes with it, so that BLMOVE can be ended at a stop
 * without losing what it may just have moved. */
static void
fca_jobs_take(fca_jobs_t *jobs)
{
    char         block[16];
    const char  *id[] = { "CLIENT", "ID" };
    const char  *argv[] = { "BLMOVE", jobs->queue, jobs->taken, "RIGHT",
                            "LEFT", block };

    snprintf(block, sizeof(block), "%d", FCA_JOBS_BLOCK_S);

    if (fcf_redis_command(jobs->redis, 0, 2, id, NULL, fca_jobs_id, jobs) != 0
        || fcf_redis_command(jobs->redis, FCA_JOBS_BLOCK_S * 1000 + 3000, 6,
                             argv, NULL, fca_jobs_popped, jobs) != 0)
    {
        fca_jobs_trouble(jobs, "taking a job", NULL);
        return;
    }

    jobs->busy = 1;
}

static void
fca_jobs_restored(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    fca_jobs_t  *jobs = arg;

    (void) reply;

    if (err && err->code != FCF_E_CANCELED) {
        jobs->lost = 1;
    }
}

static void
fca_jobs_swept(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    size_t             i;
    size_t             lens[4];
    fca_jobs_t        *jobs = arg;
    const char        *argv[4];
    const redisReply  *e;

    jobs->busy = 0;

    if (err) {
        if (err->code != FCF_E_CANCELED) {
            fca_jobs_trouble(jobs, "looking for jobs taken unnoticed", err);

            /* no list, so no job of ours in it: this deletes the key */
            if (strstr(err->msg, "WRONGTYPE")) {
                jobs->given_back = 0;
            }
        }

        return;
    }

    jobs->lost = 0;

    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        e = reply->element[i];

        if (e->type != REDIS_REPLY_STRING
            || fca_job_known(jobs, e->str, e->len))
        {
            continue;
        }

        argv[0] = jobs->taken;
        argv[1] = jobs->queue;
        argv[2] = argv[3] = e->str;
        lens[0] = strlen(argv[0]);
        lens[1] = strlen(argv[1]);
        lens[2] = lens[3] = e->len;

        fca_log(FCF_LOG_WARN, NULL, "a job was taken unnoticed; giving it "
                "back");

        if (fcf_redis_script_bytes(jobs->conf.redis, &fcf_script_restore, 2, 4,
                                   argv, lens, fca_jobs_restored, jobs) != 0)
        {
            jobs->lost = 1;
        }
    }

    fca_jobs_kick(jobs);
}

static void
fca_jobs_sweep(fca_jobs_t *jobs)
{
    const char  *argv[] = { "LRANGE", jobs->taken, "0", "-1" };

    if (fcf_redis_command(jobs->conf.redis, 0, 4, argv, NULL,
                          fca_jobs_swept, jobs) != 0)
    {
        fca_jobs_trouble(jobs, "looking for jobs taken unnoticed", NULL);
        return;
    }

    jobs->busy = 1;
}

static void
fca_jobs_given_back(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    fca_jobs_t  *jobs = arg;

    jobs->busy = 0;

    if (err) {
        if (err->code != FCF_E_CANCELED) {
            fca_jobs_trouble(jobs, "giving back the last life's jobs", err);
        }

        return;
    }

    if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0) {
        fca_log(FCF_LOG_INFO, NULL, "%lld jobs of the last life given back",
                reply->integer);
    }

    jobs->given_back = 1;
    fca_jobs_well(jobs);
    fca_jobs_scan(jobs);
    fca_jobs_kick(jobs);
}

static void
fca_jobs_give_back(fca_jobs_t *jobs)
{
    const char  *argv[] = { jobs->taken, jobs->queue, jobs->nodes,
                            jobs->conf.node_id };

    if (fcf_redis_script(jobs->conf.redis, &fcf_script_giveback, 3, 4, argv,
                         fca_jobs_given_back, jobs) != 0)
    {
        fca_jobs_trouble(jobs, "giving back the last life's jobs", NULL);
        return;
    }

    jobs->busy = 1;
}

/* What lies in the list and belongs to nobody who goes on is found as what
 * was taken unnoticed is. */
static void
fca_jobs_look_through(fca_jobs_t *jobs)
{
    jobs->given_back = 1;
    jobs->lost = 1;
    fca_jobs_scan(jobs);
}

static void
fca_jobs_run(void *arg)
{
    fca_jobs_t  *jobs = arg;

    if (jobs->stopping) {
        return;
    }

    if (!jobs->handler.ready(jobs->handler.arg)) {
        fca_jobs_let_go(jobs);
        return;
    }

    fca_jobs_look(jobs);

    if (!jobs->given_back && jobs->conf.adopt && !jobs->lost) {
        fca_jobs_look_through(jobs);
    }

    if (jobs->busy) {
        /* void */

    } else if (!jobs->given_back) {
        fca_jobs_give_back(jobs);

    } else if (jobs->lost) {
        fca_jobs_sweep(jobs);

    } else if (jobs->nheld < FCA_JOBS_HELD_MAX
               && fca_now(jobs->loop) >= jobs->pause_until
               && jobs->handler.room(jobs->handler.arg))
    {
        fca_jobs_take(jobs);
    }

    /* kicked when a VM ends; ports rest, and jobs age, by the clock alone */
    if (jobs->nheld || !jobs->busy) {
        jobs->loop->timer_set(jobs->timer, FCA_JOBS_LOOK_MS);
    }
}

fca_jobs_t *
fca_jobs_new(const fca_jobs_conf_t *conf, const fca_jobs_handler_t *handler,
    fcf_err_t *err)
{
    fca_jobs_t  *jobs;
    fcf_loop_t  *loop = conf->loop;

    jobs = calloc(1, sizeof(*jobs));
    if (jobs == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for jobs");
        return NULL;
    }

    jobs->conf = *conf;
    jobs->conf.redis_conf = NULL;
    jobs->handler = *handler;
    jobs->loop = loop;
    TAILQ_INIT(&jobs->all);
    TAILQ_INIT(&jobs->held);
    fcf_redis_queue(jobs->queue, conf->prefix);
    fcf_redis_taken(jobs->taken, conf->prefix, conf->node_id);
    fcf_redis_dead(jobs->dead, conf->prefix);
    fcf_redis_nodes(jobs->nodes, conf->prefix);

    jobs->timer = loop->timer_new(loop, fca_jobs_run, jobs);
    jobs->scan_timer = loop->timer_new(loop, fca_jobs_scan, jobs);

    if (jobs->timer == NULL || jobs->scan_timer == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for jobs");
        fca_jobs_free(jobs);
        return NULL;
    }

    jobs->redis = fcf_redis_new(loop, conf->redis_conf, err);
    if (jobs->redis == NULL) {
        fca_jobs_free(jobs);
        return NULL;
    }

    return jobs;
}

void
fca_jobs_free(fca_jobs_t *jobs)
{
    fca_job_t  *job;

    if (jobs == NULL) {
        return;
    }

    jobs->stopping = 1;

    if (jobs->redis) {
        fcf_redis_free(jobs->redis);
    }

    while ((job = TAILQ_FIRST(&jobs->all)) != NULL) {
        fca_job_free(job);
    }

    if (jobs->timer) {
        jobs->loop->timer_free(jobs->timer);
    }

    if (jobs->scan_timer) {
        jobs->loop->timer_free(jobs->scan_timer);
    }

    free(jobs);
}

void
fca_jobs_start(fca_jobs_t *jobs)
{
    jobs->started = 1;
    fca_jobs_kick(jobs);
}

static void
fca_jobs_unblocked(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    (void) arg;
    (void) reply;
    (void) err;             /* then BLMOVE ends by its own block time */
}

void
fca_jobs_stop(fca_jobs_t *jobs)
{
    char         id[32];
    const char  *unblock[] = { "CLIENT", "UNBLOCK", id };

    if (jobs->stopping) {
        return;
    }

    jobs->stopping = 1;
    jobs->loop->timer_stop(jobs->timer);
    jobs->loop->timer_stop(jobs->scan_timer);

    fca_jobs_let_go(jobs);

    if (jobs->busy && jobs->client_id) {
        snprintf(id, sizeof(id), "%" PRId64, jobs->client_id);

        if (fcf_redis_command(jobs->conf.redis, 0, 3, unblock, NULL,
                              fca_jobs_unblocked, jobs) != 0)
        {
            fca_log(FCF_LOG_WARN, NULL, "no memory to end BLMOVE early");
        }
    }
}

int
fca_jobs_stopped(const fca_jobs_t *jobs)
{
    return jobs->stopping && !jobs->busy && TAILQ_EMPTY(&jobs->all);
}

int
fca_jobs_told(const fca_jobs_t *jobs)
{
    const fca_job_t  *job;

    TAILQ_FOREACH(job, &jobs->all, link) {
        if (job->outcome != FCA_JOB_TAKEN) {
            return 0;
        }
    }

    return jobs->stopping && !jobs->busy;
}

static void
fca_jobs_gone(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    fca_jobs_t  *jobs = arg;

    (void) reply;
    (void) err;             /* another node finds us absent */
    jobs->leaving = 0;
}

void
fca_jobs_leave(fca_jobs_t *jobs)
{
    const char  *argv[] = { jobs->taken, jobs->queue, jobs->nodes,
                            jobs->conf.node_id };

    if (fcf_redis_script(jobs->conf.redis, &fcf_script_giveback, 3, 4, argv,
                         fca_jobs_gone, jobs) == 0)
    {
        jobs->leaving = 1;
    }
}

int
fca_jobs_left(const fca_jobs_t *jobs)
{
    return !jobs->leaving;
}
