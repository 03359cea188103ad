#include "cli/redis.h"

#define FCC_REDIS_MS  5000

typedef struct {
    void      (*look)(void *arg, const redisReply *reply);
    void       *arg;
    int         done;                   /* 1: well, -1: failed */
    fcf_err_t  *err;
} fcc_redis_wait_t;


fcf_redis_t *
fcc_redis_new(fcc_t *fcc, fcf_err_t *err)
{
    fcf_redis_conf_t  conf;

    conf = (fcf_redis_conf_t) {
        .addrs = fcc->conf.redises,
        .naddrs = fcc->conf.nredises,
        .db = fcc->conf.db,
        .user = fcc->conf.redis_user,
        .password = fcc->conf.redis_password,
        .timeout_ms = FCC_REDIS_MS,
    };

    return fcf_redis_new(&fcc->loop, &conf, err);
}


static void
fcc_redis_answered(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    fcc_redis_wait_t  *wait;

    wait = arg;

    if (err != NULL) {
        *wait->err = *err;
        wait->done = -1;
        return;
    }

    wait->done = 1;

    if (wait->look != NULL) {
        wait->look(wait->arg, reply);
    }
}


int
fcc_redis_call(fcc_t *fcc, fcf_redis_t *redis, const char **argv,
    void (*look)(void *arg, const redisReply *reply), void *arg,
    fcf_err_t *err)
{
    int               argc;
    fcc_redis_wait_t  wait = { look, arg, 0, err };

    for (argc = 0; argv[argc] != NULL; argc++) { /* void */ }

    if (fcf_redis_command(redis, 0, argc, argv, NULL, fcc_redis_answered,
                          &wait) != 0)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    while (wait.done == 0) {
        if (fcc_poll_turn(fcc->poll, -1) != 0) {
            return fcf_err_set(err, FCF_E_UNAVAILABLE,
                               "redis: nothing more comes of it");
        }
    }

    return wait.done == 1 ? 0 : -1;
}
