#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vmm/vmm_int.h"

/* a last resort, also for a guest's start: fca_vmm_limit_start() and the
 * instance's state table have the timeouts that count */
#define API_TIMEOUT_MS   60000
#define API_CONNECT_MS   2000
#define API_REPLY_MAX    65536
/* Firecracker's socket is bound before it listens */
#define API_RETRY_MS     1

static void step_start(fca_vmm_t *vmm);


static void
api_failed(fca_vmm_t *vmm, const fcf_err_t *err)
{
    fcf_err_t  fault;

    if (vmm->call == fca_vmm_probe_calls && err->code == FCF_E_UNAVAILABLE) {
        fca_vmm_probe_later(vmm, API_RETRY_MS);
        return;
    }

    fault = *err;
    fcf_err_wrap(&fault, "%s %s", vmm->call->method, vmm->call->path);

    if (err->code == FCF_E_UNAVAILABLE) {
        fca_vmm_step_fail_unless_exit(vmm, &fault);

    } else {
        fca_vmm_step_done(vmm, &fault);
    }
}


static void
api_done(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *err)
{
    int                    rc;
    fcf_err_t              fault;
    fca_vmm_t             *vmm = arg;
    const fca_vmm_call_t  *call;

    (void) len;

    call = vmm->call;
    vmm->req = NULL;
    rc = 0;

    if (err != NULL) {
        api_failed(vmm, err);
        return;
    }

    if (status < 200 || status > 299) {
        rc = fca_vmm_refused_take(call, status, body, &fault);

    } else if (call == fca_vmm_probe_calls) {
        rc = fca_vmm_version_take(vmm, body, &fault);

    } else if (call == fca_vmm_look_calls) {
        rc = fca_vmm_running_take(body, &fault);
    }

    if (rc != 0) {
        fca_vmm_step_done(vmm, &fault);
        return;
    }

    vmm->call++;
    step_start(vmm);
}


/* goes on to the next call that there is something to send of; 1: the sequence
 * is at its end; text: malloc'd, NULL for a call without a body */
static int
step_body(fca_vmm_t *vmm, char **text, fcf_err_t *err)
{
    json_t  *body = NULL;

    *text = NULL;

    while (vmm->call->method != NULL && vmm->call->body != NULL
           && vmm->call->body(vmm, &body) != 0)
    {
        vmm->call++;
    }

    if (vmm->call->method == NULL) {
        return 1;
    }

    if (vmm->call->body == NULL) {
        return 0;
    }

    *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);

    if (*text == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "%s %s: out of memory, or a "
                           "string that is not UTF-8", vmm->call->method,
                           vmm->call->path);
    }

    return 0;
}


/* 1: the sequence is at its end */
static int
step_send(fca_vmm_t *vmm, fcf_err_t *err)
{
    int               rc;
    char              url[FCF_WORKER_ID_MAX + 64], path[64], *text;
    fcf_http_call_t   call;

    static const char *const  headers[] = {
        "Content-Type: application/json", "Accept: application/json",
        "Host: localhost", NULL
    };

    rc = step_body(vmm, &text, err);
    if (rc != 0) {
        return rc;
    }

    /* one connection for all calls to one VMM, and no other VMM's: libcurl
     * knows it by the host's name, and the socket's path may be reused */
    snprintf(url, sizeof(url), "http://%s%s", vmm->worker_id,
             vmm->call->path);

    if (fca_vmm_socket_path(vmm, path, sizeof(path)) != 0) {
        free(text);
        return fcf_err_set(err, FCF_E_INVALID, "%s: the VM has no socket",
                           vmm->call->path);
    }

    memset(&call, 0, sizeof(call));
    call.method = vmm->call->method;
    call.url = url;
    call.unix_socket = path;
    call.headers = headers;
    call.body = text;
    call.body_len = text != NULL ? strlen(text) : 0;
    call.connect_timeout_ms = API_CONNECT_MS;
    call.timeout_ms = API_TIMEOUT_MS;
    call.max_reply = API_REPLY_MAX;
    call.fresh = vmm->call == fca_vmm_look_calls;
    call.last = vmm->call == fca_vmm_boot_calls
                || (vmm->call == fca_vmm_restore_calls + 1
                    && vmm->state == FCA_VMM_IS_RESTORING)
                || vmm->call == fca_vmm_resume_calls
                || vmm->call == fca_vmm_save_calls + 1;
    call.once = 1;
    call.on_done = api_done;
    call.arg = vmm;

    vmm->req = fcf_http_start(vmm->conf->http, &call, err);
    free(text);

    if (vmm->req == NULL) {
        return -1;
    }

    /* the start as a whole has one limit; a guest's has the instance's */
    if (vmm->state == FCA_VMM_IS_CONFIGURING) {
        fca_vmm_limit_start(vmm);
    }

    return 0;
}


/* Runs from the loop, or from the call that begins a sequence: what ends here
 * and now is reported from the loop's next turn. */
static void
step_start(fca_vmm_t *vmm)
{
    int        rc;
    fcf_err_t  err;

    rc = step_send(vmm, &err);

    if (rc < 0) {
        fca_vmm_step_fail_later(vmm, &err);

    } else if (rc > 0) {
        fca_vmm_step_done(vmm, NULL);
    }
}


void
fca_vmm_api_start(fca_vmm_t *vmm, const fca_vmm_call_t *calls)
{
    vmm->call = calls;
    step_start(vmm);
}


void
fca_vmm_api_cancel(fca_vmm_t *vmm)
{
    if (vmm->req != NULL) {
        fcf_http_cancel(vmm->req);
        vmm->req = NULL;
    }
}
