/*
 * fcfaas-proxy: carries requests between gateways and guests, as the agent
 * tells it over the control socket, and with no right to do anything else.
 */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/notify.h"
#include "agent/base/signals.h"
#include "agent/proxy/control.h"
#include "agent/proxy/sandbox.h"

/* per route: how many wait for a place before one is told that it is busy,
 * and how long */
#define FCA_QUEUE_MAX  64
#define FCA_QUEUE_MS   100

typedef struct {
    const char     *socket, *user, *node_id;
    unsigned        threads;
    fcf_log_e       level;
    int             child;
} fca_options_t;

typedef struct {
    uv_loop_t       uv;
    fcf_loop_t      loop;
    fca_signals_t  *signals;
    fca_notify_t    notify;
    fca_proxy_t    *proxy;
    fca_control_t  *control;
    int             child;
} fca_main_t;

static void
usage(FILE *f)
{
    fprintf(f, "fcfaas-proxy --socket=PATH [--user=USER] [--threads=N] "
            "[--node-id=ID] [--log-level=LEVEL] [--child]\n\n"
            "  --socket     where the agent connects\n"
            "  --user       whom root becomes: name, uid or uid:gid "
            "[fcfaas-proxy]\n"
            "  --threads    data loops, 1 to 64 [2]\n"
            "  --node-id    stands in every line of the log\n"
            "  --log-level  debug, info, warn or error [info]\n"
            "  --child      an agent started it: ends with that, unless "
            "told to stay\n");
}

/* 0, or the status to end with, plus 1 */
static int
read_options(int argc, char **argv, fca_options_t *opt)
{
    int                         c, level;
    char                       *end;
    static const struct option  options[] = {
        { "socket", required_argument, NULL, 's' },
        { "user", required_argument, NULL, 'u' },
        { "threads", required_argument, NULL, 't' },
        { "node-id", required_argument, NULL, 'n' },
        { "log-level", required_argument, NULL, 'l' },
        { "child", no_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (c) {
        case 's':
            opt->socket = optarg;
            break;
        case 'u':
            opt->user = optarg;
            break;
        case 't':
            opt->threads = (unsigned) strtoul(optarg, &end, 10);
            if (*end || opt->threads < 1 || opt->threads > 64) {
                fprintf(stderr, "fcfaas-proxy: --threads=%s: not 1 to 64\n",
                        optarg);
                return 3;
            }
            break;
        case 'n':
            opt->node_id = optarg;
            break;
        case 'l':
            level = fca_log_level_parse(optarg, &opt->level);
            if (level != 0) {
                fprintf(stderr, "fcfaas-proxy: --log-level=%s: not a level\n",
                        optarg);
                return 3;
            }
            break;
        case 'c':
            opt->child = 1;
            break;
        case 'h':
            usage(stdout);
            return 1;
        default:
            usage(stderr);
            return 3;
        }
    }

    if (opt->socket == NULL || optind != argc) {
        usage(stderr);
        return 3;
    }

    return 0;
}

static void
told_to_stop(void *arg, int signo)
{
    fca_main_t  *m = arg;

    fca_log(FCF_LOG_INFO, NULL, "proxy: signal %d", signo);
    uv_stop(&m->uv);
}

static void
alone(void *arg, int stay)
{
    fca_main_t  *m = arg;

    if (m->child && !stay) {
        uv_stop(&m->uv);
    }
}

static void
log_line(fcf_log_e level, const char *msg)
{
    fca_log(level, NULL, "%s", msg);
}

/* Binds as whoever starts it, listens as the user it becomes: the agent sees
 * that one. */
static int
start(fca_main_t *m, const fca_options_t *opt, fcf_err_t *err)
{
    int                 fd;
    fca_proxy_conf_t    proxy;
    fca_control_conf_t  control;

    memset(&proxy, 0, sizeof(proxy));
    proxy.threads = opt->threads;
    proxy.queue_max = FCA_QUEUE_MAX;
    proxy.queue_ms = FCA_QUEUE_MS;

    memset(&control, 0, sizeof(control));
    control.loop = &m->loop;
    control.threads = opt->threads;
    control.agent = getuid();
    control.alone = alone;
    control.arg = m;

    fd = fca_wire_bind(opt->socket, err);
    if (fd == -1) {
        return -1;
    }

    if (fca_notify_init(&m->notify, &m->loop, err) != 0
        || fca_sandbox_user(opt->user, err) != 0
        || fca_wire_listen(fd, err) != 0)
    {
        close(fd);
        return -1;
    }

    m->proxy = fca_proxy_new(&m->loop, &proxy, err);
    if (m->proxy == NULL) {
        close(fd);
        return -1;
    }

    control.proxy = m->proxy;
    control.listen_fd = fd;

    m->control = fca_control_new(&control, err);

    return m->control ? 0 : -1;
}

static void
end(fca_main_t *m)
{
    int  turns;

    fca_proxy_free(m->proxy);
    fca_control_free(m->control);
    fca_notify_free(&m->notify);
    fca_signals_free(m->signals);

    for (turns = 0; turns < 10 && uv_loop_close(&m->uv) == UV_EBUSY; turns++) {
        uv_run(&m->uv, UV_RUN_NOWAIT);
    }
}

static int
run(const fca_options_t *opt)
{
    int         rc;
    fcf_err_t   err;
    fca_main_t  m;

    memset(&m, 0, sizeof(m));
    m.child = opt->child;

    if (uv_loop_init(&m.uv) != 0) {
        fca_log(FCF_LOG_ERROR, NULL, "proxy: no event loop");
        return 1;
    }

    fca_loop_init(&m.loop, &m.uv, log_line);

    m.signals = fca_signals_new(&m.uv, told_to_stop, &m, &err);
    rc = m.signals ? start(&m, opt, &err) : -1;

    if (rc == 0) {
        /* the first line reads the time zone's file, which is open no more
         * after this */
        fca_log(FCF_LOG_INFO, NULL, "proxy: user %u, %u threads, on %s",
                (unsigned) getuid(), opt->threads, opt->socket);
        rc = fca_sandbox_enter(&err);
    }

    if (rc == 0) {
        fca_notify_ready(&m.notify);
        uv_run(&m.uv, UV_RUN_DEFAULT);

    } else {
        fca_log(FCF_LOG_ERROR, NULL, "proxy: cannot start: %s", err.msg);
    }

    end(&m);

    return rc == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
    int            rc;
    fca_options_t  opt;

    memset(&opt, 0, sizeof(opt));
    opt.user = "fcfaas-proxy";
    opt.node_id = "";
    opt.threads = 2;
    opt.level = FCF_LOG_INFO;

    rc = read_options(argc, argv, &opt);
    if (rc != 0) {
        return rc - 1;
    }

    /* nothing of whoever started it: not an agent's connections, which would
     * outlive that, nor what they let one do */
    (void) syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0);

    fca_sandbox_prepare();
    signal(SIGPIPE, SIG_IGN);
    fca_log_init(STDERR_FILENO, opt.level, opt.node_id);

    return run(&opt);
}
