#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/fcf_redis_private.h"


static void fcf_redis_reply(redisAsyncContext *ac, void *reply, void *data);


void
fcf_redis_cmd_init(fcf_redis_t *redis)
{
    unsigned  i;

    for (i = 0; i < FCF_REDIS_CMD_N; i++) {
        TAILQ_INIT(&redis->cmds[i]);
    }
}


static void
fcf_redis_cmd_link(fcf_redis_cmd_t *cmd, fcf_redis_cmd_e state)
{
    cmd->state = state;
    cmd->redis->ncmds[state]++;
    TAILQ_INSERT_TAIL(&cmd->redis->cmds[state], cmd, link);
}


static void
fcf_redis_cmd_unlink(fcf_redis_cmd_t *cmd)
{
    cmd->redis->ncmds[cmd->state]--;
    TAILQ_REMOVE(&cmd->redis->cmds[cmd->state], cmd, link);
}


static void
fcf_redis_cmd_move(fcf_redis_cmd_t *cmd, fcf_redis_cmd_e state)
{
    fcf_redis_cmd_unlink(cmd);
    fcf_redis_cmd_link(cmd, state);
}


static void
fcf_redis_cmd_free(fcf_redis_cmd_t *cmd)
{
    free(cmd->wire);
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
    fcf_redis_cmd_move(cmd, FCF_REDIS_CMD_FAILED);
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


static int
fcf_redis_cmd_send(fcf_redis_t *redis, fcf_redis_cmd_t *cmd)
{
    int  rc;

    rc = redisAsyncFormattedCommand(redis->conn->ac, fcf_redis_reply, cmd,
                                    cmd->wire, cmd->wire_len);

    if (cmd->script == NULL) {
        free(cmd->wire);
        cmd->wire = NULL;
    }

    if (rc != REDIS_OK) {
        fcf_redis_cmd_fail(cmd, FCF_E_UNAVAILABLE, "connection is closing");
        return -1;
    }

    fcf_redis_cmd_move(cmd, FCF_REDIS_CMD_SENT);
    cmd->in_hiredis = 1;

    return 0;
}


/* EVAL with the whole text, after the digest turned out to be unknown, or may
 * be so elsewhere */

static int
fcf_redis_cmd_eval(fcf_redis_cmd_t *cmd)
{
    char    *wire;
    size_t   len;

    if (cmd->script == NULL) {
        return -1;
    }

    wire = fcf_redis_script_eval(cmd->script, cmd->wire, cmd->wire_len, &len);

    if (wire == NULL) {
        return -1;
    }

    free(cmd->wire);
    cmd->wire = wire;
    cmd->wire_len = len;
    cmd->script = NULL;

    return 0;
}


static void
fcf_redis_cmd_refused(fcf_redis_cmd_t *cmd, const redisReply *reply)
{
    fcf_err_t     err;
    fcf_redis_t  *redis;

    redis = cmd->redis;

    if (strncmp(reply->str, "NOSCRIPT", 8) == 0 && redis->conn != NULL
        && fcf_redis_cmd_eval(cmd) == 0)
    {
        (void) fcf_redis_cmd_send(redis, cmd);
        return;
    }

    if (!fcf_redis_not_now(reply->str)) {
        fcf_err_set(&err, fcf_redis_denied(reply->str) ? FCF_E_AUTH
                                                       : FCF_E_REFUSED,
                    "redis %s: %s",
                    redis->addrs[redis->at], reply->str);
        fcf_redis_cmd_finish(cmd, NULL, &err);
        return;
    }

    /* a master that became a replica, say: look for the new one, which gets
     * what is known not to have been done */

    fcf_err_set(&err, FCF_E_UNAVAILABLE, "redis %s: %s",
                redis->addrs[redis->at], reply->str);

    if (fcf_redis_cmd_eval(cmd) == 0) {
        fcf_redis_cmd_move(cmd, FCF_REDIS_CMD_WAITING);
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

    if (redis->state == FCF_REDIS_READY && !redis->dying) {
        fcf_redis_flush_waiting(redis);
    }

    fcf_redis_leave(redis);
}


void
fcf_redis_flush_waiting(fcf_redis_t *redis)
{
    fcf_redis_cmd_t  *cmd;

    while (redis->ncmds[FCF_REDIS_CMD_SENT] < FCF_REDIS_SENT_MAX) {

        cmd = TAILQ_FIRST(&redis->cmds[FCF_REDIS_CMD_WAITING]);

        if (cmd == NULL || fcf_redis_cmd_send(redis, cmd) != 0) {
            break;
        }
    }
}


void
fcf_redis_fail_waiting(fcf_redis_t *redis)
{
    if (redis->ncmds[FCF_REDIS_CMD_WAITING] != 0) {
        redis->loop->timer_set(redis->defer_timer, 0);
    }
}


/* commands whose callback is due: those that failed, and, where no address
 * serves, all that wait */

static size_t
fcf_redis_due(fcf_redis_t *redis)
{
    size_t  n;

    n = redis->ncmds[FCF_REDIS_CMD_FAILED];

    if (redis->failures != 0 && redis->state != FCF_REDIS_READY) {
        n += redis->ncmds[FCF_REDIS_CMD_WAITING];
    }

    return n;
}


static void
fcf_redis_fail_one(fcf_redis_t *redis)
{
    fcf_redis_cmd_t  *cmd;

    cmd = TAILQ_FIRST(&redis->cmds[FCF_REDIS_CMD_FAILED]);

    if (cmd == NULL) {
        cmd = TAILQ_FIRST(&redis->cmds[FCF_REDIS_CMD_WAITING]);
        fcf_err_set(&cmd->err, redis->why_code, "redis %s", redis->why);
    }

    fcf_redis_cmd_finish(cmd, NULL, &cmd->err);
}


void
fcf_redis_on_defer(void *arg)
{
    size_t        n;
    fcf_redis_t  *redis;

    redis = arg;
    redis->busy++;

    /* what callbacks start, and what fails at once, comes with a later turn */

    n = fcf_redis_due(redis);

    if (n > FCF_REDIS_TURN) {
        n = FCF_REDIS_TURN;
    }

    for ( /* void */ ; n != 0 && !redis->dying; n--) {
        fcf_redis_fail_one(redis);
    }

    if (fcf_redis_due(redis) != 0) {
        redis->loop->timer_set(redis->defer_timer, 0);
    }

    fcf_redis_leave(redis);
}


/* fails those of a queue that are over their deadline, until *left is 0;
 * *next: the earliest deadline of the others, or now where not all were looked
 * at; 0: none */

static unsigned
fcf_redis_sweep(fcf_redis_t *redis, fcf_redis_cmd_e state, unsigned *left,
    uint64_t *next)
{
    uint64_t          now;
    unsigned          late;
    fcf_redis_cmd_t  *cmd, *after;

    now = redis->loop->now(redis->loop);
    late = 0;

    for (cmd = TAILQ_FIRST(&redis->cmds[state]); cmd != NULL; cmd = after) {

        after = TAILQ_NEXT(cmd, link);

        if (cmd->deadline <= now && *left != 0) {
            late++;
            (*left)--;
            fcf_redis_cmd_fail(cmd, FCF_E_TIMEOUT, "no answer in time");
            continue;
        }

        if (*left == 0) {
            *next = now;
            break;
        }

        if (*next == 0 || cmd->deadline < *next) {
            *next = cmd->deadline;
        }
    }

    return late;
}


void
fcf_redis_on_sweep(void *arg)
{
    unsigned      late, left;
    uint64_t      next;
    fcf_redis_t  *redis;

    redis = arg;
    redis->sweep_at = 0;

    left = FCF_REDIS_TURN;
    next = 0;

    late = fcf_redis_sweep(redis, FCF_REDIS_CMD_SENT, &left, &next);
    (void) fcf_redis_sweep(redis, FCF_REDIS_CMD_WAITING, &left, &next);

    if (next != 0) {
        fcf_redis_sweep_by(redis, next);
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
    unsigned          i;
    fcf_err_t         err;
    fcf_redis_cmd_t  *cmd;

    fcf_err_set(&err, FCF_E_CANCELED, "redis client closed");

    for (i = 0; i < FCF_REDIS_CMD_N; i++) {
        while ((cmd = TAILQ_FIRST(&redis->cmds[i])) != NULL) {
            fcf_redis_cmd_finish(cmd, NULL, &err);
        }
    }
}


int
fcf_redis_start(fcf_redis_t *redis, unsigned timeout_ms, char *wire,
    size_t wire_len, const fcf_script_t *script, fcf_redis_pt done, void *arg)
{
    fcf_redis_cmd_t  *cmd;

    cmd = redis->dying ? NULL : calloc(1, sizeof(fcf_redis_cmd_t));

    if (cmd == NULL) {
        free(wire);
        return -1;
    }

    cmd->redis = redis;
    cmd->wire = wire;
    cmd->wire_len = wire_len;
    cmd->script = script;
    cmd->cb = done;
    cmd->arg = arg;
    cmd->deadline = redis->loop->now(redis->loop)
                    + (timeout_ms ? timeout_ms : redis->timeout_ms);

    fcf_redis_cmd_link(cmd, FCF_REDIS_CMD_WAITING);
    redis->commands++;

    if (redis->state == FCF_REDIS_READY) {
        fcf_redis_flush_waiting(redis);

    } else if (redis->failures != 0) {
        fcf_redis_fail_waiting(redis);
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

    return fcf_redis_start(redis, timeout_ms, wire, (size_t) len, NULL,
                           done, arg);
}
