/* etcd and Redis, as fcfaas doctor sees them. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/doctor.h"
#include "cli/http.h"
#include "cli/redis.h"

#define FCC_STATUS_MS    3000
#define FCC_STATUS_MAX   65536

typedef struct {
    char      version[32];
    int64_t   size;                     /* of its database, bytes */
    int       leader;                   /* it knows one */
    int64_t   date_s;
} fcc_etcd_status_t;

typedef struct {
    char      version[32];
    char      role[16];
    int64_t   time_s, queued, dead;
} fcc_redis_status_t;


/* what one endpoint says of itself */
static int
fcc_etcd_ask(fcc_t *fcc, const char *endpoint, const char *path,
    json_t **out, int64_t *date_s, fcf_err_t *err)
{
    int              rc;
    char             url[512];
    long             status;
    fcf_http_call_t  call;

    (void) snprintf(url, sizeof(url), "%s%s", endpoint, path);

    call = (fcf_http_call_t) {
        .method = "POST",
        .url = url,
        .body = "{}",
        .body_len = 2,
        .connect_timeout_ms = FCC_STATUS_MS,
        .timeout_ms = FCC_STATUS_MS,
        .ca = fcc->conf.etcd_ca,
        .cert = fcc->conf.etcd_cert,
        .key = fcc->conf.etcd_key,
        .date_s = date_s,
    };

    rc = fcc_http_json(fcc, &call, FCC_STATUS_MAX, &status, out, err);

    if (rc == 0 && (status != 200 || *out == NULL)) {
        rc = fcf_err_set(err, FCF_E_REFUSED, "%s: status %ld", url, status);
    }

    return rc;
}


/* numbers of 64 bits are text in etcd's JSON */
static int64_t
fcc_etcd_number(const json_t *obj, const char *name)
{
    const char  *text;

    text = json_string_value(json_object_get(obj, name));

    return text != NULL ? strtoll(text, NULL, 10) : 0;
}


static int
fcc_etcd_status(fcc_t *fcc, const char *endpoint, fcc_etcd_status_t *out,
    fcf_err_t *err)
{
    int          rc;
    json_t      *obj;
    const char  *version;

    memset(out, 0, sizeof(fcc_etcd_status_t));

    rc = fcc_etcd_ask(fcc, endpoint, "/v3/maintenance/status", &obj,
                      &out->date_s, err);

    if (rc == 0) {
        version = json_string_value(json_object_get(obj, "version"));
        (void) snprintf(out->version, sizeof(out->version), "%s",
                        version != NULL ? version : "?");
        out->size = fcc_etcd_number(obj, "dbSize");
        out->leader = fcc_etcd_number(obj, "leader") != 0;
    }

    json_decref(obj);

    return rc;
}


/* 1: it answers */
static int
fcc_etcd_endpoint(fcc_doctor_t *doctor, const char *endpoint)
{
    fcf_err_t          err;
    fcc_etcd_status_t  status;

    if (fcc_etcd_status(doctor->fcc, endpoint, &status, &err) != 0) {
        fcc_find(doctor, FCC_WRONG, "etcd", endpoint,
                 "is it running there, and is this its address? (setting etcd)",
                 "does not answer: %s", err.msg);
        return 0;
    }

    if (!status.leader) {
        fcc_find(doctor, FCC_WRONG, "etcd", endpoint,
                 "more than half of the cluster must run",
                 "%s, has no leader", status.version);

    } else {
        fcc_find(doctor, FCC_WELL, "etcd", endpoint, NULL,
                 "%s, %.1f MB", status.version,
                 (double) status.size / (1024 * 1024));
    }

    fcc_find_clock(doctor, "etcd", endpoint, status.date_s);

    return 1;
}


/* a full database takes no more writes, which nothing else would tell */
static void
fcc_etcd_alarms(fcc_doctor_t *doctor, const char *endpoint)
{
    size_t      i;
    json_t     *obj, *list, *alarm;
    fcf_err_t   err;

    if (fcc_etcd_ask(doctor->fcc, endpoint, "/v3/maintenance/alarm", &obj,
                     NULL, &err) == 0)
    {
        list = json_object_get(obj, "alarms");

        json_array_foreach(list, i, alarm) {
            fcc_find(doctor, FCC_WRONG, "etcd", endpoint,
                     "etcdctl compact, defrag, alarm disarm; and have it "
                     "compact by itself (--auto-compaction-retention)",
                     "alarm %s: it takes no writes",
                     json_string_value(json_object_get(alarm, "alarm")));
        }
    }

    json_decref(obj);
}


int
fcc_doctor_etcd(fcc_doctor_t *doctor)
{
    int                rc;
    char               key[FCF_KEY_MAX];
    size_t             i;
    fcf_err_t          err;
    fcc_reply_t        reply;
    const char        *answers;
    const fcc_conf_t  *conf;

    conf = &doctor->fcc->conf;
    answers = NULL;

    for (i = 0; i < conf->netcds; i++) {
        if (fcc_etcd_endpoint(doctor, conf->etcds[i])) {
            answers = conf->etcds[i];
        }
    }

    if (answers == NULL) {
        return -1;
    }

    /* all that follows is read with these credentials */

    rc = fcc_get(doctor->fcc, fcf_key_specs(key, conf->prefix), &reply, &err);
    fcc_reply_free(&reply);

    if (rc != 0) {
        fcc_find(doctor, FCC_WRONG, "etcd", answers,
                 err.code == FCF_E_AUTH ? "settings etcd_user, "
                 "etcd_password_file, etcd_cert, etcd_key" : NULL,
                 "%s: %s", err.code == FCF_E_AUTH ? "refuses us"
                 : "cannot be read", err.msg);
        return -1;
    }

    fcc_etcd_alarms(doctor, answers);

    return 0;
}


static void
fcc_redis_look_time(void *arg, const redisReply *reply)
{
    fcc_redis_status_t  *status = arg;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && reply->element[0]->str != NULL)
    {
        status->time_s = strtoll(reply->element[0]->str, NULL, 10);
    }
}


static void
fcc_redis_look_number(void *arg, const redisReply *reply)
{
    *(int64_t *) arg = reply->type == REDIS_REPLY_INTEGER ? reply->integer
                                                          : -1;
}


/* a line "name:value" of INFO */
static void
fcc_redis_line(const char *info, const char *name, char *out, size_t size)
{
    const char  *line;

    line = strstr(info, name);
    line = line != NULL ? line + strlen(name) : "?";

    (void) snprintf(out, size, "%.*s", (int) strcspn(line, "\r\n"), line);
}


static void
fcc_redis_look_info(void *arg, const redisReply *reply)
{
    fcc_redis_status_t  *status = arg;

    if (reply->str != NULL) {
        fcc_redis_line(reply->str, "redis_version:", status->version,
                       sizeof(status->version));
        fcc_redis_line(reply->str, "role:", status->role,
                       sizeof(status->role));
    }
}


static int
fcc_redis_status(fcc_t *fcc, fcf_redis_t *redis, fcc_redis_status_t *out,
    fcf_err_t *err)
{
    char         queue[FCF_KEY_MAX], dead[FCF_KEY_MAX];
    const char  *info[] = { "INFO", "all", NULL };
    const char  *now[] = { "TIME", NULL };
    const char  *nqueued[] = { "LLEN", queue, NULL };
    const char  *ndead[] = { "LLEN", dead, NULL };

    memset(out, 0, sizeof(fcc_redis_status_t));
    (void) fcf_redis_queue(queue, fcc->conf.prefix);
    (void) fcf_redis_dead(dead, fcc->conf.prefix);

    return fcc_redis_call(fcc, redis, now, fcc_redis_look_time, out, err) != 0
           || fcc_redis_call(fcc, redis, info, fcc_redis_look_info, out, err)
              != 0
           || fcc_redis_call(fcc, redis, nqueued, fcc_redis_look_number,
                             &out->queued, err) != 0
           || fcc_redis_call(fcc, redis, ndead, fcc_redis_look_number,
                             &out->dead, err) != 0
           ? -1 : 0;
}


/* a key of ours that somebody made something else of is not Redis' silence */
static void
fcc_redis_fails(fcc_doctor_t *doctor, const char *name, const fcf_err_t *err)
{
    switch (err->code) {

    case FCF_E_AUTH:
        fcc_find(doctor, FCC_WRONG, "redis", name, "settings redis_user, "
                 "redis_password_file", "refuses us: %s", err->msg);
        break;

    case FCF_E_UNAVAILABLE:
    case FCF_E_TIMEOUT:
        fcc_find(doctor, FCC_WRONG, "redis", name, "is it running there, and "
                 "is this its address? (setting redis)",
                 "does not answer: %s", err->msg);
        break;

    default:
        fcc_find(doctor, FCC_WRONG, "redis", name, NULL, "cannot be used: %s",
                 err->msg);
    }
}


static void
fcc_redis_well(fcc_doctor_t *doctor, const char *name,
    const fcc_redis_status_t *status)
{
    char  key[FCF_KEY_MAX], remedy[FCF_KEY_MAX + 64];

    fcc_find(doctor, FCC_WELL, "redis", name, NULL, "%s, %s, %" PRId64
             " jobs wait", status->version, status->role, status->queued);

    if (status->dead > 0) {
        (void) snprintf(remedy, sizeof(remedy), "redis-cli LRANGE '%s' 0 -1 "
                        "shows them, and why",
                        fcf_redis_dead(key, doctor->fcc->conf.prefix));
        fcc_find(doctor, FCC_NOTE, "redis", name, remedy, "%" PRId64
                 " jobs were of no use to any node", status->dead);
    }

    fcc_find_clock(doctor, "redis", name, status->time_s);
}


void
fcc_doctor_redis(fcc_doctor_t *doctor)
{
    int                  rc;
    char                 name[128];
    fcf_err_t            err;
    fcf_redis_t         *redis;
    fcf_redis_stat_t     stat;
    fcc_redis_status_t   status;

    redis = fcc_redis_new(doctor->fcc, &err);
    rc = redis == NULL ? -1
         : fcc_redis_status(doctor->fcc, redis, &status, &err);

    (void) snprintf(name, sizeof(name), "%s", doctor->fcc->conf.redises[0]);

    if (redis != NULL) {
        fcf_redis_stat(redis, &stat);
        (void) snprintf(name, sizeof(name), "%s", stat.addr);
        fcf_redis_free(redis);
    }

    if (rc != 0) {
        fcc_redis_fails(doctor, name, &err);
    } else {
        fcc_redis_well(doctor, name, &status);
    }
}
