#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vmm/vmm_int.h"

/* a last resort: the instance's state table has the timeouts that count */
#define API_TIMEOUT_MS   60000
#define API_CONNECT_MS   2000
#define API_REPLY_MAX    65536
/* Firecracker's socket is bound before it listens */
#define API_RETRY_MS     1

/* cryptomgr.notests: a distribution's kernel tests its ciphers at boot, a
 * quarter of a second in software emulation */
#define KERNEL_ARGS                                                         \
    "console=ttyS0 reboot=k panic=-1 quiet loglevel=1 cryptomgr.notests"
#define KERNEL_ARGS_MAX  2048

typedef struct fca_vmm_step_s  vmm_step_t;

struct fca_vmm_step_s {
    const char   *method;               /* NULL: end of the sequence */
    const char   *path;
    /* NULL: no body.  1: this VM has no such thing, go on with the next */
    int         (*body)(const fca_vmm_t *vmm, json_t **out);
};

static void step_start(fca_vmm_t *vmm);


static int
body_machine(const fca_vmm_t *vmm, json_t **out)
{
    *out = json_pack("{s:i, s:i}", "vcpu_count", vmm->cpu,
                     "mem_size_mib", vmm->memory_mb);
    return 0;
}


static void
dotted(struct in_addr addr, char *buf, size_t size)
{
    const unsigned char  *p = (const unsigned char *) &addr.s_addr;

    snprintf(buf, size, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
}


static void
kernel_args(const fca_vmm_t *vmm, char *buf, size_t size)
{
    char            guest[16], gateway[16], mask[16], net[96];
    const char     *extra;
    struct in_addr  m;

    net[0] = '\0';

    if (vmm->has_nic) {
        m.s_addr = htonl(0xffffffffu << (32 - vmm->prefix_len));

        dotted(vmm->nic.address, guest, sizeof(guest));
        dotted(vmm->gateway, gateway, sizeof(gateway));
        dotted(m, mask, sizeof(mask));

        snprintf(net, sizeof(net), " ip=%s::%s:%s::eth0:off", guest, gateway,
                 mask);
    }

    extra = vmm->conf->kernel_args;

    snprintf(buf, size, KERNEL_ARGS "%s%s%s", net,
             extra != NULL && *extra != '\0' ? " " : "",
             extra != NULL ? extra : "");
}


static int
body_boot_source(const fca_vmm_t *vmm, json_t **out)
{
    char  args[KERNEL_ARGS_MAX];

    kernel_args(vmm, args, sizeof(args));

    *out = json_pack("{s:s, s:s, s:s*}", "kernel_image_path", vmm->kernel,
                     "boot_args", args, "initrd_path", vmm->initrd);
    return 0;
}


static json_t *
drive(const char *id, const char *path)
{
    /* with an initramfs no drive is the root */
    return json_pack("{s:s, s:s, s:b, s:b}", "drive_id", id, "path_on_host",
                     path, "is_root_device", 0, "is_read_only", 1);
}


static int
body_runtime(const fca_vmm_t *vmm, json_t **out)
{
    if (vmm->runtime_image == NULL) {
        return 1;
    }

    *out = drive("runtime", vmm->runtime_image);
    return 0;
}


static int
body_function(const fca_vmm_t *vmm, json_t **out)
{
    if (vmm->function_image == NULL) {
        return 1;
    }

    *out = drive("function", vmm->function_image);
    return 0;
}


static int
body_config(const fca_vmm_t *vmm, json_t **out)
{
    if (!vmm->has_config) {
        return 1;
    }

    *out = drive("config", FCA_VMM_CONFIG);
    return 0;
}


static int
body_nic(const fca_vmm_t *vmm, json_t **out)
{
    char                  mac[18];
    const unsigned char  *m = vmm->nic.mac;

    if (!vmm->has_nic) {
        return 1;
    }

    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
             m[2], m[3], m[4], m[5]);

    *out = json_pack("{s:s, s:s, s:s}", "iface_id", "eth0", "guest_mac", mac,
                     "host_dev_name", vmm->nic.tap);
    return 0;
}


static int
body_serial(const fca_vmm_t *vmm, json_t **out)
{
    (void) vmm;

    *out = json_pack("{s:s}", "serial_out_path", FCA_VMM_CONSOLE);
    return 0;
}


static int
body_start(const fca_vmm_t *vmm, json_t **out)
{
    (void) vmm;

    *out = json_pack("{s:s}", "action_type", "InstanceStart");
    return 0;
}


static const vmm_step_t  probe_steps[] = {
    { "GET", "/", NULL },
    { NULL, NULL, NULL }
};

/* drives in the order of vm/guest.h: the guest sees vda, vdb, vdc.  Relative
 * paths are the VM's directory's. */
static const vmm_step_t  configure_steps[] = {
    { "PUT", "/machine-config", body_machine },
    { "PUT", "/boot-source", body_boot_source },
    { "PUT", "/drives/runtime", body_runtime },
    { "PUT", "/drives/function", body_function },
    { "PUT", "/drives/config", body_config },
    { "PUT", "/network-interfaces/eth0", body_nic },
    { "PUT", "/serial", body_serial },
    { NULL, NULL, NULL }
};

static const vmm_step_t  boot_steps[] = {
    { "PUT", "/actions", body_start },
    { NULL, NULL, NULL }
};


/* the words of {"fault_message": "..."}; a body of another form is quoted */
static int
api_refused(const vmm_step_t *step, long status, const char *body,
    fcf_err_t *err)
{
    json_t      *reply;
    const char  *fault;

    reply = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    fault = json_string_value(json_object_get(reply, "fault_message"));

    if (fault != NULL) {
        fcf_err_set(err, FCF_E_REFUSED, "%s %s: %s", step->method, step->path,
                    fault);

    } else {
        fcf_err_set(err, FCF_E_PROTOCOL, "%s %s: status %ld without a "
                    "fault_message: \"%.100s\"", step->method, step->path,
                    status, body);
    }

    json_decref(reply);

    return -1;
}


static void
api_done(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *err)
{
    fcf_err_t          fault;
    fca_vmm_t         *vmm = arg;
    const vmm_step_t  *step;

    (void) len;

    step = vmm->step;
    vmm->req = NULL;

    if (err != NULL) {
        if (step == probe_steps && err->code == FCF_E_UNAVAILABLE) {
            fca_vmm_probe_later(vmm, API_RETRY_MS);
            return;
        }

        fault = *err;
        fcf_err_wrap(&fault, "%s %s", step->method, step->path);
        fca_vmm_step_done(vmm, &fault);
        return;
    }

    if (status < 200 || status > 299) {
        api_refused(step, status, body, &fault);
        fca_vmm_step_done(vmm, &fault);
        return;
    }

    vmm->step++;
    step_start(vmm);
}


/* 1: the sequence is at its end */
static int
step_send(fca_vmm_t *vmm, fcf_err_t *err)
{
    int               rc;
    char              url[64], *text;
    json_t           *body;
    fcf_http_call_t   call;

    static const char *const  headers[] = {
        "Content-Type: application/json", "Accept: application/json", NULL
    };

    body = NULL;
    rc = 0;

    while (vmm->step->method != NULL && vmm->step->body != NULL) {
        rc = vmm->step->body(vmm, &body);
        if (rc == 0) {
            break;
        }

        vmm->step++;
    }

    if (vmm->step->method == NULL) {
        return 1;
    }

    text = NULL;

    if (vmm->step->body != NULL) {
        text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
        json_decref(body);

        if (text == NULL) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "%s %s: out of memory, or a string that is not "
                               "UTF-8", vmm->step->method, vmm->step->path);
        }
    }

    snprintf(url, sizeof(url), "http://localhost%s", vmm->step->path);

    memset(&call, 0, sizeof(call));
    call.method = vmm->step->method;
    call.url = url;
    call.unix_socket = vmm->socket;
    call.headers = headers;
    call.body = text;
    call.body_len = text != NULL ? strlen(text) : 0;
    call.connect_timeout_ms = API_CONNECT_MS;
    call.timeout_ms = API_TIMEOUT_MS;
    call.max_reply = API_REPLY_MAX;
    /* a kept connection would outlive the VMM in libcurl's cache */
    call.fresh = 1;
    call.on_done = api_done;
    call.arg = vmm;

    vmm->req = fcf_http_start(vmm->conf->http, &call, err);
    free(text);

    return vmm->req != NULL ? 0 : -1;
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
fca_vmm_api_probe(fca_vmm_t *vmm)
{
    vmm->step = probe_steps;
    step_start(vmm);
}


/* No sequence is empty: its first call is never left out. */
void
fca_vmm_api_configure(fca_vmm_t *vmm)
{
    vmm->step = configure_steps;
    step_start(vmm);
}


void
fca_vmm_api_boot(fca_vmm_t *vmm)
{
    vmm->step = boot_steps;
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
