#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/fcf_redis_private.h"


static void fcf_redis_reply(redisAsyncContext *ac, void *reply, void *data);


static void
fcf_redis_cmd_link(fcf_redis_t *redis, fcf_redis_cmd_t *cmd)
{
    cmd->prev = redis->last;

    if (cmd->prev != NULL) {
        cmd->prev->next = cmd;

    } else {
        redis->cmds = cmd;
    }

    redis->last = cmd;
}


static void
fcf_redis_cmd_unlink(fcf_redis_cmd_t *cmd)
{
    fcf_redis_t  *redis;

    redis = cmd->redis;

    if (cmd->prev != NULL) {
        cmd->prev->next = cmd->next;

    } else {
        redis->cmds = cmd->next;
    }

    if (cmd->next != NULL) {
        cmd->next->prev = cmd->prev;

    } else {
        redis->last = cmd->prev;
    }

    cmd->prev = NULL;
    cmd->next = NULL;
}


static void
fcf_redis_cmd_free(fcf_redis_cmd_t *cmd)
{
    free(cmd->wire);
    free(cmd->eval);
    free(cmd);
}


/* runs the callback; the command itself stays while hiredis points to it */

static void
fcf_redis_cmd_finish(fcf_redis_cmd_t *cmd, const redisReply *reply,
    const fcf_err_t *err)
{
    fcf_redis_cmd_unlink(cmd);

    cmd->done = 1;
    cmd->cb(cmd->arg, reply, err);

    if (!cmd->in_hiredis) {
        fcf_redis_cmd_free(cmd);
    }
}


/* the callback has to wait for the next turn of the loop */

static void
fcf_redis_cmd_fail_why(fcf_redis_cmd_t *cmd, fcf_code_e code, const char *why)
{
    cmd->state = FCF_REDIS_CMD_FAILED;
    fcf_err_set(&cmd->err, code, "redis %s", why);

    cmd->redis->loop->timer_set(cmd->redis->defer_timer, 0);
}


/* the same for what the address in use has done */

static void
fcf_redis_cmd_fail(fcf_redis_cmd_t *cmd, fcf_code_e code, const char *why)
{
    char          text[256];
    fcf_redis_t  *redis;

    redis = cmd->redis;

    (void) snprintf(text, sizeof(text), "%s: %s", redis->addrs[redis->at],
                    why);
    fcf_redis_cmd_fail_why(cmd, code, text);
}


static void
fcf_redis_sweep_by(fcf_redis_t *redis, uint64_t deadline)
{
    uint64_t  now;

    if (redis->sweep_at != 0 && redis->sweep_at <= deadline) {
        return;
    }

    now = redis->loop->now(redis->loop);

    redis->sweep_at = deadline;
    redis->loop->timer_set(redis->sweep_timer,
                           deadline > now ? deadline - now : 0);
}


static void
fcf_redis_cmd_send(fcf_redis_t *redis, fcf_redis_cmd_t *cmd)
{
    int  rc;

    rc = redisAsyncFormattedCommand(redis->conn->ac, fcf_redis_reply, cmd,
                                    cmd->wire, cmd->wire_len);

    free(cmd->wire);
    cmd->wire = NULL;

    if (rc != REDIS_OK) {
        fcf_redis_cmd_fail(cmd, FCF_E_UNAVAILABLE, "connection is closing");
        return;
    }

    cmd->state = FCF_REDIS_CMD_SENT;
    cmd->in_hiredis = 1;
}


/* EVAL with the whole text, after the digest turned out to be unknown */

static int
fcf_redis_cmd_eval(fcf_redis_cmd_t *cmd)
{
    if (cmd->eval == NULL || cmd->redis->conn == NULL) {
        return -1;
    }

    cmd->wire = cmd->eval;
    cmd->wire_len = cmd->eval_len;
    cmd->eval = NULL;

    fcf_redis_cmd_send(cmd->redis, cmd);

    return 0;
}


static void
fcf_redis_cmd_refused(fcf_redis_cmd_t *cmd, const redisReply *reply)
{
    fcf_err_t     err;
    fcf_redis_t  *redis;

    redis = cmd->redis;

    if (strncmp(reply->str, "NOSCRIPT", 8) == 0
        && fcf_redis_cmd_eval(cmd) == 0)
    {
        return;
    }

    if (!fcf_redis_not_now(reply->str)) {
        fcf_err_set(&err, FCF_E_REFUSED, "redis %s: %s",
                    redis->addrs[redis->at], reply->str);
        fcf_redis_cmd_finish(cmd, NULL, &err);
        return;
    }

    /* a master that became a replica, say: look for the new one, which gets
     * what is known not to have been done */

    fcf_err_set(&err, FCF_E_UNAVAILABLE, "redis %s: %s",
                redis->addrs[redis->at], reply->str);

    if (cmd->eval != NULL) {
        cmd->state = FCF_REDIS_CMD_WAITING;
        cmd->wire = cmd->eval;
        cmd->wire_len = cmd->eval_len;
        cmd->eval = NULL;
        fcf_redis_drop(redis, reply->str);
        return;
    }

    fcf_redis_drop(redis, reply->str);
    fcf_redis_cmd_finish(cmd, NULL, &err);
}


static void
fcf_redis_reply(redisAsyncContext *ac, void *data, void *arg)
{
    redisReply        *reply;
    fcf_redis_t       *redis;
    fcf_redis_cmd_t   *cmd;
    fcf_redis_conn_t  *conn;

    cmd = arg;
    reply = data;
    cmd->in_hiredis = 0;

    if (cmd->done) {
        fcf_redis_cmd_free(cmd);
        return;
    }

    redis = cmd->redis;

    /* hiredis is tearing the connection down; a command that was failed
     * before is in the list for that already */

    if (reply == NULL) {
        if (cmd->state != FCF_REDIS_CMD_FAILED) {
            fcf_redis_cmd_fail(cmd, FCF_E_UNAVAILABLE,
                               ac->err ? ac->errstr : "connection lost");
        }

        return;
    }

    redis->busy++;
    conn = ac->data;

    if (redis->conn == conn && fcf_redis_surplus(ac)) {
        fcf_redis_drop(redis, FCF_REDIS_SURPLUS);
    }

    if (cmd->state == FCF_REDIS_CMD_FAILED) {
        /* its callback is due */

    } else if (reply->type == REDIS_REPLY_ERROR) {
        fcf_redis_cmd_refused(cmd, reply);

    } else {
        fcf_redis_cmd_finish(cmd, reply, NULL);
    }

    fcf_redis_leave(redis);
}


void
fcf_redis_flush_waiting(fcf_redis_t *redis)
{
    fcf_redis_cmd_t  *cmd, *next;

    for (cmd = redis->cmds; cmd != NULL; cmd = next) {
        next = cmd->next;

        if (cmd->state == FCF_REDIS_CMD_WAITING) {
            fcf_redis_cmd_send(redis, cmd);
        }
    }
}


/* what the last round of addresses came to: some server does not know us, or
 * there is none */
static fcf_code_e
fcf_redis_away(const fcf_redis_t *redis)
{
    return strstr(redis->why, "NOAUTH ") != NULL
           || strstr(redis->why, "WRONGPASS ") != NULL
           || strstr(redis->why, "AUTH: ") != NULL
           ? FCF_E_AUTH : FCF_E_UNAVAILABLE;
}


void
fcf_redis_fail_waiting(fcf_redis_t *redis)
{
    fcf_redis_cmd_t  *cmd;

    for (cmd = redis->cmds; cmd != NULL; cmd = cmd->next) {
        if (cmd->state == FCF_REDIS_CMD_WAITING) {
            fcf_redis_cmd_fail_why(cmd, fcf_redis_away(redis), redis->why);
        }
    }
}


void
fcf_redis_on_defer(void *arg)
{
    unsigned          n;
    fcf_redis_t      *redis;
    fcf_redis_cmd_t  *cmd;

    redis = arg;
    redis->busy++;

    /* callbacks change the list: after each it is read from its head, where
     * failed commands stand unless newer ones were failed alone.  What they
     * start and what fails at once comes with the next turn. */

    n = 0;

    for (cmd = redis->cmds; cmd != NULL; cmd = cmd->next) {
        n += (cmd->state == FCF_REDIS_CMD_FAILED);
    }

    cmd = redis->cmds;

    while (n > 0 && cmd != NULL && !redis->dying) {

        if (cmd->state != FCF_REDIS_CMD_FAILED) {
            cmd = cmd->next;
            continue;
        }

        n--;
        fcf_redis_cmd_finish(cmd, NULL, &cmd->err);
        cmd = redis->cmds;
    }

    fcf_redis_leave(redis);
}


void
fcf_redis_on_sweep(void *arg)
{
    int               late;
    uint64_t          now, min;
    fcf_redis_t      *redis;
    fcf_redis_cmd_t  *cmd;

    redis = arg;
    redis->sweep_at = 0;

    now = redis->loop->now(redis->loop);
    min = 0;
    late = 0;

    for (cmd = redis->cmds; cmd != NULL; cmd = cmd->next) {

        if (cmd->state == FCF_REDIS_CMD_FAILED) {
            continue;
        }

        if (cmd->deadline > now) {
            if (min == 0 || cmd->deadline < min) {
                min = cmd->deadline;
            }

            continue;
        }

        late |= (cmd->state == FCF_REDIS_CMD_SENT);
        fcf_redis_cmd_fail(cmd, FCF_E_TIMEOUT, "no answer in time");
    }

    if (min != 0) {
        fcf_redis_sweep_by(redis, min);
    }

    /* answers come in order: a connection on which one is overdue is of no
     * use to the others either, and the host may be gone without a word */

    if (late) {
        fcf_redis_drop(redis, "no answer in time");
    }
}


void
fcf_redis_cancel_all(fcf_redis_t *redis)
{
    fcf_err_t         err;
    fcf_redis_cmd_t  *cmd;

    fcf_err_set(&err, FCF_E_CANCELED, "redis client closed");

    while (redis->cmds != NULL) {
        cmd = redis->cmds;
        fcf_redis_cmd_finish(cmd, NULL, &err);
    }
}


int
fcf_redis_start(fcf_redis_t *redis, unsigned timeout_ms, char *wire,
    size_t wire_len, char *eval, size_t eval_len, fcf_redis_pt done, void *arg)
{
    fcf_redis_cmd_t  *cmd;

    cmd = redis->dying ? NULL : calloc(1, sizeof(fcf_redis_cmd_t));

    if (cmd == NULL) {
        free(wire);
        free(eval);
        return -1;
    }

    cmd->redis = redis;
    cmd->wire = wire;
    cmd->wire_len = wire_len;
    cmd->eval = eval;
    cmd->eval_len = eval_len;
    cmd->cb = done;
    cmd->arg = arg;
    cmd->deadline = redis->loop->now(redis->loop)
                    + (timeout_ms ? timeout_ms : redis->timeout_ms);

    fcf_redis_cmd_link(redis, cmd);
    redis->commands++;

    if (redis->state == FCF_REDIS_READY) {
        fcf_redis_cmd_send(redis, cmd);

    } else if (redis->failures != 0) {
        fcf_redis_cmd_fail_why(cmd, fcf_redis_away(redis), redis->why);
        return 0;
    }

    fcf_redis_sweep_by(redis, cmd->deadline);

    return 0;
}


int
fcf_redis_command(fcf_redis_t *redis, unsigned timeout_ms, int argc,
    const char **argv, const size_t *argvlen, fcf_redis_pt done, void *arg)
{
    int    len;
    char  *wire;

    len = redisFormatCommandArgv(&wire, argc, argv, argvlen);

    if (len < 0) {
        return -1;
    }

    return fcf_redis_start(redis, timeout_ms, wire, (size_t) len, NULL, 0,
                           done, arg);
}
