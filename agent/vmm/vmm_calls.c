/* What is said to the VMM: the calls, their order and their bodies. */

#include <stdio.h>

#include "agent/vmm/snaps.h"
#include "agent/vmm/vmm_int.h"
#include "contract/fcf_mac.h"

/*
 * What every guest's kernel is told, besides its address (ip=, for a kernel
 * that can; init reads the config drive) and the setting kernel_args:
 *   console=ttyS0         the only console there is
 *   reboot=k              the i8042's reset ends Firecracker with 0
 *   panic=-1              a panic ends the machine at once
 *   quiet loglevel=1      each byte of the console costs an exit: its words
 *                         are those of a panic and of init
 *   cryptomgr.notests     a distribution's kernel tests its ciphers at boot, a
 *                         quarter of a second in software emulation
 *   i8042.noaux nomux dumbkbd   Firecracker's own, which boot_args replace:
 *                         without them it spends a while on looking for a
 *                         mouse
 * What only emulation needs the stand-in adds: vm/vmm/qemu_args.c.
 */
#define KERNEL_ARGS                                                         \
    "console=ttyS0 reboot=k panic=-1 quiet loglevel=1 cryptomgr.notests "   \
    "i8042.noaux i8042.nomux i8042.dumbkbd"
#define KERNEL_ARGS_MAX  2048

/* the first minor version whose PUT /serial knows a rate_limiter */
#define SERIAL_RATE_MINOR  16
#define RATE_REFILL_MS     1000


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
    char      mac[FCF_MAC_TEXT];
    unsigned  mb;

    if (!vmm->has_nic) {
        return 1;
    }

    mb = vmm->conf->rates.net_mb;

    *out = json_pack("{s:s, s:s, s:s, s:o*, s:o*}", "iface_id", "eth0",
                     "guest_mac", fcf_mac_format(mac, vmm->nic.mac),
                     "host_dev_name", vmm->nic.tap,
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

    kb = fca_vmm_minor(vmm->version) >= SERIAL_RATE_MINOR
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


static int
body_load(const fca_vmm_t *vmm, json_t **out)
{
    *out = json_pack("{s:s, s:{s:s, s:s}, s:b, s:[{s:s, s:s}]}",
                     "snapshot_path", FCA_SNAP_STATE,
                     "mem_backend", "backend_type", "File",
                     "backend_path", FCA_SNAP_MEMORY,
                     "resume_vm", vmm->state == FCA_VMM_IS_RESTORING,
                     "network_overrides", "iface_id", "eth0",
                     "host_dev_name", vmm->nic.tap);
    return 0;
}


static int
body_pause(const fca_vmm_t *vmm, json_t **out)
{
    (void) vmm;

    *out = json_pack("{s:s}", "state", "Paused");
    return 0;
}


static int
body_resume(const fca_vmm_t *vmm, json_t **out)
{
    (void) vmm;

    *out = json_pack("{s:s}", "state", "Resumed");
    return 0;
}


static int
body_create(const fca_vmm_t *vmm, json_t **out)
{
    (void) vmm;

    *out = json_pack("{s:s, s:s, s:s}", "snapshot_type", "Full",
                     "snapshot_path", FCA_SNAP_STATE,
                     "mem_file_path", FCA_SNAP_MEMORY);
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

/* whether the guest was started */
const fca_vmm_call_t  fca_vmm_look_calls[] = {
    { "GET", "/", NULL },
    { NULL, NULL, NULL }
};

const fca_vmm_call_t  fca_vmm_boot_calls[] = {
    { "PUT", "/actions", body_start },
    { NULL, NULL, NULL }
};

/* the serial console is in no snapshot; all else is */
const fca_vmm_call_t  fca_vmm_restore_calls[] = {
    { "PUT", "/serial", body_serial },
    { "PUT", "/snapshot/load", body_load },
    { NULL, NULL, NULL }
};

/* of one that was loaded paused */
const fca_vmm_call_t  fca_vmm_resume_calls[] = {
    { "PATCH", "/vm", body_resume },
    { NULL, NULL, NULL }
};

const fca_vmm_call_t  fca_vmm_save_calls[] = {
    { "PATCH", "/vm", body_pause },
    { "PUT", "/snapshot/create", body_create },
    { NULL, NULL, NULL }
};
