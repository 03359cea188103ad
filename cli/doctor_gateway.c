/* The gateway, as fcfaas doctor sees it. */

#include <string.h>

#include "cli/doctor.h"
#include "cli/gateway.h"

#define FCC_GATEWAY_MS   5000

/* What is refused now, calls make known anew; what was so before may have been
 * put right since.  fcfaas-setup waits longer than the former. */
#define FCC_REFUSED_NOW_MS   20000
#define FCC_REFUSED_MS       600000

/* no function can be called this, so nothing is started */
#define FCC_NO_NAME      "/-"


static void
fcc_gateway_certificate(fcc_doctor_t *doctor, const char *gateway,
    json_t *refused)
{
    int          ours;
    json_int_t   age_ms;
    const char  *whose, *node, *address, *why;

    if (json_unpack(refused, "{s:s, s:s, s:s, s:s, s:I}", "whose", &whose,
                    "node", &node, "address", &address, "why", &why,
                    "age_ms", &age_ms) != 0
        || age_ms > FCC_REFUSED_MS)
    {
        return;
    }

    ours = strcmp(whose, "gateway") == 0;

    fcc_find(doctor, age_ms <= FCC_REFUSED_NOW_MS ? FCC_WRONG : FCC_NOTE,
             ours ? "gateway" : "node", ours ? gateway : node,
             "fcfaas-setup renew there",
             "its certificate was refused %lld s ago, by %s%s, %s: %s",
             (long long) age_ms / 1000, ours ? "node " : "the gateway",
             ours ? node : "", address, why);
}


/* what its workers say of etcd, Redis and nodes, if we may see that */
static void
fcc_gateway_workers(fcc_doctor_t *doctor, const char *gateway)
{
    size_t     i;
    json_t    *obj, *worker;
    unsigned   n, etcd, redis;

    obj = fcc_gateway_status(doctor->fcc, FCC_GATEWAY_MS);
    n = etcd = redis = 0;

    fcc_gateway_certificate(doctor, gateway,
                            json_object_get(obj, "refused_certificate"));

    json_array_foreach(json_object_get(obj, "workers"), i, worker) {
        n++;
        etcd += !json_is_true(json_object_get(json_object_get(worker, "etcd"),
                                              "healthy"));
        redis += !json_is_true(json_object_get(json_object_get(worker,
                                               "redis"), "connected"));
    }

    if (etcd != 0) {
        fcc_find(doctor, FCC_WRONG, "gateway", gateway,
                 "fcfaas_etcd in nginx.conf, and its error.log",
                 "etcd does not answer %u of its %u workers", etcd, n);
    }

    if (redis != 0) {
        fcc_find(doctor, FCC_WRONG, "gateway", gateway,
                 "fcfaas_redis in nginx.conf, and its error.log",
                 "Redis does not answer %u of its %u workers", redis, n);
    }

    json_decref(obj);
}


void
fcc_doctor_gateway(fcc_doctor_t *doctor)
{
    char         url[1024];
    long         status;
    json_t      *obj;
    int64_t      date_s;
    fcf_err_t    err;
    const char  *gateway, *error;

    gateway = doctor->fcc->conf.gateway;
    (void) snprintf(url, sizeof(url), "%s" FCC_NO_NAME, gateway);
    date_s = 0;

    if (fcc_gateway_ask(doctor->fcc, url, FCC_GATEWAY_MS, &status, &obj,
                        &date_s, &err) != 0)
    {
        fcc_find(doctor, FCC_WRONG, "gateway", gateway,
                 "is nginx running there, and is this its address? (setting "
                 "gateway)", "does not answer: %s", err.msg);
        json_decref(obj);
        return;
    }

    error = json_string_value(json_object_get(obj, "error"));

    if (error == NULL || strcmp(error, "bad_name") != 0) {
        fcc_find(doctor, FCC_WRONG, "gateway", gateway,
                 "is there a location with \"fcfaas\" in nginx.conf? (setting "
                 "gateway)", "no function can be called there: status %ld",
                 status);

    } else {
        fcc_find(doctor, FCC_WELL, "gateway", gateway, NULL, "answers");
        fcc_gateway_workers(doctor, gateway);
    }

    fcc_find_clock(doctor, "gateway", gateway, date_s);
    json_decref(obj);
}
