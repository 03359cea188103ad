/* What the parts of the sync share: fcf_sync.c (life, start again),
 * fcf_sync_probe.c, fcf_sync_list.c, fcf_sync_stream.c (the watch),
 * fcf_sync_turn.c (delivery in bounded pieces). */

#ifndef _FCF_SYNC_PRIVATE_H_INCLUDED_
#define _FCF_SYNC_PRIVATE_H_INCLUDED_

#include "client/fcf_etcd_private.h"
#include "client/fcf_sync.h"
#include "client/fcf_watch.h"

#define FCF_SYNC_PHASES(X)                                                  \
    X(IDLE)             /* until wait_timer: backoff, distrust */           \
    X(LIST)             /* a page is asked for, or being delivered; what    \
                           was listed may be watched beside it */           \
    X(RESUME)           /* asking whether to go on with what is held */     \
    X(OPEN)             /* the stream of all prefixes is asked for */       \
    X(WATCH)            /* all its watches are created */

typedef enum {
#define FCF_X(id)  FCF_SYNC_##id,
    FCF_SYNC_PHASES(FCF_X)
#undef FCF_X
    FCF_SYNC_PHASE_N
} fcf_sync_phase_e;

typedef struct {
    char       *key;
    size_t      len;
    int64_t     revision;       /* applied: watches are not ordered among
                                   each other, so one for each */
    unsigned    listed:1;       /* there is something to resume */
    unsigned    watched:1;      /* asked for in the stream that there is */
    unsigned    created:1;
} fcf_sync_prefix_t;


/* the etcd that the handler was told of last, and up to where */
typedef struct {
    uint64_t    cluster_id;     /* 0: none yet */
    int64_t     revision;
} fcf_sync_held_t;

typedef struct {
    size_t              at;             /* prefix */
    int64_t             floor;          /* etcd had come that far */
    unsigned            limit;          /* keys asked for at once */
    unsigned            begun:1;
    unsigned            more:1;
    unsigned            first:1;        /* the next answer is the first */
    char               *next;           /* first key of the next page */
    size_t              next_len;
    fcf_etcd_header_t   header;         /* of the first page */
    fcf_etcd_kvs_t      kvs;            /* being delivered */
    size_t              kv;
    fcf_etcd_rest_t     rest;           /* of the page at hand, after them */
} fcf_sync_list_t;

struct fcf_sync_s {
    fcf_etcd_t         *etcd;
    fcf_loop_t         *loop;
    fcf_sync_handler_t  handler;
    void               *arg;
    fcf_sync_prefix_t   prefixes[FCF_SYNC_PREFIXES_MAX];
    size_t              nprefixes;

    fcf_sync_phase_e    phase;
    fcf_sync_state_e    state;
    fcf_timer_t        *wait_timer;     /* backoff, deadline, probe: by phase;
                                           in a list they are the stream's */
    fcf_timer_t        *turn_timer;     /* more to deliver */
    fcf_etcd_call_t    *call;           /* page or probe */
    unsigned            failures;
    uint64_t            cluster_id;     /* of what has been listed */
    uint64_t            raft_term;
    fcf_sync_held_t     held;
    unsigned            suspect:1;      /* not what is held, and nothing was
                                           found in it: not told yet */
    uint64_t            distrusted;     /* since when; 0: not */
    uint64_t            answered;       /* when etcd last did */

    fcf_sync_list_t     list;

    fcf_http_req_t     *stream;
    size_t              endpoint;       /* of the stream */
    unsigned            token;          /* generation it was opened with */
    fcf_watch_t         watch;
    fcf_watch_msg_t     msg;            /* being delivered */
    size_t              event;
    unsigned            in_msg:1;
    unsigned            ended:1;        /* the stream; ended_err says why */
    unsigned            later:1;        /* beside a list: wait_timer brings
                                           it back */
    unsigned            applied:1;      /* the stream brought something */
    fcf_err_t           ended_err;

    fcf_said_t          said;           /* why it starts anew */
    uint64_t            lists, reconnects, events;
};

/* fcf_sync.c */
/* gives up what is under way and starts again: with what was listed going on
 * after the last revision, or (relist) with a list of all */
void fcf_sync_restart(fcf_sync_t *sync, int relist, const char *why);
/* counts a failure and tells of it, where that is news; ms until the next
 * attempt: the first comes at once, and at least a turn later */
uint64_t fcf_sync_failed(fcf_sync_t *sync, const char *why);
/* the only place that assigns it; wait_ms: until the phase's timeout, 0 for
 * none of its own (the etcd call has one) */
void fcf_sync_phase(fcf_sync_t *sync, fcf_sync_phase_e phase,
    uint64_t wait_ms);
/* the only place that assigns it, and tells the handler */
void fcf_sync_state(fcf_sync_t *sync, fcf_sync_state_e state,
    const char *why);
/* etcd answered something */
void fcf_sync_alive(fcf_sync_t *sync);
/* forgets list and stream under way */
void fcf_sync_drop(fcf_sync_t *sync);
/* the first prefix that is to be listed; nprefixes: none is */
size_t fcf_sync_unlisted(const fcf_sync_t *sync);
/* all of them are, anew */
void fcf_sync_relist(fcf_sync_t *sync);
/* lists the first one that is to be, or watches all */
void fcf_sync_next(fcf_sync_t *sync);
/* changes up to there were told */
void fcf_sync_applied(fcf_sync_t *sync, fcf_sync_prefix_t *prefix,
    int64_t revision);
/* what a header says about going on: NULL, or why not */
const char *fcf_sync_distinct(const fcf_sync_t *sync,
    const fcf_etcd_header_t *header);
/* not etcd's: each of its answers says cluster and revision */
int fcf_sync_headless(const fcf_etcd_header_t *header);

/* fcf_sync_probe.c */
/* asks whether what is held can be gone on with, and does */
void fcf_sync_resume(fcf_sync_t *sync);
/* asks whether the endpoint that is watched is well */
void fcf_sync_probe(fcf_sync_t *sync);

/* fcf_sync_list.c */
void fcf_sync_list(fcf_sync_t *sync, size_t prefix);
void fcf_sync_list_page(fcf_sync_t *sync);
/* the page at hand was delivered, and there are more */
void fcf_sync_list_more(fcf_sync_t *sync);
/* before a key of it is told: what answers is no empty etcd */
void fcf_sync_list_begin(fcf_sync_t *sync);
void fcf_sync_list_end(fcf_sync_t *sync);
void fcf_sync_list_drop(fcf_sync_t *sync);

/* fcf_sync_stream.c */
/* the watch of all prefixes, in place of what was under way */
void fcf_sync_open(fcf_sync_t *sync);
/* the watch of those that have been listed, beside the list of another */
void fcf_sync_open_beside(fcf_sync_t *sync);
/* it did not come about in time, or is due again */
void fcf_sync_stream_on_wait(fcf_sync_t *sync);
void fcf_sync_close(fcf_sync_t *sync);
/* closes it: a list beside it goes on, else all starts again */
void fcf_sync_lost(fcf_sync_t *sync, const char *why);
/* what it says of a watch, whose id is known if it is created */
void fcf_sync_on_created(fcf_sync_t *sync, const fcf_watch_msg_t *msg);
void fcf_sync_on_canceled(fcf_sync_t *sync, const fcf_watch_msg_t *msg);

/* fcf_sync_turn.c */
void fcf_sync_on_turn(void *arg);

#endif /* _FCF_SYNC_PRIVATE_H_INCLUDED_ */
