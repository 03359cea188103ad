/*
 * Inside of the proxy.  Everything here belongs to one data loop and is
 * touched by its thread only, but for what is said to be shared.
 *
 * proxy.c         the public functions, on the control thread
 * proxy_access.c  token and networks
 * proxy_loop.c    a data loop: waiting, messages, the dead
 * proxy_buf.c     its buffers
 * proxy_route.c   a route: admission, queue
 * proxy_accept.c  its clients
 * proxy_close.c   its end
 * proxy_flight.c  requests in flight, and those that hang
 * proxy_idle.c    idle client connections, and descriptors
 * proxy_conn.c    a client connection and its states
 * proxy_request.c requests' heads
 * proxy_end.c     what follows an answer: the next request, or the end
 * proxy_relay.c   moving a request to its guest
 * proxy_response.c  and its response to the client
 * proxy_guest.c   guest connections and their pool
 * proxy_answer.c  answers of our own
 * proxy_timer.c, http/: no sockets
 */

#ifndef _FCA_PROXY_INT_H_INCLUDED_
#define _FCA_PROXY_INT_H_INCLUDED_

#include <pthread.h>
#include <sys/queue.h>
#include "agent/proxy/proxy.h"
#include "agent/proxy/http/proxy_body.h"
#include "agent/proxy/http/proxy_head.h"
#include "agent/proxy/proxy_timer.h"

/* One buffer per direction, only while it holds something.  It bounds heads
 * too: nginx sends at most 4 x 8 KiB by default. */
#define FCA_BUF_SIZE        32768
#define FCA_BUF_HEADROOM    FCA_HEAD_GROWTH
#define FCA_BUF_TAILROOM    8           /* CRLF, last chunk */
#define FCA_BUF_END         (FCA_BUF_SIZE - FCA_BUF_TAILROOM)

#define FCA_DISCARD_MAX     65536       /* rest of a body read to keep a
                                           connection */
#define FCA_LINGER_MS       5000
#define FCA_IDLE_ROUTE_MAX  1024        /* idle client connections a route */
#define FCA_IDLE_MAX        16384       /* for all */
#define FCA_POOL_MAX        64          /* idle guest connections a route */
/* Short, since a guest that serves one connection at a time is blocked by an
 * idle one. */
#define FCA_POOL_IDLE_MS    5000
/* A request that cannot be repeated takes a connection idle for less: no
 * server's keepalive timeout is that short, so it cannot be closing it. */
#define FCA_POOL_FRESH_MS   100
/* After an answer that must have no body: one that comes nevertheless would be
 * read as the next answer. */
#define FCA_POOL_QUIET_MS   1000
#define FCA_HUSHED_MAX      100         /* a second, closed since they were not
                                           quiet for that long */
/* A connection that its guest was closing says so within a round trip. */
#define FCA_REPLAY_MS       1000
#define FCA_TURNS           32          /* buffers moved before others run */
#define FCA_INTERIM_MAX     (1 << 20)   /* bytes of interim answers */

typedef struct fca_dloop_s  fca_dloop_t;
typedef struct fca_sock_s   fca_sock_t;
typedef struct fca_conn_s   fca_conn_t;
typedef struct fca_guest_s  fca_guest_t;
typedef struct fca_buf_s    fca_buf_t;

typedef TAILQ_HEAD(, fca_conn_s)   fca_conns_t;
typedef TAILQ_ENTRY(fca_conn_s)    fca_conn_link_t;

enum {
    FCA_IDLE_STRANGERS = 0,
    FCA_IDLE_KNOWN,
    FCA_IDLE_N
};

/*
 * pos <= ready <= fed <= last.  pos..ready: to be sent; ready..fed: framing
 * that is not passed on, or a head that is not complete; fed..last: not looked
 * at yet.
 */
struct fca_buf_s {
    fca_buf_t    *next;
    uint32_t      pos, ready, fed, last;
    char          data[FCA_BUF_SIZE];
};

/* First member of what it belongs to.  Registered once, edge triggered; rd
 * and wr remember the edges.  fd is -1 once closed; the memory of a stream is
 * given back at the end of the loop's turn, as events may still point to
 * it. */
struct fca_sock_s {
    void        (*ready)(fca_sock_t *sock);
    int           fd;
    unsigned      stream:1;         /* a connection's, not a listener's */
    unsigned      added:1;          /* to its loop, and counted */
    unsigned      rd:1;
    unsigned      wr:1;
    unsigned      hup:1;            /* the peer sends no more */
    unsigned      err:1;            /* reset, or closed both ways */
    unsigned      posted:1;
    fca_sock_t   *post_next, *dead_next;
};

/* name, what runs on readiness, what its timeout does, timer class */
#define FCA_CONN_STATES(X)                                                  \
    X(IDLE,     fca_conn_head,    fca_conn_drop,           FCA_TIMER_IDLE)   \
    X(HEAD,     fca_conn_head,    fca_conn_head_timeout,   FCA_TIMER_HEAD)   \
    X(QUEUED,   fca_conn_queued,  fca_conn_queue_timeout,  FCA_TIMER_QUEUE)  \
    X(RELAY,    fca_relay_run,    fca_relay_timeout,       FCA_TIMER_CLIENT) \
    X(ANSWER,   fca_conn_flush,   fca_conn_drop,           FCA_TIMER_LINGER) \
    X(DISCARD,  fca_conn_discard, fca_conn_drop,           FCA_TIMER_LINGER) \
    X(LINGER,   fca_conn_linger,  fca_conn_drop,           FCA_TIMER_LINGER)

#define FCA_CONN_ENUM(name, run, timeout, class)  FCA_CONN_##name,

typedef enum {
    FCA_CONN_STATES(FCA_CONN_ENUM)
    FCA_CONN_NSTATES
} fca_conn_e;

typedef enum {
    FCA_STEP_WAIT = 0,              /* for an event */
    FCA_STEP_NEXT,                  /* the state changed: run it */
    FCA_STEP_GONE                   /* the connection is closed: whoever called
                                       must not touch it again */
} fca_step_e;

/* A client connection; an idle one has no buffer. */
struct fca_conn_s {
    fca_sock_t    sock;
    fca_route_t  *route;
    fca_conn_t   *prev, *next;      /* in route->conns */
    fca_conn_t   *qprev, *qnext;    /* in route->queue */
    fca_conn_link_t  link;          /* in route->flight, or route->idle */
    fca_conn_link_t  loop_link;     /* in loop->idle */
    fca_timer_t   timer;
    fca_buf_t    *in;               /* from the client */
    fca_buf_t    *out;              /* to the client */
    fca_guest_t  *guest;
    fca_reader_t  reader;           /* the next request's head */
    fca_body_t    req;
    fca_body_t    resp;
    uint64_t      discarded;
    uint64_t      started;          /* ms: the request has its place */
    uint64_t      heard;            /* ms: of its guest, at last */
    uint32_t      replay;           /* the request's start in in */
    uint32_t      interim;          /* bytes of interim answers thrown away */
    uint8_t       state;
    uint8_t       method;
    uint8_t       minor;
    unsigned      running:1;
    unsigned      known:1;          /* it had a request that may be served */
    unsigned      idling:1;         /* in the lists of idle ones */
    unsigned      keep:1;           /* after this request */
    unsigned      admitted:1;       /* counted in flight */
    unsigned      late:1;           /* counted as one that hangs */
    unsigned      queued:1;
    unsigned      upgrade:1;        /* asked for */
    unsigned      expect:1;         /* its body waits for a 100 */
    unsigned      bodiless:1;       /* by method or status, whatever is said */
    unsigned      moved:1;          /* bytes, since its timer was set */
    unsigned      expect_more:1;    /* the resp head is not complete yet */
    unsigned      replayable:1;
    unsigned      retried:1;
    unsigned      sent_head:1;      /* the final head is on its way */
    unsigned      encode:1;         /* guest closes, client gets chunks */
    unsigned      decode:1;         /* the other way round */
    unsigned      cut:1;            /* close once out is sent */
    unsigned      eof:1;            /* a tunnel's client sends no more */
    char          request_id[FCF_REQUEST_ID_MAX + 1];   /* "": none */
};

typedef enum {
    FCA_GUEST_CONNECT = 0,
    FCA_GUEST_BUSY,
    FCA_GUEST_POOLED
} fca_guest_e;

struct fca_guest_s {
    fca_sock_t    sock;
    fca_route_t  *route;
    fca_conn_t   *conn;             /* while not POOLED */
    fca_guest_t  *prev, *next;      /* in route->pool, last used first */
    fca_timer_t   timer;
    fca_reader_t  reader;
    uint64_t      used_ms;
    uint8_t       state;
    unsigned      reused:1;
    unsigned      sent:1;           /* of this request, a byte at least */
    unsigned      hush:1;           /* its answer should have had no body */
    unsigned      keep:1;           /* as its answer's head says */
    unsigned      answered:1;       /* a byte came */
    unsigned      broken:1;         /* takes no more of the request */
};

typedef enum {
    FCA_MSG_OPEN = 0,
    FCA_MSG_CLOSE,
    FCA_MSG_DEAD,                   /* malloc'd, the loop's; of a route that
                                       may be over by then */
    FCA_MSG_ACCESS                  /* malloc'd, the loop's */
} fca_msg_e;

typedef struct fca_msg_s     fca_msg_t;
typedef struct fca_access_s  fca_access_t;

struct fca_msg_s {
    fca_msg_t    *next;
    fca_route_t  *route;
    fca_access_t *access;
    fca_msg_e     type;
};

/* Who may send requests: never changed, replaced as a whole; held by each
 * loop, and freed by the last. */
struct fca_access_s {
    _Atomic unsigned    refs;
    size_t              token_len;
    size_t              nallow;
    char                token[FCA_ACCESS_TOKEN_MAX];
    fca_cidr_t          allow[FCA_ACCESS_ALLOW_MAX];
};

struct fca_route_s {
    fca_sock_t          sock;           /* listening */
    fca_route_stat_t   *stat;           /* shared */
    fca_route_stat_t    own_stat;       /* where none was given */
    _Atomic int         draining;       /* shared: set by control */

    /* set before the loop sees the route, then constant */
    fca_proxy_t        *proxy;
    fca_dloop_t        *loop;
    struct sockaddr_in  guest;
    unsigned            concurrency;
    uint64_t            timeout_ms;
    char                device[FCA_DEVICE_MAX + 1];
    char                function_id[FCF_ID_MAX + 1];
    char                worker_id[FCF_WORKER_ID_MAX + 1];
    size_t              function_len;
    fca_msg_t           open_msg, close_msg;

    /* set by fca_proxy_close() before close_msg is sent; guest_dead may change
     * later, in the loop */
    unsigned            linger_ms, grace_ms;
    int                 guest_dead;
    fca_route_done_pt   done;
    void               *done_arg;

    /* the loop's; after done was queued, the control thread's */
    fca_route_t        *prev, *next;
    fca_conn_t         *conns;
    fca_conn_t         *queue, *queue_last;
    unsigned            nqueue;
    fca_guest_t        *pool, *pool_last;
    unsigned            npool;
    uint64_t            hushed_ms;      /* a second's beginning, and closed */
    unsigned            nhushed;
    fca_conns_t         idle[FCA_IDLE_N];       /* oldest first */
    unsigned            nidle;
    fca_conns_t         flight;         /* oldest first */
    fca_conn_t         *watched;        /* the first that may become late */
    fca_timer_t         linger, grace, accept, overdue;
    uint64_t            complained;
    int                 close_sent;     /* control's */
    unsigned            closing:1;
    unsigned            lingered:1;
};

/* one more of it, or n bytes */
static inline void
fca_count(fca_route_t *route, fca_count_e what, uint64_t n)
{
    atomic_fetch_add_explicit(&route->stat->counts[what], n,
                              memory_order_relaxed);
}

struct fca_dloop_s {
    fca_sock_t          wake;           /* messages came */
    fca_proxy_t        *proxy;
    fca_access_t       *access;
    int                 ep;
    pthread_t           thread;
    int                 started;        /* control's */
    unsigned            nroutes;        /* control's, to choose a loop */

    uint64_t            now;            /* ms, once a turn */
    fca_timers_t        timers;
    fca_sock_t         *posted, **posted_end;
    fca_sock_t         *dead;
    fca_route_t        *finished;       /* told to control after this turn */
    fca_buf_t          *bufs;
    unsigned            nbufs, nbufs_min;
    fca_timer_t         trim;
    fca_route_t        *routes;
    fca_route_t         orphans;        /* connections whose route is gone */
    fca_conns_t         idle[FCA_IDLE_N];       /* oldest first */
    unsigned            nidle, idle_max;
    unsigned            nfds, fds_max;  /* of routes, clients, guests */
    fca_head_t          head;
    uint64_t            complained;     /* by fca_route_complain() */
    int                 stopped;

    pthread_mutex_t     lock;           /* for the two below */
    fca_msg_t          *inbox, **inbox_end;
    int                 stop;
};

struct fca_proxy_s {
    fcf_loop_t         *control;
    fcf_io_t           *io;
    int                 done_fd;
    pthread_mutex_t     lock;           /* for done */
    fca_route_t        *done;           /* closed, callback outstanding */
    int                 in_handler, freed;

    /* constant */
    unsigned            connect_ms, head_ms, idle_ms, client_ms;
    unsigned            queue_ms, queue_max;
    unsigned            nloops;
    fca_dloop_t        *loops;
};

/* proxy.c: queues the callback; the route is the control thread's now */
void fca_proxy_done(fca_proxy_t *proxy, fca_route_t *route);

/* proxy_loop.c */
uint64_t fca_now_ms(void);
int fca_dloop_init(fca_dloop_t *loop, fca_proxy_t *proxy, fcf_err_t *err);
void fca_dloop_free(fca_dloop_t *loop);
void *fca_dloop_main(void *arg);
void fca_dloop_send(fca_dloop_t *loop, fca_msg_t *msg);

/* proxy_access.c: held refs times, and once less; NULL: nothing */
fca_access_t *fca_access_new(const fca_proxy_conf_t *conf, unsigned refs,
    fcf_err_t *err);
void fca_access_release(fca_access_t *access);
int fca_dloop_add(fca_dloop_t *loop, fca_sock_t *sock);
/* runs a stream once more in the loop's next turn */
void fca_dloop_post(fca_dloop_t *loop, fca_sock_t *sock);
/* its end will be a reset */
void fca_sock_reset(fca_sock_t *sock);
/* closes; a stream is freed after this turn */
void fca_sock_close(fca_dloop_t *loop, fca_sock_t *sock);
/* > 0; 0: end; -1: nothing now (rd or wr cleared); -2: broken */
ssize_t fca_sock_recv(fca_sock_t *sock, void *data, size_t len);
ssize_t fca_sock_send(fca_sock_t *sock, const void *data, size_t len);

/* proxy_buf.c */
fca_buf_t *fca_buf_get(fca_dloop_t *loop);          /* NULL: no memory */
void fca_buf_put(fca_dloop_t *loop, fca_buf_t **buf);
void fca_buf_reset(fca_buf_t *buf);
/* moves what is held to the front */
void fca_buf_pack(fca_buf_t *buf);
void fca_buf_trim(void *loop);                      /* a timer's */

/* proxy_route.c */
void fca_route_init(fca_route_t *route);
void fca_route_opened(fca_route_t *route);          /* a message */
/* of orphans: they are asked for any function */
void fca_route_name(fca_route_t *route, const fca_span_t *name);
/* of what the process lacks: a line now and then for the whole loop */
void fca_route_complain(fca_route_t *route, const char *what, int error);
fca_step_e fca_route_admit(fca_conn_t *conn) fcf_must_check;
void fca_route_leave(fca_conn_t *conn);             /* idempotent */
void fca_route_unqueue(fca_conn_t *conn);
fca_step_e fca_route_answer_draining(fca_conn_t *conn) fcf_must_check;

/* proxy_accept.c */
void fca_route_accept(fca_sock_t *route);
void fca_route_accept_again(void *route);           /* a timer's */

/* proxy_close.c */
void fca_route_closing(fca_route_t *route);         /* a message */
void fca_route_dead(fca_dloop_t *loop, fca_route_t *dead);      /* too */
void fca_route_cut(fca_route_t *route);             /* now, whatever runs */
void fca_route_check_closed(fca_route_t *route);    /* one left its place */
void fca_route_lingered(void *route);               /* timers' */
void fca_route_grace_over(void *route);

/* proxy_idle.c: what is idle may be closed by any of these, but for the one
 * that enters */
void fca_idle_enter(fca_conn_t *conn);              /* both idempotent */
void fca_idle_leave(fca_conn_t *conn);
/* of the same loop, before conn->route is set */
void fca_idle_move(fca_conn_t *conn, fca_route_t *to);
/* 1: there is room for n descriptors more */
int fca_idle_room(fca_dloop_t *loop, unsigned n);

/* proxy_flight.c */
void fca_flight_enter(fca_conn_t *conn);
void fca_flight_leave(fca_conn_t *conn);
/* while it is in flight: its client leaves; its answer is complete */
void fca_flight_given_up(fca_conn_t *conn);
void fca_flight_answered(fca_conn_t *conn);
void fca_flight_overdue(void *route);               /* a timer's */

/* proxy_conn.c */
void fca_conn_open(fca_route_t *route, int fd);
void fca_conn_close(fca_conn_t *conn);
void fca_conn_move(fca_conn_t *conn, fca_route_t *route);
/* goes on after what led to step */
void fca_conn_go(fca_conn_t *conn, fca_step_e step);
void fca_conn_set_state(fca_conn_t *conn, fca_conn_e state);
void fca_conn_set_timer(fca_conn_t *conn);          /* the state's, anew */
fca_step_e fca_conn_queued(fca_conn_t *conn) fcf_must_check;
fca_step_e fca_conn_drop(fca_conn_t *conn) fcf_must_check;
fca_step_e fca_conn_queue_timeout(fca_conn_t *conn) fcf_must_check;

/* proxy_request.c */
fca_step_e fca_conn_head(fca_conn_t *conn) fcf_must_check;
fca_step_e fca_conn_head_timeout(fca_conn_t *conn) fcf_must_check;

/* proxy_end.c: over is called when an answer is complete and sent */
fca_step_e fca_conn_over(fca_conn_t *conn) fcf_must_check;
fca_step_e fca_conn_flush(fca_conn_t *conn) fcf_must_check;
fca_step_e fca_conn_discard(fca_conn_t *conn) fcf_must_check;
fca_step_e fca_conn_linger(fca_conn_t *conn) fcf_must_check;

/* proxy_relay.c */
fca_step_e fca_relay_run(fca_conn_t *conn) fcf_must_check;
fca_step_e fca_relay_timeout(fca_conn_t *conn) fcf_must_check;

/* proxy_guest.c */
typedef enum {
    FCA_GUEST_OK = 0,
    FCA_GUEST_REFUSED,
    FCA_GUEST_NO_ROOM               /* of ours: descriptors, ports, memory */
} fca_guest_rc_e;

fca_guest_rc_e fca_guest_get(fca_conn_t *conn, int fresh);
void fca_guest_release(fca_guest_t *guest);         /* to the pool */
/* Before the request is sent: 0: nothing came; 1: bytes; -1: its end */
int fca_guest_spoke(fca_guest_t *guest);
void fca_guest_close(fca_guest_t *guest);

/* proxy_answer.c: the request gets an answer of ours, whatever its state;
 * nothing of a final answer may have been sent */
fca_step_e fca_answer(fca_conn_t *conn, unsigned status, const char *error,
    const char *unsent, const char *message) fcf_must_check;
/* 503, as the guest has seen nothing of it; 502 if it has, in a first try */
fca_step_e fca_answer_unsent(fca_conn_t *conn, const char *error,
    const char *unsent, const char *message) fcf_must_check;

#endif /* _FCA_PROXY_INT_H_INCLUDED_ */
