/* What the tests of the VMM driver share: a loop, a state directory, images,
 * and a VM that is driven from its spawn to its end against vmm_fake.c. */

#ifndef _FCT_VMM_RUN_H_INCLUDED_
#define _FCT_VMM_RUN_H_INCLUDED_

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/tree.h"
#include "agent/vmm/vmm.h"
#include "t/unit/tap.h"
#include "t/unit/vmm_fake.h"

typedef struct {
    fca_vmm_t      *vmm;
    char            events[128];        /* a letter each: SCBFXVL */
    char            words[FCF_ERR_MSG_MAX];     /* of FAILED */
    char            last[FCF_ERR_MSG_MAX];      /* of EXITED */
    char            requests[16384];    /* what the VMM got */
    char            console[512];
    char            tail[FCA_CONSOLE_MAX + 1];  /* of it, as it came */
    size_t          tail_len;
    uint64_t        seen;
    char            kill_on;            /* event after which to kill */
    int             late;               /* event before spawn had returned */
    fca_blame_e     blame;
    char            version[FCA_VMM_VERSION_MAX];
    uint64_t        ms;                 /* from spawn to FAILED */
} fct_run_t;

#define FCT_DEADLINE_MS  60000

static fcf_loop_t       fct_loop;
static fcf_http_t      *fct_http;

static uv_loop_t        fct_uv;
static fca_vmm_conf_t   fct_conf;
static char             fct_state_dir[64], fct_images[64];
static char             fct_kernel[256], fct_initrd[256];
/* in place of what configures and boots it */
static int              fct_loads;
/* two more may follow --fake <script> */
static const char      *fct_args[5];


static void
fct_slurp(const char *name, char *buf, size_t size)
{
    int      fd;
    char     path[256];
    ssize_t  n;

    snprintf(path, sizeof(path), "%s/%s", fct_conf.run_dir, name);

    fd = open(path, O_RDONLY);
    n = fd >= 0 ? read(fd, buf, size - 1) : -1;
    buf[n > 0 ? n : 0] = '\0';

    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
}


static void
fct_on_event(void *arg, fca_vmm_event_e event, const fcf_err_t *err)
{
    char    letter;
    fct_run_t  *run = arg;

    letter = "SCBFXVL"[event];
    run->events[strlen(run->events)] = letter;
    run->late |= run->vmm == NULL;

    if (event == FCA_VMM_EXITED) {
        snprintf(run->last, sizeof(run->last), "%s", err->msg);
        fct_slurp("requests", run->requests, sizeof(run->requests));
        fca_vmm_console(run->vmm, run->console, sizeof(run->console));
        run->tail_len = fca_vmm_console_tail(run->vmm, run->tail,
                                             sizeof(run->tail));
        run->seen = fca_vmm_console_seen(run->vmm);
        run->blame = fca_vmm_blame(run->vmm);
        snprintf(run->version, sizeof(run->version), "%s",
                 fca_vmm_version(run->vmm));
        fca_vmm_free(run->vmm);
        return;
    }

    if (event == FCA_VMM_FAILED) {
        snprintf(run->words, sizeof(run->words), "%s", err->msg);
        run->ms = uv_now(&fct_uv) - run->ms;
        fca_vmm_kill(run->vmm);
        return;
    }

    if (letter == run->kill_on) {
        fca_vmm_kill(run->vmm);

    } else if (event == FCA_VMM_SPAWNED && fct_loads) {
        fca_vmm_load(run->vmm);

    } else if (event == FCA_VMM_LOADED) {
        fca_vmm_resume(run->vmm);

    } else if (event == FCA_VMM_SPAWNED) {
        fca_vmm_configure(run->vmm);

    } else if (event == FCA_VMM_CONFIGURED) {
        fca_vmm_boot(run->vmm);
    }

    /* a step that was just begun is cut short */
    if (letter + 'a' - 'A' == run->kill_on) {
        fca_vmm_kill(run->vmm);
    }
}


static void
fct_too_late(uv_timer_t *timer)
{
    (void) timer;

    printf("Bail out! no end within %d ms\n", FCT_DEADLINE_MS);
    exit(1);
}


static void
fct_run_loop(void)
{
    uv_timer_t  deadline;

    uv_timer_init(&fct_uv, &deadline);
    uv_timer_start(&deadline, fct_too_late, FCT_DEADLINE_MS, 0);
    uv_unref((uv_handle_t *) &deadline);
    uv_run(&fct_uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *) &deadline, NULL);
    uv_run(&fct_uv, UV_RUN_DEFAULT);
}


static int
fct_gone(void)
{
    char         path[256];
    struct stat  st;

    snprintf(path, sizeof(path), "%s/node-1-7", fct_conf.run_dir);

    return lstat(path, &st) != 0 && errno == ENOENT;
}


/* a file there, made if need be, but for what is called "missing..." */
static const char *
fct_image(const char *name)
{
    int          fd;
    static char  paths[4][256];
    static int   n;

    n = (n + 1) % 4;
    snprintf(paths[n], sizeof(paths[n]), "%s/%s", fct_images, name);

    if (strncmp(name, "missing", 7) != 0) {
        fd = open(paths[n], O_WRONLY | O_CREAT, 0600);
        close(fd);
    }

    return paths[n];
}


static void
fct_spec(fca_vmm_spec_t *spec, fca_nic_t *nic)
{
    memset(nic, 0, sizeof(*nic));
    memset(spec, 0, sizeof(*spec));

    snprintf(nic->tap, sizeof(nic->tap), "fctap9");
    memcpy(nic->mac, "\x06\x00\xac\x10\x00\x02", 6);
    inet_pton(AF_INET, "172.16.0.2", &nic->address);

    spec->worker_id = "node-1-7";
    spec->cpu = 2;
    spec->memory_mb = 192;
    spec->runtime_image = fct_image("base.img");
    spec->function_image = fct_image("\"hello\".img");
    spec->config_json = "{\"function_id\":\"hello\"}";
    spec->nic = nic;
    inet_pton(AF_INET, "172.16.0.1", &spec->gateway);
    spec->prefix_len = 24;
}


/* kill_on: 0 never, '0' at once, 'S' after SPAWNED, 's' after the step that
 * follows it has begun, and so on */
static void
fct_drive_spec(fct_run_t *run, const fca_vmm_spec_t *spec, const char *script,
    char kill_on)
{
    fcf_err_t  err = { 0 };

    memset(run, 0, sizeof(*run));
    run->kill_on = kill_on;
    fct_args[0] = "--fake";
    fct_args[1] = script;
    uv_update_time(&fct_uv);
    run->ms = uv_now(&fct_uv);

    run->vmm = fca_vmm_spawn(&fct_conf, spec, fct_on_event, run, &err);

    if (run->vmm == NULL) {
        snprintf(run->words, sizeof(run->words), "%s", err.msg);

    } else if (kill_on == '0') {
        fca_vmm_kill(run->vmm);
    }

    fct_run_loop();
    ok(fct_gone(), "%s: the directory is gone", script);
}


static void
fct_drive(fct_run_t *run, const char *script, char kill_on)
{
    fca_nic_t       nic;
    fca_vmm_spec_t  spec;

    fct_spec(&spec, &nic);
    fct_drive_spec(run, &spec, script, kill_on);
}


/* main() of such a test: the fake VMM if it is called as one */
static int
fct_vmm_main(int argc, char **argv, void (*tests)(void))
{
    int        n;
    char       self[256];
    fcf_err_t  err;

    if (argc > 6 && strcmp(argv[1], "--api-sock") == 0
        && strcmp(argv[5], "--fake") == 0)
    {
        return fct_fake_vmm(argc, argv);
    }

    snprintf(fct_state_dir, sizeof(fct_state_dir), "/tmp/fcfaas-vmm-XXXXXX");
    snprintf(fct_images, sizeof(fct_images), "/tmp/fcfaas-images-XXXXXX");
    n = (int) readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';

    if (mkdtemp(fct_state_dir) == NULL || mkdtemp(fct_images) == NULL) {
        return 1;
    }

    snprintf(fct_kernel, sizeof(fct_kernel), "%s", fct_image("vmlinux"));
    snprintf(fct_initrd, sizeof(fct_initrd), "%s", fct_image("initrd"));

    fca_log_init(STDERR_FILENO, FCF_LOG_WARN, "node-1");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    uv_loop_init(&fct_uv);
    fca_loop_init(&fct_loop, &fct_uv, NULL);
    fct_http = fcf_http_new(&fct_loop, &err);

    fct_conf.uv = &fct_uv;
    fct_conf.http = fct_http;
    fct_conf.binary = self;
    fct_conf.extra_args = fct_args;
    fct_conf.run_dir = fct_state_dir;
    fct_conf.kernel = fct_kernel;
    fct_conf.initrd = fct_initrd;
    fct_conf.kernel_args = "tsc=reliable";
    /* the fake is no faster than this box is */
    fct_conf.answer_ms = 20000;

    tests();

    fcf_http_free(fct_http);
    uv_run(&fct_uv, UV_RUN_DEFAULT);
    is_int(uv_loop_close(&fct_uv), 0, "no handle is left");
    is_int(rmdir(fct_state_dir), 0, "no file is left");
    is_int(fca_tree_remove(fct_images, NULL), 0, "images are removed");
    curl_global_cleanup();

    return tap_done();
}

#endif /* _FCT_VMM_RUN_H_INCLUDED_ */
