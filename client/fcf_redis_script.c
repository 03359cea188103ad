#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/fcf_redis_private.h"


int
fcf_redis_script(fcf_redis_t *redis, const fcf_script_t *script, int nkeys,
    int argc, const char **argv, fcf_redis_pt done, void *arg)
{
    return fcf_redis_script_bytes(redis, script, nkeys, argc, argv, NULL,
                                  done, arg);
}


int
fcf_redis_script_bytes(fcf_redis_t *redis, const fcf_script_t *script,
    int nkeys, int argc, const char **argv, const size_t *argvlen,
    fcf_redis_pt done, void *arg)
{
    int                  i, len;
    char                *wire, count[16];
    size_t               lens[3 + FCF_REDIS_SCRIPT_ARGS];
    const char          *all[3 + FCF_REDIS_SCRIPT_ARGS];
    const fcf_script_t  *by_digest;

    if (argc > FCF_REDIS_SCRIPT_ARGS) {
        return -1;
    }

    (void) snprintf(count, sizeof(count), "%d", nkeys);

    by_digest = NULL;
    all[0] = "EVAL";
    all[1] = script->text;
    all[2] = count;

    i = fcf_redis_script_index(script);

    if (redis->state == FCF_REDIS_READY && i >= 0 && redis->sha[i][0]) {
        by_digest = script;
        all[0] = "EVALSHA";
        all[1] = redis->sha[i];
    }

    for (i = 0; i < argc; i++) {
        all[3 + i] = argv[i];
    }

    for (i = 0; i < argc + 3; i++) {
        lens[i] = argvlen != NULL && i >= 3 ? argvlen[i - 3] : strlen(all[i]);
    }

    len = redisFormatCommandArgv(&wire, argc + 3, all, lens);

    if (len < 0) {
        return -1;
    }

    return fcf_redis_start(redis, 0, wire, (size_t) len, by_digest, done, arg);
}


/*
 * "*<n>\r\n$7\r\nEVALSHA\r\n$40\r\n<digest>\r\n" and the arguments, which
 * are the same for EVAL: five lines of another length.
 */

char *
fcf_redis_script_eval(const fcf_script_t *script, const char *wire,
    size_t wire_len, size_t *len)
{
    int          i, n;
    char        *out;
    size_t       text_len, size;
    const char  *first, *rest, *end;

    first = NULL;
    rest = wire;
    end = wire + wire_len;

    for (i = 0; i < 5; i++) {
        rest = memchr(rest, '\n', (size_t) (end - rest));
        assert(rest != NULL);
        rest++;
        first = first ? first : rest;
    }

    text_len = strlen(script->text);
    size = wire_len + text_len + 64;
    out = malloc(size);

    if (out == NULL) {
        return NULL;
    }

    n = snprintf(out, size, "%.*s$4\r\nEVAL\r\n$%zu\r\n%s\r\n",
                 (int) (first - wire), wire, text_len, script->text);

    memcpy(out + n, rest, (size_t) (end - rest));
    *len = (size_t) n + (size_t) (end - rest);

    return out;
}
