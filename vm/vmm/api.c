#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "vm/vmm/api_int.h"

typedef enum { WHEN_ALWAYS, WHEN_BEFORE } fcv_when_e;

/* 0 (reply filled in, or 204 if untouched) or -1 and err */
typedef int (*fcv_call_pt)(fcv_call_t *call, fcv_reply_t *reply,
    fcf_err_t *err);

typedef struct {
    const char          *method;
    const char          *resource;
    const char          *sub;           /* NULL: an id goes here, if id_field */
    const char          *id_field;      /* that must equal the id */
    fcv_when_e           when;
    int                  since;         /* 1.x that has it first; 0: all */
    const fcv_field_t   *schema;
    fcv_call_pt          handler;       /* NULL: the body goes to put */
    int                (*put)(fcv_model_t *model, json_t *obj,
                              fcf_err_t *err);
    int                  any_load;      /* a load may follow */
} fcv_route_t;

static int get_info(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
static int get_version(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
static int get_config(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
static int get_machine(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);
static int put_action(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err);

static const fcv_route_t  routes[] = {
    { "GET", "", "", NULL, WHEN_ALWAYS, 0, NULL, get_info, NULL, 0 },
    { "GET", "version", "", NULL, WHEN_ALWAYS, 0, NULL, get_version, NULL, 0 },
    { "GET", "vm", "config", NULL, WHEN_ALWAYS, 0, NULL, get_config, NULL, 0 },
    { "GET", "machine-config", "", NULL, WHEN_ALWAYS, 0, NULL, get_machine, NULL, 0 },
    { "PUT", "machine-config", "", NULL, WHEN_BEFORE, 0, fcv_schema_machine,
      NULL, fcv_model_put_machine, 0 },
    { "PATCH", "machine-config", "", NULL, WHEN_BEFORE, 0,
      fcv_schema_machine_patch, NULL, fcv_model_patch_machine, 0 },
    { "PUT", "boot-source", "", NULL, WHEN_BEFORE, 0, fcv_schema_boot,
      NULL, fcv_model_put_boot, 0 },
    { "PUT", "drives", NULL, "drive_id", WHEN_BEFORE, 0, fcv_schema_drive,
      NULL, fcv_model_put_drive, 0 },
    { "PUT", "network-interfaces", NULL, "iface_id", WHEN_BEFORE, 0,
      fcv_schema_nic, NULL, fcv_model_put_nic, 0 },
    { "PUT", "serial", "", NULL, WHEN_BEFORE, 14, fcv_schema_serial,
      NULL, fcv_model_put_serial, 1 },
    { "PUT", "entropy", "", NULL, WHEN_BEFORE, 0, fcv_schema_entropy,
      NULL, fcv_model_put_entropy, 0 },
    { "GET", "balloon", "", NULL, WHEN_ALWAYS, 0, NULL, fcv_api_get_balloon,
      NULL, 0 },
    { "PUT", "balloon", "", NULL, WHEN_BEFORE, 0, fcv_schema_balloon,
      NULL, fcv_model_put_balloon, 0 },
    { "PATCH", "balloon", "", NULL, WHEN_ALWAYS, 0, fcv_schema_balloon_patch,
      fcv_api_patch_balloon, NULL, 0 },
    { "GET", "balloon", "statistics", NULL, WHEN_ALWAYS, 0, NULL,
      fcv_api_get_statistics, NULL, 0 },
    { "PATCH", "balloon", "statistics", NULL, WHEN_ALWAYS, 0,
      fcv_schema_balloon_stats, NULL, fcv_model_patch_balloon, 0 },
    { "PUT", "logger", "", NULL, WHEN_BEFORE, 0, fcv_schema_logger,
      NULL, fcv_model_put_logger, 1 },
    { "PUT", "metrics", "", NULL, WHEN_BEFORE, 0, fcv_schema_metrics,
      NULL, fcv_model_put_metrics, 1 },
    { "PUT", "actions", "", NULL, WHEN_ALWAYS, 0, fcv_schema_action,
      put_action, NULL, 0 },
    { "PATCH", "vm", "", NULL, WHEN_ALWAYS, 0, fcv_schema_vm,
      fcv_api_patch_vm, NULL, 0 },
    { "PATCH", "drives", NULL, "drive_id", WHEN_ALWAYS, 0,
      fcv_schema_drive_patch, fcv_api_patch_drive, NULL, 0 },
    { "PATCH", "network-interfaces", NULL, "iface_id", WHEN_ALWAYS, 0,
      fcv_schema_nic_patch, fcv_api_patch_nic, NULL, 0 },
    { "PUT", "snapshot", "create", NULL, WHEN_ALWAYS, 0, fcv_schema_create,
      fcv_api_create, NULL, 0 },
    { "PUT", "snapshot", "load", NULL, WHEN_BEFORE, 0, fcv_schema_load,
      fcv_api_load, NULL, 0 }
};

/* what Firecracker has and the stand-in has not */
static const char *const  unsupported[] = {
    "balloon", "cpu-config", "drives", "hotplug", "machine-config", "mmds",
    "network-interfaces", "pmem", "snapshot", "vm", "vsock", NULL
};

const char  fcv_after_start[] = "The requested operation is not supported "
                                "after starting the microVM.";
const char  fcv_before_start[] = "The requested operation is not supported "
                                 "before starting the microVM.";


static void
set_state(fcv_api_t *api, fcv_state_e state)
{
    api->state = state;
}


json_t *
fcv_api_fault(const char *message)
{
    json_t  *text;

    text = json_string(message);

    if (text == NULL) {
        text = json_string("the request is not valid UTF-8");
    }

    return json_pack("{s:o}", "fault_message", text);
}


void
fcv_api_refuse(fcv_reply_t *reply, const char *message)
{
    reply->status = 400;
    reply->body = fcv_api_fault(message);
}


static int
answer(fcv_reply_t *reply, json_t *body)
{
    reply->status = 200;
    reply->body = body;

    return 0;
}


void
fcv_api_later(fcv_api_t *api, fcv_state_e next, const char *what,
    fcv_reply_t *reply)
{
    api->next = next;
    api->last = api->state;
    api->what = what;
    reply->status = FCV_LATER;

    if (api->state == FCV_NOT_STARTED) {
        set_state(api, FCV_STARTING);
    }
}


static json_t *
version(const fcv_api_t *api)
{
    return json_sprintf("1.%d.0", api->minor);
}


static int
get_info(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    const char  *state;

    (void) err;

    state = call->api->state == FCV_RUNNING ? "Running"
            : call->api->state == FCV_PAUSED ? "Paused" : "Not started";

    return answer(reply, json_pack("{s:s, s:s, s:o, s:s}",
                                   "id", call->api->id, "state", state,
                                   "vmm_version", version(call->api),
                                   "app_name", FCV_APP_NAME));
}


static int
get_version(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    (void) err;

    return answer(reply, json_pack("{s:o}", "firecracker_version",
                                   version(call->api)));
}


static int
get_config(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    (void) err;

    return answer(reply, fcv_model_config(&call->api->model));
}


static int
get_machine(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    (void) err;

    return answer(reply, json_incref(call->api->model.machine));
}


static int
start(fcv_api_t *api, fcv_reply_t *reply, fcf_err_t *err)
{
    if (api->state != FCV_NOT_STARTED) {
        return fcf_err_set(err, FCF_E_INVALID, "%s", fcv_after_start);
    }

    if (api->model.boot == NULL) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "Start microvm error: Cannot start microvm without "
                           "kernel configuration.");
    }

    if (fcv_model_check_start(&api->model, err) != 0
        || fcv_model_open_serial(&api->model, err) != 0
        || api->backend->start(err) != 0)
    {
        return fcf_err_wrap(err, "Start microvm error");
    }

    fcv_api_later(api, FCV_RUNNING, "Start microvm error", reply);

    return 0;
}


static int
put_action(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    fcv_api_t   *api;
    const char  *type;

    api = call->api;
    type = fcv_str(call->body, "action_type");

    if (strcmp(type, "InstanceStart") == 0) {
        return start(api, reply, err);
    }

    if (api->state != FCV_RUNNING && api->state != FCV_PAUSED) {
        return fcf_err_set(err, FCF_E_INVALID, "%s", fcv_before_start);
    }

    if (strcmp(type, "SendCtrlAltDel") == 0) {
        return api->backend->ctrl_alt_del(err);
    }

    return fcv_model_flush_metrics(&api->model, err);
}


void
fcv_api_done(void *arg, const fcf_err_t *err)
{
    fcf_err_t     why;
    fcv_api_t    *api;
    const char   *what;
    fcv_reply_t   reply;

    api = arg;
    what = api->what;
    api->what = NULL;
    reply.status = 204;
    reply.body = NULL;

    if (err) {
        why = *err;
    }

    if (fcv_api_vm_done(api, err != NULL, &why) != 0) {
        err = &why;
    }

    if (err == NULL) {
        set_state(api, api->next);

    } else {
        set_state(api, api->last);
        (void) fcf_err_wrap(&why, "%s", what);
        fcv_api_refuse(&reply, why.msg);
    }

    api->later(api->later_arg, &reply);
}


int
fcv_api_broken(const fcv_api_t *api)
{
    return api->broken;
}


/* "/drives/vda" to "drives" and "vda"; -1: too long, or more segments */
static int
split_path(const char *path, char *resource, char *sub)
{
    size_t       n;
    const char  *slash;

    while (*path == '/') {
        path++;
    }

    slash = strchr(path, '/');
    n = slash ? (size_t) (slash - path) : strlen(path);

    if (n >= FCV_SEGMENT_MAX) {
        return -1;
    }

    memcpy(resource, path, n);
    resource[n] = '\0';

    path = slash ? slash + 1 : "";
    n = strlen(path);

    if (n && path[n - 1] == '/') {
        n--;
    }

    if (n >= FCV_SEGMENT_MAX || memchr(path, '/', n)) {
        return -1;
    }

    memcpy(sub, path, n);
    sub[n] = '\0';

    return 0;
}


static const fcv_route_t *
find_route(const char *method, const fcv_call_t *call)
{
    size_t              i;
    const fcv_route_t  *route;

    for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        route = &routes[i];

        if (route->since <= call->api->minor
            && strcmp(route->method, method) == 0
            && strcmp(route->resource, call->resource) == 0
            && (route->sub == NULL || strcmp(route->sub, call->sub) == 0))
        {
            return route;
        }
    }

    return NULL;
}


static int
no_route(const char *method, const char *path, const char *resource,
    fcf_err_t *err)
{
    const char *const  *name;

    for (name = unsupported; *name; name++) {
        if (strcmp(*name, resource) == 0) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "The requested operation is not supported: "
                               "%.16s %.120s: not supported by the stand-in.",
                               method, path);
        }
    }

    return fcf_err_set(err, FCF_E_INVALID,
                       "Invalid request method and/or path: %.16s %.120s.",
                       method, path);
}


static int
check_id(const fcv_route_t *route, const fcv_call_t *call, fcf_err_t *err)
{
    const char           *id;
    const unsigned char  *p;

    if (call->sub[0] == '\0') {
        return fcf_err_set(err, FCF_E_INVALID, "%s: The ID cannot be empty.",
                           route->id_field);
    }

    for (p = (const unsigned char *) call->sub; *p; p++) {
        if (!isalnum(*p) && *p != '_') {
            return fcf_err_set(err, FCF_E_INVALID,
                               "%s %s: API Resource IDs can only contain "
                               "alphanumeric characters and underscores.",
                               route->id_field, call->sub);
        }
    }

    id = fcv_str(call->body, route->id_field);

    if (strcmp(id, call->sub) != 0) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s: The id from the path [%s] does not match the "
                           "id from the body [%.80s]!", route->id_field,
                           call->sub, id);
    }

    return 0;
}


static int
run_route(const fcv_route_t *route, fcv_call_t *call, const char *body,
    size_t len, fcv_reply_t *reply, fcf_err_t *err)
{
    if (route->schema == NULL) {
        return len ? fcf_err_set(err, FCF_E_INVALID,
                                 "GET request cannot have a body.")
                   : route->handler(call, reply, err);
    }

    if (len == 0) {
        return fcf_err_set(err, FCF_E_INVALID, "Empty %s request.",
                           route->method);
    }

    call->body = fcv_schema_parse(route->schema, call->api->minor, body, len,
                                  err);

    if (call->body == NULL
        || (route->id_field && check_id(route, call, err) != 0))
    {
        return -1;
    }

    if (route->when == WHEN_BEFORE && call->api->state != FCV_NOT_STARTED) {
        return fcf_err_set(err, FCF_E_INVALID, "%s", fcv_after_start);
    }

    if (call->api->what) {
        return fcf_err_set(err, FCF_E_INVALID, "%s",
                           call->api->state == FCV_STARTING
                           ? fcv_before_start : "Another call is worked on.");
    }

    if (route->handler) {
        return route->handler(call, reply, err);
    }

    if (route->put(&call->api->model, json_incref(call->body), err) != 0) {
        return -1;
    }

    if (!route->any_load) {
        call->api->configured = 1;
    }

    return 0;
}


void
fcv_api_request(fcv_api_t *api, const char *method, const char *path,
    const char *body, size_t len, fcv_reply_t *reply)
{
    int                 rc;
    fcf_err_t           err;
    fcv_call_t          call;
    const fcv_route_t  *route;

    memset(&call, 0, sizeof(fcv_call_t));
    call.api = api;

    reply->status = 204;
    reply->body = NULL;

    route = NULL;

    if (split_path(path, call.resource, call.sub) == 0) {
        route = find_route(method, &call);
    }

    if (route) {
        rc = run_route(route, &call, body, len, reply, &err);

    } else {
        rc = no_route(method, path, call.resource, &err);
    }

    if (rc != 0) {
        fcv_api_refuse(reply, err.msg);
    }

    json_decref(call.body);
}
