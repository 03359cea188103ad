/* The calls on a machine that runs: pause and resume, what may change, and
 * snapshots. */

#include <string.h>
#include <unistd.h>

#include "vm/vmm/api_int.h"
#include "vm/vmm/snapshot.h"


static const char *
identity(const fcv_backend_t *backend)
{
    return backend->identity ? backend->identity() : backend->name;
}


static int
is_started(const fcv_api_t *api)
{
    return api->state == FCV_RUNNING || api->state == FCV_PAUSED;
}


int
fcv_api_get_balloon(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    json_t  *balloon = call->api->model.balloon;

    if (balloon == NULL) {
        return fcv_model_no_balloon(err);
    }

    reply->status = 200;
    reply->body = json_incref(balloon);

    return 0;
}


int
fcv_api_get_statistics(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    (void) call;
    (void) reply;

    return fcf_err_set(err, FCF_E_INVALID, "Balloon error: statistics are not "
                       "enabled.");
}


int
fcv_api_patch_balloon(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    (void) reply;

    return is_started(call->api)
           ? fcv_model_patch_balloon(&call->api->model,
                                     json_incref(call->body), err)
           : fcf_err_set(err, FCF_E_INVALID, "%s", fcv_before_start);
}


int
fcv_api_patch_vm(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    fcv_api_t    *api = call->api;
    fcv_state_e   next;

    if (!is_started(api)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s", fcv_before_start);
    }

    next = strcmp(fcv_str(call->body, "state"), "Paused") == 0 ? FCV_PAUSED
                                                               : FCV_RUNNING;
    if (next == api->state) {
        return 0;
    }

    if (api->backend->pause(next == FCV_PAUSED, err) != 0) {
        return -1;
    }

    fcv_api_later(api, next, "Cannot change the state", reply);

    return 0;
}


int
fcv_api_create(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    int          fd;
    fcv_api_t   *api = call->api;
    const char  *state_path, *memory_path;

    if (!is_started(api)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s", fcv_before_start);
    }

    if (api->state != FCV_PAUSED) {
        return fcf_err_set(err, FCF_E_INVALID, "Create snapshot error: the "
                           "microVM is not paused.");
    }

    state_path = fcv_str(call->body, "snapshot_path");
    memory_path = fcv_str(call->body, "mem_file_path");

    if (fcv_snapshot_write(&api->model, identity(api->backend), api->minor,
                           state_path, err) != 0)
    {
        return fcf_err_wrap(err, "Create snapshot error");
    }

    fd = fcv_snapshot_make_memory(&api->model, memory_path, err);

    if (fd == -1 || api->backend->save(fd, err) != 0) {
        if (fd != -1) {
            (void) close(fd);
        }

        (void) unlink(state_path);
        return fcf_err_wrap(err, "Create snapshot error");
    }

    api->memory_fd = fd;
    fcv_api_later(api, FCV_PAUSED, "Create snapshot error", reply);

    return 0;
}


/* One of the two forms; the path, or NULL. */

static const char *
backend_path(const json_t *body, fcf_err_t *err)
{
    const char    *path;
    const json_t  *backend;

    path = fcv_str(body, "mem_file_path");
    backend = json_object_get(body, "mem_backend");

    if (json_is_object(backend) == (path != NULL)) {
        (void) fcf_err_set(err, FCF_E_INVALID, "Load snapshot error: %s of "
                           "`mem_file_path` and `mem_backend` must be given.",
                           path ? "only one" : "one");
        return NULL;
    }

    return path ? path : fcv_str(backend, "backend_path");
}


static int
load(fcv_api_t *api, const json_t *body, const char *memory_path,
    fcf_err_t *err)
{
    int             rc;
    json_t         *state;
    const json_t   *backend;

    backend = json_object_get(body, "mem_backend");

    if (json_is_object(backend)
        && strcmp(fcv_str(backend, "backend_type"), "File") != 0)
    {
        return fcf_err_set(err, FCF_E_INVALID, "mem_backend: Uffd is not "
                           "supported by the stand-in");
    }

    state = fcv_snapshot_read(fcv_str(body, "snapshot_path"),
                              identity(api->backend), api->minor, err);
    if (state == NULL) {
        return -1;
    }

    rc = fcv_snapshot_apply(&api->model, state,
                            json_object_get(body, "network_overrides"),
                            api->minor, err);
    json_decref(state);

    if (rc != 0 || fcv_model_open_serial(&api->model, err) != 0) {
        return -1;
    }

    api->memory_fd = fcv_snapshot_open_memory(&api->model, memory_path, err);

    return api->memory_fd == -1
           || api->backend->load(api->memory_fd,
                                 fcv_bool(body, "resume_vm"), err) != 0
           ? -1 : 0;
}


/* What fails once it has begun ends the process, as Firecracker's does. */

int
fcv_api_load(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    fcv_api_t   *api = call->api;
    const char  *path;

    path = backend_path(call->body, err);

    if (path == NULL) {
        return -1;
    }

    if (api->configured) {
        return fcf_err_set(err, FCF_E_INVALID, "Loading a microVM snapshot "
                           "not allowed after configuring boot-specific "
                           "resources.");
    }

    if (load(api, call->body, path, err) != 0) {
        api->broken = 1;
        return fcf_err_wrap(err, "Load snapshot error");
    }

    api->loading = 1;
    fcv_api_later(api, fcv_bool(call->body, "resume_vm") ? FCV_RUNNING
                                                         : FCV_PAUSED,
                  "Load snapshot error", reply);

    return 0;
}


int
fcv_api_vm_done(fcv_api_t *api, int failed, fcf_err_t *err)
{
    int  rc;

    rc = 0;

    if (api->memory_fd != -1) {
        if (!failed && !api->loading && fsync(api->memory_fd) != 0) {
            rc = fcf_err_set(err, FCF_E_UNAVAILABLE, "mem_file_path cannot "
                             "be written");
        }

        (void) close(api->memory_fd);
        api->memory_fd = -1;
    }

    if (api->loading && failed) {
        api->broken = 1;
    }

    api->loading = 0;

    return rc;
}


static int
update(json_t *obj, const json_t *change, fcf_err_t *err)
{
    json_t      *value;
    const char  *name;

    json_object_foreach((json_t *) (uintptr_t) change, name, value) {
        if (!json_is_null(value) && json_object_set(obj, name, value) != 0) {
            return fcf_err_set(err, FCF_E_NOMEM, "no memory");
        }
    }

    return 0;
}


int
fcv_api_patch_drive(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    json_t             *drive;
    unsigned            pos;
    const char         *path;
    const fcv_model_t  *model;

    (void) reply;

    model = &call->api->model;

    if (!is_started(call->api)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s", fcv_before_start);
    }

    pos = fcv_model_find_drive(model, call->sub);

    if (pos == model->ndrives) {
        return fcf_err_set(err, FCF_E_INVALID, "Drive update error: there is "
                           "no drive %s.", call->sub);
    }

    drive = model->drives[pos].json;
    path = fcv_str(call->body, "path_on_host");

    if (path && strcmp(path, fcv_str(drive, "path_on_host")) != 0) {
        return fcf_err_set(err, FCF_E_INVALID, "Drive update error: "
                           "path_on_host %.200s: another file under a running "
                           "guest is not supported by the stand-in.", path);
    }

    return update(drive, call->body, err);
}


int
fcv_api_patch_nic(fcv_call_t *call, fcv_reply_t *reply, fcf_err_t *err)
{
    unsigned            pos;
    const fcv_model_t  *model;

    (void) reply;

    model = &call->api->model;

    if (!is_started(call->api)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s", fcv_before_start);
    }

    pos = fcv_model_find_nic(model, call->sub);

    if (pos == model->nnics) {
        return fcf_err_set(err, FCF_E_INVALID, "Network update error: there "
                           "is no interface %s.", call->sub);
    }

    return update(model->nics[pos].json, call->body, err);
}
