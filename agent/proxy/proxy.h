/*
 * The agent's data path: a reverse proxy with one listening port per VM, on
 * "threads" data loops (epoll) that share nothing with the control loop but
 * counters.  A route belongs to one data loop for its whole life.
 *
 * Called from the control thread only.  Callbacks run on the control thread
 * (through an eventfd watched on its loop), exactly once, never before the
 * starting call returns.
 *
 * Answers of the proxy itself are JSON {"error","message","function_id",
 * "request_id"} with X-Fcfaas-Error: <error>; docs/reference.md lists them.  Before a
 * byte has reached the guest they have X-Fcfaas-Unsent, too.
 *
 * A request is in flight from the moment it has a place until its answer is
 * sent, or its tunnel ended.  How long a guest may take is the gateway's to
 * say; a client that stands still in a body or an answer is cut off here (but
 * for tunnels: those have TCP keepalive).  A guest cut off from the network is
 * noticed by TCP keepalive only, so close the route, guest_dead, when the VM
 * has ended.
 */

#ifndef _FCA_PROXY_H_INCLUDED_
#define _FCA_PROXY_H_INCLUDED_

#include <netinet/in.h>
#include "agent/base/cidr.h"
#include "agent/wire/wire.h"
#include "client/fcf_loop.h"
#include "contract/fcf_names.h"

typedef struct fca_proxy_s  fca_proxy_t;
typedef struct fca_route_s  fca_route_t;

#define FCA_DEVICE_MAX        15        /* IFNAMSIZ - 1 */
#define FCA_ACCESS_TOKEN_MAX  256
#define FCA_ACCESS_ALLOW_MAX  32

typedef struct {
    unsigned            threads;        /* 1..64 */
    const char         *token;          /* demanded in X-Fcfaas-Token */
    size_t              token_len;      /* 0: none demanded */
    const fca_cidr_t   *allow;          /* clients; none: everybody */
    size_t              nallow;
    unsigned            connect_timeout_ms;     /* to the guest; 0: 1000 */
    unsigned            head_timeout_ms;        /* a request's head; 0: 60 s */
    unsigned            idle_timeout_ms;        /* connections that have never
                                                   asked; 0: 75 s */
    unsigned            client_timeout_ms;      /* without a byte more of its
                                                   body, or taken of its
                                                   answer; 0: 60 s */
    unsigned            queue_max;              /* per route before busy */
    unsigned            queue_ms;               /* longest stay in it */
} fca_proxy_conf_t;

fca_proxy_t *fca_proxy_new(fcf_loop_t *control, const fca_proxy_conf_t *conf,
    fcf_err_t *err);
/* Ends all routes and threads, cutting what is in flight; callbacks
 * outstanding run before it returns.  May be called from one. */
void fca_proxy_free(fca_proxy_t *proxy);
/* Who may send requests, from soon on: token and allow of conf.  On failure
 * nothing has changed. */
int fca_proxy_access(fca_proxy_t *proxy, const fca_proxy_conf_t *conf,
    fcf_err_t *err);

typedef struct {
    const char          *function_id;
    const char          *worker_id;     /* for logs */
    const char          *device;        /* by which the guest is reached and
                                           never by another; NULL: any */
    int                  listen_fd;     /* listening, non-blocking; owned by
                                           the route from now on */
    struct sockaddr_in   guest;
    unsigned             concurrency;   /* 0: no limit */
    uint64_t             timeout_ms;    /* of a request, to be counted; it is
                                           the gateway that ends it; 0: none */
    fca_route_stat_t    *stat;          /* zeroed; NULL: the route's own;
                                           valid until done has returned */
} fca_route_conf_t;

/* On failure listen_fd is still the caller's. */
fca_route_t *fca_proxy_open(fca_proxy_t *proxy, const fca_route_conf_t *conf,
    fcf_err_t *err);
const fca_route_stat_t *fca_proxy_stat(const fca_route_t *route);

/* New requests are answered "draining" from now on (0: served again); those in
 * flight or queued go on.  Whoever reads inflight == 0 after this returned
 * knows that the guest is sent nothing more. */
void fca_proxy_drain(fca_route_t *route, int draining);

/* Answers "draining" (or "gone" if the guest is dead) for linger_ms more,
 * lets requests in flight end, cuts them after grace_ms (0: at once), closes
 * the listening socket and what goes to the guest, then calls done once and is
 * gone.  Idle connections of gateways stay: what comes on them is answered
 * "gone". */
typedef void (*fca_route_done_pt)(void *arg);
void fca_proxy_close(fca_route_t *route, unsigned linger_ms,
    unsigned grace_ms, int guest_dead, fca_route_done_pt done, void *arg);
/* The guest of a route that was closed, and is not done yet, has died: what is
 * in flight is told so at once, and the rest of the linger is "gone". */
void fca_proxy_guest_dead(fca_route_t *route);

#endif /* _FCA_PROXY_H_INCLUDED_ */
