/*
 * What the files of route/ share.
 *
 * route.c         all routes, and what is to be said next of each
 * route_want.c    what the agent wants of one
 * route_talk.c    the proxy's messages, and ours that concern all routes
 * route_end.c     the end of one that was ours
 * route_peer.c    the proxy as a process: met, lost, silent, started again
 */

#ifndef _FCA_ROUTE_INT_H_INCLUDED_
#define _FCA_ROUTE_INT_H_INCLUDED_

#include <sys/queue.h>
#include "agent/route/route.h"

#define FCA_END_PATIENCE_S  10

struct fca_route_s {
    TAILQ_ENTRY(fca_route_s)       link;
    TAILQ_ENTRY(fca_route_s)       due;         /* something is to be said */
    fca_routes_t                  *routes;
    fca_wire_route_t               conf;        /* draining: what is wanted */
    int                            fd;          /* -1: of a closing one */
    fca_wire_e                     asked;       /* outstanding; 0: nothing */
    uint32_t                       seq;         /* of that */
    unsigned                       queued:1;
    unsigned                       known:1;     /* the proxy has it */
    unsigned                       told_draining:1;
    unsigned                       found:1;     /* nobody has taken it */
    unsigned                       listed:1;    /* in this list */
    unsigned                       closing:1;   /* wanted */
    unsigned                       elsewhere:1; /* found on another address */
    unsigned                       failed;      /* OPENs in a row */
    unsigned                       linger_ms, grace_ms;
    int                            guest_dead;
    unsigned                       dead_due:1;  /* it died after CLOSE */
    fca_route_done_pt              drained, done;
    void                          *drained_arg, *done_arg;
    fca_route_stat_t               blank;       /* while none is there */
};

typedef TAILQ_HEAD(fca_route_list_s, fca_route_s)  fca_route_list_t;

/* name; each but the first has a connection */
typedef enum {
    FCA_PEER_AWAY = 0,
    FCA_PEER_GREETING,                  /* HELLO was sent */
    FCA_PEER_LISTING,                   /* WELCOME came; ACCESS, LIST */
    FCA_PEER_LIVE
} fca_peer_e;

struct fca_routes_s {
    fca_routes_conf_t   conf;
    fca_route_list_t    all, due, over;
    fca_route_t       **by_port;
    fcf_timer_t        *kick;           /* flush, soon */
    fcf_timer_t        *again;          /* what the proxy could not open */
    unsigned            running:1;      /* callbacks */
    unsigned            freed:1;
    unsigned            was_up:1;
    unsigned            settled:1;
    unsigned            ending:1;       /* no other proxy is started */
    unsigned            nroutes;
    uint32_t            seq;

    /* route_peer.c */
    fca_peer_e          state;
    int                 fd;
    fcf_io_t           *io;
    pid_t               pid;
    int                 pidfd;
    const fca_route_stat_t  *page;
    uint32_t            hello_seq, access_seq, list_seq, ping_seq;
    unsigned            access_told:1;
    unsigned            list_told:1;
    unsigned            pinged:1;       /* no PONG yet */
    unsigned            complained:1;   /* of its silence */
    unsigned            child_met:1;
    unsigned            silent;         /* ticks */
    unsigned            listed;         /* ROUTE messages of this list */
    fcf_timer_t        *retry, *tick;
    uint64_t            since;          /* when it became live */
    unsigned            losses;         /* in a row */
    unsigned            absent;         /* vain looks for one */
    struct fca_child_s *child;
};

/* route.c */
void fca_routes_flush(fca_routes_t *routes);
/* that, soon */
void fca_routes_kick(fca_routes_t *routes);
void fca_route_due(fca_route_t *route);
fca_route_t *fca_route_new(fca_routes_t *routes, const fca_wire_route_t *conf,
    int fd);
/* no callback runs any more: its list is told, and freed, by the caller */
void fca_route_over(fca_route_t *route);
/* the proxy has it no more: its counters are kept */
void fca_route_unknown(fca_route_t *route);
/* the connection is lost, the page still there: of all */
void fca_routes_unknown(fca_routes_t *routes);

/* route_talk.c: 0, or -1: the proxy has gone mad, as err says */
int fca_talk_take(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd,
    fcf_err_t *err);
/* 1: sent; 0: not now; -1: the connection was lost */
int fca_talk_send(fca_routes_t *routes, const fca_wire_msg_t *msg, int fd);
/* 0, or -1: not all of it could be sent */
int fca_talk_greet(fca_routes_t *routes);
int fca_talk_open(fca_route_t *route);
int fca_talk_drain(fca_route_t *route);
int fca_talk_close(fca_route_t *route);

/* route_peer.c */
int fca_peer_init(fca_routes_t *routes, fcf_err_t *err);
/* 1: conf.ended will be told */
int fca_peer_end(fca_routes_t *routes);
void fca_peer_lost(fca_routes_t *routes, int mad, const char *why);

/* route_child.c: the proxy's process, where it is ours */
typedef struct fca_child_s  fca_child_t;

int fca_child_start(fca_routes_t *routes, fcf_err_t *err);
void fca_child_kill(fca_routes_t *routes);
void fca_child_leave(fca_routes_t *routes);
pid_t fca_child_pid(const fca_routes_t *routes);
/* It is known by *known from now on, until it has ended: that is NULL then.
 * NULL at once if there is none. */
void fca_child_hand_over(fca_routes_t *routes, fca_child_t **known);
/* of one that was handed over, and still known */
void fca_child_forget(fca_child_t *child);

/* route_end.c: of routes only the process is taken; now: it is killed at once.
 * 1: conf.ended will be told. */
int fca_ending_start(fca_routes_t *routes, int now);

/* it ended; words: how */
void fca_peer_child_ended(fca_routes_t *routes, const char *words);

#endif /* _FCA_ROUTE_INT_H_INCLUDED_ */
