#include <stdio.h>
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
    int           i, len, eval_len;
    char         *wire, *eval, count[16];
    size_t        lens[3 + FCF_REDIS_SCRIPT_ARGS];
    const char   *all[3 + FCF_REDIS_SCRIPT_ARGS];

    if (argc > FCF_REDIS_SCRIPT_ARGS) {
        return -1;
    }

    (void) snprintf(count, sizeof(count), "%d", nkeys);

    all[0] = "EVAL";
    all[1] = script->text;
    all[2] = count;

    for (i = 0; i < argc; i++) {
        all[3 + i] = argv[i];
    }

    for (i = 0; i < argc + 3; i++) {
        lens[i] = argvlen != NULL && i >= 3 ? argvlen[i - 3] : strlen(all[i]);
    }

    wire = NULL;
    len = 0;

    eval_len = redisFormatCommandArgv(&eval, argc + 3, all, lens);

    if (eval_len < 0) {
        return -1;
    }

    i = fcf_redis_script_index(script);

    if (redis->state == FCF_REDIS_READY && i >= 0 && redis->sha[i][0]) {
        all[0] = "EVALSHA";
        all[1] = redis->sha[i];
        lens[0] = strlen(all[0]);
        lens[1] = strlen(all[1]);
        len = redisFormatCommandArgv(&wire, argc + 3, all, lens);
    }

    if (len < 0) {
        free(eval);
        return -1;
    }

    if (len == 0) {
        return fcf_redis_start(redis, 0, eval, (size_t) eval_len, NULL, 0,
                               done, arg);
    }

    return fcf_redis_start(redis, 0, wire, (size_t) len, eval,
                           (size_t) eval_len, done, arg);
}
