#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/fcf_buf.h"
#include "contract/fcf_mac.h"
#include "vm/vmm/qemu_args.h"
#include "vm/vmm/schema.h"

#define FCV_TRANSPORTS   24             /* virtio-mmio places of microvm with
                                           its second I/O APIC */
#define FCV_TRANSPORTS_PLAIN  8         /* without */

/* a second; what QEMU takes at most */
#define FCV_RATE_MAX     1000000000000000

/* MiB of translated code.  When they are full all of it is thrown away: 32 are
 * full just before the small kernel's first answer, which is translated anew
 * then; 128 gain little, for node alone.  It may be a file of memory, and a
 * VM's have at most 64 (agent/vmm/vmm_int.h). */
#define FCV_TB_SIZE      "56"

/* All that is emulated but what is slower here than without: with ERMS a kernel
 * clears and copies byte by byte ("rep stosb"); with SMAP each of its accesses
 * to a program's memory ends two blocks of translated code.  A change is one of
 * FCV_QEMU_MACHINE. */
#define FCV_CPU          "max,erms=off,smap=off"


void
fcv_args_free(fcv_args_t *args)
{
    while (args->argc) {
        free(args->argv[--args->argc]);
    }
}


fcf_printf_like(2, 3)
static int
add(fcv_args_t *args, const char *fmt, ...)
{
    int      n;
    char    *arg;
    va_list  list;

    if (args->argc == FCV_QEMU_ARGS_MAX) {
        return -1;
    }

    va_start(list, fmt);
    n = vasprintf(&arg, fmt, list);
    va_end(list);

    if (n < 0) {
        return -1;
    }

    args->argv[args->argc++] = arg;
    args->argv[args->argc] = NULL;

    return 0;
}


static int
has_word(const char *text, const char *word)
{
    size_t       n;
    const char  *p;

    n = strlen(word);

    for (p = text; (p = strstr(p, word)) != NULL; p++) {
        if ((p == text || p[-1] == ' ')
            && (p[n] == '\0' || p[n] == ' ' || p[n] == '='))
        {
            return 1;
        }
    }

    return 0;
}


/* where " -- " stands, or NULL */
static const char *
words_of_init(const char *boot_args)
{
    return strncmp(boot_args, "-- ", 3) == 0 ? boot_args
                                              : strstr(boot_args, " -- ");
}


/*
 * What a kernel in software emulation needs besides, and none on Firecracker:
 *   tsc_early_khz    the guest's TSC is the host's, whose rate was measured;
 *                    a kernel that measures it by the PIT fails under load
 *   tsc=reliable     a guest that did not run for a while would take its TSC
 *                    for a broken one, and go by jiffies
 *   no_timer_check   nor is the timer's interrupt to be counted within a time
 *   noreplace-smp    a kernel on one processor takes the locks out of its
 *                    text, a few thousand writes to pages that were translated:
 *                    0.06 s of the small kernel's boot; they cost nothing here
 *   nolapic_timer    (plain) the PIT ticks, and the local APIC's timer need
 *                    not be measured
 */

char *
fcv_qemu_cmdline(const char *boot_args, const char *root, int plain,
    unsigned long tsc_khz)
{
    int          rc;
    char         tsc[40];
    size_t       i, n, head;
    fcf_buf_t    out;
    const char  *dash;

    const char *const  extra[] = { tsc, "tsc=reliable", "no_timer_check",
                                   "noreplace-smp", "nolapic_timer" };

    n = sizeof(extra) / sizeof(extra[0]) - (plain ? 0 : 1);
    snprintf(tsc, sizeof(tsc), "tsc_early_khz=%lu", tsc_khz);

    /* what follows "--" is init's, not the kernel's */

    dash = words_of_init(boot_args);
    head = dash ? (size_t) (dash - boot_args) : strlen(boot_args);

    fcf_buf_init(&out, 2 * FCV_CMDLINE_MAX);
    rc = fcf_buf_add(&out, boot_args, head);

    /* last, and so the one that counts, as Firecracker does it */

    if (root && rc == 0) {
        rc = fcf_buf_addf(&out, "%s%s", out.len ? " " : "", root);
    }

    for (i = 0; i < n && rc == 0; i++) {
        char  word[40];

        snprintf(word, sizeof(word), "%.*s", (int) strcspn(extra[i], "="),
                 extra[i]);

        if (!has_word(boot_args, word)) {
            rc = fcf_buf_addf(&out, "%s%s", out.len ? " " : "", extra[i]);
        }
    }

    if (dash && rc == 0) {
        rc = fcf_buf_addf(&out, "%s%s", *dash == ' ' ? "" : " ", dash);
    }

    if (rc != 0) {
        fcf_buf_free(&out);
        return NULL;
    }

    return fcf_buf_take(&out, NULL);
}


/*
 * Whether the machine can do without ACPI, which saves its firmware's tables
 * and the local APIC's timer: 0.13 s of the small kernel's 0.65.  QEMU then
 * names the devices to the kernel at the very end of its command line, where
 * none of init's words may stand.
 */

static int
is_plain(const fcv_model_t *model)
{
    unsigned  devices;

    devices = model->ndrives + model->nnics + (model->entropy ? 1 : 0)
              + (model->balloon ? 1 : 0);

    return fcv_int(model->machine, "vcpu_count") == 1
           && devices <= FCV_TRANSPORTS_PLAIN
           && words_of_init(fcv_model_boot_args(model)) == NULL
           && fcv_qemu_kernel_is_plain(model);
}


/* what each of them has in common */
static int
add_process(fcv_args_t *args, const fcv_qemu_conf_t *conf, long long vcpus)
{
    return add(args, FCV_QEMU_BINARY)
           || add(args, "-name") || add(args, "%s", conf->id)
           || add(args, "-nodefaults") || add(args, "-no-user-config")
           || add(args, "-display") || add(args, "none")
           || add(args, "-accel")
           || add(args, "tcg,thread=%s,split-wx=%s,tb-size=" FCV_TB_SIZE,
                  vcpus > 1 ? "multi" : "single", conf->split_wx ? "on" : "off")
           || add(args, "-cpu") || add(args, FCV_CPU)
           || add(args, "-smp") || add(args, "%lld", vcpus)
           || add(args, "-no-reboot")
           || add(args, "-device") || add(args, "i8042")
           || add(args, "-trace") || add(args, FCV_QEMU_TRACE)
           || add(args, "-S")
           || add(args, "-chardev")
           || add(args, "socket,id=qmp,fd=%d", conf->qmp_fd)
           || add(args, "-mon") || add(args, "chardev=qmp,mode=control")
           || add(args, "-chardev")
           || add(args, "socket,id=serial,fd=%d", conf->serial_fd)
           || add(args, "-serial") || add(args, "chardev:serial");
}


static int
add_machine(fcv_args_t *args, const fcv_model_t *model, int plain)
{
    return add(args, "-M")
           || add(args, "microvm,x-option-roms=off,pit=on,pic=on,rtc=on,"
                  "isa-serial=on,%s", plain ? "acpi=off,ioapic2=off"
                                            : "acpi=on,ioapic2=on")
           || add(args, "-m")
           || add(args, "%lld", fcv_int(model->machine, "mem_size_mib"));
}


/* "root=... ro" for a root device among the drives (it is the first), NULL if
 * there is none or no memory: then *failed. */
static char *
root_words(const fcv_model_t *model, int *failed)
{
    char          *words;
    const char    *id;
    const json_t  *drive;

    *failed = 0;
    drive = model->ndrives ? model->drives[0].json : NULL;

    if (!fcv_bool(drive, "is_root_device")) {
        return NULL;
    }

    id = fcv_str(drive, "partuuid");

    *failed = asprintf(&words, "root=%s%s %s", id ? "PARTUUID=" : "/dev/vda",
                       id ? id : "",
                       fcv_bool(drive, "is_read_only") ? "ro" : "rw") < 0;

    return *failed ? NULL : words;
}


static int
add_kernel(fcv_args_t *args, const fcv_model_t *model,
    const fcv_qemu_conf_t *conf, int plain)
{
    int          rc;
    char        *root, *cmdline;
    const char  *initrd;

    root = root_words(model, &rc);
    cmdline = rc ? NULL : fcv_qemu_cmdline(fcv_model_boot_args(model), root,
                                           plain, conf->tsc_khz);
    free(root);

    if (cmdline == NULL) {
        return -1;
    }

    rc = add(args, "-kernel")
         || add(args, "%s", fcv_str(model->boot, "kernel_image_path"))
         || add(args, "-append") || add(args, "%s", cmdline);

    free(cmdline);

    initrd = fcv_str(model->boot, "initrd_path");

    if (rc == 0 && initrd) {
        rc = add(args, "-initrd") || add(args, "%s", initrd);
    }

    return rc;
}


/* The kernel is in the memory that comes.  QEMU would tell the network of the
 * template's MAC address, five times, and a bridge would believe it. */
static int
add_incoming(fcv_args_t *args, const fcv_qemu_conf_t *conf)
{
    return add(args, "-incoming")
           || (conf->incoming_fd == FCV_INCOMING_LATER
               ? add(args, "defer") : add(args, "fd:%d", conf->incoming_fd))
           || add(args, "-global") || add(args, "migration.announce-rounds=0");
}


/* json: taken over; NULL: no memory */
static int
add_json(fcv_args_t *args, const char *option, json_t *json)
{
    int    rc;
    char  *text;

    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    rc = text == NULL || add(args, "%s", option) || add(args, "%s", text);

    free(text);
    json_decref(json);

    return rc;
}


/* What one of a limiter's buckets gives a second; 0: it has none.  A burst at
 * the start QEMU does not know. */
static json_int_t
per_second(const json_t *limiter, const char *name)
{
    double         rate;
    const json_t  *bucket;

    bucket = json_object_get(limiter, name);

    if (fcv_int(bucket, "size") <= 0 || fcv_int(bucket, "refill_time") <= 0) {
        return 0;
    }

    rate = (double) fcv_int(bucket, "size") * 1000
           / (double) fcv_int(bucket, "refill_time");

    return rate < 1 ? 1 : rate > FCV_RATE_MAX ? FCV_RATE_MAX
                                              : (json_int_t) rate;
}


/* JSON: a path may hold anything.  No locks, as Firecracker has none.  The
 * limiter stands on top of the file, if there is one. */
static int
add_drive(fcv_args_t *args, const fcv_drive_t *drive, unsigned i, unsigned bus)
{
    int            rc, read_only;
    char           node[16], group[16];
    json_t        *json;
    const json_t  *limiter;

    snprintf(node, sizeof(node), "drive%u", i);
    snprintf(group, sizeof(group), "limit%u", i);

    read_only = fcv_bool(drive->json, "is_read_only");
    limiter = json_object_get(drive->json, "rate_limiter");

    json = json_pack("{s:s, s:b, s:{s:s, s:s, s:s}}",
                     "driver", "raw", "read-only", read_only,
                     "file", "driver", "file", "filename",
                     fcv_str(drive->json, "path_on_host"), "locking", "off");
    rc = 0;

    if (json_is_object(limiter)) {
        rc = add_json(args, "-object",
                      json_pack("{s:s, s:s, s:{s:I, s:I}}",
                                "qom-type", "throttle-group", "id", group,
                                "limits",
                                "bps-total", per_second(limiter, "bandwidth"),
                                "iops-total", per_second(limiter, "ops")));
        json = json_pack("{s:s, s:b, s:s, s:o}", "driver", "throttle",
                         "read-only", read_only, "throttle-group", group,
                         "file", json);
    }

    (void) json_object_set_new(json, "node-name", json_string(node));

    return add_json(args, "-blockdev", json) || rc
           || add(args, "-device")
           || add(args, "virtio-blk-device,drive=%s,"
                  "bus=virtio-mmio-bus.%u", node, bus);
}


/* QEMU counts a period in ms, and so does Firecracker */
static int
add_entropy(fcv_args_t *args, const json_t *entropy, unsigned bus)
{
    char           limit[64];
    const json_t  *bucket;

    limit[0] = '\0';
    bucket = json_object_get(json_object_get(entropy, "rate_limiter"),
                             "bandwidth");

    if (fcv_int(bucket, "size") > 0 && fcv_int(bucket, "refill_time") > 0
        && fcv_int(bucket, "refill_time") <= UINT_MAX)
    {
        snprintf(limit, sizeof(limit), ",max-bytes=%lld,period=%lld",
                 fcv_int(bucket, "size"), fcv_int(bucket, "refill_time"));
    }

    return add(args, "-object")
           || add(args, "rng-random,id=rng,filename=/dev/urandom")
           || add(args, "-device")
           || add(args, "virtio-rng-device,rng=rng,"
                  "bus=virtio-mmio-bus.%u%s", bus, limit);
}


/* Firecracker's has no control queue.  With one, Linux 6.1 may hang as it
 * reboots: work that comes after the devices' reset sends a command and spins
 * for the answer. */
#define FCV_NIC_PLAIN                                                         \
    "ctrl_vq=off,ctrl_rx=off,ctrl_rx_extra=off,ctrl_vlan=off,"                \
    "ctrl_mac_addr=off,ctrl_guest_offloads=off,guest_announce=off"


static int
add_nic(fcv_args_t *args, const fcv_nic_t *nic, unsigned i, unsigned bus)
{
    char  mac[FCF_MAC_TEXT];

    return add(args, "-netdev")
           || add(args, "tap,id=nic%u,fd=%d", i, nic->fd)
           || add(args, "-device")
           || add(args, "virtio-net-device,netdev=nic%u,"
                  "bus=virtio-mmio-bus.%u," FCV_NIC_PLAIN "%s%s", i, bus,
                  nic->has_mac ? ",mac=" : "",
                  nic->has_mac ? fcf_mac_format(mac, nic->mac) : "");
}


_Static_assert(FCV_DRIVES_MAX + FCV_NICS_MAX + 2 <= FCV_TRANSPORTS,
               "each device has its place, entropy and balloon too");

int
fcv_qemu_args(fcv_args_t *args, const fcv_model_t *model,
    const fcv_qemu_conf_t *conf, fcf_err_t *err)
{
    int       rc, plain;
    unsigned  i, bus;

    args->argc = 0;
    plain = is_plain(model);

    rc = add_process(args, conf, fcv_int(model->machine, "vcpu_count"))
         || add_machine(args, model, plain)
         || (conf->incoming_fd == -1 ? add_kernel(args, model, conf, plain)
                                     : add_incoming(args, conf));

    /* the guest finds the places from the last to the first */

    bus = plain ? FCV_TRANSPORTS_PLAIN : FCV_TRANSPORTS;

    for (i = 0; i < model->ndrives && rc == 0; i++) {
        rc = add_drive(args, &model->drives[i], i, --bus);
    }

    for (i = 0; i < model->nnics && rc == 0; i++) {
        rc = add_nic(args, &model->nics[i], i, --bus);
    }

    if (model->entropy && rc == 0) {
        rc = add_entropy(args, model->entropy, --bus);
    }

    if (model->balloon && rc == 0) {
        rc = add(args, "-device")
             || add(args, "virtio-balloon-device,deflate-on-oom=%s,"
                    "bus=virtio-mmio-bus.%u",
                    fcv_bool(model->balloon, "deflate_on_oom") ? "on" : "off",
                    --bus);
    }

    if (rc != 0) {
        fcv_args_free(args);
        return fcf_err_set(err, FCF_E_NOMEM, "QEMU's command line");
    }

    return 0;
}


int
fcv_qemu_args_ahead(fcv_args_t *args, const fcv_qemu_conf_t *conf,
    const char *file, fcf_err_t *err)
{
    args->argc = 0;

    if (add_process(args, conf, 1) || add_incoming(args, conf)
        || add(args, "-readconfig") || add(args, "%s", file))
    {
        fcv_args_free(args);
        return fcf_err_set(err, FCF_E_NOMEM, "QEMU's command line");
    }

    return 0;
}
