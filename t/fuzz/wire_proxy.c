/*
 * The proxy's end of its talk with an agent that has gone mad.  Whatever that
 * says: no route is opened twice on a port, or closed twice, none is used that
 * is over, nothing of what was passed stays open, and what was served is told
 * to the next agent.
 */

#include <sys/un.h>
#include "agent/proxy/control_int.h"
#include "t/fuzz/fuzz_wire.h"
#include "t/unit/fake_loop.h"

/* the data path's, as far as control can see it */
struct fca_route_s {
    int                 fd;
    int                 closing;
    fca_route_done_pt   done;
    void               *arg;
    fca_route_t        *next;
};

static fca_route_t    *open_routes;
static fcf_loop_t     *loop;
static fca_control_t  *control;
static int             listener, agent, deaf;
static struct sockaddr_un  address;
static socklen_t       address_len;


fca_route_t *
fca_proxy_open(fca_proxy_t *proxy, const fca_route_conf_t *conf,
    fcf_err_t *err)
{
    fca_route_t  *route;

    (void) proxy;

    if (conf->concurrency == 7) {
        fcf_err_set(err, FCF_E_LIMIT, "no room");
        return NULL;
    }

    route = calloc(1, sizeof(*route));
    FCT_HOLDS(route);
    route->fd = conf->listen_fd;
    route->next = open_routes;
    open_routes = route;

    return route;
}


void
fca_proxy_drain(fca_route_t *route, int draining)
{
    (void) draining;
    FCT_HOLDS(!route->closing);
}


void
fca_proxy_close(fca_route_t *route, unsigned linger_ms, unsigned grace_ms,
    int guest_dead, fca_route_done_pt done, void *arg)
{
    (void) linger_ms;
    (void) grace_ms;
    (void) guest_dead;
    FCT_HOLDS(!route->closing);
    route->closing = 1;
    route->done = done;
    route->arg = arg;
}


void
fca_proxy_guest_dead(fca_route_t *route)
{
    FCT_HOLDS(route->closing);
}


int
fca_proxy_access(fca_proxy_t *proxy, const fca_proxy_conf_t *conf,
    fcf_err_t *err)
{
    (void) proxy;
    (void) err;
    FCT_HOLDS(conf->nallow <= FCA_WIRE_NETS_MAX
              && conf->token_len <= FCA_WIRE_TOKEN_MAX);

    return 0;
}


/* one of those that are closing ends */
static void
end_route(void)
{
    fca_route_t  *route, **p;

    for (p = &open_routes; *p && !(*p)->closing; p = &(*p)->next) {
        continue;
    }

    route = *p;
    if (route == NULL) {
        return;
    }

    *p = route->next;
    fca_wire_close(route->fd);
    route->done(route->arg);
    free(route);
}


static void
hang_up(void)
{
    if (agent != -1) {
        close(agent);
        agent = -1;
    }
}


static void
come(void)
{
    int  small = 1;

    agent = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    FCT_HOLDS(connect(agent, (struct sockaddr *) &address, address_len) == 0);
    (void) fake_loop_ready(loop, listener, FCF_READ);
    FCT_HOLDS(control->fd != -1);
    /* full after some messages */
    (void) setsockopt(control->fd, SOL_SOCKET, SO_SNDBUF, &small,
                      sizeof(small));
    deaf = 0;
}


/* what it says is well formed, and of a route that is there at most once */
static void
hear(void)
{
    int              fd;
    fcf_err_t        err;
    fca_wire_msg_t   msg;

    while (agent != -1) {
        switch (fca_wire_recv(agent, &msg, &fd, FCA_WIRE_PROXY, &err)) {
        case 1:
            fca_wire_close(fd);
            continue;
        case -1:
            FCT_HOLDS(err.code == FCF_E_UNAVAILABLE);
            hang_up();
        }

        return;
    }
}


static void
turn(void)
{
    if (control->fd != -1) {
        (void) fake_loop_ready(loop, control->fd, FCF_READ);
    }

    if (!deaf) {
        hear();

        if (control->fd != -1) {
            (void) fake_loop_ready(loop, control->fd, FCF_WRITE);
        }
    }
}


static void
run(fct_in_t *in)
{
    unsigned  byte;

    while (in->size) {
        byte = fct_byte(in);

        if (agent == -1) {
            come();
        }

        if (byte >= 248) {
            deaf = !deaf;

        } else if (byte >= 240) {
            hang_up();

        } else if (byte >= 200) {
            end_route();

        } else {
            (void) fct_wire_next(in, agent, byte);
        }

        turn();
        FCT_HOLDS(control->ncarried < FCA_WIRE_PORTS);
    }
}


/* an agent that means it: whatever is open is told to be closed */
static void
finish(void)
{
    fca_wire_msg_t  msg;

    hang_up();
    turn();
    FCT_HOLDS(control->fd == -1);
    come();
    fca_wire_init(&msg, FCA_WIRE_HELLO, 1);
    FCT_HOLDS(fca_wire_send(agent, &msg, -1, NULL) == 1);
    fca_wire_init(&msg, FCA_WIRE_BYE, 2);
    FCT_HOLDS(fca_wire_send(agent, &msg, -1, NULL) == 1);
    turn();

    while (open_routes) {
        FCT_HOLDS(open_routes->closing);
        end_route();
    }

    hang_up();
    turn();
    FCT_HOLDS(control->fd == -1 && control->ncarried == 0);
}


static void
listen_here(void)
{
    address_len = sizeof(sa_family_t);
    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
                      0);
    FCT_HOLDS(bind(listener, (struct sockaddr *) &address, address_len) == 0
              && listen(listener, 4) == 0);
    address_len = sizeof(address);
    FCT_HOLDS(getsockname(listener, (struct sockaddr *) &address,
                          &address_len) == 0);
}


/* one for all inputs: it has a place for each port, which takes its time */
static void
prepare(void)
{
    fcf_err_t            err;
    fca_control_conf_t   conf;

    fct_wire_prepare();
    loop = fake_loop_new();
    agent = -1;
    listen_here();

    memset(&conf, 0, sizeof(conf));
    conf.loop = loop;
    conf.threads = 1;
    conf.listen_fd = listener;
    conf.agent = getuid();
    control = fca_control_new(&conf, &err);
    FCT_HOLDS(control);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int       lowest;
    fct_in_t  in = { data, size };

    if (control == NULL) {
        prepare();
    }

    lowest = fct_lowest_fd();
    run(&in);
    finish();
    FCT_HOLDS(fct_lowest_fd() == lowest);

    return 0;
}
