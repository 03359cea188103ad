#include <poll.h>
#include <string.h>

#include "cli/command.h"
#include "cli/gateway.h"

#define FCC_GATEWAY_MAX    (1024 * 1024)
#define FCC_GATEWAY_WAIT   3000         /* ms */
#define FCC_GATEWAY_ASK    1000
#define FCC_GATEWAY_PAUSE  20


int
fcc_gateway_ask(fcc_t *fcc, const char *url, unsigned timeout_ms,
    long *status, json_t **out, int64_t *date_s, fcf_err_t *err)
{
    return fcc_http_json(fcc, &(fcf_http_call_t) {
        .method = "GET",
        .url = url,
        .connect_timeout_ms = timeout_ms,
        .timeout_ms = timeout_ms,
        .date_s = date_s,
    }, FCC_GATEWAY_MAX, status, out, err);
}


json_t *
fcc_gateway_status(fcc_t *fcc, unsigned timeout_ms)
{
    int          rc;
    char         url[1024];
    long         status;
    size_t       host;
    json_t      *obj;
    fcf_err_t    err;
    const char  *gateway;

    gateway = fcc->conf.gateway;
    host = strcspn(gateway, ":");
    host += strspn(gateway + host, ":/");
    host += strcspn(gateway + host, "/");

    (void) snprintf(url, sizeof(url), "%.*s/fcfaas/status", (int) host,
                    gateway);

    rc = fcc_gateway_ask(fcc, url, timeout_ms, &status, &obj, NULL, &err);

    if (rc == 0 && status == 200) {
        return obj;
    }

    json_decref(obj);

    return NULL;
}


/* how many of its workers have not; -1: it does not say */
static int
fcc_gateway_behind(fcc_t *fcc, int64_t revision)
{
    int      behind;
    size_t   i;
    json_t  *obj, *workers, *worker, *seen;

    obj = fcc_gateway_status(fcc, FCC_GATEWAY_ASK);
    workers = json_object_get(obj, "workers");
    behind = json_is_array(workers) ? 0 : -1;

    json_array_foreach(workers, i, worker) {
        seen = json_object_get(json_object_get(worker, "etcd"), "revision");
        behind += json_integer_value(seen) < revision;
    }

    json_decref(obj);

    return behind;
}


void
fcc_gateway_wait(fcc_t *fcc, int64_t revision)
{
    int        behind;
    uint64_t   end;
    fcf_err_t  err;

    end = fcc->loop.now(&fcc->loop) + FCC_GATEWAY_WAIT;

    do {
        behind = fcc_gateway_behind(fcc, revision);

        if (behind <= 0 || fcc_interrupted(&err) != 0) {
            return;
        }

        (void) poll(NULL, 0, FCC_GATEWAY_PAUSE);

    } while (fcc->loop.now(&fcc->loop) < end);

    fcc_say("%s: %d of its workers %s not seen it yet: fcfaas doctor",
            fcc->conf.gateway, behind, behind == 1 ? "has" : "have");
}
