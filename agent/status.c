#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/clock.h"
#include "agent/metrics.h"
#include "agent/status.h"

/* an agent that waits for etcd longer than a lease lives is not well */
#define FCA_LEASE_OLD_MS  (FCF_LEASE_TTL_S * 1000)

static int
fca_status_ill(void *arg, fcf_buf_t *out)
{
    int      rc = 0;
    fca_t   *agent = arg;

    if (agent->phase != FCA_RUNNING) {
        rc = fcf_buf_addf(out, "it is stopping\n");
    }

    if (rc == 0 && fca_node_lease(agent->node) == 0) {
        rc = fcf_buf_addf(out, "it has no lease in etcd\n");

    } else if (rc == 0
               && fca_node_lease_age(agent->node) > FCA_LEASE_OLD_MS)
    {
        rc = fcf_buf_addf(out, "its lease in etcd was not kept alive\n");
    }

    if (rc == 0 && fca_health_reason(agent->health)) {
        rc = fcf_buf_addf(out, "it is ill: %s\n",
                          fca_health_reason(agent->health));
    }

    if (rc == 0 && !fca_specs_known(agent->all.specs)) {
        rc = fcf_buf_addf(out, "it does not know the functions yet\n");
    }

    return rc;
}

static int
fca_status_metrics(void *arg, fcf_buf_t *out)
{
    return fca_metrics(arg, out);
}

static void
fca_status_instance(void *arg, const fca_instance_view_t *v)
{
    char     address[INET_ADDRSTRLEN] = "";
    json_t  *list = arg, *obj;

    if (v->address.s_addr) {
        inet_ntop(AF_INET, &v->address, address, sizeof(address));
    }

    obj = json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:s, s:I, s:i, s:I, s:i}",
                    "function_id", v->function_id,
                    "worker_id", v->worker_id,
                    "state", v->state,
                    "version", (json_int_t) v->version,
                    "slot", v->slot,
                    "port", (int) v->port,
                    "address", address,
                    "age_ms", (json_int_t) v->age_ms,
                    "pid", (int) v->pid,
                    "requests", (json_int_t) (v->stat ? v->stat->requests : 0),
                    "inflight", (int) (v->stat ? v->stat->inflight : 0));

    json_array_append_new(list, obj);
}

/* takes list over; NULL: no memory for it */
static int
fca_status_list(json_t *list, fcf_buf_t *out)
{
    int    rc;
    char  *text;

    text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);

    rc = text ? fcf_buf_addf(out, "%s\n", text) : -FCF_E_NOMEM;
    free(text);

    return rc;
}

static int
fca_status_instances(void *arg, fcf_buf_t *out)
{
    fca_t   *agent = arg;
    json_t  *list;

    list = json_array();
    fca_instances_each(&agent->all, fca_status_instance, list);

    return fca_status_list(list, out);
}

static void
fca_status_failure(void *arg, const fca_failure_told_t *told)
{
    json_array_append_new(arg,
        json_pack("{s:I, s:s, s:s, s:I, s:s, s:s}",
                  "ms", (json_int_t) told->ms,
                  "function_id", told->function_id,
                  "request_id", told->request_id,
                  "version", (json_int_t) told->version,
                  "error", fcf_failure_name(told->error),
                  "message", told->message));
}

static int
fca_status_failures(void *arg, fcf_buf_t *out)
{
    fca_t   *agent = arg;
    json_t  *list;

    list = json_array();
    fca_failures_each(agent->all.failures, fca_status_failure, list);

    return fca_status_list(list, out);
}

static int
fca_status_output(void *arg, const char *function_id, fcf_buf_t *out)
{
    fca_t  *agent = arg;

    return fca_functions_output(&agent->functions, &agent->all, function_id,
                                out);
}

static int
fca_status_lines(void *arg, const char *function_id,
    const char *(*value)(void *of, const char *name), void *of, fcf_buf_t *out)
{
    fca_t              *agent = arg;
    fca_lines_query_t   query = {
        .after = value(of, "after"), .age_ms = value(of, "age_ms"),
        .instance = value(of, "instance"), .version = value(of, "version"),
        .request = value(of, "request"),
    };

    return fca_lines_get(agent->lines, function_id, &query, fca_unix_ms(),
                         out);
}

int
fca_status_open(fca_t *agent, fcf_err_t *err)
{
    char                 text[INET_ADDRSTRLEN];
    const fca_conf_t    *conf = &agent->conf;
    fca_admin_handler_t  handler = { fca_status_ill, fca_status_metrics,
                                     fca_status_instances,
                                     fca_status_failures, fca_status_output,
                                     fca_status_lines, agent };

    if (conf->admin.sin_port == 0) {
        return 0;
    }

    agent->admin = fca_admin_new(&agent->loop, &conf->admin,
                                 conf->admin_token, &handler, err);

    return agent->admin ? 0
           : fcf_err_wrap(err, "admin = \"%s:%d\"",
                          inet_ntop(AF_INET, &conf->admin.sin_addr, text,
                                    sizeof(text)),
                          ntohs(conf->admin.sin_port));
}
