/* What is said to the VMM: the calls, their order and their bodies. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vmm/vmm_int.h"

/* The last three are Firecracker's own, which boot_args replace: without them
 * the kernel spends a while on looking for a mouse.  cryptomgr.notests: a
 * distribution's kernel tests its ciphers at boot, a quarter of a second in
 * software emulation. */
#define KERNEL_ARGS                                                         \
    "console=ttyS0 reboot=k panic=-1 quiet loglevel=1 cryptomgr.notests "   \
    "i8042.noaux i8042.nomux i8042.dumbkbd"
#define KERNEL_ARGS_MAX  2048

/* the first minor version whose PUT /serial knows a rate_limiter */
#define SERIAL_RATE_MINOR  16
#define RATE_REFILL_MS     1000


static int
version_minor(const char *version)
{
    char  *end;
    long   major, minor;

    major = strtol(version, &end, 10);

    if (end == version || *end != '.') {
        return -1;
    }

    version = end + 1;
    minor = strtol(version, &end, 10);

    if (end == version || major < 0 || minor < 0 || minor > 9999) {
        return -1;
    }

    /* what follows 1.x is newer than all of it */
    return major == 0 ? 0 : major == 1 ? (int) minor : 10000;
}


int
fca_vmm_version_take(fca_vmm_t *vmm, const char *body, fcf_err_t *err)
{
    int          rc, minor;
    json_t      *reply;
    const char  *version;

    reply = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    version = json_string_value(json_object_get(reply, "vmm_version"));
    minor = version != NULL ? version_minor(version) : -1;
    rc = 0;

    if (minor < 0) {
        rc = fcf_err_set(err, FCF_E_PROTOCOL, "VMM %s: GET / names no "
                         "vmm_version that is one: \"%.60s\"",
                         vmm->conf->binary, version != NULL ? version : body);

    } else if (minor < FCA_VMM_MINOR_MIN) {
        rc = fcf_err_set(err, FCF_E_REFUSED, "VMM %s is version %.30s, and "
                         "1.%d or later is needed (its PUT /serial)",
                         vmm->conf->binary, version, FCA_VMM_MINOR_MIN);

    } else {
        snprintf(vmm->version, sizeof(vmm->version), "%s", version);

        if (vmm->conf->version != NULL) {
            memcpy(vmm->conf->version, vmm->version, sizeof(vmm->version));
        }
    }

    json_decref(reply);

    return rc;
}


int
fca_vmm_running_take(const char *body, fcf_err_t *err)
{
    int          rc;
    json_t      *reply;
    const char  *state;

    reply = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    state = json_string_value(json_object_get(reply, "state"));

    rc = state != NULL && strcmp(state, "Running") == 0
         ? 0 : fcf_err_set(err, FCF_E_REFUSED, "the guest was not started");
    json_decref(reply);

    return rc;
}


static json_t *
bucket(json_int_t size)
{
    return json_pack("{s:I, s:i}", "size", size, "refill_time",
                     RATE_REFILL_MS);
}


/* NULL: no limit, or no memory, which json_pack() with "o*" leaves out too */
static json_t *
limiter(unsigned mb, unsigned ops)
{
    if (mb == 0 && ops == 0) {
        return NULL;
    }

    return json_pack("{s:o*, s:o*}",
                     "bandwidth", mb != 0 ? bucket((json_int_t) mb << 20)
                                          : NULL,
                     "ops", ops != 0 ? bucket(ops) : NULL);
}


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

    *out = json_pack("{s:s, s:s, s:s*}", "kernel_image_path", FCA_VMM_KERNEL,
                     "boot_args", args, "initrd_path",
                     vmm->initrd != NULL ? FCA_VMM_INITRD : NULL);
    return 0;
}


static json_t *
drive(const fca_vmm_t *vmm, const char *id, const char *path)
{
    const fca_vmm_rates_t  *rates = &vmm->conf->rates;

    /* with an initramfs no drive is the root */
    return json_pack("{s:s, s:s, s:b, s:b, s:o*}", "drive_id", id,
                     "path_on_host", path, "is_root_device", 0,
                     "is_read_only", 1, "rate_limiter",
                     limiter(rates->drive_mb, rates->drive_ops));
}


static int
body_runtime(const fca_vmm_t *vmm, json_t **out)
{
    if (vmm->runtime_image == NULL) {
        return 1;
    }

    *out = drive(vmm, "runtime", FCA_VMM_RUNTIME);
    return 0;
}


static int
body_function(const fca_vmm_t *vmm, json_t **out)
{
    if (vmm->function_image == NULL) {
        return 1;
    }

    *out = drive(vmm, "function", FCA_VMM_FUNCTION);
    return 0;
}


static int
body_config(const fca_vmm_t *vmm, json_t **out)
{
    if (!vmm->has_config) {
        return 1;
    }

    *out = drive(vmm, "config", FCA_VMM_CONFIG);
    return 0;
}


static int
body_nic(const fca_vmm_t *vmm, json_t **out)
{
    char                  mac[18];
    unsigned              mb;
    const unsigned char  *m = vmm->nic.mac;

    if (!vmm->has_nic) {
        return 1;
    }

    mb = vmm->conf->rates.net_mb;

    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
             m[2], m[3], m[4], m[5]);

    *out = json_pack("{s:s, s:s, s:s, s:o*, s:o*}", "iface_id", "eth0",
                     "guest_mac", mac, "host_dev_name", vmm->nic.tap,
                     "rx_rate_limiter", limiter(mb, 0), "tx_rate_limiter",
                     limiter(mb, 0));
    return 0;
}


/* What is beyond the rate is dropped, so that a guest that floods its console
 * costs no more than one that does not. */
static int
body_serial(const fca_vmm_t *vmm, json_t **out)
{
    unsigned  kb;

    kb = version_minor(vmm->version) >= SERIAL_RATE_MINOR
         ? vmm->conf->rates.serial_kb : 0;

    *out = json_pack("{s:s, s:o*}", "serial_out_path", FCA_VMM_CONSOLE,
                     "rate_limiter",
                     kb != 0 ? bucket((json_int_t) kb << 10) : NULL);
    return 0;
}


static int
body_entropy(const fca_vmm_t *vmm, json_t **out)
{
    (void) vmm;

    *out = json_object();
    return 0;
}


static int
body_start(const fca_vmm_t *vmm, json_t **out)
{
    (void) vmm;

    *out = json_pack("{s:s}", "action_type", "InstanceStart");
    return 0;
}


const fca_vmm_call_t  fca_vmm_probe_calls[] = {
    { "GET", "/", NULL },
    { NULL, NULL, NULL }
};

/* drives in the order of vm/guest.h: the guest sees vda, vdb, vdc */
const fca_vmm_call_t  fca_vmm_configure_calls[] = {
    { "PUT", "/machine-config", body_machine },
    { "PUT", "/boot-source", body_boot_source },
    { "PUT", "/drives/runtime", body_runtime },
    { "PUT", "/drives/function", body_function },
    { "PUT", "/drives/config", body_config },
    { "PUT", "/network-interfaces/eth0", body_nic },
    { "PUT", "/serial", body_serial },
    { "PUT", "/entropy", body_entropy },
    { NULL, NULL, NULL }
};

const fca_vmm_call_t  fca_vmm_look_calls[] = {
    { "GET", "/", NULL },
    { NULL, NULL, NULL }
};

const fca_vmm_call_t  fca_vmm_boot_calls[] = {
    { "PUT", "/actions", body_start },
    { NULL, NULL, NULL }
};
