/*
 * The agent's end of its talk with the proxy, whose other end has gone mad.
 * Whatever it says: it is taken or cut off, nothing of what it passes stays
 * open, no more routes are held than there are ports, and who waits for one to
 * be closed hears of it once.
 */

#include "agent/route/route_int.h"
#include "t/fuzz/fuzz_wire.h"
#include "t/unit/fake_loop.h"

typedef struct {
    fca_route_t  *route;                /* NULL: none */
    int           closing;
} mine_t;

static mine_t         mine[FCT_PORTS];
static fcf_loop_t    *loop;
static fca_routes_t  *routes;
static int            peer;             /* the proxy's end; -1: none */


static void
up(void *arg)
{
    (void) arg;
    fca_routes_settle(routes);
}


static void
closed(void *arg)
{
    mine_t  *m = arg;

    FCT_HOLDS(m->route && m->closing);
    m->route = NULL;
    m->closing = 0;
}


static void
drained(void *arg)
{
    mine_t  *m = arg;

    FCT_HOLDS(m->route);
}


static void
peer_close(void)
{
    if (peer != -1) {
        close(peer);
        peer = -1;
    }
}


static void
readable(void *arg, unsigned events)
{
    (void) arg;
    (void) events;
}


/* as after a HELLO */
static void
peer_open(void)
{
    int  fds[2];

    FCT_HOLDS(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK
                         | SOCK_CLOEXEC, 0, fds) == 0);
    peer_close();
    peer = fds[1];
    routes->fd = fds[0];
    routes->io = loop->io_add(loop, fds[0], readable, NULL);
    routes->state = FCA_PEER_GREETING;
    routes->hello_seq = ++routes->seq;
}


static void
lost(const fcf_err_t *err)
{
    fca_peer_lost(routes, err->code == FCF_E_PROTOCOL, err->msg);
    peer_close();
}


/* what the agent wants, meanwhile */
static void
act(unsigned byte)
{
    mine_t            *m = &mine[byte % FCT_PORTS];
    fcf_err_t          err;
    fca_route_conf_t   conf;

    if (m->route == NULL && !(byte & 64)) {
        memset(&conf, 0, sizeof(conf));
        conf.function_id = "f";
        conf.worker_id = "n-1";
        conf.guest.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        conf.guest.sin_port = htons(80);
        conf.listen_fd = dup(fct_listening[byte % FCT_PORTS]);
        m->route = fca_route_open(routes, &conf, &err);

        if (m->route == NULL) {
            close(conf.listen_fd);      /* one was found there */
        }

    } else if (m->route == NULL) {
        m->route = fca_route_take(routes, fct_ports[byte % FCT_PORTS], "n-1");

    } else if (m->closing) {
        fca_route_guest_dead(m->route);

    } else if (byte & 64) {
        m->closing = 1;
        fca_route_close(m->route, 0, 0, (byte & 32) != 0, closed, m);

    } else if (m->route->drained == NULL) {
        fca_route_drain(m->route, (byte & 32) != 0, drained, m);
    }
}


static void
take(void)
{
    int              fd;
    fcf_err_t        err;
    fca_wire_msg_t   msg;

    switch (fca_wire_recv(routes->fd, &msg, &fd, FCA_WIRE_PROXY, &err)) {

    case 1:
        if (fca_talk_take(routes, &msg, fd, &err) == 0) {
            break;
        }

        /* fall through */

    case -1:
        lost(&err);
    }
}


/* the number that its answer has: of what was asked last, or before */
static uint32_t
answered(unsigned byte)
{
    fca_route_t  *route = routes->by_port[fct_ports[byte % FCT_PORTS]];

    switch (byte >> 4) {
    case 0:
        return routes->hello_seq;
    case 1:
        return routes->access_seq;
    case 2:
        return routes->list_seq;
    case 3:
        return routes->ping_seq;
    case 4:
        return routes->seq;
    default:
        return route ? route->seq : routes->seq;
    }
}


static void
swallow(void)
{
    char  waste[sizeof(fca_wire_msg_t)];

    while (peer != -1 && recv(peer, waste, sizeof(waste), MSG_DONTWAIT) > 0) {
        continue;
    }
}


static void
run(fct_in_t *in)
{
    unsigned  byte;

    while (in->size) {
        byte = fct_byte(in);

        if (byte & 128) {
            act(byte);
            fca_routes_flush(routes);
            swallow();
            continue;
        }

        if (routes->state == FCA_PEER_AWAY) {
            peer_open();
        }

        if (fct_wire_next(in, peer, answered(byte))) {
            take();
        }

        fca_routes_flush(routes);
        swallow();
        FCT_HOLDS(routes->nroutes < FCA_WIRE_PORTS);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                i, lowest;
    fct_in_t           in = { data, size };
    fcf_err_t          err;
    fca_routes_conf_t  conf;

    fct_wire_prepare();
    lowest = fct_lowest_fd();
    loop = fake_loop_new();
    peer = -1;
    memset(mine, 0, sizeof(mine));

    memset(&conf, 0, sizeof(conf));
    conf.loop = loop;
    conf.socket = "/dev/null";
    conf.address.s_addr = htonl(INADDR_LOOPBACK);
    conf.up = up;
    routes = fca_routes_new(&conf, &err);
    FCT_HOLDS(routes);

    run(&in);

    for (i = 0; i < FCT_PORTS; i++) {
        if (mine[i].route && !mine[i].closing) {
            mine[i].closing = 1;
            fca_route_close(mine[i].route, 0, 0, 0, closed, &mine[i]);
        }
    }

    fca_routes_free(routes);
    peer_close();

    for (i = 0; i < FCT_PORTS; i++) {
        FCT_HOLDS(mine[i].route == NULL);
    }

    FCT_HOLDS(fake_loop_free(loop) == 0);
    FCT_HOLDS(fct_lowest_fd() == lowest);

    return 0;
}
