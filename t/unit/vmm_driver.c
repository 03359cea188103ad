/*
 * The VMM driver against a scripted VMM: this program itself, which the driver
 * runs with "--api-sock api.sock --id ... --fake <script>".
 */

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/vmm/vmm.h"
#include "t/unit/tap.h"
#include "t/unit/vmm_fake.h"

#define DEADLINE_MS  20000

typedef struct {
    fca_vmm_t      *vmm;
    char            events[128];        /* a letter each */
    char            words[FCF_ERR_MSG_MAX];     /* of FAILED */
    char            last[FCF_ERR_MSG_MAX];      /* of EXITED */
    char            requests[16384];    /* what the VMM got */
    char            console[512];
    char            kill_on;            /* event after which to kill */
    int             stop_at;            /* no further step after this one */
    int             late;               /* event before spawn had returned */
} run_t;

static uv_loop_t       uv;
static fcf_loop_t      loop;
static fcf_http_t     *http;
static char            state_dir[64];
static const char     *args[3];
static fca_vmm_conf_t  conf;


static void
slurp(const char *name, char *buf, size_t size)
{
    int      fd;
    char     path[256];
    ssize_t  n;

    snprintf(path, sizeof(path), "%s/node-1-7/%s", state_dir, name);

    fd = open(path, O_RDONLY);
    n = fd >= 0 ? read(fd, buf, size - 1) : -1;
    buf[n > 0 ? n : 0] = '\0';

    if (fd >= 0) {
        close(fd);
    }
}


static void
on_event(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    char    letter;
    run_t  *run = arg;

    letter = "SCBFX"[event];
    run->events[strlen(run->events)] = letter;
    run->late |= run->vmm == NULL;

    if (event == FCA_VMM_EXITED) {
        snprintf(run->last, sizeof(run->last), "%s", err->msg);
        slurp("requests", run->requests, sizeof(run->requests));
        fca_vmm_console(run->vmm, run->console, sizeof(run->console));
        fca_vmm_free(run->vmm);
        return;
    }

    if (event == FCA_VMM_FAILED) {
        snprintf(run->words, sizeof(run->words), "%s", err->msg);
        fca_vmm_kill(run->vmm);
        return;
    }

    if (letter == run->kill_on) {
        fca_vmm_kill(run->vmm);

    } else if (event == FCA_VMM_SPAWNED && run->stop_at != 'S') {
        fca_vmm_configure(run->vmm);

    } else if (event == FCA_VMM_CONFIGURED && run->stop_at != 'C') {
        fca_vmm_boot(run->vmm);
    }

    /* a step that was just begun is cut short */
    if (letter + 'a' - 'A' == run->kill_on) {
        fca_vmm_kill(run->vmm);
    }
}


static void
too_late(uv_timer_t *timer)
{
    (void) timer;

    printf("Bail out! no end within %d ms\n", DEADLINE_MS);
    exit(1);
}


static void
run_loop(void)
{
    uv_timer_t  deadline;

    uv_timer_init(&uv, &deadline);
    uv_timer_start(&deadline, too_late, DEADLINE_MS, 0);
    uv_unref((uv_handle_t *) &deadline);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *) &deadline, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
}


static int
gone(void)
{
    char         path[256];
    struct stat  st;

    snprintf(path, sizeof(path), "%s/node-1-7", state_dir);

    return lstat(path, &st) != 0 && errno == ENOENT;
}


static void
spec_fill(fca_vmm_spec_t *spec, fca_nic_t *nic)
{
    memset(nic, 0, sizeof(*nic));
    memset(spec, 0, sizeof(*spec));

    snprintf(nic->tap, sizeof(nic->tap), "fctap9");
    memcpy(nic->mac, "\x06\x00\xac\x10\x00\x02", 6);
    inet_pton(AF_INET, "172.16.0.2", &nic->address);

    spec->worker_id = "node-1-7";
    spec->cpu = 2;
    spec->memory_mb = 192;
    spec->runtime_image = "/images/base.img";
    spec->function_image = "/images/\"hello\".img";
    spec->config_json = "{\"function_id\":\"hello\"}";
    spec->nic = nic;
    inet_pton(AF_INET, "172.16.0.1", &spec->gateway);
    spec->prefix_len = 24;
}


static void
drive_spec(run_t *run, const fca_vmm_spec_t *spec, const char *script,
    char kill_on)
{
    fcf_err_t  err = { 0 };

    memset(run, 0, sizeof(*run));
    run->kill_on = kill_on;
    args[0] = "--fake";
    args[1] = script;

    run->vmm = fca_vmm_spawn(&conf, spec, on_event, run, &err);

    if (run->vmm == NULL) {
        snprintf(run->words, sizeof(run->words), "%s", err.msg);

    } else if (kill_on == '0') {
        fca_vmm_kill(run->vmm);
    }

    run_loop();
    ok(gone(), "%s: the directory is gone", script);
}


static void
drive(run_t *run, const char *script, char kill_on)
{
    fca_nic_t       nic;
    fca_vmm_spec_t  spec;

    spec_fill(&spec, &nic);
    drive_spec(run, &spec, script, kill_on);
}


/* a kernel and nothing else; and an id that Firecracker would refuse */
static void
test_trial(void)
{
    run_t              run;
    fca_vmm_spec_t     spec;

    static const char  want[] =
        "GET / \n"
        "PUT /machine-config {\"vcpu_count\":1,\"mem_size_mib\":64}\n"
        "PUT /boot-source {\"kernel_image_path\":\"/boot/vmlinux\","
        "\"boot_args\":\"console=ttyS0 reboot=k panic=-1 quiet loglevel=1 "
        "cryptomgr.notests\"}\n"
        "PUT /serial {\"serial_out_path\":\"console\"}\n"
        "PUT /actions {\"action_type\":\"InstanceStart\"}\n";

    memset(&spec, 0, sizeof(spec));
    spec.worker_id = "node-1-7";
    spec.cpu = 1;
    spec.memory_mb = 64;

    conf.initrd = NULL;
    conf.kernel_args = NULL;
    drive_spec(&run, &spec, "ok", 'B');
    is_str(run.requests, want, "a trial boot: no drive, no network");

    spec.worker_id = "../etc";
    drive_spec(&run, &spec, "ok", 0);
    is_str(run.words, "worker_id \"../etc\" is invalid",
           "no way out of the state directory");

    conf.initrd = "/boot/initrd";
    conf.kernel_args = "tsc=reliable";
}


static void
test_calls(void)
{
    run_t              run;

    static const char  want[] =
        "GET / \n"
        "PUT /machine-config {\"vcpu_count\":2,\"mem_size_mib\":192}\n"
        "PUT /boot-source {\"kernel_image_path\":\"/boot/vmlinux\","
        "\"boot_args\":\"console=ttyS0 reboot=k panic=-1 quiet loglevel=1 "
        "cryptomgr.notests "
        "ip=172.16.0.2::172.16.0.1:255.255.255.0::eth0:off tsc=reliable\","
        "\"initrd_path\":\"/boot/initrd\"}\n"
        "PUT /drives/runtime {\"drive_id\":\"runtime\",\"path_on_host\":"
        "\"/images/base.img\",\"is_root_device\":false,"
        "\"is_read_only\":true}\n"
        "PUT /drives/function {\"drive_id\":\"function\",\"path_on_host\":"
        "\"/images/\\\"hello\\\".img\",\"is_root_device\":false,"
        "\"is_read_only\":true}\n"
        "PUT /drives/config {\"drive_id\":\"config\",\"path_on_host\":"
        "\"config.img\",\"is_root_device\":false,\"is_read_only\":true}\n"
        "PUT /network-interfaces/eth0 {\"iface_id\":\"eth0\",\"guest_mac\":"
        "\"06:00:ac:10:00:02\",\"host_dev_name\":\"fctap9\"}\n"
        "PUT /serial {\"serial_out_path\":\"console\"}\n"
        "PUT /actions {\"action_type\":\"InstanceStart\"}\n";

    drive(&run, "ok", 'B');

    is_str(run.events, "SCBX", "spawned, configured, booted, exited");
    is_str(run.requests, want, "the calls, in order");
    is_str(run.last, "VMM was killed by signal 9", "how it ended");
    ok(!run.late, "no event before spawn returned");
}


static void
test_failures(void)
{
    run_t  run;

    drive(&run, "refuse=/boot-source", 0);
    is_str(run.events, "SFX", "a refusal: failed, then exited");
    is_str(run.words, "PUT /boot-source: The kernel file cannot be opened: "
           "No such file or directory (os error 2)", "its words");

    drive(&run, "garbage=/serial", 0);
    is_str(run.events, "SFX", "no fault_message: failed");
    is_str(run.words, "PUT /serial: status 500 without a fault_message: "
           "\"what?\"", "the answer is quoted");

    drive(&run, "exit=/drives/function", 0);
    is_str(run.events, "SFX", "gone during a call: failed once");

    drive(&run, "panic=/actions", 0);
    is_str(run.events, "SCFX", "gone during the start: failed");
    ok(strstr(run.console, "Kernel panic - not syncing") != NULL
       && strchr(run.console, '\r') == NULL
       && strstr(run.console, "line 199 of") != NULL
       && strncmp(run.console, "line 1", 6) == 0,
       "the console's last lines, printable and whole");

    drive(&run, "die", 0);
    is_str(run.events, "FX", "ended before the socket: failed");
    is_str(run.words, "VMM exited with code 3: no such luck",
           "with its last words");

    drive(&run, "late", 'S');
    is_str(run.events, "SX", "bound, but not yet listening: tried again");
}


static void
test_kills(void)
{
    run_t  run;

    drive(&run, "silent", '0');
    is_str(run.events, "FX", "killed while it starts");

    drive(&run, "ok", 'S');
    is_str(run.events, "SX", "killed between steps: no step failed");

    drive(&run, "hang=/machine-config", 's');
    is_str(run.events, "SFX", "killed while it is configured");

    drive(&run, "hang=/actions", 'c');
    is_str(run.events, "SCFX", "killed while it boots");
}


static void
test_no_program(void)
{
    run_t        run;
    const char  *self = conf.binary;

    conf.binary = "/nonexistent/vmm";
    drive(&run, "ok", 0);
    is_str(run.events, "FX", "no such program: failed, exited");
    is_str(run.words, "VMM /nonexistent/vmm: No such file or directory",
           "and says which");

    conf.binary = "/etc/passwd";
    drive(&run, "ok", 0);
    is_str(run.events, "FX", "not executable: failed, exited");
    is_str(run.words, "cannot run VMM /etc/passwd: Permission denied",
           "with the reason");

    conf.binary = "no-such-vmm-anywhere";
    drive(&run, "ok", 0);
    is_str(run.words, "VMM no-such-vmm-anywhere: not found in PATH",
           "looked for in PATH");

    conf.binary = self;
}


static void
test_long_path(void)
{
    char         dir[256];
    run_t        run;
    const char  *real = conf.state_dir;

    memset(dir, 'x', sizeof(dir));
    dir[0] = '/';
    dir[120] = '\0';

    conf.state_dir = dir;
    drive(&run, "ok", 0);
    ok(strncmp(run.words, "state_dir is too long: ", 23) == 0,
       "a path that no socket address holds is refused");
    conf.state_dir = real;
}


int
main(int argc, char **argv)
{
    int        i, rc;
    char       self[256];
    fcf_err_t  err;

    if (argc > 6 && strcmp(argv[1], "--api-sock") == 0
        && strcmp(argv[5], "--fake") == 0)
    {
        return fct_fake_vmm(argv[2], argv[6]);
    }

    snprintf(state_dir, sizeof(state_dir), "/tmp/fcfaas-vmm-XXXXXX");
    i = (int) readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[i > 0 ? i : 0] = '\0';

    if (mkdtemp(state_dir) == NULL) {
        return 1;
    }

    fca_log_init(STDERR_FILENO, FCF_LOG_WARN, "node-1");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    uv_loop_init(&uv);
    fca_loop_init(&loop, &uv, NULL);
    http = fcf_http_new(&loop, &err);

    conf.uv = &uv;
    conf.http = http;
    conf.binary = self;
    conf.extra_args = args;
    conf.state_dir = state_dir;
    conf.kernel = "/boot/vmlinux";
    conf.initrd = "/boot/initrd";
    conf.kernel_args = "tsc=reliable";

    test_calls();
    test_trial();
    test_failures();
    test_kills();
    test_no_program();
    test_long_path();

    fcf_http_free(http);
    uv_run(&uv, UV_RUN_DEFAULT);
    is_int(uv_loop_close(&uv), 0, "no handle is left");
    is_int(rmdir(state_dir), 0, "no file is left");
    curl_global_cleanup();

    rc = tap_done();

    return rc;
}
