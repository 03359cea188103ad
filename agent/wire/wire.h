/*
 * What fcfaas-agent and fcfaas-proxy say to each other, over one SEQPACKET
 * socket on which the proxy listens: one message a packet, of fixed size for
 * its type, in the host's byte order, with at most one descriptor.
 *
 * A route is known by its port: its listening socket has it, so no two have
 * the same.  Counters lie in one page per proxy, in a place for each port.
 *
 *   agent                     proxy
 *   HELLO                     WELCOME + page        first of all
 *   ACCESS                    DONE                  who may send requests,
 *                                                   and who outlives whom
 *   LIST                      ROUTE ..., LISTED     what it carries already;
 *                                                   + listening socket, unless
 *                                                   the route is closing
 *   OPEN + listening socket   DONE
 *   DRAIN                     DONE                  once it holds
 *   CLOSE                     CLOSED                once it is over
 *   CLOSE again                                     its guest has died since;
 *                                                   the first one's CLOSED
 *                                                   may cross it
 *   PING                      PONG
 *   BYE                                             close all, at once, and
 *                                                   do not stay
 *
 * One OPEN or DRAIN is outstanding for a port at a time; everything from the
 * proxy answers something.  Whoever breaks this, or sends what does not decode,
 * is cut off: the proxy's end is exposed to guests, so the agent believes
 * nothing that it has not checked.
 */

#ifndef _FCA_WIRE_H_INCLUDED_
#define _FCA_WIRE_H_INCLUDED_

#include <net/if.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include "contract/fcf_err.h"
#include "contract/fcf_names.h"

/* of everything but the head, HELLO and WELCOME, which never change */
#define FCA_WIRE_VERSION    2

#define FCA_WIRE_PORTS      65536
#define FCA_WIRE_TOKEN_MAX  256
#define FCA_WIRE_NETS_MAX   32
#define FCA_WIRE_TEXT_MAX   160

typedef enum {
    FCA_WIRE_HELLO = 1,
    FCA_WIRE_ACCESS,
    FCA_WIRE_LIST,
    FCA_WIRE_OPEN,
    FCA_WIRE_DRAIN,
    FCA_WIRE_CLOSE,
    FCA_WIRE_PING,
    FCA_WIRE_BYE,
    FCA_WIRE_WELCOME,
    FCA_WIRE_ROUTE,
    FCA_WIRE_LISTED,
    FCA_WIRE_DONE,
    FCA_WIRE_CLOSED,
    FCA_WIRE_PONG,
    FCA_WIRE_NTYPES
} fca_wire_e;

typedef enum { FCA_WIRE_AGENT = 1, FCA_WIRE_PROXY = 2 } fca_wire_side_e;

typedef struct {
    uint32_t        magic;
    uint16_t        version;
    uint16_t        type;
    uint32_t        len;                /* of the whole message */
    uint32_t        seq;                /* an answer has its request's */
} fca_wire_head_t;

/* What else is counted of a route: answers of functions by class (101 with the
 * first), the proxy's own, and bytes sent to guests and to clients. */
typedef enum {
    FCA_COUNT_2XX = 0,
    FCA_COUNT_3XX,
    FCA_COUNT_4XX,
    FCA_COUNT_5XX,
    FCA_COUNT_OWN,
    FCA_COUNT_IN,
    FCA_COUNT_OUT,
    FCA_COUNTS
} fca_count_e;

typedef struct {
    uint32_t        port;
    uint32_t        guest_addr;         /* network byte order */
    uint32_t        guest_port;
    uint32_t        concurrency;        /* 0: no limit */
    uint32_t        draining;           /* 0 or 1 */
    uint32_t        closing;            /* 0 or 1, of ROUTE alone */
    uint32_t        reserved;           /* 0 */
    uint64_t        timeout_ms;         /* of one request; 0: none */
    uint64_t        requests, drained;  /* counters to go on from, of OPEN */
    uint64_t        counts[FCA_COUNTS];
    char            device[IFNAMSIZ];   /* to the guest; "": any */
    char            function_id[FCF_ID_MAX + 4];
    char            worker_id[FCF_WORKER_ID_MAX + 4];
} fca_wire_route_t;

typedef struct {
    fca_wire_head_t  head;
    union {
        struct {
            uint32_t  threads;          /* of the proxy's */
        } welcome;
        struct {
            uint32_t  token_len;        /* 0: none is demanded */
            uint32_t  nnets;            /* 0: from everywhere */
            uint32_t  stay;             /* 1: a proxy that an agent started
                                           outlives it */
            struct {
                uint32_t  addr, mask;   /* network byte order */
            } nets[FCA_WIRE_NETS_MAX];
            char      token[FCA_WIRE_TOKEN_MAX];
        } access;
        fca_wire_route_t  route;
        struct {
            uint32_t  port;
            uint32_t  on;               /* 0 or 1 */
        } drain;
        struct {
            uint32_t  port;
            uint32_t  linger_ms, grace_ms;
            uint32_t  guest_dead;       /* 0 or 1 */
        } close;
        struct {
            uint32_t  count;            /* of ROUTE messages */
        } listed;
        struct {
            uint32_t  port;             /* 0: of ACCESS */
            uint32_t  failed;           /* 0 or 1; then text says why */
            char      text[FCA_WIRE_TEXT_MAX];
        } done;
        struct {
            uint32_t  port;
        } closed;
    };
} fca_wire_msg_t;

/* A route's counters, written by the proxy, read by the agent.  The page is
 * sealed memory of FCA_WIRE_PAGE bytes, one place for each port. */
typedef struct {
    _Atomic uint32_t  inflight;         /* requests, tunnels included */
    _Atomic uint32_t  refused;          /* guest connects refused or timed out
                                           in a row */
    _Atomic uint32_t  timeouts;         /* requests that took timeout_ms, or
                                           were given up then, in a row */
    _Atomic uint64_t  requests;
    _Atomic uint64_t  last_ms;          /* CLOCK_MONOTONIC ms when inflight last
                                           became 0, or of the route's birth */
    _Atomic uint64_t  drained;          /* requests answered "draining" */
    _Atomic uint64_t  counts[FCA_COUNTS];
    uint64_t          reserved[4];
} fca_route_stat_t;

_Static_assert(sizeof(fca_route_stat_t) == 128, "places share no cache line");

#define FCA_WIRE_PAGE  (FCA_WIRE_PORTS * sizeof(fca_route_stat_t))

/* a message with its head filled in, all else zero */
void fca_wire_init(fca_wire_msg_t *msg, fca_wire_e type, uint32_t seq);

/* Is this a message as "from" may send it, with this number of descriptors?
 * FCF_E_REFUSED: of another version. */
int fca_wire_check(const fca_wire_msg_t *msg, size_t len, unsigned nfds,
    fca_wire_side_e from, fcf_err_t *err) fcf_must_check;
const char *fca_wire_name(unsigned type);

/* wire_sock.c: descriptors are non-blocking and close on exec. */

/* binds, replacing a socket that is there; listens only with
 * fca_wire_listen(), so that peers see who does that */
int fca_wire_bind(const char *path, fcf_err_t *err);
int fca_wire_listen(int fd, fcf_err_t *err);
int fca_wire_connect(const char *path, fcf_err_t *err);
/* who listened or connected at the other end */
int fca_wire_peer(int fd, pid_t *pid, uid_t *uid, fcf_err_t *err);

/* 1: sent; 0: not now; -1: the peer is gone.  fd: passed along; -1: none */
int fca_wire_send(int sock, const fca_wire_msg_t *msg, int fd, fcf_err_t *err);
/* 1: checked; *fd is the caller's, or -1; 0: nothing now; -1: the peer is
 * gone (FCF_E_UNAVAILABLE), or has to be cut off */
int fca_wire_recv(int sock, fca_wire_msg_t *msg, int *fd, fca_wire_side_e from,
    fcf_err_t *err);
/* of a descriptor that a peer has sent: never waits */
void fca_wire_close(int fd);

/* the page: made, or of a peer's; the latter is read only */
fca_route_stat_t *fca_wire_page_new(int *fd, fcf_err_t *err);
const fca_route_stat_t *fca_wire_page_map(int fd, fcf_err_t *err);
void fca_wire_page_unmap(const fca_route_stat_t *page);

/* the port of a listening TCP socket over IPv4; -1: it is none */
int fca_wire_port(int fd, struct in_addr *addr);

#endif /* _FCA_WIRE_H_INCLUDED_ */
