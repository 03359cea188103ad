#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/route/route_int.h"
#include "client/fcf_backoff.h"

#define FCA_TICK_MS         1000
#define FCA_COMPLAIN_TICKS  3
#define FCA_PATIENCE_S      20
#define FCA_START_MS        20          /* between looks for one that starts */
#define FCA_START_LOOKS     1000
#define FCA_BACKOFF_MS      2000
#define FCA_STEADY_MS       10000       /* a life after which losses are
                                           counted anew */
#define FCA_TURN            64          /* messages before others run */

static void
peer_signal(const fca_routes_t *routes, int signo)
{
    if (routes->pidfd != -1) {
        (void) syscall(SYS_pidfd_send_signal, routes->pidfd, signo, NULL, 0);
    }
}

/* nothing is held of the proxy that was */
static void
peer_drop(fca_routes_t *routes)
{
    if (routes->io) {
        routes->conf.loop->io_del(routes->io);
        routes->io = NULL;
    }

    if (routes->fd != -1) {
        close(routes->fd);
        routes->fd = -1;
    }

    if (routes->pidfd != -1) {
        close(routes->pidfd);
        routes->pidfd = -1;
    }

    fca_wire_page_unmap(routes->page);
    routes->page = NULL;
    routes->state = FCA_PEER_AWAY;
    routes->access_seq = 0;
    routes->pinged = routes->complained = 0;
    routes->silent = 0;
}

void
fca_peer_lost(fca_routes_t *routes, int mad, const char *why)
{
    uint64_t     delay, now;
    fcf_loop_t  *loop = routes->conf.loop;

    if (routes->state == FCA_PEER_AWAY) {
        return;
    }

    now = loop->now(loop);

    if (routes->state == FCA_PEER_LIVE && now - routes->since > FCA_STEADY_MS)
    {
        routes->losses = 0;
    }

    routes->losses++;
    delay = routes->losses == 1 ? 0
            : fcf_backoff(routes->losses - 1, FCA_BACKOFF_MS);

    fca_log(mad || routes->losses > 2 ? FCF_LOG_ERROR : FCF_LOG_WARN, NULL,
            "the proxy, process %d: %s%s; %u routes wait for the next one "
            "(loss %u in a row)", (int) routes->pid, why,
            mad ? "; killed" : "", routes->nroutes, routes->losses);

    if (mad) {
        peer_signal(routes, SIGKILL);
    }

    fca_routes_unknown(routes);
    peer_drop(routes);
    loop->timer_stop(routes->tick);
    loop->timer_set(routes->retry, delay);
}

static void
peer_event(void *arg, unsigned events)
{
    int              i, rc, fd;
    fcf_err_t        err;
    fca_routes_t    *routes = arg;
    fca_wire_msg_t   msg;

    if (events & FCF_WRITE) {
        (void) routes->conf.loop->io_set(routes->io, FCF_READ);
    }

    for (i = 0; i < FCA_TURN && routes->state != FCA_PEER_AWAY; i++) {
        rc = fca_wire_recv(routes->fd, &msg, &fd, FCA_WIRE_PROXY, &err);

        if (rc == 0) {
            break;
        }

        if (rc > 0 && fca_talk_take(routes, &msg, fd, &err) == 0) {
            continue;
        }

        if (err.code == FCF_E_REFUSED) {
            /* an older or newer one gives way */
            peer_signal(routes, routes->losses > 2 ? SIGKILL : SIGTERM);
        }

        fca_peer_lost(routes, err.code == FCF_E_PROTOCOL, err.msg);
    }

    if (routes->state == FCA_PEER_LISTING
        || (routes->state == FCA_PEER_LIVE && !routes->access_told
            && !routes->access_seq))
    {
        (void) fca_talk_greet(routes);
    }

    /* the last: it may end everything */
    fca_routes_flush(routes);
}

/* One that stands still is known by turns of our loop, not by the clock: the
 * agent, or the host, may have stood still itself. */
static void
peer_tick(void *arg)
{
    char            why[64];
    fca_routes_t   *routes = arg;
    fca_wire_msg_t  msg;

    if (routes->state == FCA_PEER_AWAY) {
        return;
    }

    routes->conf.loop->timer_set(routes->tick, FCA_TICK_MS);

    if (routes->state != FCA_PEER_LIVE || routes->pinged) {
        routes->silent++;
    }

    if (routes->silent >= routes->conf.patience_s) {
        snprintf(why, sizeof(why), "it has said nothing for %u s",
                 routes->silent);
        fca_peer_lost(routes, 1, why);
        return;
    }

    if (routes->silent >= FCA_COMPLAIN_TICKS && !routes->complained) {
        routes->complained = 1;
        fca_log(FCF_LOG_WARN, NULL, "the proxy, process %d, does not answer; "
                "it is killed after %u s", (int) routes->pid,
                routes->conf.patience_s);
    }

    if (routes->state == FCA_PEER_LIVE && !routes->pinged) {
        fca_wire_init(&msg, FCA_WIRE_PING, ++routes->seq);
        routes->pinged = fca_talk_send(routes, &msg, -1) == 1;
        routes->ping_seq = msg.head.seq;
    }
}

/* somebody listens */
static void
peer_met(fca_routes_t *routes, int fd)
{
    uid_t            uid;
    fcf_err_t        err;
    fcf_loop_t      *loop = routes->conf.loop;
    fca_wire_msg_t   msg;

    routes->fd = fd;
    routes->state = FCA_PEER_GREETING;
    routes->child_met = 1;
    loop->timer_set(routes->tick, FCA_TICK_MS);

    if (fca_wire_peer(fd, &routes->pid, &uid, &err) != 0) {
        fca_peer_lost(routes, 0, err.msg);
        return;
    }

    if (uid != routes->conf.uid) {
        fcf_err_set(&err, FCF_E_AUTH, "it is of user %u, not %u",
                    (unsigned) uid, (unsigned) routes->conf.uid);
        fca_peer_lost(routes, 0, err.msg);
        return;
    }

    routes->pidfd = (int) syscall(SYS_pidfd_open, routes->pid, 0);
    routes->io = loop->io_add(loop, fd, peer_event, routes);

    if (routes->io == NULL || loop->io_set(routes->io, FCF_READ) == -1) {
        fca_peer_lost(routes, 0, "it cannot be watched");
        return;
    }

    fca_wire_init(&msg, FCA_WIRE_HELLO, ++routes->seq);
    routes->hello_seq = msg.head.seq;
    (void) fca_talk_send(routes, &msg, -1);
}

/* now and then, lest the log be full of it */
static void
complain_absent(fca_routes_t *routes, const char *why)
{
    if (routes->absent++ % 30 == 0) {
        fca_log(FCF_LOG_WARN, NULL, "no proxy: %s", why);
    }
}

/* nobody listens: the delay until the next look */
static uint64_t
peer_absent(fca_routes_t *routes, const fcf_err_t *why)
{
    fcf_err_t  err;

    if (routes->child) {
        if (routes->absent++ == FCA_START_LOOKS) {
            fca_child_kill(routes);
        }

        return FCA_START_MS;
    }

    if (routes->conf.program && !routes->ending
        && (why->sys_errno == ENOENT || why->sys_errno == ECONNREFUSED))
    {
        if (fca_child_start(routes, &err) == 0) {
            routes->absent = 0;
            routes->child_met = 0;
            return FCA_START_MS;
        }

        why = &err;
        routes->losses++;
    }

    complain_absent(routes, why->msg);

    return fcf_backoff(routes->absent, FCA_BACKOFF_MS);
}

static void
peer_look(void *arg)
{
    int            fd;
    fcf_err_t      err;
    fca_routes_t  *routes = arg;

    if (routes->state != FCA_PEER_AWAY) {
        return;
    }

    fd = fca_wire_connect(routes->conf.socket, &err);

    if (fd != -1) {
        peer_met(routes, fd);
        return;
    }

    routes->conf.loop->timer_set(routes->retry, peer_absent(routes, &err));
}

/* Where it was met its end is seen, and counted, by its connection. */
void
fca_peer_child_ended(fca_routes_t *routes, const char *words)
{
    fca_log(FCF_LOG_WARN, NULL, "the proxy's process %s", words);

    if (!routes->child_met) {
        routes->losses++;

        if (routes->losses > 2) {
            fca_log(FCF_LOG_ERROR, NULL, "the proxy has ended %u times in a "
                    "row", routes->losses);
        }

        routes->absent = 0;
        routes->conf.loop->timer_set(routes->retry,
                                     fcf_backoff(routes->losses,
                                                 FCA_BACKOFF_MS));
    }
}

int
fca_peer_init(fca_routes_t *routes, fcf_err_t *err)
{
    fcf_loop_t  *loop = routes->conf.loop;

    if (routes->conf.patience_s == 0) {
        routes->conf.patience_s = FCA_PATIENCE_S;
    }

    routes->retry = loop->timer_new(loop, peer_look, routes);
    routes->tick = loop->timer_new(loop, peer_tick, routes);

    if (!routes->retry || !routes->tick) {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    loop->timer_set(routes->retry, 0);

    return 0;
}

/* A proxy of ours ends when its connection does; another one is told to let
 * go of the routes. */
int
fca_peer_end(fca_routes_t *routes)
{
    int              ends, met;
    fcf_loop_t      *loop = routes->conf.loop;
    fca_wire_msg_t   msg;

    ends = 0;
    met = routes->fd != -1;

    if (met && !routes->conf.keep) {
        fca_wire_init(&msg, FCA_WIRE_BYE, ++routes->seq);
        (void) fca_wire_send(routes->fd, &msg, -1, NULL);
    }

    /* a proxy may not remove what it listens on */
    if (routes->conf.program && !routes->conf.keep) {
        ends = fca_ending_start(routes, !met);
        (void) unlink(routes->conf.socket);
    }

    peer_drop(routes);
    fca_child_leave(routes);

    if (routes->retry) {
        loop->timer_free(routes->retry);
    }

    if (routes->tick) {
        loop->timer_free(routes->tick);
    }

    return ends;
}
