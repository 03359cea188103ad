/* What the parts of the Redis client share: fcf_redis.c (life, which address),
 * fcf_redis_conn.c (one connection: hiredis' hooks, handshake),
 * fcf_redis_cmd.c (commands and their deadlines), fcf_redis_script.c. */

#ifndef _FCF_REDIS_PRIVATE_H_INCLUDED_
#define _FCF_REDIS_PRIVATE_H_INCLUDED_

#include <hiredis/async.h>
#include <sys/queue.h>
#include "client/fcf_redis.h"

#define FCF_REDIS_SCRIPTS      8
/* the gateway gives a request two seconds of a Redis that is away: one that is
 * back is found within them */
#define FCF_REDIS_BACKOFF_MAX  1000
#define FCF_REDIS_LASTED_MS    2000
#define FCF_REDIS_SHA_LEN      40
/* commands that hiredis has at once: it fails all of them in one step */
#define FCF_REDIS_SENT_MAX     256
/* commands that fail in one turn of the loop */
#define FCF_REDIS_TURN         64

typedef struct fcf_redis_cmd_s   fcf_redis_cmd_t;
typedef struct fcf_redis_conn_s  fcf_redis_conn_t;

typedef enum {
    FCF_REDIS_CMD_WAITING = 0,  /* for a connection, or others' answers */
    FCF_REDIS_CMD_SENT,
    FCF_REDIS_CMD_FAILED,       /* its callback is due at the next turn */
    FCF_REDIS_CMD_N
} fcf_redis_cmd_e;

/*
 * Lives from fcf_redis_command() until its callback has run and hiredis has
 * let go of it: after a timeout hiredis still holds a pointer to it.
 */

struct fcf_redis_cmd_s {
    fcf_redis_t       *redis;
    fcf_redis_cmd_e    state;           /* also the queue where it stands */

    TAILQ_ENTRY(fcf_redis_cmd_s)  link;

    unsigned           in_hiredis:1;
    unsigned           done:1;          /* the callback has run */
    uint64_t           deadline;
    char              *wire;            /* until sent */
    size_t             wire_len;
    const fcf_script_t  *script;        /* called by digest: until that is
                                           known to be there, or NULL; wire
                                           is kept as long */
    fcf_redis_pt       cb;
    void              *arg;
    fcf_err_t          err;             /* FAILED */
};

/* one connection; freed when hiredis lets go of it, which may be later than
 * redis->conn forgets it */

struct fcf_redis_conn_s {
    fcf_redis_t        *redis;          /* NULL: dropped */
    redisAsyncContext  *ac;
    fcf_io_t           *io;
    unsigned            events;
};

#define FCF_REDIS_STATES(X)                                                 \
    X(DOWN)             /* waiting for the next attempt */                  \
    X(CONNECTING)                                                           \
    X(HANDSHAKE)        /* AUTH, SELECT, ROLE */                            \
    X(READY)

typedef enum {
#define FCF_X(id)  FCF_REDIS_##id,
    FCF_REDIS_STATES(FCF_X)
#undef FCF_X
    FCF_REDIS_STATE_N
} fcf_redis_state_e;

struct fcf_redis_s {
    fcf_loop_t         *loop;
    char               *addrs[FCF_REDIS_ADDRS_MAX];
    size_t              naddrs;
    size_t              at;             /* address in use or tried last */
    size_t              tried;          /* addresses of this round */
    unsigned            failures;       /* whole rounds in vain */
    int                 db;
    char               *user, *password;
    unsigned            connect_timeout_ms;
    unsigned            timeout_ms;

    uint64_t            ready_at;
    unsigned            short_lived;    /* connections, in a row */
    fcf_redis_state_e   state;
    fcf_redis_conn_t   *conn;
    fcf_timer_t        *connect_timer;  /* deadline or backoff, by state */
    fcf_timer_t        *sweep_timer;    /* commands' deadlines */
    fcf_timer_t        *defer_timer;    /* callbacks of failed commands */
    uint64_t            sweep_at;       /* 0: not armed */


    /* oldest first */
    TAILQ_HEAD(, fcf_redis_cmd_s)  cmds[FCF_REDIS_CMD_N];
    size_t              ncmds[FCF_REDIS_CMD_N];

    char                sha[FCF_REDIS_SCRIPTS][FCF_REDIS_SHA_LEN + 1];
    char                whys[FCF_REDIS_ADDRS_MAX][96];
                                        /* why each is not used, this round */
    char                why[256];       /* of the last round that failed */
    fcf_code_e          why_code;       /* AUTH: all of them refused us */
    fcf_said_t          said;

    uint64_t            reconnects, commands;
    unsigned            quiet:1;
    unsigned            ever:1;         /* was connected once */
    unsigned            move_on:1;      /* the next attempt: next address */
    unsigned            dying:1;
    unsigned            busy;           /* frames that may run user code */
};

/* fcf_redis_cmd.c */
/* takes wire (malloc'd), also on failure; script: wire calls it by digest, or
 * NULL; -1: out of memory */
int fcf_redis_start(fcf_redis_t *redis, unsigned timeout_ms, char *wire,
    size_t wire_len, const fcf_script_t *script, fcf_redis_pt done,
    void *arg);
/* the same call with the whole text (malloc'd); NULL: out of memory */
char *fcf_redis_script_eval(const fcf_script_t *script, const char *wire,
    size_t wire_len, size_t *len);
void fcf_redis_cmd_init(fcf_redis_t *redis);
void fcf_redis_flush_waiting(fcf_redis_t *redis);
/* waiting ones get UNAVAILABLE in the next turns, until there is a connection
 * again */
void fcf_redis_fail_waiting(fcf_redis_t *redis);
void fcf_redis_on_sweep(void *arg);
void fcf_redis_on_defer(void *arg);
/* CANCELED for all that is left, at once */
void fcf_redis_cancel_all(fcf_redis_t *redis);

/* fcf_redis.c */
/* the only place that assigns it */
void fcf_redis_state(fcf_redis_t *redis, fcf_redis_state_e state);
/* no use of the connection any more; what comes next is armed as a timer, so
 * that nothing is started from inside hiredis */
void fcf_redis_down(fcf_redis_t *redis, const char *why);
/* gives the connection up and tries the next address */
void fcf_redis_drop(fcf_redis_t *redis, const char *why);
void fcf_redis_leave(fcf_redis_t *redis);

/* fcf_redis_conn.c */
/* for now this server, or what is behind its address, serves no commands: it
 * loads its data, or is a master no more */
int fcf_redis_not_now(const char *error);
/* it does not take who we say we are, or wants to be told; what an ACL keeps
 * from us is something else */
int fcf_redis_denied(const char *error);
#define FCF_REDIS_SURPLUS  "sends answers to nothing"
/* more was received than asked for: hiredis has an assert against that */
int fcf_redis_surplus(const redisAsyncContext *ac);
void fcf_redis_connect(fcf_redis_t *redis);
/* hiredis calls the cleanup hook, now or when it returns from the callback we
 * are in, and NULL replies before that */
void fcf_redis_detach(fcf_redis_t *redis);
int fcf_redis_script_index(const fcf_script_t *script);

#endif /* _FCF_REDIS_PRIVATE_H_INCLUDED_ */
