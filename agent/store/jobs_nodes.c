/* Nodes that took jobs and are gone: their lists are given back. */

#include <stdio.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/store/jobs_int.h"

static void
fca_jobs_dead_given(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    (void) arg;

    if (err == NULL && reply->type == REDIS_REPLY_INTEGER
        && reply->integer > 0)
    {
        fca_log(FCF_LOG_WARN, NULL, "%lld jobs of a node that is gone given "
                "back", reply->integer);
    }
}

static void
fca_jobs_dead_node(fca_jobs_t *jobs, const char *node_id)
{
    char         taken[FCF_KEY_MAX];
    const char  *argv[] = { taken, jobs->queue, jobs->nodes, node_id };

    fcf_redis_taken(taken, jobs->conf.prefix, node_id);
    fca_log(FCF_LOG_WARN, NULL, "node \"%s\" is gone", node_id);

    if (fcf_redis_script(jobs->conf.redis, &fcf_script_giveback, 3, 4, argv,
                         fca_jobs_dead_given, jobs) != 0)
    {
        fca_log(FCF_LOG_WARN, NULL, "no memory to give back its jobs");
    }
}

static int
fca_jobs_was_absent(const fca_jobs_t *jobs, const char *id)
{
    size_t  i;

    for (i = 0; i < jobs->nabsent; i++) {
        if (strcmp(jobs->absent[i], id) == 0) {
            return 1;
        }
    }

    return 0;
}

/* A node is gone when it was missing twice: one that starts joins Redis'
 * set only after its key is in etcd, but our watch may be behind. */
static void
fca_jobs_members(fca_jobs_t *jobs, const redisReply *members)
{
    char               absent[FCA_JOBS_ABSENT_MAX][FCF_ID_MAX + 1];
    size_t             i, n;
    const redisReply  *e;

    for (i = 0, n = 0; i < members->elements && n < FCA_JOBS_ABSENT_MAX; i++) {
        e = members->element[i];

        if (e->type != REDIS_REPLY_STRING || !fcf_id_valid(e->str, e->len)
            || strcmp(e->str, jobs->conf.node_id) == 0
            || fca_specs_node_lives(jobs->conf.specs, e->str))
        {
            continue;
        }

        if (fca_jobs_was_absent(jobs, e->str)) {
            fca_jobs_dead_node(jobs, e->str);
        } else {
            snprintf(absent[n++], sizeof(absent[0]), "%s", e->str);
        }
    }

    memcpy(jobs->absent, absent, n * sizeof(absent[0]));
    jobs->nabsent = n;
}

/* Redis' clock, and the nodes */
static void
fca_jobs_joined(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    fca_jobs_t  *jobs = arg;

    if (err || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_INTEGER
        || reply->element[1]->type != REDIS_REPLY_ARRAY)
    {
        return;             /* again at the next scan */
    }

    jobs->redis_ms = (uint64_t) reply->element[0]->integer
                     - fca_now(jobs->loop);
    jobs->redis_ms_known = 1;

    if (fca_specs_fresh(jobs->conf.specs)) {
        fca_jobs_members(jobs, reply->element[1]);
    }
}

/* Said again each time: a Redis that lost its data, or another node that
 * took us for dead, has forgotten us. */
void
fca_jobs_scan(void *arg)
{
    fca_jobs_t  *jobs = arg;
    const char  *argv[] = { jobs->nodes, jobs->conf.node_id };

    if (jobs->stopping) {
        return;
    }

    if (fcf_redis_script(jobs->conf.redis, &fcf_script_join, 1, 2, argv,
                         fca_jobs_joined, jobs) != 0)
    {
        fca_log(FCF_LOG_WARN, NULL, "no memory to look for dead nodes");
    }

    jobs->loop->timer_set(jobs->scan_timer, FCA_JOBS_SCAN_MS);
}
