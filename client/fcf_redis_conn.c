#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/fcf_redis_addr.h"
#include "client/fcf_redis_private.h"


static const fcf_script_t *const  fcf_redis_scripts[FCF_REDIS_SCRIPTS] = {
    &fcf_script_ask, &fcf_script_extend, &fcf_script_settle,
    &fcf_script_hold, &fcf_script_giveback, &fcf_script_join,
    &fcf_script_restore, &fcf_script_bury
};


int
fcf_redis_script_index(const fcf_script_t *script)
{
    int  i;

    for (i = 0; i < FCF_REDIS_SCRIPTS; i++) {
        if (fcf_redis_scripts[i] == script) {
            return i;
        }
    }

    return -1;
}


/* hiredis' hooks: all of them get the conn */

static void
fcf_redis_events(fcf_redis_conn_t *conn, unsigned events)
{
    conn->events = events;

    if (conn->io != NULL) {
        (void) conn->redis->loop->io_set(conn->io, events);
    }
}


static void
fcf_redis_add_read(void *data)
{
    fcf_redis_conn_t  *conn;

    conn = data;
    fcf_redis_events(conn, conn->events | FCF_READ);
}


static void
fcf_redis_del_read(void *data)
{
    fcf_redis_conn_t  *conn;

    conn = data;
    fcf_redis_events(conn, conn->events & ~FCF_READ);
}


static void
fcf_redis_add_write(void *data)
{
    fcf_redis_conn_t  *conn;

    conn = data;
    fcf_redis_events(conn, conn->events | FCF_WRITE);
}


static void
fcf_redis_del_write(void *data)
{
    fcf_redis_conn_t  *conn;

    conn = data;
    fcf_redis_events(conn, conn->events & ~FCF_WRITE);
}


static void
fcf_redis_io_del(fcf_redis_conn_t *conn)
{
    if (conn->io != NULL) {
        conn->redis->loop->io_del(conn->io);
        conn->io = NULL;
    }
}


static void
fcf_redis_cleanup(void *data)
{
    fcf_redis_t       *redis;
    fcf_redis_conn_t  *conn;

    conn = data;
    redis = conn->redis;

    if (redis != NULL) {
        fcf_redis_io_del(conn);

        fcf_redis_down(redis, conn->ac->err ? conn->ac->errstr
                                            : "connection lost");
    }

    free(conn);
}


void
fcf_redis_detach(fcf_redis_t *redis)
{
    fcf_redis_conn_t  *conn;

    conn = redis->conn;
    redis->conn = NULL;

    fcf_redis_io_del(conn);
    conn->redis = NULL;

    redisAsyncFree(conn->ac);
}


int
fcf_redis_surplus(const redisAsyncContext *ac)
{
    char  c;

    if (ac->replies.head != NULL) {
        return 0;
    }

    return ac->c.reader->pos < ac->c.reader->len
           || recv(ac->c.fd, &c, 1, MSG_PEEK|MSG_DONTWAIT) > 0;
}


static void
fcf_redis_io(void *arg, unsigned events)
{
    fcf_redis_t       *redis;
    fcf_redis_conn_t  *conn;

    conn = arg;
    redis = conn->redis;
    redis->busy++;

    if ((events & FCF_READ) && fcf_redis_surplus(conn->ac)) {
        fcf_redis_drop(redis, FCF_REDIS_SURPLUS);

    } else if (events & FCF_READ) {
        redisAsyncHandleRead(conn->ac);
    }

    /* conn may be freed by now, and another one in its place only later */

    if ((events & FCF_WRITE) && redis->conn == conn) {
        redisAsyncHandleWrite(conn->ac);
    }

    fcf_redis_leave(redis);
}


static void
fcf_redis_ready(fcf_redis_t *redis)
{
    redis->loop->timer_stop(redis->connect_timer);

    fcf_redis_state(redis, FCF_REDIS_READY);
    redis->ready_at = redis->loop->now(redis->loop);
    redis->failures = 0;
    redis->tried = 0;
    fcf_said_nothing(&redis->said);

    if (redis->ever) {
        redis->reconnects++;
    }

    redis->ever = 1;

    fcf_log(redis->loop, redis->quiet ? FCF_LOG_DEBUG : FCF_LOG_INFO,
            "redis %s: connected", redis->addrs[redis->at]);

    fcf_redis_flush_waiting(redis);
}


int
fcf_redis_not_now(const char *error)
{
    size_t  i;

    static const char *const  words[] = {
        "LOADING ", "READONLY ", "MASTERDOWN ", "UNBLOCKED "
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(error, words[i], strlen(words[i])) == 0) {
            return 1;
        }
    }

    /* of a script, before Redis 7 */

    return strstr(error, ": -READONLY ") != NULL;
}


int
fcf_redis_denied(const char *error)
{
    /* also behind the name of the step that was refused; servers before 6 say
     * of AUTH no more than that it is an error */

    return strstr(error, "NOAUTH ") != NULL
           || strstr(error, "WRONGPASS ") != NULL
           || strncmp(error, "AUTH: ERR ", 10) == 0;
}


static void
fcf_redis_on_loaded(redisAsyncContext *ac, void *data, void *arg)
{
    char              *sha;
    redisReply        *reply;
    fcf_redis_conn_t  *conn;

    reply = data;
    sha = arg;
    conn = ac->data;

    if (reply == NULL || conn->redis == NULL || conn->redis->conn != conn) {
        return;
    }

    if (reply->type == REDIS_REPLY_STRING && reply->len == FCF_REDIS_SHA_LEN)
    {
        memcpy(sha, reply->str, FCF_REDIS_SHA_LEN);
        return;
    }

    /* one that loads its data has a ROLE all the same; what an ACL refuses,
     * say, is done by EVAL instead */

    if (reply->type == REDIS_REPLY_ERROR && fcf_redis_not_now(reply->str)) {
        fcf_redis_drop(conn->redis, reply->str);
    }
}


static void
fcf_redis_on_role(redisAsyncContext *ac, void *data, void *arg)
{
    char               why[128];
    redisReply        *reply;
    fcf_redis_conn_t  *conn;

    (void) arg;

    reply = data;
    conn = ac->data;

    if (reply == NULL || conn->redis == NULL) {
        return;
    }

    if (fcf_redis_surplus(ac)) {
        fcf_redis_drop(conn->redis, FCF_REDIS_SURPLUS);
        return;
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
        && reply->element[0]->type == REDIS_REPLY_STRING)
    {
        if (strcmp(reply->element[0]->str, "master") == 0) {
            fcf_redis_ready(conn->redis);
            return;
        }

        (void) snprintf(why, sizeof(why), "is a %s, not the master",
                        reply->element[0]->str);

    } else {
        (void) snprintf(why, sizeof(why), "ROLE: %s",
                        reply->type == REDIS_REPLY_ERROR ? reply->str
                                                         : "bad answer");
    }

    fcf_redis_drop(conn->redis, why);
}


static void
fcf_redis_step(redisAsyncContext *ac, const redisReply *reply,
    const char *name)
{
    char               why[128];
    fcf_redis_conn_t  *conn;

    conn = ac->data;

    if (reply == NULL || conn->redis == NULL
        || reply->type != REDIS_REPLY_ERROR)
    {
        return;
    }

    (void) snprintf(why, sizeof(why), "%s: %s", name, reply->str);
    fcf_redis_drop(conn->redis, why);
}


static void
fcf_redis_on_auth(redisAsyncContext *ac, void *reply, void *arg)
{
    (void) arg;
    fcf_redis_step(ac, reply, "AUTH");
}


static void
fcf_redis_on_select(redisAsyncContext *ac, void *reply, void *arg)
{
    (void) arg;
    fcf_redis_step(ac, reply, "SELECT");
}


static int
fcf_redis_handshake(fcf_redis_t *redis, redisAsyncContext *ac)
{
    int  i, rc;

    rc = REDIS_OK;
    memset(redis->sha, 0, sizeof(redis->sha));

    if (redis->password != NULL && redis->user != NULL) {
        rc |= redisAsyncCommand(ac, fcf_redis_on_auth, NULL,
                                "AUTH %s %s", redis->user, redis->password);

    } else if (redis->password != NULL) {
        rc |= redisAsyncCommand(ac, fcf_redis_on_auth, NULL, "AUTH %s",
                                redis->password);
    }

    if (redis->db != 0) {
        rc |= redisAsyncCommand(ac, fcf_redis_on_select, NULL,
                                "SELECT %d", redis->db);
    }

    for (i = 0; i < FCF_REDIS_SCRIPTS; i++) {
        rc |= redisAsyncCommand(ac, fcf_redis_on_loaded, redis->sha[i],
                                "SCRIPT LOAD %s", fcf_redis_scripts[i]->text);
    }

    rc |= redisAsyncCommand(ac, fcf_redis_on_role, NULL, "ROLE");

    return (rc == REDIS_OK) ? 0 : -1;
}


static void
fcf_redis_on_connect(const redisAsyncContext *ac, int status)
{
    fcf_redis_conn_t  *conn;

    conn = ac->data;

    /* on failure the cleanup hook comes next */

    if (status == REDIS_OK && conn->redis != NULL) {
        fcf_redis_state(conn->redis, FCF_REDIS_HANDSHAKE);
    }
}


void
fcf_redis_connect(fcf_redis_t *redis)
{
    fcf_err_t           err;
    fcf_redis_addr_t    addr;
    fcf_redis_conn_t   *conn;
    redisAsyncContext  *ac;

    /* checked when the client was made */

    if (fcf_redis_addr_parse(&addr, redis->addrs[redis->at], &err) != 0) {
        fcf_redis_down(redis, err.msg);
        return;
    }

    conn = calloc(1, sizeof(fcf_redis_conn_t));

    if (conn == NULL) {
        fcf_redis_down(redis, "out of memory");
        return;
    }

    ac = addr.port ? redisAsyncConnect(addr.host, addr.port)
                   : redisAsyncConnectUnix(addr.host);

    if (ac == NULL || ac->err) {
        fcf_redis_down(redis, ac ? ac->errstr : "out of memory");

        if (ac != NULL) {
            redisAsyncFree(ac);
        }

        free(conn);
        return;
    }

    /* a program that is started must not go on with our connection: what it
     * waits for would be given to nobody */
    (void) fcntl(ac->c.fd, F_SETFD, FD_CLOEXEC);

    conn->redis = redis;
    conn->ac = ac;
    conn->io = redis->loop->io_add(redis->loop, ac->c.fd, fcf_redis_io, conn);

    ac->data = conn;
    ac->ev.data = conn;
    ac->ev.addRead = fcf_redis_add_read;
    ac->ev.delRead = fcf_redis_del_read;
    ac->ev.addWrite = fcf_redis_add_write;
    ac->ev.delWrite = fcf_redis_del_write;
    ac->ev.cleanup = fcf_redis_cleanup;

    redis->conn = conn;
    fcf_redis_state(redis, FCF_REDIS_CONNECTING);

    if (conn->io == NULL
        || redisAsyncSetConnectCallback(ac, fcf_redis_on_connect) != REDIS_OK
        || fcf_redis_handshake(redis, ac) != 0)
    {
        fcf_redis_drop(redis, "out of memory or connections");
        return;
    }

    redis->loop->timer_set(redis->connect_timer, redis->connect_timeout_ms);
}
