#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm/vmm/http.h"

/* Firecracker's exit codes */
#define FCV_EXIT_ERROR  1
#define FCV_EXIT_ARGS   153

#define FCV_ID_MAX      64

typedef struct {
    const char           *api_sock;
    const char           *id;
    const char           *level, *log_path, *metrics_path;
    const fcv_backend_t  *backend;
    int                   minor;
} fcv_options_t;

/* one instance a process: it is the machine */
static struct {
    fcv_loop_t    loop;
    fcv_api_t     api;
    fcv_vm_t      vm;
    fcv_source_t  signals;
} fcv;


static void
usage(FILE *out)
{
    fputs("usage: fcfaas-vmm [--api-sock PATH] [--id ID] "
          "[--backend qemu|instant]\n"
          "                  [--api-version 1.N] [--level LEVEL] "
          "[--log-path PATH]\n"
          "                  [--metrics-path PATH] [--show-level] "
          "[--show-log-origin]\n"
          "                  [--no-seccomp]\n"
          "       fcfaas-vmm --version | --help\n"
          "Answers Firecracker's API on a unix socket, on hosts without a "
          "usable KVM,\nas its version 1.16 does or, with --api-version, an "
          "older one.  Rate limiters\nof drives and entropy are QEMU's, that of "
          "the serial console is kept here;\nthose of networks, and changes "
          "while a guest runs, are of no effect.\n", out);
}


static int
check_id(const char *id)
{
    size_t  i;

    for (i = 0; id[i]; i++) {
        if (!isalnum((unsigned char) id[i]) && id[i] != '-') {
            fprintf(stderr, "fcfaas-vmm: --id %s: invalid character '%c' at "
                    "position %zu: alphanumerics and '-' only\n", id, id[i],
                    i);
            return -1;
        }
    }

    if (i == 0 || i > FCV_ID_MAX) {
        fprintf(stderr, "fcfaas-vmm: --id %s: invalid length %zu: must be 1 "
                "to %d\n", id, i, FCV_ID_MAX);
        return -1;
    }

    return 0;
}


/* "1.N", also with what may follow */
static int
parse_version(const char *text, int *minor)
{
    char  *end;
    long   n;

    n = strncmp(text, "1.", 2) == 0 ? strtol(text + 2, &end, 10) : -1;

    if (n < 0 || n > FCV_MINOR || end == text + 2
        || (*end != '\0' && *end != '.'))
    {
        fprintf(stderr, "fcfaas-vmm: --api-version %s: must be 1.0 to 1.%d\n",
                text, FCV_MINOR);
        return -1;
    }

    *minor = (int) n;

    return 0;
}


static const struct option  fcv_option_names[] = {
    { "api-sock", required_argument, NULL, 's' },
    { "id", required_argument, NULL, 'i' },
    { "backend", required_argument, NULL, 'b' },
    { "api-version", required_argument, NULL, 'v' },
    { "level", required_argument, NULL, 'l' },
    { "log-path", required_argument, NULL, 'p' },
    { "metrics-path", required_argument, NULL, 'm' },
    { "show-level", no_argument, NULL, '-' },
    { "show-log-origin", no_argument, NULL, '-' },
    { "no-seccomp", no_argument, NULL, '-' },
    /* what a jailer says of itself */
    { "start-time-us", required_argument, NULL, '-' },
    { "start-time-cpu-us", required_argument, NULL, '-' },
    { "parent-cpu-time-us", required_argument, NULL, '-' },
    { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 }
};


/* 0, or -1: this ends the program, with *code */
static int
take_option(int c, fcv_options_t *opt, int *code)
{
    switch (c) {

    case 's':
        opt->api_sock = optarg;
        return 0;

    case 'i':
        opt->id = optarg;
        return 0;

    case 'b':
        opt->backend = fcv_backend_find(optarg);

        if (opt->backend == NULL) {
            fprintf(stderr, "fcfaas-vmm: --backend %s: must be qemu or "
                    "instant\n", optarg);
            return -1;
        }

        return 0;

    case 'v':
        return parse_version(optarg, &opt->minor);

    case 'l':
        opt->level = optarg;
        return 0;

    case 'p':
        opt->log_path = optarg;
        return 0;

    case 'm':
        opt->metrics_path = optarg;
        return 0;

    case '-':               /* taken, as Firecracker does; of no effect */
        return 0;

    case 'V':
        printf("Firecracker v1.%d.0\nThis is fcfaas' stand-in for it.\n",
               opt->minor);
        *code = 0;
        return -1;

    case 'h':
        usage(stdout);
        *code = 0;
        return -1;

    default:
        usage(stderr);
        return -1;
    }
}


/* 0: go on; else exit with *code */
static int
parse_options(int argc, char **argv, fcv_options_t *opt, int *code)
{
    int  c;

    *code = FCV_EXIT_ARGS;

    while ((c = getopt_long(argc, argv, "", fcv_option_names, NULL)) != -1) {
        if (take_option(c, opt, code) != 0) {
            return -1;
        }
    }

    if (optind < argc) {
        fprintf(stderr, "fcfaas-vmm: unexpected argument %s\n", argv[optind]);
        return -1;
    }

    return check_id(opt->id);
}


static void
reap_children(void)
{
    int    status;
    pid_t  pid;

    /* as process 1 of a PID namespace we are given others' orphans too */

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        fcv.api.backend->reaped(pid, status);
    }
}


static void
signal_handler(void *arg, uint32_t events)
{
    struct signalfd_siginfo  info;

    (void) arg;
    (void) events;

    while (read(fcv.signals.fd, &info, sizeof(info)) == sizeof(info)) {

        if (info.ssi_signo == SIGCHLD) {
            reap_children();
            continue;
        }

        fcv.api.backend->kill();
        fcv_loop_quit(&fcv.loop, 128 + (int) info.ssi_signo);
    }
}


/* A signalfd, not handlers: blocked signals reach it also in process 1 of a
 * namespace, where the default actions are ignored. */
static int
init_signals(fcf_err_t *err)
{
    sigset_t  set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);

    (void) sigprocmask(SIG_BLOCK, &set, NULL);
    (void) signal(SIGPIPE, SIG_IGN);

    fcv.signals.fd = signalfd(-1, &set, SFD_NONBLOCK|SFD_CLOEXEC);
    fcv.signals.handler = signal_handler;

    if (fcv.signals.fd == -1) {
        return fcf_err_sys(err, errno, "signalfd");
    }

    return fcv_loop_add(&fcv.loop, &fcv.signals, EPOLLIN, err);
}


static int
backend_tick(void *arg)
{
    (void) arg;

    /* not before its answer went out, which is in the turn of its call */

    if (fcv_api_broken(&fcv.api)) {
        fcv_loop_quit(&fcv.loop, FCV_EXIT_ERROR);
    }

    return fcv.api.backend->tick();
}


/* what the command line says of logger and metrics, as a PUT does */
static int
init_outputs(const fcv_options_t *opt, fcf_err_t *err)
{
    json_t       *obj;
    fcv_model_t  *model = &fcv.api.model;

    if (opt->level || opt->log_path) {
        obj = json_pack("{s:s*, s:s*}", "level", opt->level, "log_path",
                        opt->log_path);

        if (obj == NULL || fcv_model_put_logger(model, obj, err) != 0) {
            return obj ? -1 : fcf_err_set(err, FCF_E_INVALID, "--log-path");
        }
    }

    if (opt->metrics_path) {
        obj = json_pack("{s:s}", "metrics_path", opt->metrics_path);

        if (obj == NULL || fcv_model_put_metrics(model, obj, err) != 0) {
            return obj ? -1 : fcf_err_set(err, FCF_E_INVALID,
                                          "--metrics-path");
        }
    }

    return 0;
}


static int
init(const fcv_options_t *opt, fcf_err_t *err)
{
    if (fcv_loop_init(&fcv.loop, err) != 0 || init_signals(err) != 0
        || fcv_model_init(&fcv.api.model, err) != 0
        || init_outputs(opt, err) != 0)
    {
        return -1;
    }

    fcv.api.backend = opt->backend;
    fcv.api.id = opt->id;
    fcv.api.minor = opt->minor;
    fcv.api.memory_fd = -1;
    fcv.api.model.vnet_hdr = opt->backend->vnet_hdr;

    fcv.vm.loop = &fcv.loop;
    fcv.vm.model = &fcv.api.model;
    fcv.vm.id = opt->id;
    fcv.vm.socket = opt->api_sock;
    fcv.vm.done = fcv_api_done;
    fcv.vm.arg = &fcv.api;

    fcv.loop.tick = backend_tick;

    return opt->backend->init(&fcv.vm, err);
}


int
main(int argc, char **argv)
{
    int             code;
    fcf_err_t       err;
    fcv_http_t     *http;
    fcv_options_t   opt;

    opt.api_sock = "/run/firecracker.socket";
    opt.id = "anonymous-instance";
    opt.backend = &fcv_backend_qemu;
    opt.minor = FCV_MINOR;
    opt.level = opt.log_path = opt.metrics_path = NULL;

    if (parse_options(argc, argv, &opt, &code) != 0) {
        return code;
    }

    if (init(&opt, &err) != 0) {
        fprintf(stderr, "fcfaas-vmm: %s\n", err.msg);
        return FCV_EXIT_ERROR;
    }

    http = fcv_http_open(&fcv.loop, &fcv.api, opt.api_sock, &err);

    if (http == NULL) {
        fprintf(stderr, "fcfaas-vmm: --api-sock: %s\n", err.msg);
        return FCV_EXIT_ERROR;
    }

    code = fcv_loop_run(&fcv.loop);

    fcv.api.backend->kill();
    fcv_http_close(http);
    fcv_model_done(&fcv.api.model);
    (void) close(fcv.signals.fd);
    fcv_loop_done(&fcv.loop);

    return code;
}
