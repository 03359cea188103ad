#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/clock.h"
#include "agent/route/route_int.h"

void
fca_routes_kick(fca_routes_t *routes)
{
    if (routes->kick) {
        routes->conf.loop->timer_set(routes->kick, 0);
    }
}

void
fca_route_due(fca_route_t *route)
{
    if (!route->queued) {
        route->queued = 1;
        TAILQ_INSERT_TAIL(&route->routes->due, route, due);
    }
}

static void
not_due(fca_route_t *route)
{
    if (route->queued) {
        route->queued = 0;
        TAILQ_REMOVE(&route->routes->due, route, due);
    }
}

void
fca_route_unknown(fca_route_t *route)
{
    int                      i;
    const fca_route_stat_t  *stat = fca_route_stat(route);

    for (i = 0; i < FCA_COUNTS; i++) {
        atomic_store(&route->blank.counts[i], atomic_load(&stat->counts[i]));
    }

    atomic_store(&route->blank.requests, atomic_load(&stat->requests));
    atomic_store(&route->blank.drained, atomic_load(&stat->drained));
    atomic_store(&route->blank.last_ms, fca_monotonic_ms());
    route->known = 0;
}

fca_route_t *
fca_route_new(fca_routes_t *routes, const fca_wire_route_t *conf, int fd)
{
    fca_route_t  *route;

    assert(routes->by_port[conf->port] == NULL);

    route = calloc(1, sizeof(*route));
    if (route == NULL) {
        return NULL;
    }

    route->routes = routes;
    route->conf = *conf;
    route->fd = fd;
    fca_route_unknown(route);
    routes->by_port[conf->port] = route;
    routes->nroutes++;
    TAILQ_INSERT_TAIL(&routes->all, route, link);

    return route;
}

void
fca_route_over(fca_route_t *route)
{
    fca_routes_t  *routes = route->routes;

    not_due(route);
    TAILQ_REMOVE(&routes->all, route, link);
    routes->by_port[route->conf.port] = NULL;
    routes->nroutes--;

    fca_wire_close(route->fd);
    route->fd = -1;
    TAILQ_INSERT_TAIL(&routes->over, route, link);
}

/* The last that is heard of a route.  1: the routes are gone too. */
static int
tell_over(fca_routes_t *routes)
{
    fca_route_t  *route;

    while ((route = TAILQ_FIRST(&routes->over)) != NULL) {
        TAILQ_REMOVE(&routes->over, route, link);

        if (route->drained) {
            route->drained(route->drained_arg);
        }

        if (route->done) {
            route->done(route->done_arg);
        }

        free(route);
    }

    return routes->freed;
}

static void
settled(fca_route_t *route)
{
    fca_route_done_pt  drained = route->drained;

    if (drained && route->known && !route->asked
        && route->told_draining == route->conf.draining)
    {
        route->drained = NULL;
        drained(route->drained_arg);
    }
}

/* What is to be said of it next; 0: said, or nothing is; -1: not now. */
static int
next_step(fca_route_t *route)
{
    if (route->asked == FCA_WIRE_CLOSE && route->dead_due
        && route->routes->state == FCA_PEER_LIVE)
    {
        return fca_talk_close(route);
    }

    if (route->asked) {
        return 0;
    }

    if (route->closing && !route->known) {
        fca_route_over(route);
        return 0;
    }

    if (route->routes->state != FCA_PEER_LIVE || route->found) {
        return 0;
    }

    if (route->closing) {
        return fca_talk_close(route);
    }

    if (!route->known) {
        return fca_talk_open(route);
    }

    if (route->told_draining != route->conf.draining) {
        return fca_talk_drain(route);
    }

    settled(route);

    return 0;
}

/* Callbacks may free the routes: nobody looks at them after this but by its
 * own caller's leave. */
void
fca_routes_flush(fca_routes_t *routes)
{
    fca_route_t  *route;

    if (routes->running) {
        fca_routes_kick(routes);
        return;
    }

    routes->running = 1;

    if (routes->state == FCA_PEER_LIVE && !routes->was_up) {
        routes->was_up = 1;
        routes->conf.up(routes->conf.arg);
    }

    while (!routes->freed && (route = TAILQ_FIRST(&routes->due)) != NULL) {
        not_due(route);

        if (next_step(route) != 0) {
            if (!routes->freed && routes->state == FCA_PEER_LIVE) {
                route->queued = 1;
                TAILQ_INSERT_HEAD(&routes->due, route, due);
            }

            break;
        }
    }

    (void) tell_over(routes);
    routes->running = 0;

    if (routes->freed) {
        free(routes);
    }
}

static void
kicked(void *arg)
{
    fca_routes_flush(arg);
}

static void
open_again(void *arg)
{
    fca_route_t   *route;
    fca_routes_t  *routes = arg;

    TAILQ_FOREACH(route, &routes->all, link) {
        fca_route_due(route);
    }

    fca_routes_flush(routes);
}

void
fca_routes_unknown(fca_routes_t *routes)
{
    fca_route_t  *route;

    TAILQ_FOREACH(route, &routes->all, link) {
        route->asked = 0;
        route->listed = 0;
        route->failed = 0;
        fca_route_unknown(route);
        fca_route_due(route);

        /* of one that was closing before our time nothing is left to hold */
        if (route->found && route->fd == -1) {
            route->closing = 1;
        }
    }

    fca_routes_kick(routes);
}

fca_routes_t *
fca_routes_new(const fca_routes_conf_t *conf, fcf_err_t *err)
{
    fcf_loop_t    *loop = conf->loop;
    fca_routes_t  *routes;

    if (conf->token_len > FCA_WIRE_TOKEN_MAX
        || conf->nallow > FCA_WIRE_NETS_MAX)
    {
        fcf_err_set(err, FCF_E_LIMIT, "a token of %zu bytes, %zu networks: "
                    "more than the proxy takes", conf->token_len,
                    conf->nallow);
        return NULL;
    }

    routes = calloc(1, sizeof(*routes));
    if (routes == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "out of memory");
        return NULL;
    }

    routes->conf = *conf;
    routes->fd = routes->pidfd = -1;
    TAILQ_INIT(&routes->all);
    TAILQ_INIT(&routes->due);
    TAILQ_INIT(&routes->over);
    routes->by_port = calloc(FCA_WIRE_PORTS, sizeof(fca_route_t *));
    routes->kick = loop->timer_new(loop, kicked, routes);
    routes->again = loop->timer_new(loop, open_again, routes);

    if (!routes->by_port || !routes->kick || !routes->again) {
        fcf_err_set(err, FCF_E_NOMEM, "out of memory");

    } else if (fca_peer_init(routes, err) == 0) {
        return routes;
    }

    (void) fca_routes_free(routes);

    return NULL;
}

void
fca_routes_ending(fca_routes_t *routes)
{
    routes->conf.keep = 0;
    routes->ending = 1;

    if (routes->conf.patience_s > FCA_END_PATIENCE_S) {
        routes->conf.patience_s = FCA_END_PATIENCE_S;
    }
}

int
fca_routes_free(fca_routes_t *routes)
{
    int           ends;
    fca_route_t  *route;

    if (routes == NULL) {
        return 0;
    }

    fca_routes_unknown(routes);
    ends = fca_peer_end(routes);

    while ((route = TAILQ_FIRST(&routes->all)) != NULL) {
        fca_route_over(route);
    }

    if (routes->kick) {
        routes->conf.loop->timer_free(routes->kick);
    }

    if (routes->again) {
        routes->conf.loop->timer_free(routes->again);
    }

    free(routes->by_port);
    routes->freed = 1;
    (void) tell_over(routes);

    /* called from a callback: whoever ran that ends it */
    if (!routes->running) {
        free(routes);
    }

    return ends;
}

int
fca_routes_live(const fca_routes_t *routes)
{
    return routes->state == FCA_PEER_LIVE;
}

void
fca_routes_access(fca_routes_t *routes, const char *token, size_t token_len,
    const fca_cidr_t *allow, size_t nallow)
{
    routes->conf.token = token;
    routes->conf.token_len = token_len;
    routes->conf.allow = allow;
    routes->conf.nallow = nallow;
    routes->access_told = 0;

    if (routes->state == FCA_PEER_LIVE && !routes->access_seq) {
        (void) fca_talk_greet(routes);
    }
}

void
fca_routes_settle(fca_routes_t *routes)
{
    fca_route_t  *route;

    routes->settled = 1;

    TAILQ_FOREACH(route, &routes->all, link) {
        if (route->found && route->fd != -1) {
            route->found = 0;
            route->closing = 1;
            fca_route_due(route);
        }
    }

    fca_routes_kick(routes);
}
