/* What contract_probe says to Redis, and what it prints of the answers. */

#ifndef _PROBE_REDIS_H_INCLUDED_
#define _PROBE_REDIS_H_INCLUDED_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/fcf_redis.h"

static fcf_redis_t  *redis;


static const struct {
    const char          *name;
    const fcf_script_t  *script;
} scripts[] = {
    { "ask",      &fcf_script_ask },
    { "extend",   &fcf_script_extend },
    { "settle",   &fcf_script_settle },
    { "hold",     &fcf_script_hold },
    { "giveback", &fcf_script_giveback },
    { "join",     &fcf_script_join },
    { "restore",  &fcf_script_restore },
    { "bury",     &fcf_script_bury }
};


static void
print_redis(const redisReply *reply)
{
    size_t  i;

    switch (reply->type) {

    case REDIS_REPLY_INTEGER:
        printf(" %lld", reply->integer);
        break;

    case REDIS_REPLY_NIL:
        printf(" nil");
        break;

    case REDIS_REPLY_ARRAY:
        printf(" [");

        for (i = 0; i < reply->elements; i++) {
            print_redis(reply->element[i]);
        }

        printf(" ]");
        break;

    default:
        printf(" %s", reply->str);
        break;
    }
}


static void
on_redis(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    char  *tag;

    tag = arg;

    if (err != NULL) {
        printf("reply %s %s: %s\n", tag, fcf_code_name(err->code), err->msg);

    } else {
        printf("reply %s ok", tag);
        print_redis(reply);
        printf("\n");
    }

    free(tag);
}


static void
do_script(char *tag, int argc, char **argv)
{
    size_t  i;

    for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        if (strcmp(argv[1], scripts[i].name) == 0) {
            (void) !fcf_redis_script(redis, scripts[i].script,
                                     (int) strtol(argv[2], NULL, 10), argc - 3,
                                     (const char **) argv + 3, on_redis, tag);
            return;
        }
    }

    printf("reply %s unknown script\n", tag);
    free(tag);
}


/* 1: it is one of Redis' */
static int
do_redis(char *tag, int argc, char **argv)
{
    const char  **args = (const char **) argv;

    if (strcmp(argv[0], "redis") == 0) {
        (void) !fcf_redis_command(redis, 0, argc - 1, args + 1, NULL,
                                  on_redis, tag);

    } else if (strcmp(argv[0], "block") == 0) {
        (void) !fcf_redis_command(redis,
                                  (unsigned) strtol(argv[1], NULL, 10),
                                  argc - 2, args + 2, NULL, on_redis, tag);

    } else if (strcmp(argv[0], "script") == 0) {
        do_script(tag, argc, argv);

    } else {
        return 0;
    }

    return 1;
}

#endif /* _PROBE_REDIS_H_INCLUDED_ */
