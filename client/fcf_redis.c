#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/fcf_backoff.h"
#include "client/fcf_redis_addr.h"
#include "client/fcf_redis_private.h"

#define FCF_REDIS_CONNECT_MS  1000
#define FCF_REDIS_COMMAND_MS  2000


static void fcf_redis_destroy(fcf_redis_t *redis);


static const char *const  fcf_redis_states[] = {
#define FCF_X(id)  #id,
    FCF_REDIS_STATES(FCF_X)
#undef FCF_X
};


void
fcf_redis_state(fcf_redis_t *redis, fcf_redis_state_e state)
{
    fcf_log(redis->loop, FCF_LOG_DEBUG, "redis: %s -> %s",
            fcf_redis_states[redis->state], fcf_redis_states[state]);

    redis->state = state;
}


void
fcf_redis_leave(fcf_redis_t *redis)
{
    if (--redis->busy == 0 && redis->dying) {
        fcf_redis_destroy(redis);
    }
}


/* all addresses were tried in vain: what each of them said */

static void
fcf_redis_say(fcf_redis_t *redis)
{
    int     n;
    size_t  i, len;

    len = 0;
    redis->why[0] = '\0';
    redis->why_code = FCF_E_AUTH;

    for (i = 0; i < redis->naddrs; i++) {
        if (!fcf_redis_denied(redis->whys[i])) {
            redis->why_code = FCF_E_UNAVAILABLE;
        }
    }

    for (i = 0; i < redis->naddrs && len < sizeof(redis->why); i++) {
        n = snprintf(redis->why + len, sizeof(redis->why) - len, "%s%s: %s",
                     i ? "; " : "", redis->addrs[i], redis->whys[i]);
        len += (size_t) n;
    }

    if (!fcf_said(&redis->said, redis->loop, redis->why)) {
        fcf_log(redis->loop, redis->quiet ? FCF_LOG_DEBUG : FCF_LOG_ERROR,
                "redis %s", redis->why);
    }
}


void
fcf_redis_down(fcf_redis_t *redis, const char *why)
{
    uint64_t  ms;

    ms = 0;
    (void) snprintf(redis->whys[redis->at], sizeof(redis->whys[0]), "%s",
                    why);

    if (redis->state == FCF_REDIS_READY) {
        fcf_log(redis->loop, redis->quiet ? FCF_LOG_DEBUG : FCF_LOG_WARN,
                "redis %s: %s; reconnecting", redis->addrs[redis->at], why);
        redis->tried = 0;

        /* at once, but for one that keeps ending right after it stood */

        if (redis->loop->now(redis->loop) - redis->ready_at
            >= FCF_REDIS_LASTED_MS)
        {
            redis->short_lived = 0;
        }

        if (redis->short_lived++ != 0) {
            ms = fcf_backoff(redis->short_lived, FCF_REDIS_BACKOFF_MAX);
        }

    } else {
        redis->tried++;
    }

    fcf_redis_state(redis, FCF_REDIS_DOWN);
    redis->conn = NULL;

    if (redis->tried >= redis->naddrs) {
        redis->tried = 0;
        redis->failures++;
        fcf_redis_say(redis);

        ms = fcf_backoff(redis->failures, FCF_REDIS_BACKOFF_MAX);
        fcf_redis_fail_waiting(redis);
    }

    /* until then the failure is that address' */

    redis->move_on = (redis->tried != 0 || redis->failures != 0);
    redis->loop->timer_set(redis->connect_timer, ms);
}


void
fcf_redis_drop(fcf_redis_t *redis, const char *why)
{
    if (redis->conn == NULL) {
        return;
    }

    fcf_redis_detach(redis);
    fcf_redis_down(redis, why);
}


static void
fcf_redis_on_timer(void *arg)
{
    fcf_redis_t  *redis;

    redis = arg;

    if (redis->state == FCF_REDIS_DOWN) {
        if (redis->move_on) {
            redis->at = (redis->at + 1) % redis->naddrs;
        }

        fcf_redis_connect(redis);
        return;
    }

    fcf_redis_drop(redis, redis->state == FCF_REDIS_CONNECTING
                          ? "connect timed out" : "no answer to ROLE in time");
}


static int
fcf_redis_copy(fcf_redis_t *redis, const fcf_redis_conf_t *conf)
{
    size_t  i;

    for (i = 0; i < conf->naddrs; i++) {
        redis->addrs[i] = strdup(conf->addrs[i]);

        if (redis->addrs[i] == NULL) {
            return -1;
        }

        redis->naddrs++;
    }

    if (conf->user != NULL) {
        redis->user = strdup(conf->user);
    }

    if (conf->password != NULL) {
        redis->password = strdup(conf->password);
    }

    return ((conf->user && !redis->user)
            || (conf->password && !redis->password)) ? -1 : 0;
}


static int
fcf_redis_check(const fcf_redis_conf_t *conf, fcf_err_t *err)
{
    size_t  i;

    if (conf->naddrs == 0 || conf->naddrs > FCF_REDIS_ADDRS_MAX) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "redis: %zu addresses, must be 1 to %d",
                           conf->naddrs, FCF_REDIS_ADDRS_MAX);
    }

    for (i = 0; i < conf->naddrs; i++) {
        if (fcf_redis_addr_check(conf->addrs[i], err) != 0) {
            return -1;
        }
    }

    return 0;
}


fcf_redis_t *
fcf_redis_new(fcf_loop_t *loop, const fcf_redis_conf_t *conf, fcf_err_t *err)
{
    fcf_redis_t  *redis;

    if (fcf_redis_check(conf, err) != 0) {
        return NULL;
    }

    redis = calloc(1, sizeof(fcf_redis_t));

    if (redis == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "redis client");
        return NULL;
    }

    fcf_redis_cmd_init(redis);
    redis->loop = loop;
    redis->db = conf->db;
    redis->quiet = (conf->quiet != 0);
    redis->connect_timeout_ms = conf->connect_timeout_ms
                                ? conf->connect_timeout_ms
                                : FCF_REDIS_CONNECT_MS;
    redis->timeout_ms = conf->timeout_ms ? conf->timeout_ms
                                         : FCF_REDIS_COMMAND_MS;

    redis->connect_timer = loop->timer_new(loop, fcf_redis_on_timer, redis);
    redis->sweep_timer = loop->timer_new(loop, fcf_redis_on_sweep, redis);
    redis->defer_timer = loop->timer_new(loop, fcf_redis_on_defer, redis);

    if (redis->connect_timer == NULL || redis->sweep_timer == NULL
        || redis->defer_timer == NULL || fcf_redis_copy(redis, conf) != 0)
    {
        fcf_err_set(err, FCF_E_NOMEM, "redis client");
        fcf_redis_destroy(redis);
        return NULL;
    }

    loop->timer_set(redis->connect_timer, 0);

    return redis;
}


static void
fcf_redis_destroy(fcf_redis_t *redis)
{
    size_t  i;

    redis->dying = 1;
    redis->busy++;

    if (redis->conn != NULL) {
        fcf_redis_detach(redis);
    }

    fcf_redis_cancel_all(redis);

    if (redis->connect_timer != NULL) {
        redis->loop->timer_free(redis->connect_timer);
    }

    if (redis->sweep_timer != NULL) {
        redis->loop->timer_free(redis->sweep_timer);
    }

    if (redis->defer_timer != NULL) {
        redis->loop->timer_free(redis->defer_timer);
    }

    for (i = 0; i < redis->naddrs; i++) {
        free(redis->addrs[i]);
    }

    free(redis->user);
    free(redis->password);
    free(redis);
}


void
fcf_redis_free(fcf_redis_t *redis)
{
    if (redis == NULL) {
        return;
    }

    redis->dying = 1;

    if (redis->busy == 0) {
        fcf_redis_destroy(redis);
    }
}


void
fcf_redis_stat(const fcf_redis_t *redis, fcf_redis_stat_t *out)
{
    out->addr = redis->addrs[redis->at];
    out->connected = (redis->state == FCF_REDIS_READY);
    out->reconnects = redis->reconnects;
    out->commands = redis->commands;
}
