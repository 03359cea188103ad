/*
 * The proxy alone on a libuv loop, for t/agent/proxy*.t and bench/proxy.
 * Commands on standard input, a line of answer for each on standard output:
 *
 *   open <name> <function_id> <guest port> <concurrency>
 *        [<device, or -> [<timeout_ms>]]                  -> port <port>
 *   drain <name> <0|1>                                    -> ok
 *   stat <name>   -> stat inflight requests refused timeouts drained idle_ms
 *   close <name> <linger_ms> <grace_ms> <guest_dead>      -> ok
 *                          ... and, when it is over,      -> closed <name>
 *   dead <name>           its guest, while it closes         -> ok
 *   end <name>            closes it, then the proxy in its callback   -> ok
 *   rss                                                   -> rss <KiB>
 *   hold                  a child keeps a copy of every descriptor    -> ok
 *   release               until now                                   -> ok
 *   quit                                                  -> ok
 */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/proxy/proxy.h"
#include "agent/base/listen.h"
#include "t/unit/host_line.h"

#define ROUTES  32

typedef struct {
    char          name[32];
    fca_route_t  *route;
} slot_t;

static slot_t        slots[ROUTES];
static fca_proxy_t  *proxy;
static uv_loop_t     uv;
static host_line_t   input;
static pid_t         holder;
static int           ending;


static slot_t *
find(const char *name)
{
    int  i;

    for (i = 0; i < ROUTES; i++) {
        if (strcmp(slots[i].name, name) == 0) {
            return &slots[i];
        }
    }

    return NULL;
}


static void
closed(void *arg)
{
    slot_t  *slot;

    slot = arg;
    printf("closed %s\n", slot->name);
    slot->name[0] = '\0';
    slot->route = NULL;

    if (ending) {
        fca_proxy_free(proxy);
        proxy = NULL;
        uv_stop(&uv);
    }
}


static void
open_route(const char *name, const char *function, unsigned port,
    unsigned concurrency, const char *device, unsigned timeout_ms)
{
    slot_t              *slot;
    fcf_err_t            err;
    socklen_t            len;
    struct in_addr       addr;
    struct sockaddr_in   sin;
    fca_route_conf_t     conf;

    slot = find("");
    addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(sin);

    memset(&conf, 0, sizeof(conf));
    conf.function_id = function;
    conf.worker_id = name;
    conf.concurrency = concurrency;
    conf.device = strcmp(device, "-") == 0 ? NULL : device;
    conf.timeout_ms = timeout_ms;
    conf.guest.sin_family = AF_INET;
    conf.guest.sin_addr = addr;
    conf.guest.sin_port = htons((uint16_t) port);
    conf.listen_fd = fca_listen(addr, 0, &err);

    if (slot == NULL || conf.listen_fd == -1
        || getsockname(conf.listen_fd, (struct sockaddr *) &sin, &len) == -1)
    {
        printf("error no room or no port\n");
        return;
    }

    slot->route = fca_proxy_open(proxy, &conf, &err);

    if (slot->route == NULL) {
        printf("error %s\n", err.msg);
        close(conf.listen_fd);
        return;
    }

    snprintf(slot->name, sizeof(slot->name), "%s", name);
    printf("port %u\n", ntohs(sin.sin_port));
}


static void
print_rss(void)
{
    long   pages;
    FILE  *f;

    pages = 0;
    f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1) {
        pages = 0;
    }

    if (f) {
        fclose(f);
    }

    printf("rss %ld\n", pages * (sysconf(_SC_PAGESIZE) / 1024));
}


/* as between the fork and the exec of a VMM */
static void
hold(void)
{
    holder = fork();

    if (holder == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);

        for ( ;; ) {
            pause();
        }
    }

    printf(holder > 0 ? "ok\n" : "error fork\n");
}


static void
release(void)
{
    if (holder > 0) {
        kill(holder, SIGKILL);
        waitpid(holder, NULL, 0);
        holder = 0;
    }

    printf("ok\n");
}


static void
obey(const char *text)
{
    char       verb[16], name[32], function[80], device[80];
    slot_t    *slot;
    unsigned   a, b, c;

    if (sscanf(text, "%15s", verb) != 1) {
        printf("error empty\n");
        return;
    }

    if (strcmp(verb, "quit") == 0) {
        printf("ok\n");
        uv_stop(&uv);
        return;
    }

    if (strcmp(verb, "rss") == 0) {
        print_rss();
        return;
    }

    if (strcmp(verb, "hold") == 0) {
        hold();
        return;
    }

    if (strcmp(verb, "release") == 0) {
        release();
        return;
    }

    c = 0;
    snprintf(device, sizeof(device), "-");

    if (sscanf(text, "open %31s %79s %u %u %79s %u", name, function, &a, &b,
               device, &c)
        >= 4)
    {
        open_route(name, function, a, b, device, c);
        return;
    }

    slot = sscanf(text, "%*s %31s", name) == 1 ? find(name) : NULL;

    if (slot == NULL || slot->route == NULL) {
        printf("error no such route\n");
        return;
    }

    if (strcmp(verb, "stat") == 0) {
        host_print_stat(fca_proxy_stat(slot->route));

    } else if (strcmp(verb, "dead") == 0) {
        fca_proxy_guest_dead(slot->route);
        printf("ok\n");

    } else if (strcmp(verb, "end") == 0) {
        ending = 1;
        fca_proxy_close(slot->route, 0, 0, 0, closed, slot);
        printf("ok\n");

    } else if (sscanf(text, "drain %*s %u", &a) == 1) {
        fca_proxy_drain(slot->route, (int) a);
        printf("ok\n");

    } else if (sscanf(text, "close %*s %u %u %u", &a, &b, &c) == 3) {
        fca_proxy_close(slot->route, a, b, (int) c, closed, slot);
        printf("ok\n");

    } else {
        printf("error unknown command\n");
    }
}


static void
limit_files(unsigned n)
{
    struct rlimit  rl;

    rl.rlim_cur = n;
    rl.rlim_max = n;

    if (setrlimit(RLIMIT_NOFILE, &rl) == -1) {
        fprintf(stderr, "setrlimit(%u): %s\n", n, strerror(errno));
    }
}


static void
options(int argc, char **argv, fca_proxy_conf_t *conf, fca_cidr_t *allow)
{
    int  c;

    while ((c = getopt(argc, argv, "t:T:c:h:i:b:q:Q:a:n:")) != -1) {
        switch (c) {
        case 't':
            conf->threads = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'T':
            conf->token = optarg;
            conf->token_len = strlen(optarg);
            break;
        case 'c':
            conf->connect_timeout_ms = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'h':
            conf->head_timeout_ms = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'i':
            conf->idle_timeout_ms = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'b':
            conf->client_timeout_ms = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'q':
            conf->queue_max = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'Q':
            conf->queue_ms = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'a':
            allow->addr = inet_addr(optarg);
            allow->mask = 0xffffffff;
            conf->allow = allow;
            conf->nallow = 1;
            break;
        case 'n':
            limit_files((unsigned) strtoul(optarg, NULL, 10));
            break;
        default:
            exit(2);
        }
    }
}


int
main(int argc, char **argv)
{
    fcf_err_t         err;
    fca_cidr_t        allow;
    fcf_loop_t        loop;
    fca_proxy_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.threads = 1;
    options(argc, argv, &conf, &allow);

    setvbuf(stdout, NULL, _IOLBF, 0);
    fca_log_init(STDERR_FILENO, FCF_LOG_INFO, "test");
    uv_loop_init(&uv);
    fca_loop_init(&loop, &uv, NULL);

    proxy = fca_proxy_new(&loop, &conf, &err);

    if (proxy == NULL) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }

    host_line_start(&input, &uv, obey);
    uv_run(&uv, UV_RUN_DEFAULT);

    fca_proxy_free(proxy);
    uv_close((uv_handle_t *) &input.poll, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);

    return uv_loop_close(&uv) ? 3 : 0;
}
