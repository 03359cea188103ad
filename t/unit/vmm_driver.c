/*
 * The VMM driver against a scripted VMM: this program itself, which the driver
 * runs with "--api-sock api.sock --id ... --fake <script>".
 */

#include <string.h>

#include "t/unit/vmm_run.h"


static void
test_calls(void)
{
    fct_run_t  run;

    static const char  want[] =
        "GET / \n"
        "PUT /machine-config {\"vcpu_count\":2,\"mem_size_mib\":192}\n"
        "PUT /boot-source {\"kernel_image_path\":\"kernel\","
        "\"boot_args\":\"console=ttyS0 reboot=k panic=-1 quiet loglevel=1 "
        "cryptomgr.notests i8042.noaux i8042.nomux i8042.dumbkbd "
        "ip=172.16.0.2::172.16.0.1:255.255.255.0::eth0:off tsc=reliable\","
        "\"initrd_path\":\"initrd\"}\n"
        "PUT /drives/runtime {\"drive_id\":\"runtime\",\"path_on_host\":"
        "\"runtime.img\",\"is_root_device\":false,"
        "\"is_read_only\":true}\n"
        "PUT /drives/function {\"drive_id\":\"function\",\"path_on_host\":"
        "\"function.img\",\"is_root_device\":false,"
        "\"is_read_only\":true}\n"
        "PUT /drives/config {\"drive_id\":\"config\",\"path_on_host\":"
        "\"config.img\",\"is_root_device\":false,\"is_read_only\":true}\n"
        "PUT /network-interfaces/eth0 {\"iface_id\":\"eth0\",\"guest_mac\":"
        "\"06:00:ac:10:00:02\",\"host_dev_name\":\"fctap9\"}\n"
        "PUT /serial {\"serial_out_path\":\"console\"}\n"
        "PUT /entropy {}\n"
        "PUT /actions {\"action_type\":\"InstanceStart\"}\n";

    fct_drive(&run, "ok", 'B');

    is_str(run.events, "SCBX", "spawned, configured, booted, exited");
    is_str(run.requests, want, "the calls, in order");
    is_str(run.last, "VMM was killed by signal 9", "how it ended");
    ok(!run.late, "no event before spawn returned");
    is_str(run.version, "1.16.0", "the version it said");
    is_int(run.blame, FCA_BLAME_NOBODY, "nobody's fault");
}


static void
test_load(void)
{
    fct_run_t           run;
    static const char   want[] =
        "GET / \n"
        "PUT /serial {\"serial_out_path\":\"console\"}\n"
        "PUT /snapshot/load {\"snapshot_path\":\"snapshot.state\","
        "\"mem_backend\":{\"backend_type\":\"File\",\"backend_path\":"
        "\"snapshot.memory\"},\"resume_vm\":false,\"network_overrides\":[{"
        "\"iface_id\":\"eth0\",\"host_dev_name\":\"fctap9\"}]}\n";

    fct_loads = 1;

    fct_drive(&run, "ok", 'L');
    is_str(run.events, "SLX", "spawned, loaded, exited");
    is_str(run.requests, want, "paused, by these calls");

    fct_drive(&run, "ok", 'B');
    is_str(run.events, "SLBX", "spawned, loaded, resumed, exited");
    ok(strncmp(run.requests, want, sizeof(want) - 1) == 0
       && strcmp(run.requests + sizeof(want) - 1,
                 "PATCH /vm {\"state\":\"Resumed\"}\n") == 0,
       "by one call more");

    fct_loads = 0;
}


static void
test_rates(void)
{
    fct_run_t  run;

    fct_conf.rates = (fca_vmm_rates_t) { .serial_kb = 64, .drive_mb = 3,
                                     .drive_ops = 500, .net_mb = 2 };

    fct_drive(&run, "ok", 'C');
    ok(strstr(run.requests, "\"is_read_only\":true,\"rate_limiter\":{"
              "\"bandwidth\":{\"size\":3145728,\"refill_time\":1000},"
              "\"ops\":{\"size\":500,\"refill_time\":1000}}}\n") != NULL,
       "drives have a rate");
    ok(strstr(run.requests, "\"rx_rate_limiter\":{\"bandwidth\":{\"size\":"
              "2097152,\"refill_time\":1000}},\"tx_rate_limiter\":{"
              "\"bandwidth\":{\"size\":2097152,\"refill_time\":1000}}}\n")
       != NULL, "the network has one each way");
    ok(strstr(run.requests, "\"serial_out_path\":\"console\","
              "\"rate_limiter\":{\"size\":65536,\"refill_time\":1000}}\n")
       != NULL, "the console has one");

    fct_drive(&run, "version=1.15.2", 'C');
    ok(strstr(run.requests, "PUT /serial {\"serial_out_path\":\"console\"}"
              "\n") != NULL, "but not where it is not known");

    memset(&fct_conf.rates, 0, sizeof(fct_conf.rates));
}


/* a kernel and nothing else; and an id that Firecracker would refuse */
static void
test_trial(void)
{
    fct_run_t       run;
    fca_vmm_spec_t  spec;

    static const char  want[] =
        "GET / \n"
        "PUT /machine-config {\"vcpu_count\":1,\"mem_size_mib\":64}\n"
        "PUT /boot-source {\"kernel_image_path\":\"kernel\","
        "\"boot_args\":\"console=ttyS0 reboot=k panic=-1 quiet loglevel=1 "
        "cryptomgr.notests i8042.noaux i8042.nomux i8042.dumbkbd\"}\n"
        "PUT /serial {\"serial_out_path\":\"console\"}\n"
        "PUT /entropy {}\n"
        "PUT /actions {\"action_type\":\"InstanceStart\"}\n";

    memset(&spec, 0, sizeof(spec));
    spec.worker_id = "node-1-7";
    spec.cpu = 1;
    spec.memory_mb = 64;

    fct_conf.initrd = NULL;
    fct_conf.kernel_args = NULL;
    fct_drive_spec(&run, &spec, "ok", 'B');
    is_str(run.requests, want, "a trial boot: no drive, no network");

    spec.worker_id = "../etc";
    fct_drive_spec(&run, &spec, "ok", 0);
    is_str(run.words, "worker_id \"../etc\" is invalid",
           "no way out of the state directory");

    fct_conf.initrd = fct_initrd;
    fct_conf.kernel_args = "tsc=reliable";
}


static void
test_failures(void)
{
    fct_run_t  run;

    fct_drive(&run, "refuse=/boot-source", 0);
    is_str(run.events, "SFX", "a refusal: failed, then exited");
    is_str(run.words, "PUT /boot-source: The kernel file cannot be opened: "
           "No such file or directory (os error 2)", "its words");
    is_int(run.blame, FCA_BLAME_HOST, "the host's fault");

    fct_drive(&run, "refuse=/machine-config", 0);
    is_int(run.blame, FCA_BLAME_SPEC, "a machine that cannot be: the spec's");

    fct_drive(&run, "lack=/machine-config", 0);
    is_int(run.blame, FCA_BLAME_HOST, "for want of memory: the host's");
    fct_drive(&run, "lack=/actions", 0);
    is_int(run.blame, FCA_BLAME_HOST, "or of room, under a guest: the host's");

    fct_drive(&run, "garbage=/serial", 0);
    is_str(run.events, "SFX", "no fault_message: failed");
    is_str(run.words, "PUT /serial: status 500 without a fault_message: "
           "\"what?\"", "the answer is quoted");

    fct_drive(&run, "huge=/machine-config", 0);
    is_str(run.events, "SFX", "an answer without end: failed");
    ok(strncmp(run.words, "PUT /machine-config: ", 21) == 0, "by name: %s",
       run.words);
    fct_drive(&run, "huge=/", 0);
    is_str(run.events, "FX", "also the first");

    fct_drive(&run, "exit=/drives/function", 0);
    is_str(run.events, "SFX", "gone during a call: failed once");
    is_str(run.words, "VMM exited with code 7: first line\\nbad \\x07luck\\n"
           "exit_code=7", "with its last three lines, as one");
    is_int(run.blame, FCA_BLAME_HOST, "the host's fault");

    fct_drive(&run, "flood", 0);
    ok(strstr(run.words, "first line\\nbad") != NULL,
       "what it says is bounded, and does not stop it: %s", run.words);

    fct_drive(&run, "panic=/actions", 0);
    is_str(run.events, "SCFX", "gone during the start: failed");
    ok(strstr(run.console, "Kernel panic - not \\x01syncing") != NULL
       && strchr(run.console, '\r') == NULL
       && strstr(run.console, "line 199 of") != NULL
       && strncmp(run.console, "line 1", 6) == 0,
       "the console's last lines, printable and whole");

    fct_drive(&run, "die", 0);
    is_str(run.events, "FX", "ended before the socket: failed");
    is_str(run.words, "VMM exited with code 3: no such luck",
           "with its last words");
    is_int(run.blame, FCA_BLAME_HOST, "the host's fault");

    fct_drive(&run, "late", 'S');
    is_str(run.events, "SX", "bound, but not yet listening: tried again");
}


/* up to 64 KiB an answer is read, and nothing of it is copied where it does
 * not fit; beyond, it is none */
static void
test_sizes(void)
{
    size_t     i;
    char       script[32];
    fct_run_t  run;

    static const struct {
        const char  *size;
        int          fits;
    } sizes[] = {
        { "26", 1 }, { "27", 1 }, { "1023", 1 }, { "1024", 1 }, { "4096", 1 },
        { "16383", 1 }, { "16384", 1 }, { "65535", 1 }, { "65536", 1 },
        { "65537", 0 }, { "131072", 0 }, { "1048576", 0 }
    };

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(script, sizeof(script), "size=%s", sizes[i].size);
        fct_drive(&run, script, sizes[i].fits ? 'S' : 0);
        is_str(run.events, sizes[i].fits ? "SX" : "FX", "%s bytes: %s",
               sizes[i].size, run.words);

        snprintf(script, sizeof(script), "fault=%s", sizes[i].size);
        fct_drive(&run, script, 0);
        is_str(run.events, "SFX", "%s bytes of a refusal", sizes[i].size);
        ok(strncmp(run.words, "PUT /machine-config: ", 21) == 0
           && strlen(run.words) < FCF_ERR_MSG_MAX
           && strchr(run.words, 0x7f) == NULL,
           "are one line: %.40s", run.words);
    }
}


/* a guest that says more than is kept */
static void
test_console(void)
{
    char       want[32], *text;
    fct_run_t  run;

    fct_drive(&run, "noisy", 0);
    is_str(run.events, "SCFX", "a noisy guest");
    is_int(run.seen, 12500 * 15, "all of it was read");
    is_int(run.tail_len, FCA_CONSOLE_MAX, "the last 64 KiB are kept");
    snprintf(want, sizeof(want), "line %9d\n", 12499);
    ok(memcmp(run.tail + run.tail_len - 15, want, 15) == 0, "to the end");

    text = strchr(run.tail, '\n') + 1;
    snprintf(want, sizeof(want), "line %9d\n",
             12500 - (int) (run.tail + run.tail_len - text) / 15);
    ok(memcmp(text, want, 15) == 0, "without a gap");
}


static void
test_kills(void)
{
    fct_run_t  run;

    fct_drive(&run, "silent", '0');
    is_str(run.events, "FX", "killed while it starts");

    fct_drive(&run, "ok", 'S');
    is_str(run.events, "SX", "killed between steps: no step failed");

    fct_drive(&run, "hang=/machine-config", 's');
    is_str(run.events, "SFX", "killed while it is configured");

    fct_drive(&run, "hang=/actions", 'c');
    is_str(run.events, "SCFX", "killed while it boots");
}


static void
tests(void)
{
    test_calls();
    test_load();
    test_rates();
    test_trial();
    test_failures();
    test_sizes();
    test_console();
    test_kills();
}


int
main(int argc, char **argv)
{
    return fct_vmm_main(argc, argv, tests);
}
