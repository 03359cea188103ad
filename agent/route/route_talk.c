#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/route/route_int.h"

#define FCA_OPEN_AGAIN_MS  500

typedef int (*fca_talk_pt)(fca_routes_t *routes, const fca_wire_msg_t *msg,
    int fd, fcf_err_t *err);

int
fca_talk_send(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd)
{
    int        rc;
    fcf_err_t  err;

    rc = fca_wire_send(routes->fd, msg, fd, &err);

    if (rc == 0) {
        (void) routes->conf.loop->io_set(routes->io, FCF_READ | FCF_WRITE);

    } else if (rc < 0) {
        fca_peer_lost(routes, 0, err.msg);
    }

    return rc;
}

/* 0: sent, and its answer awaited; -1: not now */
static int
ask(fca_route_t *route, fca_wire_msg_t *msg, fca_wire_e type, int fd)
{
    fca_routes_t  *routes = route->routes;

    if (fca_talk_send(routes, msg, fd) <= 0) {
        return -1;
    }

    route->asked = type;
    route->seq = msg->head.seq;
    route->told_draining = route->conf.draining;

    return 0;
}

int
fca_talk_open(fca_route_t *route)
{
    int             i;
    fca_wire_msg_t  msg;

    /* A proxy that died may have ended the listening for all who have the
     * socket; where it goes on this changes nothing. */
    if (listen(route->fd, FCA_BACKLOG) != 0 && !route->failed) {
        fca_log(FCF_LOG_ERROR, NULL, "port %u cannot be listened on any "
                "more: %s", route->conf.port, strerror(errno));
    }

    fca_wire_init(&msg, FCA_WIRE_OPEN, ++route->routes->seq);
    msg.route = route->conf;
    msg.route.requests = atomic_load(&route->blank.requests);
    msg.route.drained = atomic_load(&route->blank.drained);

    for (i = 0; i < FCA_COUNTS; i++) {
        msg.route.counts[i] = atomic_load(&route->blank.counts[i]);
    }

    return ask(route, &msg, FCA_WIRE_OPEN, route->fd);
}

int
fca_talk_drain(fca_route_t *route)
{
    fca_wire_msg_t  msg;

    fca_wire_init(&msg, FCA_WIRE_DRAIN, ++route->routes->seq);
    msg.drain.port = route->conf.port;
    msg.drain.on = route->conf.draining;

    return ask(route, &msg, FCA_WIRE_DRAIN, -1);
}

int
fca_talk_close(fca_route_t *route)
{
    fca_wire_msg_t  msg;

    fca_wire_init(&msg, FCA_WIRE_CLOSE, ++route->routes->seq);
    msg.close.port = route->conf.port;
    msg.close.linger_ms = route->linger_ms;
    msg.close.grace_ms = route->grace_ms;
    msg.close.guest_dead = (uint32_t) route->guest_dead;

    if (ask(route, &msg, FCA_WIRE_CLOSE, -1) != 0) {
        return -1;
    }

    route->dead_due = 0;

    return 0;
}

/* ACCESS and LIST, after WELCOME */
int
fca_talk_greet(fca_routes_t *routes)
{
    size_t                    i;
    fca_wire_msg_t            msg;
    const fca_routes_conf_t  *conf = &routes->conf;

    if (!routes->access_told) {
        fca_wire_init(&msg, FCA_WIRE_ACCESS, ++routes->seq);
        msg.access.token_len = (uint32_t) conf->token_len;
        msg.access.nnets = (uint32_t) conf->nallow;
        msg.access.stay = conf->keep;

        if (conf->token_len) {
            memcpy(msg.access.token, conf->token, conf->token_len);
        }

        for (i = 0; i < conf->nallow; i++) {
            msg.access.nets[i].addr = conf->allow[i].addr;
            msg.access.nets[i].mask = conf->allow[i].mask;
        }

        if (fca_talk_send(routes, &msg, -1) <= 0) {
            return -1;
        }

        routes->access_told = 1;
        routes->access_seq = msg.head.seq;
    }

    if (!routes->list_told) {
        fca_wire_init(&msg, FCA_WIRE_LIST, ++routes->seq);

        if (fca_talk_send(routes, &msg, -1) <= 0) {
            return -1;
        }

        routes->list_told = 1;
        routes->list_seq = msg.head.seq;
        routes->listed = 0;
    }

    return 0;
}

static int
mad(fcf_err_t *err, const char *what)
{
    return fcf_err_set(err, FCF_E_PROTOCOL, "%s", what);
}

static int
take_welcome(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd,
    fcf_err_t *err)
{
    if (routes->state != FCA_PEER_GREETING
        || msg->head.seq != routes->hello_seq)
    {
        return mad(err, "WELCOME, unasked");
    }

    routes->page = fca_wire_page_map(fd, err);
    if (routes->page == NULL) {
        return -1;
    }

    if (routes->conf.program && msg->welcome.threads != routes->conf.threads) {
        fca_log(FCF_LOG_WARN, NULL, "the proxy was started with %u threads, "
                "not %u", msg->welcome.threads, routes->conf.threads);
    }

    routes->state = FCA_PEER_LISTING;
    routes->access_told = routes->list_told = 0;
    (void) fca_talk_greet(routes);

    return 0;
}

/* ours, still there after the connection was lost */
static int
take_known(fca_route_t *route, const fca_wire_route_t *conf, int fd,
    fcf_err_t *err)
{
    fca_wire_route_t  own = route->conf;

    own.draining = conf->draining;
    own.closing = conf->closing;
    own.requests = conf->requests;
    own.drained = conf->drained;
    memcpy(own.counts, conf->counts, sizeof(own.counts));

    if (route->listed || memcmp(&own, conf, sizeof(own)) != 0) {
        return mad(err, "ROUTE that contradicts what it was told");
    }

    fca_wire_close(fd);
    route->listed = route->known = 1;
    route->told_draining = conf->draining;

    if (conf->closing) {
        route->asked = FCA_WIRE_CLOSE;
    }

    return 0;
}

/* of a process before us, whose settings may have been others */
static int
take_found(fca_routes_t *routes, const fca_wire_route_t *conf, int fd,
    int elsewhere)
{
    fca_route_t  *route;

    route = fca_route_new(routes, conf, fd);
    if (route == NULL) {
        fca_wire_close(fd);
        fca_log(FCF_LOG_ERROR, NULL, "out of memory");
        return 0;
    }

    route->conf.closing = 0;
    route->conf.draining = 0;
    route->listed = route->known = 1;
    route->told_draining = conf->draining;
    route->elsewhere = elsewhere;

    if (conf->closing) {
        route->found = 1;
        route->asked = FCA_WIRE_CLOSE;
        return 0;
    }

    route->found = !routes->settled;
    route->closing = routes->settled;

    return 0;
}

static int
take_route(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd,
    fcf_err_t *err)
{
    int             elsewhere;
    fca_route_t    *known;
    struct in_addr  addr;

    if (routes->state != FCA_PEER_LISTING || !routes->list_told
        || msg->head.seq != routes->list_seq)
    {
        return mad(err, "ROUTE, unasked");
    }

    addr = routes->conf.address;

    if (fd != -1 && fca_wire_port(fd, &addr) != (int) msg->route.port) {
        return mad(err, "ROUTE with a descriptor that is not its socket");
    }

    /* msg is checked, so port is below FCA_WIRE_PORTS */
    known = routes->by_port[msg->route.port];
    elsewhere = addr.s_addr != routes->conf.address.s_addr;

    if (elsewhere && (known ? !known->elsewhere : routes->settled)) {
        return mad(err, "ROUTE with a socket of another address");
    }

    routes->listed++;

    return known ? take_known(known, &msg->route, fd, err)
                 : take_found(routes, &msg->route, fd, elsewhere);
}

static int
take_listed(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd,
    fcf_err_t *err)
{
    fca_route_t  *route;

    (void) fd;

    if (routes->state != FCA_PEER_LISTING || !routes->list_told
        || msg->head.seq != routes->list_seq
        || msg->listed.count != routes->listed || routes->access_seq)
    {
        return mad(err, "LISTED, unasked or with a wrong count");
    }

    routes->state = FCA_PEER_LIVE;
    routes->since = routes->conf.loop->now(routes->conf.loop);
    routes->absent = 0;
    fca_log(FCF_LOG_INFO, NULL, "the proxy, process %d, is there: it has %u "
            "routes, we %u", (int) routes->pid, routes->listed,
            routes->nroutes);

    TAILQ_FOREACH(route, &routes->all, link) {
        route->listed = 0;
        fca_route_due(route);
    }

    return 0;
}

static void
not_opened(fca_route_t *route, const char *why)
{
    fca_routes_t   *routes = route->routes;
    fca_log_ctx_t   ctx = { .function_id = route->conf.function_id,
                            .vm = route->conf.worker_id };

    if (route->failed++ % 20 == 0) {
        fca_log(FCF_LOG_WARN, &ctx, "the proxy cannot open port %u: %s; tried "
                "again every %d ms", route->conf.port, why,
                FCA_OPEN_AGAIN_MS);
    }

    routes->conf.loop->timer_set(routes->again, FCA_OPEN_AGAIN_MS);
}

static int
take_done(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd,
    fcf_err_t *err)
{
    fca_wire_e    asked;
    fca_route_t  *route = routes->by_port[msg->done.port];

    (void) fd;

    /* it has another agent, which may be about to end */
    if (routes->state == FCA_PEER_GREETING && msg->done.failed) {
        fca_peer_lost(routes, 0, msg->done.text);
        return 0;
    }

    if (routes->access_seq && msg->head.seq == routes->access_seq) {
        routes->access_seq = 0;
        return msg->done.failed ? mad(err, "ACCESS refused") : 0;
    }

    if (route == NULL || route->seq != msg->head.seq
        || (route->asked != FCA_WIRE_OPEN && route->asked != FCA_WIRE_DRAIN))
    {
        return mad(err, "DONE, unasked");
    }

    asked = route->asked;
    route->asked = 0;

    if (!msg->done.failed) {
        route->known = 1;
        route->failed = 0;

    } else if (asked == FCA_WIRE_DRAIN) {
        return mad(err, "DRAIN refused");

    } else {
        not_opened(route, msg->done.text);
    }

    if (route->known || route->closing) {
        fca_route_due(route);
    }

    return 0;
}

static int
take_closed(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd,
    fcf_err_t *err)
{
    fca_route_t  *route = routes->by_port[msg->closed.port];

    (void) fd;

    if (route == NULL || route->asked != FCA_WIRE_CLOSE) {
        return mad(err, "CLOSED, unasked");
    }

    route->asked = 0;
    fca_route_unknown(route);

    /* one that closed before our time */
    if (route->found) {
        route->closing = 1;
    }

    fca_route_due(route);

    return 0;
}

static int
take_pong(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd,
    fcf_err_t *err)
{
    (void) fd;

    if (!routes->pinged || msg->head.seq != routes->ping_seq) {
        return mad(err, "PONG, unasked");
    }

    routes->pinged = 0;
    routes->silent = 0;

    if (routes->complained) {
        routes->complained = 0;
        fca_log(FCF_LOG_INFO, NULL, "the proxy answers again");
    }

    return 0;
}

static const fca_talk_pt  fca_talk_table[FCA_WIRE_NTYPES] = {
    [FCA_WIRE_WELCOME] = take_welcome,
    [FCA_WIRE_ROUTE] = take_route,
    [FCA_WIRE_LISTED] = take_listed,
    [FCA_WIRE_DONE] = take_done,
    [FCA_WIRE_CLOSED] = take_closed,
    [FCA_WIRE_PONG] = take_pong,
};

int
fca_talk_take(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd,
    fcf_err_t *err)
{
    int  rc;

    rc = fca_talk_table[msg->head.type](routes, msg, fd, err);

    /* a route's socket is kept, all else was only to be looked at */
    if (msg->head.type != FCA_WIRE_ROUTE || rc != 0) {
        fca_wire_close(fd);
    }

    return rc;
}
