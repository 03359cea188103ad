#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/proxy/control_int.h"

void
fca_carried_forget(fca_carried_t *c)
{
    c->control->carried[c->conf.port] = NULL;
    c->control->ncarried--;
    free(c);
}

/* a route's done callback */
static void
route_closed(void *arg)
{
    fca_carried_t  *c = arg;
    fca_control_t  *control = c->control;

    c->route = NULL;

    /* whoever has not heard of it need not */
    if (control->fd == -1 || control->cursor <= c->conf.port) {
        fca_carried_forget(c);

        if (control->fd == -1) {
            fca_control_alone(control);
        }

        return;
    }

    fca_carried_answer(c, FCA_WIRE_CLOSED, c->seq, NULL);
    fca_control_tell(control);
}

static void
close_route(fca_carried_t *c, unsigned linger_ms, unsigned grace_ms, int dead)
{
    c->conf.closing = 1;
    fca_proxy_close(c->route, linger_ms, grace_ms, dead, route_closed, c);
}

static void
close_all(fca_control_t *control)
{
    unsigned        port;
    fca_carried_t  *c;

    for (port = 0; port < FCA_WIRE_PORTS; port++) {
        c = control->carried[port];
        if (c && c->route && !c->conf.closing) {
            close_route(c, 0, 0, 0);
        }
    }
}

static fca_route_stat_t *
fresh_stat(fca_control_t *control, const fca_wire_route_t *conf)
{
    int                i;
    fca_route_stat_t  *stat = &control->page[conf->port];

    atomic_store(&stat->inflight, 0);
    atomic_store(&stat->refused, 0);
    atomic_store(&stat->timeouts, 0);
    atomic_store(&stat->requests, conf->requests);
    atomic_store(&stat->drained, conf->drained);

    for (i = 0; i < FCA_COUNTS; i++) {
        atomic_store(&stat->counts[i], conf->counts[i]);
    }

    return stat;
}

/* why it cannot be carried, or NULL; fd is the route's then */
static int
open_route(fca_carried_t *c, int fd, fcf_err_t *err)
{
    struct in_addr     addr;
    fca_route_conf_t   conf;

    if (fd == -1) {
        return fcf_err_set(err, FCF_E_LIMIT, "no descriptor is free");
    }

    if (fca_wire_port(fd, &addr) != (int) c->conf.port) {
        return fcf_err_set(err, FCF_E_INVALID, "not a socket that listens on "
                           "port %u", c->conf.port);
    }

    memset(&conf, 0, sizeof(conf));
    conf.function_id = c->conf.function_id;
    conf.worker_id = c->conf.worker_id;
    conf.listen_fd = fd;
    conf.device = c->conf.device;
    conf.guest.sin_family = AF_INET;
    conf.guest.sin_addr.s_addr = c->conf.guest_addr;
    conf.guest.sin_port = htons((uint16_t) c->conf.guest_port);
    conf.concurrency = c->conf.concurrency;
    conf.timeout_ms = c->conf.timeout_ms;
    conf.stat = fresh_stat(c->control, &c->conf);

    c->route = fca_proxy_open(c->control->conf.proxy, &conf, err);
    if (c->route == NULL) {
        return -1;
    }

    c->fd = fd;

    if (c->conf.draining) {
        fca_proxy_drain(c->route, 1);
    }

    return 0;
}

/* 0, or -1: the agent has to be cut off */
static int
take_open(fca_control_t *control, const fca_wire_msg_t *msg, int fd)
{
    fcf_err_t       err;
    fca_carried_t  *c;

    if (control->cursor != FCA_WIRE_PORTS || control->carried[msg->route.port]
        || (c = calloc(1, sizeof(*c))) == NULL)
    {
        fca_wire_close(fd);
        return -1;
    }

    c->control = control;
    c->conf = msg->route;
    control->carried[c->conf.port] = c;
    control->ncarried++;

    if (open_route(c, fd, &err) == 0) {
        fca_carried_answer(c, FCA_WIRE_DONE, msg->head.seq, NULL);

    } else {
        fca_wire_close(fd);
        fca_carried_answer(c, FCA_WIRE_DONE, msg->head.seq, err.msg);
    }

    return 0;
}

/* the route of a port for which nothing is outstanding, and that is open */
static fca_carried_t *
find_open(fca_control_t *control, unsigned port)
{
    fca_carried_t  *c = control->carried[port];

    return c && c->route && !c->answer && !c->conf.closing
           && control->cursor == FCA_WIRE_PORTS ? c : NULL;
}

static int
take_drain(fca_control_t *control, const fca_wire_msg_t *msg)
{
    fca_carried_t  *c = find_open(control, msg->drain.port);

    if (c == NULL) {
        return -1;
    }

    c->conf.draining = msg->drain.on;
    fca_proxy_drain(c->route, (int) msg->drain.on);
    fca_carried_answer(c, FCA_WIRE_DONE, msg->head.seq, NULL);

    return 0;
}

/* 1: of a route that is closing, or was until a moment ago: then the answer to
 * the first CLOSE crosses this one */
static int
guest_died(fca_control_t *control, unsigned port)
{
    fca_carried_t  *c = control->carried[port];

    if (c && c->route && c->conf.closing) {
        fca_proxy_guest_dead(c->route);
        return 1;
    }

    return control->cursor == FCA_WIRE_PORTS
           && (c == NULL || c->answer == FCA_WIRE_CLOSED);
}

static int
take_close(fca_control_t *control, const fca_wire_msg_t *msg)
{
    fca_carried_t  *c;

    if (msg->close.guest_dead && guest_died(control, msg->close.port)) {
        return 0;
    }

    c = find_open(control, msg->close.port);
    if (c == NULL) {
        return -1;
    }

    c->seq = msg->head.seq;
    close_route(c, msg->close.linger_ms, msg->close.grace_ms,
                (int) msg->close.guest_dead);

    return 0;
}

static int
take_access(fca_control_t *control, const fca_wire_msg_t *msg)
{
    unsigned          i;
    fcf_err_t         err;
    fca_cidr_t        allow[FCA_WIRE_NETS_MAX];
    fca_proxy_conf_t  conf;

    for (i = 0; i < msg->access.nnets; i++) {
        allow[i].addr = msg->access.nets[i].addr;
        allow[i].mask = msg->access.nets[i].mask;
    }

    memset(&conf, 0, sizeof(conf));
    conf.token = msg->access.token;
    conf.token_len = msg->access.token_len;
    conf.allow = allow;
    conf.nallow = msg->access.nnets;

    if (fca_proxy_access(control->conf.proxy, &conf, &err) != 0) {
        fca_log(FCF_LOG_ERROR, NULL, "proxy: %s", err.msg);
        return -1;
    }

    control->stay = (int) msg->access.stay;
    control->access_due = 1;
    control->access_seq = msg->head.seq;

    return 0;
}

static int
take_hello(fca_control_t *control, const fca_wire_msg_t *msg)
{
    fca_wire_msg_t  reply;

    if (control->greeted) {
        return -1;
    }

    fca_wire_init(&reply, FCA_WIRE_WELCOME, msg->head.seq);
    reply.welcome.threads = control->conf.threads;

    if (fca_control_send(control, &reply, control->page_fd) != 0) {
        return -1;
    }

    control->greeted = 1;

    return 0;
}

int
fca_control_take(fca_control_t *control, const fca_wire_msg_t *msg, int fd)
{
    if (!control->greeted && msg->head.type != FCA_WIRE_HELLO) {
        fca_wire_close(fd);
        return -1;
    }

    switch (msg->head.type) {

    case FCA_WIRE_HELLO:
        return take_hello(control, msg);

    case FCA_WIRE_ACCESS:
        return take_access(control, msg);

    case FCA_WIRE_LIST:
        if (control->listing || control->cursor) {
            return -1;
        }

        control->listing = 1;
        control->list_seq = msg->head.seq;
        return 0;

    case FCA_WIRE_OPEN:
        return take_open(control, msg, fd);

    case FCA_WIRE_DRAIN:
        return take_drain(control, msg);

    case FCA_WIRE_CLOSE:
        return take_close(control, msg);

    case FCA_WIRE_PING:
        control->pong_due = 1;
        control->pong_seq = msg->head.seq;
        return 0;

    case FCA_WIRE_BYE:
        control->stay = 0;
        close_all(control);
        return 0;
    }

    return -1;
}
