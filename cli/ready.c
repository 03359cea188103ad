/*
 * One instance of a version that has no requests yet: a job for it goes into
 * the queue, as a gateway's would, and what agents say of it in etcd is
 * watched.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/redis.h"
#include "cli/rollout.h"
#include "client/fcf_sync.h"

#define FCC_LOOK_MS    200              /* at most, for a signal */

typedef struct {
    fcc_rollout_t  *rollout;
    fcf_redis_t    *redis;
    char            request_id[FCF_REQUEST_ID_MAX + 1];
    char            node[FCF_WORKER_ID_MAX + 1];    /* where it starts */
    int             timeout_s;
    int             asked, done;        /* done: 1 ready, -1 failed */
    fcf_err_t      *err;
} fcc_ready_t;


static void
fcc_ready_failed(fcc_ready_t *ready, const fcf_failure_t *failure)
{
    int          len;
    const char  *remedy, *console;

    console = strstr(failure->message, FCF_FAILURE_CONSOLE);
    len = console ? (int) (console - failure->message)
          : (int) strlen(failure->message);

    remedy = failure->error == FCF_FAILURE_AT_MAX
             ? "; all max_instances run, and one more: later, or --no-wait"
             : failure->error == FCF_FAILURE_NO_IMAGE
             && ready->rollout->decoded.code.where[0] == '\0'
             ? "; do agents look into the same \"functions\"?" : "";

    ready->done = fcf_err_set(ready->err, FCF_E_REFUSED,
        "%s: version %" PRId64 " did not come up and is not current: %s%s%s: "
        "%.*s%s", ready->rollout->name, ready->rollout->version,
        fcf_failure_name(failure->error), *failure->node_id ? " on " : "",
        failure->node_id, len, failure->message, remedy);

    /* before that all of what it printed, line by line, or what one line of
     * ours has no room for */

    if (console) {
        fcc_say_lines(console + strlen(FCF_FAILURE_CONSOLE));

    } else if (len > FCF_ERR_MSG_MAX / 2) {
        fcc_say_lines(failure->message);
    }
}


static void
fcc_ready_put(void *arg, const fcf_kv_t *kv)
{
    fcf_key_t        key;
    fcf_slot_t       slot;
    fcc_ready_t     *ready = arg;
    fcf_failure_t    failure;
    fcf_instance_t   it;

    fcf_key_parse(&key, ready->rollout->fcc->conf.prefix, kv->key,
                  kv->key_len);

    if (ready->done != 0) {
        return;
    }

    if (key.kind == FCF_KEY_INSTANCE
        && fcf_instance_decode(&it, kv->value, kv->value_len, NULL) == 0
        && it.version == ready->rollout->version
        && it.state == FCF_INSTANCE_READY)
    {
        ready->done = 1;

    } else if (key.kind == FCF_KEY_FAILURE
               && strcmp(key.name, ready->request_id) == 0
               && fcf_failure_decode(&failure, kv->value, kv->value_len, NULL)
                  == 0)
    {
        fcc_ready_failed(ready, &failure);

    } else if (key.kind == FCF_KEY_SLOT && ready->node[0] == '\0'
               && fcf_slot_decode(&slot, kv->value, kv->value_len, NULL) == 0
               && strcmp(slot.request_id, ready->request_id) == 0)
    {
        memcpy(ready->node, slot.worker_id, sizeof(ready->node));
        fcc_say("version %" PRId64 " starts as %s",
                ready->rollout->version, ready->node);
    }
}


static void
fcc_ready_asked(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    fcc_ready_t  *ready = arg;

    (void) reply;

    if (err != NULL && ready->done == 0) {
        *ready->err = *err;
        ready->done = fcf_err_wrap(ready->err, "Redis");
    }
}


/* The queue's script, told that nobody waits but one more is to be there: it
 * pushes the job whatever else is pending. */
static int
fcc_ready_push(fcc_ready_t *ready, const char *job)
{
    uint64_t        ms;
    fcf_ask_args_t  args;

    ms = (uint64_t) ready->timeout_s * 1000;
    ms = ms < FCF_PENDING_MAX_MS ? ms : FCF_PENDING_MAX_MS - 1000;

    fcf_ask_args(&args, &(fcf_ask_t) {
        .prefix = ready->rollout->fcc->conf.prefix,
        .function_id = ready->rollout->name,
        .request_id = ready->request_id, .job = job,
        .asker = ready->request_id, .version = ready->rollout->version,
        .least = 999999, .max = 1000000,
        .ttl_ms = ms, .demand_ttl_ms = ms,
        .boots = "", .others = "",
    });

    return fcf_redis_script(ready->redis, &fcf_script_ask, FCF_ASK_KEYS,
                            FCF_ASK_ARGS, args.argv, fcc_ready_asked, ready);
}


static void
fcc_ready_ask(fcc_ready_t *ready)
{
    char              *text;
    fcf_job_t          job;
    const fcf_spec_t  *spec;

    spec = &ready->rollout->decoded;
    memset(&job, 0, sizeof(job));

    memcpy(job.request_id, ready->request_id, sizeof(job.request_id));
    (void) snprintf(job.function_id, sizeof(job.function_id), "%s",
                    ready->rollout->name);
    job.cpu = spec->cpu;
    job.memory_mb = spec->memory_mb;
    job.version = ready->rollout->version;
    job.ours = 1;
    job.attempt = 1;

    text = fcf_job_encode(&job);
    ready->asked = 1;

    if (text == NULL || fcc_ready_push(ready, text) != 0) {
        ready->done = fcf_err_set(ready->err, FCF_E_NOMEM, "no memory");
    }

    free(text);
}


/* all that is there has been seen: there may be one already */
static void
fcc_ready_listed(void *arg, size_t prefix)
{
    fcc_ready_t  *ready = arg;

    (void) prefix;

    if (ready->done == 0 && !ready->asked) {
        fcc_ready_ask(ready);
    }
}


static void
fcc_ready_begin(void *arg, size_t prefix)
{
    (void) arg;
    (void) prefix;
}


static void
fcc_ready_del(void *arg, const char *key, size_t len)
{
    (void) arg;
    (void) key;
    (void) len;
}


static void
fcc_ready_state(void *arg, fcf_sync_state_e state, const char *why)
{
    (void) arg;
    (void) state;
    (void) why;
}


static int
fcc_ready_wait(fcc_ready_t *ready)
{
    fcc_t     *fcc;
    uint64_t   end;

    fcc = ready->rollout->fcc;
    end = fcc->loop.now(&fcc->loop) + (uint64_t) ready->timeout_s * 1000;

    while (ready->done == 0) {

        if (fcc_interrupted(ready->err) != 0) {
            return -1;
        }

        if (fcc->loop.now(&fcc->loop) >= end) {
            return fcf_err_set(ready->err, FCF_E_REFUSED, "%s: version %"
                PRId64 " was not ready within %d s and is not current: %s%s",
                ready->rollout->name, ready->rollout->version,
                ready->timeout_s, ready->node[0] != '\0'
                ? "it was started as " : "no node has taken it, see fcfaas "
                "nodes", ready->node);
        }

        (void) fcc_poll_turn(fcc->poll, FCC_LOOK_MS);
    }

    return ready->done == 1 ? 0 : -1;
}


int
fcc_ready(fcc_rollout_t *rollout, fcf_err_t *err)
{
    int                              rc;
    char                             key[FCF_KEY_MAX];
    fcf_sync_t                      *sync;
    fcc_ready_t                      ready;
    const char                      *prefixes[1];
    static const fcf_sync_handler_t  handler = {
        .begin = fcc_ready_begin,
        .put = fcc_ready_put,
        .del = fcc_ready_del,
        .end = fcc_ready_listed,
        .state = fcc_ready_state,
    };

    memset(&ready, 0, sizeof(ready));
    ready.rollout = rollout;
    ready.err = err;
    ready.timeout_s = rollout->timeout_s != 0 ? rollout->timeout_s
                      : rollout->decoded.boot_timeout_s + 10
                        + (int) ((rollout->decoded.code.size
                                  + rollout->decoded.runtime_image.size)
                                 >> 20);

    fcf_request_id_new(ready.request_id);
    prefixes[0] = fcf_key_function(key, rollout->fcc->conf.prefix,
                                   rollout->name);

    ready.redis = fcc_redis_new(rollout->fcc, err);

    if (ready.redis == NULL) {
        return -1;
    }

    if (fcc_etcd(rollout->fcc, err) == NULL) {
        fcf_redis_free(ready.redis);
        return -1;
    }

    sync = fcf_sync_new(rollout->fcc->etcd, prefixes, 1, &handler, &ready,
                        err);

    rc = sync == NULL ? -1 : fcc_ready_wait(&ready);

    if (sync != NULL) {
        fcf_sync_free(sync);
    }

    /* what is under way may tell of its end still, to nobody */

    ready.done = 1;
    fcf_redis_free(ready.redis);

    return rc;
}
