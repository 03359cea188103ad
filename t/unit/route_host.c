/*
 * An agent that has routes and nothing else, for tests of fcfaas-proxy.
 * Commands on standard input, a line of answer for each on standard output:
 *
 *   open <name> <function_id> <guest port> <concurrency>  -> port <port>
 *   drain <name> <0|1>          -> ok, and later  -> drained <name>
 *   stat <name>           -> stat inflight requests refused drained idle_ms
 *   close <name> <linger_ms> <grace_ms> <guest_dead>      -> ok
 *                          ... and, when it is over,      -> closed <name>
 *   dead <name>           its guest, while it closes     -> ok
 *   end <name>            closes it, then all in its callback   -> ok
 *   take <name> <port>    what a host before us opened    -> ok, or none
 *   settle                -> ok
 *   live                  -> live <0|1>
 *   loop                  -> loop <longest ms between two of its turns>
 *   free                  the routes, as at the end        -> freed <0|1>
 *                          ... and, if 1,                 -> ended
 *   quit                  -> ok
 *
 * It says "up" once, when it has met the proxy.
 */

#include <arpa/inet.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/route/route.h"
#include "t/unit/host_line.h"

#define ROUTES   64
#define BEAT_MS  5

typedef struct {
    char          name[32];
    fca_route_t  *route;
} slot_t;

static slot_t         slots[ROUTES];
static fca_routes_t  *routes;
static uv_loop_t      uv;
static host_line_t    input;
static uv_timer_t     beat;
static uint64_t       last_beat, longest;
static int            ending, ends;


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
up(void *arg)
{
    (void) arg;
    printf("up\n");
}


static void
ended(void *arg)
{
    (void) arg;
    ends = 0;
    printf("ended\n");
}


static void
drained(void *arg)
{
    printf("drained %s\n", ((slot_t *) arg)->name);
}


static void
closed(void *arg)
{
    slot_t  *slot = arg;

    printf("closed %s\n", slot->name);
    slot->name[0] = '\0';
    slot->route = NULL;

    if (ending) {
        ends = fca_routes_free(routes);
        routes = NULL;
        uv_stop(&uv);
    }
}


static void
name_worker(const char *name, char *worker, size_t size)
{
    snprintf(worker, size, "%s-1", name);
}


static void
open_route(const char *name, const char *function, unsigned port,
    unsigned concurrency)
{
    char               worker[64];
    slot_t            *slot = find("");
    fcf_err_t          err;
    struct in_addr     addr;
    fca_route_conf_t   conf;

    addr.s_addr = htonl(INADDR_LOOPBACK);
    name_worker(name, worker, sizeof(worker));

    memset(&conf, 0, sizeof(conf));
    conf.function_id = function;
    conf.worker_id = worker;
    conf.concurrency = concurrency;
    conf.guest.sin_family = AF_INET;
    conf.guest.sin_addr = addr;
    conf.guest.sin_port = htons((uint16_t) port);
    conf.listen_fd = fca_listen(addr, 0, &err);

    if (slot == NULL || conf.listen_fd == -1) {
        printf("error no room or no port\n");
        return;
    }

    slot->route = fca_route_open(routes, &conf, &err);

    if (slot->route == NULL) {
        printf("error %s\n", err.msg);
        close(conf.listen_fd);
        return;
    }

    snprintf(slot->name, sizeof(slot->name), "%s", name);
    printf("port %u\n", fca_route_port(slot->route));
}


static void
take(const char *name, unsigned port)
{
    char     worker[64];
    slot_t  *slot = find("");

    name_worker(name, worker, sizeof(worker));
    slot->route = fca_route_take(routes, port, worker);

    if (slot->route) {
        snprintf(slot->name, sizeof(slot->name), "%s", name);
    }

    printf("%s\n", slot->route ? "ok" : "none");
}


static void
beaten(uv_timer_t *timer)
{
    uint64_t  now = fca_monotonic_ms();

    (void) timer;

    if (last_beat && now - last_beat > longest) {
        longest = now - last_beat;
    }

    last_beat = now;
}


/* 1: one of those that name no route of ours */
static int
obey_other(const char *text)
{
    char       name[32], function[80];
    unsigned   a, b;

    if (strcmp(text, "quit") == 0) {
        printf("ok\n");
        uv_stop(&uv);

    } else if (strcmp(text, "settle") == 0) {
        fca_routes_settle(routes);
        printf("ok\n");

    } else if (strcmp(text, "live") == 0) {
        printf("live %d\n", fca_routes_live(routes));

    } else if (strcmp(text, "free") == 0) {
        ends = fca_routes_free(routes);
        routes = NULL;
        printf("freed %d\n", ends);

    } else if (strcmp(text, "loop") == 0) {
        printf("loop %u\n", (unsigned) longest);
        longest = 0;

    } else if (sscanf(text, "open %31s %79s %u %u", name, function, &a, &b)
               == 4)
    {
        open_route(name, function, a, b);

    } else if (sscanf(text, "take %31s %u", name, &a) == 2) {
        take(name, a);

    } else {
        return 0;
    }

    return 1;
}


static void
obey(const char *text)
{
    char       verb[16], name[32];
    slot_t    *slot;
    unsigned   a, b, c;

    if (obey_other(text)) {
        return;
    }

    slot = sscanf(text, "%15s %31s", verb, name) == 2 ? find(name) : NULL;

    if (slot == NULL || slot->route == NULL) {
        printf("error no such route\n");
        return;
    }

    if (strcmp(verb, "stat") == 0) {
        host_print_stat(fca_route_stat(slot->route));

    } else if (strcmp(verb, "dead") == 0) {
        fca_route_guest_dead(slot->route);
        printf("ok\n");

    } else if (strcmp(verb, "end") == 0) {
        ending = 1;
        fca_route_close(slot->route, 0, 0, 0, closed, slot);
        printf("ok\n");

    } else if (sscanf(text, "drain %*s %u", &a) == 1) {
        fca_route_drain(slot->route, (int) a, drained, slot);
        printf("ok\n");

    } else if (sscanf(text, "close %*s %u %u %u", &a, &b, &c) == 3) {
        fca_route_close(slot->route, a, b, (int) c, closed, slot);
        printf("ok\n");

    } else {
        printf("error unknown command\n");
    }
}


static void
limit_files(unsigned n)
{
    struct rlimit  rl = { .rlim_cur = n, .rlim_max = n };

    if (setrlimit(RLIMIT_NOFILE, &rl) == -1) {
        perror("setrlimit");
    }
}


static void
options(int argc, char **argv, fca_routes_conf_t *conf)
{
    int  c;

    while ((c = getopt(argc, argv, "S:P:U:u:t:T:p:n:k")) != -1) {
        switch (c) {
        case 'S':
            conf->socket = optarg;
            break;
        case 'P':
            conf->program = optarg;
            break;
        case 'U':
            conf->user = optarg;
            conf->uid = (uid_t) strtoul(optarg, NULL, 10);
            break;
        case 't':
            conf->threads = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'T':
            conf->token = optarg;
            conf->token_len = strlen(optarg);
            break;
        case 'p':
            conf->patience_s = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'n':
            limit_files((unsigned) strtoul(optarg, NULL, 10));
            break;
        case 'k':
            conf->keep = 1;
            break;
        default:
            exit(2);
        }
    }
}


static void
log_line(fcf_log_e level, const char *msg)
{
    fca_log(level, NULL, "%s", msg);
}


int
main(int argc, char **argv)
{
    int                turns;
    fcf_err_t          err;
    fcf_loop_t         loop;
    fca_routes_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.loop = &loop;
    conf.uv = &uv;
    conf.node_id = "test";
    conf.log_level = "info";
    conf.threads = 1;
    conf.address.s_addr = htonl(INADDR_LOOPBACK);
    conf.up = up;
    conf.ended = ended;
    options(argc, argv, &conf);

    setvbuf(stdout, NULL, _IOLBF, 0);
    fca_log_init(STDERR_FILENO, FCF_LOG_DEBUG, "test");
    uv_loop_init(&uv);
    fca_loop_init(&loop, &uv, log_line);

    routes = fca_routes_new(&conf, &err);

    if (routes == NULL) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }

    uv_timer_init(&uv, &beat);
    uv_timer_start(&beat, beaten, BEAT_MS, BEAT_MS);
    host_line_start(&input, &uv, obey);
    uv_run(&uv, UV_RUN_DEFAULT);

    ends |= fca_routes_free(routes);

    while (ends) {
        uv_run(&uv, UV_RUN_ONCE);
    }

    uv_close((uv_handle_t *) &input.poll, NULL);
    uv_close((uv_handle_t *) &beat, NULL);

    for (turns = 0; turns < 10 && uv_loop_close(&uv) == UV_EBUSY; turns++) {
        uv_run(&uv, UV_RUN_NOWAIT);
    }

    return turns == 10 ? 3 : 0;
}
