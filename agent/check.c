#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "agent/base/dir.h"
#include "agent/base/loop.h"
#include "agent/check_int.h"
#include "agent/host.h"
#include "agent/limits.h"
#include "agent/base/listen.h"
#include "agent/trial.h"

/* for an answer of etcd or Redis */
#define FCA_CHECK_PEER_MS  3000

void
fca_check_say(fca_check_t *check, const char *what, const char *remedy,
    const char *fmt, ...)
{
    char     text[768];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (remedy) {
        check->failed = 1;
        printf("FAIL  %-9s %s -- %s\n", what, text, remedy);
    } else {
        printf("ok    %-9s %s\n", what, text);
    }

    fflush(stdout);
}

void
fca_check_note(const char *what, const char *fmt, ...)
{
    char     text[768];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    printf("note  %-9s %s\n", what, text);
    fflush(stdout);
}

static void
fca_check_root(fca_check_t *check)
{
    fca_check_say(check, "root", geteuid() == 0 ? NULL : "run the agent as "
                  "root: it makes network devices", "effective uid %d",
                  (int) geteuid());
}

static void
fca_check_tun(fca_check_t *check)
{
    int  fd, e;

    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    e = errno;

    if (fd == -1) {
        fca_check_say(check, "tun", "load the module (modprobe tun), and in "
                      "a container allow the device", "/dev/net/tun: %s",
                      strerror(e));
        return;
    }

    close(fd);
    fca_check_say(check, "tun", NULL, "/dev/net/tun opens");
}

/* What it holds then, bridge and ports, is as it should be. */
static void
fca_check_beside(fca_check_t *check, const fca_conf_t *conf)
{
    int        fd;
    fcf_err_t  err;

    fd = fca_dir_lock("state_dir", conf->state_dir, &err);

    if (fd != -1) {
        close(fd);
        return;
    }

    check->beside = err.code == FCF_E_EXISTS;

    if (check->beside) {
        fca_check_note("beside", "an agent runs on state_dir = \"%s\": what "
                       "it has of bridge and ports is its own",
                       conf->state_dir);
    }
}

static void
fca_check_net(fca_check_t *check, const fca_conf_t *conf)
{
    char            foreign[2048], *line, *rest;
    fcf_err_t       err;
    fca_net_conf_t  net;

    fca_host_net(&net, conf);
    net.beside = check->beside;

    if (fca_net_check(&net, &err) != 0) {
        fca_check_say(check, "network", "set bridge, bridge_address and "
                      "tap_prefix to what nothing else on this host uses",
                      "%s", err.msg);
        return;
    }

    fca_net_foreign(&net, foreign, sizeof(foreign));

    for (rest = foreign; (line = strsep(&rest, "\n")) != NULL && *line; ) {
        fca_check_say(check, "firewall", "let the guests' bridge pass there",
                      "%s", line);
    }

    fca_check_say(check, "network", NULL, "%s and its addresses are %s",
                  conf->bridge, check->beside ? "free, or the agent's"
                                              : "free");
}

/* VMs take the next port where somebody has one: a few are no lack. */
static void
fca_check_ports(fca_check_t *check, const fca_conf_t *conf)
{
    int             fd, port, nfree, fronted;
    fcf_err_t       err;
    struct in_addr  on;

    nfree = 0;
    fronted = fca_conf_fronted(conf);
    on = fronted ? conf->listen : conf->advertise;

    for (port = conf->port_first; port <= conf->port_last; port++) {
        fd = fca_listen(on, (unsigned) port, &err);

        if (fd != -1) {
            close(fd);
            nfree++;

        } else if (err.code != FCF_E_EXISTS) {
            fca_check_say(check, "ports", fronted
                          ? "set listen to an address of this host, "
                            "port_first and port_last to ports for VMs alone"
                          : "set advertise to an address of this host, "
                            "port_first and port_last to ports for VMs alone",
                          "%s", err.msg);
            return;
        }
    }

    fca_check_say(check, "ports", nfree ? NULL : "set port_first and "
                  "port_last to ports that nobody else listens on",
                  "%d of %d to %d are free", nfree, conf->port_first,
                  conf->port_last);
}

static void
fca_check_admin(fca_check_t *check, const fca_conf_t *conf)
{
    int        fd;
    fcf_err_t  err;

    if (conf->admin.sin_port == 0) {
        return;
    }

    fd = fca_listen(conf->admin.sin_addr, ntohs(conf->admin.sin_port), &err);

    if (fd == -1 && check->beside && err.code == FCF_E_EXISTS) {
        fca_check_say(check, "admin", NULL, "its port is in use, and an agent "
                      "runs that has it");
        return;
    }

    if (fd == -1) {
        fca_check_say(check, "admin", "set admin to an address of this host "
                      "and a port that nobody else listens on", "%s",
                      err.msg);
        return;
    }

    close(fd);
    fca_check_say(check, "admin", NULL, "its port is free");
}

typedef struct {
    fca_check_t       *check;
    const char        *what, *remedy, *where;
    const fca_conf_t  *conf;
    int                answered;
} fca_check_peer_t;

static void
fca_check_peer(fca_check_peer_t *peer, const fcf_err_t *err)
{
    if (err && err->code == FCF_E_CANCELED) {
        /* nobody waits any more: a stop now would be the next one's */
        fca_check_say(peer->check, peer->what, peer->remedy,
                      "%s: no answer in time", peer->where);
        return;
    }

    peer->answered = err == NULL;
    fca_check_say(peer->check, peer->what, err ? peer->remedy : NULL,
                  "%s: %s", peer->where, err ? err->msg : "answers");
    uv_stop(&peer->check->uv);
}

/* An agent of that name at this address may be the one that is checked. */
static void
fca_check_node(const fca_check_peer_t *peer, const fcf_kv_t *kv)
{
    fcf_worker_t    worker;
    struct in_addr  address;

    if (fcf_worker_decode(&worker, kv->value, kv->value_len, NULL) != 0
        || inet_pton(AF_INET, worker.address, &address) != 1
        || address.s_addr == peer->conf->advertise.s_addr)
    {
        return;
    }

    fca_check_say(peer->check, "node_id", "give each agent a node_id of its "
                  "own", "node_id = \"%s\": in use by an agent at %s",
                  peer->conf->node_id, worker.address);
}

static void
fca_check_etcd_done(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    if (err == NULL && reply->nkvs > 0) {
        fca_check_node(arg, &reply->kvs[0]);
    }

    fca_check_peer(arg, err);
}

static void
fca_check_redis_done(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    (void) reply;
    fca_check_peer(arg, err);
}

static void
fca_check_late(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

void
fca_check_wait(fca_check_t *check)
{
    uv_timer_start(&check->deadline, fca_check_late, FCA_CHECK_PEER_MS, 0);
    uv_run(&check->uv, UV_RUN_DEFAULT);
    uv_timer_stop(&check->deadline);
}

static void
fca_check_etcd(fca_check_t *check, const fca_conf_t *conf)
{
    char              key[FCF_KEY_MAX];
    fcf_err_t         err;
    fcf_etcd_t       *etcd;
    fcf_etcd_conf_t   c;
    fca_check_peer_t  peer = { check, "etcd", "start etcd, or set etcd, "
                               "etcd_user and etcd_ca to what it wants",
                               conf->etcd.items[0], conf, 0 };

    fca_host_etcd(&c, conf);
    etcd = fcf_etcd_new(&check->loop, &c, &err);
    if (etcd == NULL) {
        fca_check_peer(&peer, &err);
        return;
    }

    fcf_key_worker(key, conf->prefix, conf->node_id);

    if (fcf_etcd_get(etcd, key, fca_check_etcd_done, &peer)) {
        fca_check_wait(check);
    }

    if (peer.answered) {
        fca_check_pinned(check, conf, etcd);
    }

    fcf_etcd_free(etcd);
}

static void
fca_check_redis(fca_check_t *check, const fca_conf_t *conf)
{
    fcf_err_t         err;
    const char       *ping[] = { "PING" };
    fcf_redis_t      *redis;
    fcf_redis_conf_t  c;
    fca_check_peer_t  peer = { check, "redis", "start Redis (6.2 or later), "
                               "or set redis and redis_password_file to what "
                               "it wants", conf->redis.items[0], conf, 0 };

    fca_host_redis(&c, conf);
    redis = fcf_redis_new(&check->loop, &c, &err);
    if (redis == NULL) {
        fca_check_peer(&peer, &err);
        return;
    }

    if (fcf_redis_command(redis, 0, 1, ping, NULL, fca_check_redis_done,
                          &peer) == 0)
    {
        fca_check_wait(check);
    }

    fcf_redis_free(redis);
}

/* one of its own, that the agent would start, or somebody else's */
static void
fca_check_proxy(fca_check_t *check, fca_conf_t *conf)
{
    int        fd;
    fcf_err_t  err;

    if (fca_conf_proxy(conf, &err) != 0) {
        fca_check_say(check, "proxy", "install fcfaas-proxy and make its user "
                      "(adduser --system --group fcfaas-proxy), or set proxy "
                      "and proxy_user", "%s", err.msg);
        return;
    }

    if (*conf->proxy) {
        fca_check_say(check, "proxy", NULL, "%s runs as user %u", conf->proxy,
                      (unsigned) conf->proxy_uid);
        return;
    }

    fd = fca_wire_connect(conf->proxy_socket, &err);

    if (fd == -1) {
        fca_check_say(check, "proxy", "start its unit, fcfaas-proxy.service, "
                      "or set proxy_socket to where it listens", "%s",
                      err.msg);
        return;
    }

    close(fd);
    fca_check_say(check, "proxy", NULL, "listens on %s", conf->proxy_socket);
}

/* -1: no VM can be started in one */
static int
fca_check_jails(fca_check_t *check, const fca_conf_t *conf)
{
    fcf_err_t    err;
    fca_jail_t  *jail;

    if (!conf->jailer) {
        return 0;
    }

    jail = fca_limits_jail(conf, &err);

    if (jail == NULL) {
        fca_check_say(check, "jails", "make jail_base, on a file system with "
                      "room that is mounted neither nodev nor noexec, and "
                      "set jailer_binary to the jailer", "%s", err.msg);
        return -1;
    }

    fca_check_say(check, "jails", NULL, "%s, below %s",
                  fca_jail_jailer(jail), fca_jail_base(jail));
    fca_jail_close(jail);

    return 0;
}

static void
fca_check_guest(fca_check_t *check, fca_conf_t *conf)
{
    fcf_err_t           err;
    fca_trial_result_t  result;

    if (fca_conf_guest_files(conf, &err) != 0) {
        fca_check_say(check, "guest", "install it, or set where it is", "%s",
                      err.msg);
        return;
    }

    if (fca_check_jails(check, conf) != 0) {
        return;
    }

    if (fca_trial(conf, conf->trial_timeout, &result, &err) != 0) {
        fca_check_say(check, "guest", result.unreached
                      ? "let guests and this host reach each other over the "
                        "bridge (nft list ruleset shows who is in the way)"
                      : "see that /dev/kvm is usable, or set vmm to the "
                        "stand-in with vmm_args = --backend qemu",
                      "%s boots no guest: %s", conf->vmm, err.msg);
        return;
    }

    fca_check_say(check, "guest", NULL, "%s (%s) boots a guest in %u ms%s%s",
                  conf->vmm, result.version, result.ms, result.alone
                  ? ", without drives and network: " : "",
                  result.alone ? result.alone : "");
}

int
fca_check(fca_conf_t *conf)
{
    fcf_err_t    err;
    fca_check_t  check;

    memset(&check, 0, sizeof(check));

    if (uv_loop_init(&check.uv) != 0) {
        printf("FAIL  loop\n");
        return 1;
    }

    fca_loop_init(&check.loop, &check.uv, NULL);
    uv_timer_init(&check.uv, &check.deadline);

    fca_check_root(&check);
    fca_check_tun(&check);
    fca_check_beside(&check, conf);
    fca_check_net(&check, conf);
    fca_check_ports(&check, conf);
    fca_check_admin(&check, conf);
    fca_check_front(&check, conf);
    fca_check_host(&check, conf);

    if (fca_conf_secrets(conf, &err) != 0) {
        fca_check_say(&check, "secrets", "make the file, readable for root "
                      "alone", "%s", err.msg);
    }

    fca_check_proxy(&check, conf);
    fca_check_etcd(&check, conf);
    fca_check_redis(&check, conf);
    fca_check_guest(&check, conf);

    uv_close((uv_handle_t *) &check.deadline, NULL);
    fca_loop_end(&check.uv);

    return check.failed;
}
