/* What the parts of the sync share: fcf_sync.c (life: probe, start again),
 * fcf_sync_list.c, fcf_sync_stream.c (the watch), fcf_sync_turn.c (delivery
 * in bounded pieces). */

#ifndef _FCF_SYNC_PRIVATE_H_INCLUDED_
#define _FCF_SYNC_PRIVATE_H_INCLUDED_

#include "client/fcf_etcd_private.h"
#include "client/fcf_sync.h"
#include "client/fcf_watch.h"

#define FCF_SYNC_PHASES(X)                                                  \
    X(IDLE)             /* until wait_timer: backoff, distrust */           \
    X(LIST)             /* a page is asked for, or being delivered */       \
    X(RESUME)           /* asking whether the watch can go on */            \
    X(OPEN)             /* the stream is asked for */                       \
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
    unsigned    created:1;
} fcf_sync_prefix_t;

typedef struct {
    size_t              at;             /* prefix */
    unsigned            page;           /* keys asked for at once */
    unsigned            begun:1;
    unsigned            more:1;
    unsigned            first:1;        /* the next answer is the first */
    char               *next;           /* first key of the next page */
    size_t              next_len;
    fcf_etcd_header_t   header;         /* of the first page */
    fcf_etcd_kvs_t      kvs;            /* being delivered */
    size_t              kv;
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
    fcf_timer_t        *wait_timer;     /* backoff, deadline, probe: by phase */
    fcf_timer_t        *turn_timer;     /* more to deliver */
    fcf_etcd_call_t    *call;           /* page or probe */
    unsigned            failures;
    unsigned            listed:1;       /* there is something to resume */
    uint64_t            cluster_id;     /* of what is held */
    uint64_t            raft_term;
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
    unsigned            applied:1;      /* the stream brought something */
    fcf_err_t           ended_err;

    fcf_said_t          said;           /* why it starts anew */
    uint64_t            lists, reconnects, events;
};

/* fcf_sync.c */
/* gives up what is under way and starts again: going on after the last
 * revision, or (relist) from a new list */
void fcf_sync_restart(fcf_sync_t *sync, int relist, const char *why);
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
/* what a header says about going on: NULL, or why not */
const char *fcf_sync_distinct(const fcf_sync_t *sync,
    const fcf_etcd_header_t *header);
/* not etcd's: each of its answers says cluster and revision */
int fcf_sync_headless(const fcf_etcd_header_t *header);

/* fcf_sync_list.c */
void fcf_sync_list(fcf_sync_t *sync);
void fcf_sync_list_page(fcf_sync_t *sync);
void fcf_sync_list_end(fcf_sync_t *sync);

/* fcf_sync_stream.c */
void fcf_sync_open(fcf_sync_t *sync);
/* all watches of the stream are */
void fcf_sync_created(fcf_sync_t *sync);

/* fcf_sync_turn.c */
void fcf_sync_on_turn(void *arg);

#endif /* _FCF_SYNC_PRIVATE_H_INCLUDED_ */
