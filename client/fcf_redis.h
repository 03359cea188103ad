/*
 * Redis on a caller-supplied loop: hiredis' asynchronous API with what 0.14
 * lacks: connect and command deadlines, reconnect with jittered backoff, the
 * search for the address whose ROLE is master, AUTH and SELECT.
 *
 * Every callback runs exactly once, never before the starting call returns,
 * also when the client is freed (FCF_E_CANCELED).  A lost answer
 * (FCF_E_TIMEOUT, FCF_E_UNAVAILABLE) means "maybe done".
 *
 * One connection per client, answered in order: a blocking command (BLMOVE)
 * keeps all that follow it waiting, and needs a client of its own.  A command
 * over its deadline costs the connection, and those behind it with it.
 * However many there are, a bounded number is on the connection, and so many
 * callbacks of failed ones run in a turn of the loop.
 */

#ifndef _FCF_REDIS_H_INCLUDED_
#define _FCF_REDIS_H_INCLUDED_

#include <hiredis/hiredis.h>
#include "client/fcf_loop.h"
#include "contract/fcf_script.h"

#define FCF_REDIS_ADDRS_MAX  16

typedef struct fcf_redis_s  fcf_redis_t;

typedef struct {
    const char *const  *addrs;          /* "10.0.0.1:6379", "[::1]:6379",
                                           "unix:/path"; numeric */
    size_t              naddrs;
    int                 db;
    const char         *user, *password;    /* NULL: none */
    unsigned            connect_timeout_ms; /* 0: 1000 */
    unsigned            timeout_ms;         /* per command; 0: 2000 */
    int                 quiet;              /* another client of this process
                                               says what goes wrong */
} fcf_redis_conf_t;

/* err == NULL: reply is valid during the call (never REDIS_REPLY_ERROR: that
 * is FCF_E_REFUSED with Redis' words). */
typedef void (*fcf_redis_pt)(void *arg, const redisReply *reply,
    const fcf_err_t *err);

int fcf_redis_addr_check(const char *addr, fcf_err_t *err) fcf_must_check;

/* Copies *conf; connects in the background and stays connected. */
fcf_redis_t *fcf_redis_new(fcf_loop_t *loop, const fcf_redis_conf_t *conf,
    fcf_err_t *err);
void fcf_redis_free(fcf_redis_t *redis);

/* While a first connection is being made commands wait for it, within their
 * deadline; after a failed attempt they fail in the next turns (UNAVAILABLE).
 * timeout_ms 0: the default.  argvlen NULL: C strings.  -1: out of memory,
 * the callback does not run. */
int fcf_redis_command(fcf_redis_t *redis, unsigned timeout_ms, int argc,
    const char **argv, const size_t *argvlen, fcf_redis_pt done, void *arg)
    fcf_must_check;

#define FCF_REDIS_SCRIPT_ARGS  16

/* EVALSHA, falling back to EVAL.  argv: keys first; at most
 * FCF_REDIS_SCRIPT_ARGS of them all. */
int fcf_redis_script(fcf_redis_t *redis, const fcf_script_t *script,
    int nkeys, int argc, const char **argv, fcf_redis_pt done, void *arg)
    fcf_must_check;
/* the same for arguments that may hold any bytes; argvlen NULL: C strings */
int fcf_redis_script_bytes(fcf_redis_t *redis, const fcf_script_t *script,
    int nkeys, int argc, const char **argv, const size_t *argvlen,
    fcf_redis_pt done, void *arg) fcf_must_check;

typedef struct {
    const char   *addr;                 /* current, or last tried */
    int           connected;
    uint64_t      reconnects;
    uint64_t      commands;
} fcf_redis_stat_t;

void fcf_redis_stat(const fcf_redis_t *redis, fcf_redis_stat_t *out);

#endif /* _FCF_REDIS_H_INCLUDED_ */
