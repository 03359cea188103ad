/* The instant machine's settings, QEMU's command line, and the console. */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/unit/tap.h"
#include "vm/guest.h"
#include "vm/vmm/instant_conf.h"
#include "vm/vmm/qemu_args.h"
#include "vm/vmm/qemu_spawn.h"
#include "vm/vmm/schema.h"
#include "vm/vmm/serial.h"


static int
parse(fcv_instant_conf_t *conf, const char *text, fcf_err_t *err)
{
    return fcv_instant_conf_parse(conf, text, strlen(text), err);
}


static void
test_instant(void)
{
    char                 big[FCV_INSTANT_MAX + 100];
    fcf_err_t            err;
    fcv_instant_conf_t   c;

    is_int(parse(&c, "hsqs\x01", &err), 0, "an ordinary image");
    ok(c.status == 200 && !c.has_body && !c.boot_ms && !c.fail,
       "gives the defaults");

    is_int(parse(&c, "", &err), 0, "an empty one");
    is_int(parse(&c, FCV_INSTANT_MAGIC, &err), 0, "the magic line alone");

    is_int(parse(&c, FCV_INSTANT_MAGIC "boot_ms=20\nanswer_ms=5\nbody=a=b c\n"
                 "say=hello = world\n"
                 "status=503\nfail=cut\nexit_after=3\nignore_stop=1\n"
                 "take_mb=7\nlogs=00fFa1\nbody_bytes=9\nhang=save\n"
                 "exit=answer\n\nxyz",
                 &err), 0, "all of them, up to the empty line");
    is_int(c.boot_ms, 20, "boot_ms");
    is_int(c.answer_ms, 5, "answer_ms");
    is_str(c.body, "a=b c", "body");
    is_int(c.body_len, 5, "its length");
    is_str(c.say, "hello = world", "say");
    is_int(c.status, 503, "status");
    is_int(c.guest, FCV_GUEST_CUT, "fail");
    is_int(c.fail, FCV_STEP_NONE, "at no step");
    is_int(c.exit_after, 3, "exit_after");
    is_int(c.ignore_stop, 1, "ignore_stop");
    is_int(c.take_mb, 7, "take_mb");
    is_int(c.body_bytes, 9, "body_bytes");
    is_int(c.hang, FCV_STEP_SAVE, "hang");
    is_int(c.exit, FCV_STEP_ANSWER, "exit");
    ok(c.logs_len == 3 && memcmp(c.logs, "\x00\xff\xa1", 3) == 0, "logs");

    is_int(fcv_instant_conf_parse(&c, FCV_INSTANT_MAGIC "fail=hang\0nonsense",
                                  sizeof(FCV_INSTANT_MAGIC) + 17, &err), 0,
           "up to a NUL");
    is_int(c.guest, FCV_GUEST_HANG, "without a last newline");

    memset(big, 'x', sizeof(big));
    memcpy(big, FCV_INSTANT_MAGIC "body=", sizeof(FCV_INSTANT_MAGIC) + 4);
    is_int(fcv_instant_conf_parse(&c, big, sizeof(big), &err), 0,
           "up to 4096 bytes");
    is_int(c.body_len, FCV_INSTANT_MAX - sizeof(FCV_INSTANT_MAGIC) - 4,
           "what is behind does not count");
}


static void
test_refused(void)
{
    size_t               i;
    char                 text[128];
    fcf_err_t            err;
    fcv_instant_conf_t   c;

    static const struct {
        const char  *line, *want;
    } cases[] = {
        { "boot=1", "function image: unknown setting boot" },
        { "nonsense", "function image: \"nonsense\" is not name=value" },
        { "boot_ms=-1", "function image: boot_ms=-1: must be 0 to 3600000" },
        { "boot_ms=", "function image: boot_ms=: must be 0 to 3600000" },
        { "answer_ms=1x",
          "function image: answer_ms=1x: must be 0 to 3600000" },
        { "status=99", "function image: status=99: must be 200 to 599" },
        { "fail=badly", "function image: fail=badly: must be start, pause, "
          "save, load, panic, silent, hang or cut" },
        { "fail=boot", "function image: fail=boot: must be start, pause, "
          "save, load, panic, silent, hang or cut" },
        { "exit_after=0",
          "function image: exit_after=0: must be 1 to 1000000000" },
        { "logs=0g", "function image: logs=0g: must be 1 to 1536 bytes in "
          "hex" },
        { "logs=1", "function image: logs=1: must be 1 to 1536 bytes in hex" },
        { "hang=boot", "function image: hang=boot: must be start, pause, save "
          "or load" },
        { "exit=", "function image: exit=: must be start, pause, save, load, "
          "boot or answer" },
        { "body_bytes=0",
          "function image: body_bytes=0: must be 1 to 67108864" },
        { "ignore_stop=yes",
          "function image: ignore_stop=yes: must be 0 or 1" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), "%s%s\n", FCV_INSTANT_MAGIC,
                 cases[i].line);
        is_int(parse(&c, text, &err), -1, "refused: %s", cases[i].line);
        is_str(err.msg, cases[i].want, "in words");
    }
}


/* what emulation needs, where the TSC is of 5 kHz */
#define WORDS  "tsc_early_khz=5 tsc=reliable no_timer_check noreplace-smp"

static void
test_cmdline(void)
{
    size_t   i;
    char    *got;

    static const struct {
        const char  *args, *want;
    } cases[] = {
        { "quiet", "quiet " WORDS },
        { "", WORDS },
        { "tsc=unstable a",
          "tsc=unstable a tsc_early_khz=5 no_timer_check noreplace-smp" },
        { "xtsc=1 no_timer_check",
          "xtsc=1 no_timer_check tsc_early_khz=5 tsc=reliable noreplace-smp" },
        { "a -- b c", "a " WORDS " -- b c" },
        { "-- b", WORDS " -- b" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        got = fcv_qemu_cmdline(cases[i].args, NULL, 0, 5);
        is_str(got, cases[i].want, "cmdline \"%s\"", cases[i].args);
        free(got);
    }

    got = fcv_qemu_cmdline("root=/dev/vdb -- b", "root=/dev/vda ro", 0, 5);
    is_str(got, "root=/dev/vdb root=/dev/vda ro " WORDS " -- b",
           "the root device's own words count");
    free(got);

    got = fcv_qemu_cmdline("quiet", NULL, 1, 5);
    is_str(got, "quiet " WORDS " nolapic_timer", "without ACPI the PIT ticks");
    free(got);
}


/* the argument behind the nth that equals name */
static const char *
arg_of(const fcv_args_t *args, const char *name, int nth)
{
    unsigned  i;

    for (i = 0; i + 1 < args->argc; i++) {
        if (strcmp(args->argv[i], name) == 0 && nth-- == 0) {
            return args->argv[i + 1];
        }
    }

    return NULL;
}


static void
test_args(void)
{
    unsigned          i;
    fcf_err_t         err;
    fcv_args_t        args;
    fcv_model_t       model;
    fcv_qemu_conf_t   conf = { "vm-1", 2500000, 11, 12, -1, 0 };

    is_int(fcv_model_init(&model, &err), 0, "model");

    model.boot = json_pack("{s:s}", "kernel_image_path", "/k,ernel");
    model.ndrives = 2;
    model.drives[0].json = json_pack("{s:s, s:b}", "path_on_host",
                                     "/a,\"b\"", "is_read_only", 1);
    model.drives[0].fd = -1;
    model.drives[1].json = json_pack("{s:s, s:b}", "path_on_host", "/c",
                                     "is_read_only", 0);
    model.drives[1].fd = -1;
    model.nnics = 1;
    model.nics[0].fd = 9;
    model.nics[0].has_mac = 1;
    memcpy(model.nics[0].mac, "\x06\x00\xac\x10\x00\x02", 6);

    is_int(fcv_qemu_args(&args, &model, &conf, &err), 0, "command line");
    is_str(arg_of(&args, "-kernel", 0), "/k,ernel", "kernel");
    ok(strstr(arg_of(&args, "-append", 0), "root=") == NULL, "no root device");
    ok(arg_of(&args, "-initrd", 0) == NULL, "no initrd");
    is_str(arg_of(&args, "-accel", 0), "tcg,thread=single,split-wx=off,"
           "tb-size=56", "translated code, mapped once");
    is_str(arg_of(&args, "-smp", 0), "1", "vcpus");
    is_str(arg_of(&args, "-m", 0), "128", "memory");
    is_str(arg_of(&args, "-blockdev", 0), "{\"driver\":\"raw\","
           "\"read-only\":true,\"file\":{"
           "\"driver\":\"file\",\"filename\":\"/a,\\\"b\\\"\","
           "\"locking\":\"off\"},\"node-name\":\"drive0\"}", "a drive of any name, read-only");
    ok(strstr(arg_of(&args, "-blockdev", 1), "\"read-only\":false"),
       "one to be written");
    ok(arg_of(&args, "-object", 0) == NULL, "no limits");
    is_str(arg_of(&args, "-netdev", 0), "tap,id=nic0,fd=9", "TAP");
    is_str(arg_of(&args, "-device", 3), "virtio-net-device,netdev=nic0,"
           "bus=virtio-mmio-bus.21,ctrl_vq=off,ctrl_rx=off,ctrl_rx_extra=off,"
           "ctrl_vlan=off,ctrl_mac_addr=off,ctrl_guest_offloads=off,"
           "guest_announce=off,mac=06:00:ac:10:00:02",
           "NIC, without what Firecracker's has not");
    fcv_args_free(&args);

    json_object_set_new(model.drives[0].json, "is_root_device", json_true());
    is_int(fcv_qemu_args(&args, &model, &conf, &err), 0, "with a root device");
    ok(strstr(arg_of(&args, "-append", 0), " root=/dev/vda ro tsc") != NULL,
       "it is named as Firecracker does");
    fcv_args_free(&args);

    json_object_set_new(model.drives[0].json, "is_read_only", json_false());
    json_object_set_new(model.drives[0].json, "partuuid", json_string("0-1"));
    is_int(fcv_qemu_args(&args, &model, &conf, &err), 0, "by its partition");
    ok(strstr(arg_of(&args, "-append", 0), " root=PARTUUID=0-1 rw ") != NULL,
       "to be written");
    fcv_args_free(&args);

    for (i = 2; i < FCV_DRIVES_MAX; i++) {
        model.drives[i] = model.drives[0];
        json_incref(model.drives[0].json);
    }

    model.ndrives = FCV_DRIVES_MAX;
    conf.incoming_fd = 13;
    conf.split_wx = 1;
    is_int(fcv_qemu_args(&args, &model, &conf, &err), 0, "all drives");
    ok(strstr(arg_of(&args, "-device", FCV_DRIVES_MAX),
              "bus=virtio-mmio-bus.8"), "each in its place");
    is_str(arg_of(&args, "-incoming", 0), "fd:13", "a snapshot");
    ok(arg_of(&args, "-kernel", 0) == NULL, "which brings its kernel");
    is_str(arg_of(&args, "-accel", 0), "tcg,thread=single,split-wx=on,"
           "tb-size=56", "translated code, mapped twice");
    fcv_args_free(&args);

    model.nics[0].fd = -1;
    fcv_model_done(&model);
}


/* rate limiters: as QEMU has them */
static void
test_limits(void)
{
    fcf_err_t         err;
    fcv_args_t        args;
    fcv_model_t       model;
    fcv_qemu_conf_t   conf = { "vm-1", 2500000, 11, 12, -1, 0 };

    is_int(fcv_model_init(&model, &err), 0, "model");
    model.boot = json_pack("{s:s}", "kernel_image_path", "/kernel");
    model.ndrives = 1;
    model.drives[0].json = json_pack("{s:s, s:b, s:{s:{s:i, s:i}}}",
                                     "path_on_host", "/a", "is_read_only", 1,
                                     "rate_limiter", "bandwidth",
                                     "size", 1000, "refill_time", 100);
    model.drives[0].fd = -1;
    model.entropy = json_pack("{s:{s:{s:i, s:i}}}", "rate_limiter",
                              "bandwidth", "size", 64, "refill_time", 500);

    is_int(fcv_qemu_args(&args, &model, &conf, &err), 0, "command line");
    is_str(arg_of(&args, "-object", 0), "{\"qom-type\":\"throttle-group\","
           "\"id\":\"limit0\",\"limits\":{\"bps-total\":10000,"
           "\"iops-total\":0}}", "1000 bytes in 100 ms");
    is_str(arg_of(&args, "-blockdev", 0), "{\"driver\":\"throttle\","
           "\"read-only\":true,\"throttle-group\":\"limit0\",\"file\":{"
           "\"driver\":\"raw\",\"read-only\":true,\"file\":{"
           "\"driver\":\"file\",\"filename\":\"/a\",\"locking\":\"off\"}},"
           "\"node-name\":\"drive0\"}", "on top of the file");
    ok(strstr(arg_of(&args, "-device", 2), ",max-bytes=64,period=500"),
       "entropy");
    fcv_args_free(&args);

    json_object_set_new(model.drives[0].json, "rate_limiter",
                        json_pack("{s:{s:i, s:i}, s:{s:I, s:i}}",
                                  "bandwidth", "size", 0, "refill_time", 7,
                                  "ops", "size", (json_int_t) INT64_MAX,
                                  "refill_time", 1));
    is_int(fcv_qemu_args(&args, &model, &conf, &err), 0, "others");
    ok(strstr(arg_of(&args, "-object", 0), "\"bps-total\":0,"
              "\"iops-total\":1000000000000000"),
       "none, and as many as QEMU takes");
    fcv_args_free(&args);
    fcv_model_done(&model);
}


/* a kernel of which only these words matter */
static int
kernel(const char *words)
{
    int  fd;

    fd = memfd_create("kernel", MFD_CLOEXEC);

    if (fd == -1 || write(fd, words, strlen(words)) == -1) {
        perror("memfd");
        exit(1);
    }

    return fd;
}


static const char *
machine_of(fcv_model_t *model, const char *words)
{
    fcf_err_t         err;
    fcv_args_t        args;
    static char       out[200];
    fcv_qemu_conf_t   conf = { "vm-1", 2500000, 11, 12, -1, 0 };

    if (model->kernel_fd != -1) {
        (void) close(model->kernel_fd);
    }

    model->kernel_fd = kernel(words);
    is_int(fcv_qemu_args(&args, model, &conf, &err), 0, "with: %s", words);
    snprintf(out, sizeof(out), "%s | %s",
             strstr(arg_of(&args, "-M", 0), "acpi="),
             strstr(arg_of(&args, "-append", 0), "nolapic_timer")
             ? "PIT" : "APIC");
    fcv_args_free(&args);

    return out;
}


static void
test_plain(void)
{
    fcf_err_t     err;
    fcv_model_t   model;
    const char   *acpi = "acpi=on,ioapic2=on | APIC";
    const char   *plain = "acpi=off,ioapic2=off | PIT";
    const char   *knows = "virtio_mmio.device and Intel MultiProcessor "
                          "Specification v1";

    is_int(fcv_model_init(&model, &err), 0, "model");
    model.boot = json_pack("{s:s}", "kernel_image_path", "/k");

    is_str(machine_of(&model, knows), plain, "it can do without ACPI");
    is_str(machine_of(&model, "virtio_mmio.device"), acpi, "no MP table");
    is_str(machine_of(&model, "Intel MultiProcessor Specification"), acpi,
           "no devices by name");
    is_str(machine_of(&model, ""), acpi, "an empty one");

    json_object_set_new(model.boot, "boot_args", json_string("a -- b"));
    is_str(machine_of(&model, knows), acpi, "words for init");
    json_object_set_new(model.boot, "boot_args", json_string("a"));
    json_object_set_new(model.machine, "vcpu_count", json_integer(2));
    is_str(machine_of(&model, knows), acpi, "two vCPUs");
    json_object_set_new(model.machine, "vcpu_count", json_integer(1));

    for (model.ndrives = 0; model.ndrives < 9; model.ndrives++) {
        model.drives[model.ndrives].json = json_pack("{s:s}", "path_on_host",
                                                     "/d");
        model.drives[model.ndrives].fd = -1;
    }

    is_str(machine_of(&model, knows), acpi, "more devices than it can name");

    fcv_model_done(&model);
}


/* A FIFO that nobody reads takes what fits and never blocks. */
static void
test_serial(void)
{
    int           i;
    char          path[64], text[1000];
    ssize_t       n;
    fcf_err_t     err;
    fcv_model_t   model;

    is_int(fcv_model_init(&model, &err), 0, "model");
    snprintf(path, sizeof(path), "/tmp/vmm_conf.%d", (int) getpid());
    is_int(mkfifo(path, 0600), 0, "a FIFO");
    is_int(fcv_model_put_serial(&model, json_pack("{s:s}", "serial_out_path",
                                                  path), &err), 0,
           "is named");
    is_int(fcv_model_open_serial(&model, &err), 0,
           "and opened without a reader");

    memset(text, 'x', sizeof(text));
    fcv_serial_write(&model, "first", 5);

    for (i = 0; i < 200; i++) {
        fcv_serial_write(&model, text, sizeof(text));
    }

    n = read(model.serial_fd, text, 6);
    ok(n == 6 && memcmp(text, "firstx", 6) == 0, "what came first is kept");

    while (read(model.serial_fd, text, sizeof(text)) > 0) {
        /* empty it */
    }

    is_int(fcv_model_put_serial(&model,
                                json_pack("{s:s, s:{s:i, s:i, s:i}}",
                                          "serial_out_path", path,
                                          "rate_limiter", "size", 100,
                                          "one_time_burst", 20,
                                          "refill_time", 3600000), &err), 0,
           "a rate");

    for (i = 0; i < 3; i++) {
        fcv_serial_write(&model, text, 50);
    }

    is_int(read(model.serial_fd, text, sizeof(text)), 120,
           "what is beyond bucket and burst is dropped");

    fcv_model_done(&model);
    (void) unlink(path);
}


/* The last of all: it cannot be taken back.  PR_SET_MDWE, with
 * PR_MDWE_REFUSE_EXEC_GAIN, Linux has from 6.3 on. */
static void
test_split_wx(void)
{
    int  before;

    before = fcv_must_split_wx();

    if (prctl(65, 1L, 0L, 0L, 0L) == 0) {
        ok(fcv_must_split_wx(), "no memory may be written to and run");

    } else {
        ok(1, "# skip: this kernel has no PR_SET_MDWE");
    }

    is_int(before, 0, "before, it might");
}


int
main(void)
{
    test_serial();
    test_instant();
    test_refused();
    test_cmdline();
    test_args();
    test_limits();
    test_plain();
    test_split_wx();

    return tap_done();
}
