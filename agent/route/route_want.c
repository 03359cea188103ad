/* What the agent wants of one route. */

#include <assert.h>
#include <string.h>
#include "agent/route/route_int.h"

fca_route_t *
fca_route_take(fca_routes_t *routes, unsigned port, const char *worker_id)
{
    fca_route_t  *route;

    route = port < FCA_WIRE_PORTS ? routes->by_port[port] : NULL;

    if (route == NULL || !route->found || route->fd == -1 || route->closing
        || strcmp(route->conf.worker_id, worker_id) != 0)
    {
        return NULL;
    }

    route->found = 0;
    fca_route_due(route);
    fca_routes_kick(routes);

    return route;
}

int
fca_route_elsewhere(const fca_route_t *route)
{
    return route->elsewhere;
}

fca_route_t *
fca_route_take_closing(fca_routes_t *routes, unsigned port,
    const char *worker_id, fca_route_done_pt done, void *arg)
{
    fca_route_t  *route;

    route = port < FCA_WIRE_PORTS ? routes->by_port[port] : NULL;

    if (route == NULL || !route->found || route->asked != FCA_WIRE_CLOSE
        || strcmp(route->conf.worker_id, worker_id) != 0)
    {
        return NULL;
    }

    route->found = 0;
    route->closing = 1;
    route->done = done;
    route->done_arg = arg;

    return route;
}

fca_route_t *
fca_route_open(fca_routes_t *routes, const fca_route_conf_t *conf,
    fcf_err_t *err)
{
    int                port;
    size_t             function_len, worker_len;
    fca_route_t       *route;
    const char        *device;
    struct in_addr     addr;
    fca_wire_route_t   wire;

    port = fca_wire_port(conf->listen_fd, &addr);
    device = conf->device ? conf->device : "";
    function_len = strlen(conf->function_id);
    worker_len = strlen(conf->worker_id);

    if (port < 1 || addr.s_addr != routes->conf.address.s_addr
        || !fcf_id_valid(conf->function_id, function_len)
        || !fcf_worker_id_valid(conf->worker_id, worker_len)
        || strlen(device) >= IFNAMSIZ)
    {
        fcf_err_set(err, FCF_E_INVALID, "route: bad function_id \"%s\", "
                    "worker_id \"%s\", device \"%s\" or socket",
                    conf->function_id, conf->worker_id, device);
        return NULL;
    }

    if (routes->by_port[port]) {
        fcf_err_set(err, FCF_E_EXISTS, "route: port %d has one", port);
        return NULL;
    }

    memset(&wire, 0, sizeof(wire));
    wire.port = (uint32_t) port;
    wire.guest_addr = conf->guest.sin_addr.s_addr;
    wire.guest_port = ntohs(conf->guest.sin_port);
    wire.concurrency = conf->concurrency;
    wire.timeout_ms = conf->timeout_ms;
    memcpy(wire.device, device, strlen(device));
    memcpy(wire.function_id, conf->function_id, function_len);
    memcpy(wire.worker_id, conf->worker_id, worker_len);

    route = fca_route_new(routes, &wire, conf->listen_fd);
    if (route == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "out of memory");
        return NULL;
    }

    fca_route_due(route);
    fca_routes_kick(routes);

    return route;
}

unsigned
fca_route_port(const fca_route_t *route)
{
    return route->conf.port;
}

const fca_route_stat_t *
fca_route_stat(const fca_route_t *route)
{
    return route->known && route->routes->page
           ? &route->routes->page[route->conf.port] : &route->blank;
}

void
fca_route_drain(fca_route_t *route, int draining, fca_route_done_pt done,
    void *arg)
{
    assert(!done || !route->drained);

    route->conf.draining = !!draining;

    if (done) {
        route->drained = done;
        route->drained_arg = arg;
    }

    fca_route_due(route);
    fca_routes_kick(route->routes);
}

void
fca_route_close(fca_route_t *route, unsigned linger_ms, unsigned grace_ms,
    int guest_dead, fca_route_done_pt done, void *arg)
{
    assert(!route->closing);

    route->closing = 1;
    route->linger_ms = linger_ms;
    route->grace_ms = grace_ms;
    route->guest_dead = !!guest_dead;
    route->done = done;
    route->done_arg = arg;

    fca_route_due(route);
    fca_routes_kick(route->routes);
}

void
fca_route_guest_dead(fca_route_t *route)
{
    assert(route->closing);

    if (!route->guest_dead) {
        route->guest_dead = 1;
        route->dead_due = 1;
        fca_route_due(route);
        fca_routes_kick(route->routes);
    }
}
