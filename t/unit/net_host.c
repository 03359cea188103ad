/*
 * A process that has a guest network and nothing else, for t/agent/net.t:
 *     net_host bridge tap_prefix node_id address prefix_len egress pool_max
 *              ahead most [tap,address,mac of a NIC that is kept] ...
 * egress: none, internet, or internet:<connections>[,network]...
 * Commands, a line each, on standard input; answers, a line each, on standard
 * output:
 *     take [uid gid]  nic <tap> <mac> <address> <us> <mtu>  |  error <words>
 *     give <tap>      given <tap>
 *     burst <n>       as n takes at once; then: burst <n> <us>
 *     free            free <n>
 *     runs            runs <n>: nftables' commands so far, and one a look at
 *                     others' rules
 *     clones <n>      as n takes at once, between which processes are cloned
 *                     that live on, without running a program, until "reap"
 *     reap            reaped <n>
 *     foreign         foreign <findings, with | between>
 *     close           removes everything and ends; end of input keeps it
 * A NIC that is lost: lost <tap> <words>
 */

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/net/net_int.h"

#define HOST_NICS    1200
#define HOST_CLONES  200
/* arguments but for NICs, and the program */
#define FIXED        10

typedef struct {
    uv_loop_t     loop;
    uv_poll_t     in;
    fca_net_t    *net;
    fca_net_conf_t  conf;
    fca_cidr_t    allow[8];
    fca_nic_t     nics[HOST_NICS];
    size_t        n;
    char          line[256];
    size_t        len;
    int           remove;
    unsigned      burst, burst_left;
    uint64_t      burst_start;
    uv_idle_t     cloning;
    pid_t         clones[HOST_CLONES];
    size_t        nclones;
} host_t;

typedef struct {
    host_t       *host;
    uint64_t      start;
} host_take_t;

typedef struct {
    char          tap[IFNAMSIZ];
} host_give_t;


static uint64_t
now_us(void)
{
    return uv_hrtime() / 1000;
}


static void
taken(void *arg, const fca_nic_t *nic, const fcf_err_t *err)
{
    char          addr[INET_ADDRSTRLEN];
    host_t       *host;
    host_take_t  *t = arg;

    host = t->host;

    if (err != NULL) {
        printf("error %s\n", err->msg);

    } else {
        inet_ntop(AF_INET, &nic->address, addr, sizeof(addr));
        printf("nic %s %02x:%02x:%02x:%02x:%02x:%02x %s %llu %u\n", nic->tap,
               nic->mac[0], nic->mac[1], nic->mac[2], nic->mac[3],
               nic->mac[4], nic->mac[5], addr,
               (unsigned long long) (now_us() - t->start), nic->mtu);
        host->nics[host->n++] = *nic;
    }

    free(t);

    if (host->burst_left > 0 && --host->burst_left == 0) {
        printf("burst %u %llu\n", host->burst,
               (unsigned long long) (now_us() - host->burst_start));
    }

    fflush(stdout);
}


static void
given(void *arg)
{
    host_give_t  *g = arg;

    printf("given %s\n", g->tap);
    fflush(stdout);
    free(g);
}


static void
lost(void *arg, const fca_nic_t *nic, const fcf_err_t *why)
{
    (void) arg;

    printf("lost %s %s\n", nic->tap, why->msg);
    fflush(stdout);
}


static int
take(host_t *host, const fca_nic_owner_t *owner)
{
    fcf_err_t     err;
    host_take_t  *t;

    t = malloc(sizeof(*t));
    t->host = host;
    t->start = now_us();

    if (fca_net_take(host->net, owner, taken, t, &err) != 0) {
        printf("error %s\n", err.msg);
        free(t);
        return -1;
    }

    return 0;
}


static void
give(host_t *host, const char *tap)
{
    size_t        i;
    fca_nic_t     nic;
    host_give_t  *g;

    for (i = 0; i < host->n; i++) {
        if (strcmp(host->nics[i].tap, tap) == 0) {
            break;
        }
    }

    if (i == host->n) {
        printf("error not out: %s\n", tap);
        return;
    }

    nic = host->nics[i];
    host->nics[i] = host->nics[--host->n];

    g = malloc(sizeof(*g));
    memcpy(g->tap, nic.tap, sizeof(g->tap));
    fca_net_give(host->net, &nic, given, g);
}


/* as a VMM's start does, but slowly: the child has all descriptors that the
 * parent had, and lives */
static void
clone_one(uv_idle_t *idle)
{
    pid_t    pid;
    host_t  *host = idle->data;

    if (host->nclones == HOST_CLONES || host->burst_left == 0) {
        uv_close((uv_handle_t *) idle, NULL);
        return;
    }

    pid = fork();

    if (pid == 0) {
        for ( ;; ) {
            pause();
        }
    }

    host->clones[host->nclones++] = pid;
}


static void
reap(host_t *host)
{
    size_t  i;

    for (i = 0; i < host->nclones; i++) {
        kill(host->clones[i], SIGKILL);
        waitpid(host->clones[i], NULL, 0);
    }

    printf("reaped %zu\n", host->nclones);
    host->nclones = 0;
}


static void
foreign(host_t *host)
{
    char  text[2048], *p;

    fca_net_foreign(&host->conf, text, sizeof(text));

    while ((p = strchr(text, '\n')) != NULL) {
        *p = '|';
    }

    printf("foreign %s\n", text);
}


static void
burst(host_t *host, unsigned n)
{
    unsigned  i;

    host->burst = host->burst_left = n;
    host->burst_start = now_us();

    for (i = 0; i < n; i++) {
        if (take(host, NULL) != 0) {
            host->burst_left--;
        }
    }
}


static void
command(host_t *host, const char *line)
{
    unsigned         n;
    fca_nic_owner_t  owner;

    if (strcmp(line, "take") == 0) {
        (void) take(host, NULL);

    } else if (sscanf(line, "take %u %u", &owner.uid, &owner.gid) == 2) {
        (void) take(host, &owner);

    } else if (strncmp(line, "give ", 5) == 0) {
        give(host, line + 5);

    } else if (sscanf(line, "burst %u", &n) == 1) {
        burst(host, n);

    } else if (sscanf(line, "clones %u", &n) == 1) {
        burst(host, n);
        host->cloning.data = host;
        uv_idle_init(&host->loop, &host->cloning);
        uv_idle_start(&host->cloning, clone_one);

    } else if (strcmp(line, "reap") == 0) {
        reap(host);

    } else if (strcmp(line, "foreign") == 0) {
        foreign(host);

    } else if (strcmp(line, "free") == 0) {
        printf("free %u\n", fca_net_free_count(host->net));

    } else if (strcmp(line, "runs") == 0) {
        printf("runs %" PRIu64 "\n", host->net->nft_runs);

    } else if (strcmp(line, "close") == 0) {
        host->remove = 1;
        uv_close((uv_handle_t *) &host->in, NULL);

    } else {
        printf("error command: %s\n", line);
    }

    fflush(stdout);
}


static void
input(uv_poll_t *poll, int status, int events)
{
    char      c;
    host_t   *host = poll->data;
    ssize_t   n;

    (void) status;
    (void) events;

    n = read(STDIN_FILENO, &c, 1);

    if (n <= 0) {
        uv_close((uv_handle_t *) poll, NULL);
        return;
    }

    if (c != '\n') {
        if (host->len < sizeof(host->line) - 1) {
            host->line[host->len++] = c;
        }

        return;
    }

    host->line[host->len] = '\0';
    host->len = 0;
    command(host, host->line);
}


/* "tap,address,mac" */
static void
keep(host_t *host, const char *arg)
{
    char        addr[INET_ADDRSTRLEN], tap[IFNAMSIZ];
    unsigned    i, b[6] = { 0 };
    fca_nic_t  *nic;

    nic = &host->nics[host->n++];

    if (sscanf(arg, "%15[^,],%15[^,],%x:%x:%x:%x:%x:%x", tap, addr, &b[0],
               &b[1], &b[2], &b[3], &b[4], &b[5]) != 8)
    {
        fprintf(stderr, "net_host: %s: tap,address,mac\n", arg);
        exit(2);
    }

    memcpy(nic->tap, tap, sizeof(nic->tap));
    inet_pton(AF_INET, addr, &nic->address);

    for (i = 0; i < 6; i++) {
        nic->mac[i] = (unsigned char) b[i];
    }
}


/* "none", "internet", "internet:1024,10.1.2.0/24" */
static void
egress(host_t *host, const char *arg)
{
    int              len, end;
    char             addr[INET_ADDRSTRLEN];
    fca_cidr_t      *range;
    fca_net_conf_t  *conf = &host->conf;

    conf->egress = strncmp(arg, "internet", 8) == 0;
    conf->connections = 1024;
    conf->egress_allow = host->allow;
    end = 0;

    if (sscanf(arg, "internet:%u%n", &conf->connections, &end) == 1) {
        arg += end;
    }

    while (sscanf(arg, ",%15[0-9.]/%d%n", addr, &len, &end) == 2) {
        range = &host->allow[conf->negress_allow++];
        inet_pton(AF_INET, addr, &range->addr);
        range->mask = len == 0 ? 0 : htonl(0xffffffffu << (32 - len));
        arg += end;
    }
}


static void
configure(host_t *host, char **argv)
{
    fca_net_conf_t  *conf = &host->conf;

    conf->bridge = argv[1];
    conf->tap_prefix = argv[2];
    conf->node_id = argv[3];
    inet_pton(AF_INET, argv[4], &conf->address);
    conf->prefix_len = (unsigned) strtoul(argv[5], NULL, 10);
    egress(host, argv[6]);
    conf->pool_max = (unsigned) strtoul(argv[7], NULL, 10);
    conf->ahead = (unsigned) strtoul(argv[8], NULL, 10);
    conf->most = (unsigned) strtoul(argv[9], NULL, 10);
    conf->keep = host->nics;
    conf->nkeep = host->n;
    conf->lost = lost;
}


int
main(int argc, char **argv)
{
    int            i;
    fcf_err_t      err;
    static host_t  host;

    if (argc < FIXED) {
        fprintf(stderr, "net_host: eight arguments\n");
        return 2;
    }

    for (i = FIXED; i < argc; i++) {
        keep(&host, argv[i]);
    }

    configure(&host, argv);
    uv_loop_init(&host.loop);

    host.net = fca_net_open(&host.loop, &host.conf, &err);

    if (host.net == NULL) {
        printf("refused %s\n", err.msg);
        uv_run(&host.loop, UV_RUN_DEFAULT);
        uv_loop_close(&host.loop);
        return 1;
    }

    printf("open\n");

    for (i = FIXED; i < argc; i++) {
        printf("%s %s\n", host.nics[i - FIXED].ifindex ? "kept" : "lost",
               host.nics[i - FIXED].tap);
    }

    fflush(stdout);

    host.in.data = &host;
    uv_poll_init(&host.loop, &host.in, STDIN_FILENO);
    uv_poll_start(&host.in, UV_READABLE, input);
    uv_run(&host.loop, UV_RUN_DEFAULT);

    fca_net_close(host.net, host.remove);
    uv_run(&host.loop, UV_RUN_DEFAULT);

    if (uv_loop_close(&host.loop) != 0) {
        printf("error loop still busy\n");
        return 1;
    }

    printf("closed\n");

    return 0;
}
