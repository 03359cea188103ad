/*
 * Routes, at the agent's end: each is a listening port whose connections
 * fcfaas-proxy, a process of its own, carries to one guest (agent/wire/wire.h
 * is what the two say to each other).  The listening descriptors are kept
 * here as well, so when the proxy dies the next one is given them, and whoever
 * connects meanwhile waits in their backlog.
 *
 * Nothing waits for the proxy: what it has to be told is told when it can be,
 * in order, and what it last knew is put right when it is there again.  It is
 * exposed to guests; what it says is checked, and one that says something it
 * must not, or nothing for long, is killed.
 *
 * Callbacks run from the loop, exactly once, never before the starting call
 * returns.
 */

#ifndef _FCA_ROUTE_H_INCLUDED_
#define _FCA_ROUTE_H_INCLUDED_

#include <netinet/in.h>
#include <uv.h>
#include "agent/base/cidr.h"
#include "agent/base/listen.h"
#include "agent/wire/wire.h"
#include "client/fcf_loop.h"

typedef struct fca_routes_s  fca_routes_t;
typedef struct fca_route_s   fca_route_t;

/* Copied; what the pointers lead to must outlive the routes. */
typedef struct {
    fcf_loop_t         *loop;
    uv_loop_t          *uv;             /* the same loop */
    const char         *socket;         /* where the proxy listens */
    const char         *program;        /* started while none does, with the
                                           next four; NULL: others start it */
    const char         *user;
    const char         *node_id;
    const char         *log_level;
    unsigned            threads;
    uid_t               uid;            /* of the proxy, to be checked */
    int                 keep;           /* routes outlive us */
    struct in_addr      address;        /* of all listening sockets */
    const char         *token;          /* demanded of clients */
    size_t              token_len;      /* 0: none */
    const fca_cidr_t   *allow;          /* none: everybody */
    size_t              nallow;
    unsigned            patience_s;     /* with a silent proxy; 0: 20 */
    /* a proxy is there, for the first time, and has told what it carries */
    void              (*up)(void *arg);
    /* the proxy that was ended with us has ended; NULL: nobody waits */
    void              (*ended)(void *arg);
    void               *arg;
} fca_routes_conf_t;

fca_routes_t *fca_routes_new(const fca_routes_conf_t *conf, fcf_err_t *err);
/* They are about to be freed, each is being closed, and nothing is kept: no
 * other proxy is started, and less patience had with a silent one. */
void fca_routes_ending(fca_routes_t *routes);
/* Ends all routes, cutting what is in flight, and a proxy that was started
 * here, or with conf.keep leaves both as they are.  Callbacks outstanding run
 * before it returns.  May be called from one.  The proxy has its time to end,
 * and is killed then: 1: conf.ended will be told, for which the loop has to
 * run; 0: there is nothing to wait for. */
int fca_routes_free(fca_routes_t *routes);
int fca_routes_live(const fca_routes_t *routes);

/* What the proxy carried when it was first met, for whoever goes on with it:
 * the worker's route on this port, NULL if there is none.  After the second
 * call what nobody took is closed. */
fca_route_t *fca_route_take(fca_routes_t *routes, unsigned port,
    const char *worker_id);
void fca_routes_settle(fca_routes_t *routes);
/* It listens on another address than routes do by now: it can go on, but new
 * ones are not opened there. */
int fca_route_elsewhere(const fca_route_t *route);
/* one that was closing already: done as of fca_route_close() */
fca_route_t *fca_route_take_closing(fca_routes_t *routes, unsigned port,
    const char *worker_id, void (*done)(void *arg), void *arg);

/* Who may send requests, from now on; the pointers as of the conf. */
void fca_routes_access(fca_routes_t *routes, const char *token,
    size_t token_len, const fca_cidr_t *allow, size_t nallow);

typedef struct {
    const char          *function_id;
    const char          *worker_id;
    int                  listen_fd;     /* of fca_listen(); owned by the
                                           route from now on */
    const char          *device;        /* to the guest; NULL: any */
    struct sockaddr_in   guest;
    unsigned             concurrency;   /* 0: no limit */
    uint64_t             timeout_ms;    /* of a request, to be counted; it is
                                           the gateway that ends it; 0: none */
} fca_route_conf_t;

/* On failure listen_fd is still the caller's. */
fca_route_t *fca_route_open(fca_routes_t *routes, const fca_route_conf_t *conf,
    fcf_err_t *err);
unsigned fca_route_port(const fca_route_t *route);

/* Counters, which go on from proxy to proxy.  While none has the route nothing
 * is in flight, and it is not idle.  Valid until the loop goes on, and in the
 * callback of fca_route_close(); as they are the proxy's they may say anything
 * at all. */
const fca_route_stat_t *fca_route_stat(const fca_route_t *route);

/* New requests are answered "draining" from now on (0: served again); those in
 * flight or queued go on.  done, if not NULL, is called when the proxy has
 * said that it holds: whoever then reads inflight == 0 knows that the guest is
 * sent nothing more.  It comes before that of fca_route_close(), and not
 * while there is no proxy.  One at a time. */
typedef void (*fca_route_done_pt)(void *arg);
void fca_route_drain(fca_route_t *route, int draining, fca_route_done_pt done,
    void *arg);

/* Answers "draining" (or "gone" if the guest is dead) for linger_ms more,
 * lets requests in flight end, cuts them after grace_ms (0: at once), closes
 * the listening socket and every connection, then calls done once and is
 * gone. */
void fca_route_close(fca_route_t *route, unsigned linger_ms,
    unsigned grace_ms, int guest_dead, fca_route_done_pt done, void *arg);
/* The guest of one that was closed, and is not done yet, has died meanwhile:
 * nothing waits for it any more, and what comes still hears "gone". */
void fca_route_guest_dead(fca_route_t *route);

#endif /* _FCA_ROUTE_H_INCLUDED_ */
