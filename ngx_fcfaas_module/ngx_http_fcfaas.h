/*
 * Types that the files of the module share; those of what the configuration
 * says stand in _settings.h.
 *
 * Who owns what: the main conf outlives everything below it in its cycle;
 * worker, functions and instances belong to one worker process (a registry
 * fed by its own watch, no lock anywhere); ctx belongs to a request.  A
 * function is kept by "refs" (one per pool) and by what etcd says of it; a
 * pool by "refs" (two per ctx, one per instance, one per boot) and by what is
 * going on in it; an instance by its function's tree and by "busy".
 */

#ifndef _NGX_HTTP_FCFAAS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_H_INCLUDED_

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_fcfaas_module/ngx_http_fcfaas_names.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_pick.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_room.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_settings.h"

#include "contract/fcf_codec.h"
#include "client/fcf_etcd.h"
#include "client/fcf_redis.h"
#include "client/fcf_sync.h"
#include "ngx_fcfaas_module/zone/fcz.h"

/* how long a request waits for the first list, or for Redis, before a 503 */
#define NGX_HTTP_FCFAAS_GRACE         2000
/* how long a final failure answers newcomers */
#define NGX_HTTP_FCFAAS_NEGATIVE      2000
/* how long an instance that said it drains is believed, without etcd */
#define NGX_HTTP_FCFAAS_AWAY          2000
/* a lone refused instance is tried this often, for this long */
#define NGX_HTTP_FCFAAS_SUSPECT_RETRY  100
#define NGX_HTTP_FCFAAS_SUSPECT_TIME  1000
#define NGX_HTTP_FCFAAS_CONNECT_TIMEOUT  1000
/* and TLS on that, from when it is there */
#define NGX_HTTP_FCFAAS_TLS_TIMEOUT      5000
/* asked again, with up to half as much of jitter */
#define NGX_HTTP_FCFAAS_ASK_AGAIN     1000
#define NGX_HTTP_FCFAAS_TRIES            3
/* functions that are only known by name, with "fcfaas_declared off" */
#define NGX_HTTP_FCFAAS_NAMES_MAX     1024

typedef struct ngx_http_fcfaas_function_s  ngx_http_fcfaas_function_t;
typedef struct ngx_http_fcfaas_pool_s      ngx_http_fcfaas_pool_t;
typedef struct ngx_http_fcfaas_instance_s  ngx_http_fcfaas_instance_t;
typedef struct ngx_http_fcfaas_waiter_s    ngx_http_fcfaas_waiter_t;
typedef struct ngx_http_fcfaas_stat_s      ngx_http_fcfaas_stat_t;
typedef struct ngx_http_fcfaas_peer_s      ngx_http_fcfaas_peer_t;
typedef struct ngx_http_fcfaas_upconf_s    ngx_http_fcfaas_upconf_t;
typedef struct ngx_http_fcfaas_keep_s      ngx_http_fcfaas_keep_t;
typedef struct ngx_http_fcfaas_tally_s     ngx_http_fcfaas_tally_t;
typedef struct ngx_http_fcfaas_probe_s     ngx_http_fcfaas_probe_t;
typedef struct ngx_http_fcfaas_tls_s       ngx_http_fcfaas_tls_t;
typedef struct ngx_http_fcfaas_state_s     ngx_http_fcfaas_state_t;
typedef struct ngx_http_fcfaas_refusal_s   ngx_http_fcfaas_refusal_t;
typedef struct ngx_http_fcfaas_boots_s     ngx_http_fcfaas_boots_t;
typedef struct ngx_http_fcfaas_nodes_s     ngx_http_fcfaas_nodes_t;


typedef struct {
    ngx_uint_t                   status;
    const char                  *error;         /* static */
    ngx_str_t                    message;       /* static */
    ngx_str_t                    detail;        /* of a failure: for the log,
                                                   and for clients where
                                                   fcfaas_error_details is on */
    ngx_uint_t                   retry_after;   /* seconds, 0: none */
} ngx_http_fcfaas_answer_t;


typedef void (*ngx_http_fcfaas_wake_pt)(ngx_http_fcfaas_waiter_t *wt);

/*
 * All there is to know of a request's way to an instance, inside its ctx:
 * where it waits (parked in the phase, or held in the balancer) and for how
 * long, and whom it has tried.  "wake" is called when an instance may have
 * room, "refuse" (through ngx_http_fcfaas_park_refuse) with an answer; both
 * after the waiter has left the queue.
 */
struct ngx_http_fcfaas_waiter_s {
    ngx_http_fcfaas_pool_t      *pool;          /* where it goes; NULL: bad
                                                   name, unknown */
    ngx_http_fcfaas_pool_t      *want;          /* where it belongs: "pool"
                                                   may stand in for that.
                                                   Both with a reference */
    ngx_uint_t                   epoch;         /* of the function, when that
                                                   was decided */
    int64_t                      version;       /* asked for; 0: none */
    uint64_t                     point;         /* where it lies among the
                                                   shares of versions */
    ngx_queue_t                  queue;         /* in pool->waiters */
    ngx_http_fcfaas_wake_pt      wake;
    ngx_http_fcfaas_wake_pt      refuse;
    ngx_log_t                   *log;           /* of the connection */
    ngx_event_t                  timer;         /* not cancelable: a worker
                                                   stays for its parked */
    ngx_msec_t                   timeout;       /* for all that is not work */
    ngx_msec_t                   arrived;       /* the request, here */
    uint64_t                     ticket;        /* and among all; 0: none yet,
                                                   see _share.h */
    ngx_msec_t                   since;         /* it waits; while queued */
    size_t                       memory;        /* that it holds meanwhile */
    ngx_msec_t                   waited;        /* all that was not work:
                                                   waits and hops that ended */
    ngx_uint_t                   attempts;      /* instances tried */
    ngx_uint_t                   nfailed;       /* of them, with a part of
                                                   the request sent */
    uint64_t                     failed[NGX_HTTP_FCFAAS_TRIES + 1];
                                                /* their serials */
    ngx_http_fcfaas_answer_t     answer;        /* filled before "refuse" */
    unsigned                     queued:1;
    unsigned                     placed:1;      /* it has a place in the zone */
    unsigned                     wants:1;       /* its pool, as counted there */
    unsigned                     cold:1;        /* once counted */
    unsigned                     counted:1;
    unsigned                     undeclared:1;  /* "fcfaas_declared off" */
    unsigned                     admitted:1;    /* it may wait */
    unsigned                     turn:1;        /* it has waited: it is its
                                                   turn, whoever waits */
};


typedef enum {
    NGX_HTTP_FCFAAS_NEW = 0,
    NGX_HTTP_FCFAAS_PARKED,
    NGX_HTTP_FCFAAS_PASSED,                     /* on to the content phase */
    NGX_HTTP_FCFAAS_ANSWERED                    /* by the module itself */
} ngx_http_fcfaas_stage_e;

typedef struct {
    ngx_http_request_t          *request;
    ngx_http_fcfaas_main_conf_t *conf;
    ngx_http_fcfaas_peer_t      *peer;          /* NULL before the balancer */
    ngx_http_fcfaas_peer_t      *peer_room;     /* the first one, or NULL */
    ngx_str_t                    given;         /* "name" or "name@version" */
    ngx_str_t                    id;            /* the name */
    ngx_http_fcfaas_waiter_t     waiter;
    ngx_str_t                    instance;      /* the last one, "ip:port" */
    int64_t                      version;       /* of that; 0: not known */
    ngx_http_event_handler_pt    read_handler;  /* valid while reading */
    ngx_http_fcfaas_stage_e      stage;
    unsigned                     reading:1;     /* its body, meanwhile */
    unsigned                     refused:1;     /* answered after that */
    u_char                       request_id[FCF_REQUEST_ID_MAX + 1];
} ngx_http_fcfaas_ctx_t;


/* what a warm request touches comes first, together: with thousands of them
 * each line of the cache is a miss */
struct ngx_http_fcfaas_instance_s {
    ngx_http_fcfaas_cell_t       cell;          /* requests of this worker,
                                                   and whether it takes more */
    fcz_slot_t                   shared;        /* requests of all workers */
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_function_t  *function;
    uint64_t                     serial;        /* never used again */
    ngx_queue_t                  requests;      /* of peers bound to it */
    ngx_queue_t                  kept;          /* connections: see _keep.c */
    ngx_int_t                    concurrency;   /* -1: the spec's, 0: none */
    socklen_t                    socklen;
    unsigned                     draining:1;
    unsigned                     away:1;        /* it said that it drains */
    unsigned                     proven:1;      /* it has answered once */
    unsigned                     told:1;        /* lost, while not proven */
    unsigned                     suspect:1;
    unsigned                     full:1;        /* it said that it is */
    unsigned                     counted_usable:1;
    unsigned                     counted_ready:1;
    unsigned                     counted_live:1;
    unsigned                     counted_unproven:1;
    unsigned                     counted_follows:1;
    unsigned                     gone:1;        /* out of the table */
    unsigned                     orphan:1;      /* its key vanished */
    unsigned                     unproven:1;    /* an orphan, and its port has
                                                   not answered yet */
    int64_t                      version;
    ngx_str_t                    name;          /* "ip:port", in name_data */
    ngx_sockaddr_t               sockaddr;

    ngx_http_fcfaas_name_t       entry;         /* in function->instances */
    ngx_http_fcfaas_probe_t     *probe;         /* valid while orphan */
    ngx_uint_t                   generation;    /* of the last list or put */
    ngx_msec_t                   refused_since; /* valid while suspect */
    ngx_uint_t                   full_times;
    u_char                       worker_id[FCF_WORKER_ID_MAX + 1];
    u_char                       name_data[NGX_SOCKADDR_STRLEN];
};


/* a key /specs/<function>/versions/<version> */
typedef struct {
    int64_t                      version;
    ngx_uint_t                   generation;
} ngx_http_fcfaas_known_t;


/* a part of the requests, for one version */
typedef struct {
    int64_t                      version;
    ngx_uint_t                   percent;
} ngx_http_fcfaas_share_t;


typedef struct {
    int64_t                      version;
    ngx_uint_t                   cpu;
    ngx_uint_t                   memory;
    ngx_uint_t                   concurrency;
    ngx_uint_t                   min_instances;
    ngx_uint_t                   max_instances;
    ngx_uint_t                   timeout_s;
} ngx_http_fcfaas_spec_t;


/* what this worker asks of Redis for a pool, beside what all of them count in
 * the zone: ngx_http_fcfaas_ask.c */
typedef struct {
    ngx_event_t                  timer;
    unsigned                     under_way:1;   /* a script call */
} ngx_http_fcfaas_asking_t;


/* the boots that failed, and the last one: ngx_http_fcfaas_failure.c */
typedef struct {
    ngx_uint_t                   row;           /* failed in a row */
    ngx_msec_t                   at;            /* the last one */
    ngx_msec_t                   until;         /* valid while held */
    ngx_http_fcfaas_answer_t     answer;        /* status 0: none yet */
    unsigned                     held:1;        /* it answers newcomers */
    unsigned                     spaced:1;      /* ... as long as the zone has
                                                   it that starts are */
} ngx_http_fcfaas_failing_t;


/*
 * The instances of one version of a function, those who wait for them, and
 * all that is asked and told about them.
 */

/* as above: what a warm request touches comes first */
struct ngx_http_fcfaas_pool_s {
    ngx_http_fcfaas_function_t  *function;
    ngx_http_fcfaas_worker_t    *worker;
    int64_t                      version;       /* 0: of an undeclared one */
    ngx_uint_t                   refs;
    ngx_uint_t                   epoch;         /* its waiters belong here */
    ngx_uint_t                   nwaiters;      /* who wait here */
    ngx_uint_t                   nwanted;       /* who wait for this version,
                                                   here or elsewhere */
    ngx_uint_t                   nundeclared;   /* of nwanted */

    /* instances, and those of them that */
    ngx_uint_t                   nlisted;
    ngx_uint_t                   nusable;       /* do not drain */
    ngx_uint_t                   nready;        /* ... and may answer */
    ngx_uint_t                   nlive;         /* ... and are in etcd */
    ngx_uint_t                   nunproven;     /* are orphans so far */
    ngx_uint_t                   nbooting;      /* slots without an instance */
    ngx_queue_t                  booting;       /* they; ..._boots.c */
    ngx_http_fcfaas_pick_t       pick;
    fcz_pool_t                   shared;        /* of all workers */

    unsigned                     in_kicked:1;
    unsigned                     in_behind:1;   /* others come first */
    unsigned                     outdated:1;    /* others serve for it */

    ngx_queue_t                  queue;         /* in function->pools */
    ngx_queue_t                  waiters;       /* oldest first */
    ngx_queue_t                  waiting;       /* in worker->waiting */
    ngx_uint_t                   looked;        /* in this round; see
                                                   _share_bell.c */
    ngx_queue_t                  behind;        /* in worker->behind */
    ngx_queue_t                  kicked;        /* in worker->kicked */
    ngx_http_fcfaas_refusal_t   *refusal;       /* of the rest of waiters */
    ngx_event_t                  retry_timer;   /* an avoided instance may
                                                   be tried again */
    ngx_http_fcfaas_asking_t     asking;
    ngx_http_fcfaas_failing_t    failing;
};


struct ngx_http_fcfaas_function_s {
    ngx_http_fcfaas_function_t  *next;          /* in its bucket */
    uint32_t                     hash;
    unsigned                     declared:1;
    unsigned                     named:1;       /* counted in nnamed */
    unsigned                     in_minimum:1;
    unsigned                     in_visits:1;
    ngx_str_t                    id;            /* in id_data, with NUL */
    ngx_http_fcfaas_worker_t    *worker;
    ngx_http_fcfaas_tally_t     *tally;         /* NULL: not looked for yet */
    ngx_queue_t                  pools;         /* the newest version first */
    ngx_uint_t                   npools;
    ngx_uint_t                   epoch;         /* another one: requests may
                                                   belong elsewhere now */
    ngx_uint_t                   ntraffic;
    ngx_http_fcfaas_share_t     *traffic;       /* NULL: all to the version */
    ngx_uint_t                   refs;
    ngx_uint_t                   ninstances;    /* without orphans */
    ngx_uint_t                   nfollow;       /* instances that take the
                                                   version, or concurrency,
                                                   from the spec */
    ngx_http_fcfaas_spec_t       spec;
    u_char                       id_data[FCF_ID_MAX + 1];

    ngx_http_fcfaas_names_t      instances;     /* by worker_id */
    ngx_http_fcfaas_boots_t     *boots;         /* NULL: none */
    ngx_uint_t                   nversions;     /* that there is a spec of */
    ngx_http_fcfaas_known_t     *versions;
    ngx_uint_t                   spec_generation;
    ngx_queue_t                  all;           /* in worker->functions */
    ngx_queue_t                  visits;        /* in worker->visits */
    ngx_queue_t                  minimum;       /* in worker->minimum */
};


/* how far a function's instances have been gone through: see _visit.c */
typedef struct {
    ngx_http_fcfaas_function_t  *function;      /* with a reference, or NULL */
    ngx_int_t                    boot;
    u_char                       worker_id[FCF_WORKER_ID_MAX + 1];
} ngx_http_fcfaas_visit_t;


/* what is listed apart from each other, as a prefix of etcd's keys */
#define NGX_HTTP_FCFAAS_LIST_FUNCTIONS  0x1     /* instances, slots, failures */
#define NGX_HTTP_FCFAAS_LIST_SPECS      0x2     /* and their versions */
#define NGX_HTTP_FCFAAS_LIST_ALL        0x3


/* so many of a kind in a millisecond, and with that in a turn */
typedef struct {
    ngx_msec_t                   at;
    ngx_uint_t                   n;
} ngx_http_fcfaas_pace_t;


/* one per worker process; made by init_process, ended by exit_process */
struct ngx_http_fcfaas_worker_s {
    ngx_http_fcfaas_main_conf_t *conf;
    ngx_log_t                   *log;
    ngx_pool_t                  *pool;
    fcf_loop_t                  *loop;
    fcf_etcd_t                  *etcd;
    fcf_sync_t                  *sync;
    fcf_redis_t                 *redis;
    ngx_http_fcfaas_stat_t      *stat;          /* in the zone */
    const char                  *prefix;
    ngx_http_fcfaas_upconf_t    *upconfs;
    ngx_http_fcfaas_rooms_t      ctxs;          /* for the next requests */
    ngx_http_fcfaas_rooms_t      peers;
    ngx_http_fcfaas_state_t     *state;         /* NULL: it writes none */

    fcz_member_t                 shared;        /* ngx_http_fcfaas_share.c */
    fcf_io_t                    *share_io;
    ngx_event_t                  share_timer;
    ngx_msec_t                   share_looked;
    ngx_uint_t                   share_round;

    ngx_http_fcfaas_nodes_t     *nodes;         /* NULL: nobody has asked */

    uint64_t                     serial;        /* of the last instance */
    ngx_queue_t                  functions;
    ngx_http_fcfaas_function_t **buckets;
    ngx_uint_t                   nbuckets;      /* a power of two */
    ngx_http_fcfaas_function_t **before;        /* half as many, while what is
                                                   in them moves, or NULL */
    ngx_uint_t                   moved;         /* so many of them */
    ngx_uint_t                   nfunctions;
    ngx_uint_t                   nnamed;
    ngx_uint_t                   nspecs;
    ngx_uint_t                   nbusy;         /* requests in instances */
    ngx_msec_t                   began;         /* this worker */
    ngx_uint_t                   kept;          /* a state file was taken */
    ngx_uint_t                   ninstances;

    /* of what a list names, and of the changes after it */
    ngx_uint_t                   generation;    /* instances and slots */
    ngx_uint_t                   spec_generation;

    ngx_queue_t                  waiting;       /* pools with waiters */
    ngx_queue_t                  behind;        /* of them, those where others
                                                   came first */
    ngx_queue_t                  kicked;        /* to look at, this turn */
    ngx_queue_t                  minimum;       /* with min_instances */
    ngx_uint_t                   nminima;       /* how many of them */
    ngx_queue_t                  visits;        /* see _visit.c */
    ngx_queue_t                  probes;        /* see _probe.c */
    ngx_uint_t                   nprobes;       /* that connect now */
    ngx_uint_t                   tls;           /* stands before instances */
    ngx_http_fcfaas_tls_t       *sessions;      /* NULL: none yet */
    ngx_event_t                  kick_event;
    ngx_event_t                  visit_event;
    ngx_http_fcfaas_visit_t      sweep;         /* valid while sweeping */
    ngx_http_fcfaas_visit_t      follow;
    ngx_event_t                  tick;          /* stat */
    ngx_event_t                  minimum_event;
    ngx_uint_t                   nminimum;      /* left of this round */

    ngx_http_fcfaas_pace_t       ticks;         /* of asking */
    ngx_http_fcfaas_pace_t       refusals;

    ngx_msec_t                   redis_bad_since;
    ngx_str_t                    redis_why;     /* it refuses; empty: away */
    u_char                       redis_why_data[256];
    unsigned                     redis_bad:1;
    unsigned                     listed:1;      /* all was, once */
    unsigned                     seen:2;        /* of that, which parts: as
                                                   listing */
    unsigned                     listing:2;     /* NGX_HTTP_FCFAAS_LIST_... */
    unsigned                     sweeping:1;    /* see _visit.c */
    unsigned                     closing:1;
};


extern ngx_module_t  ngx_http_fcfaas_module;

/* a time of the monotonic clock has come; right across its wrap-around */
#define ngx_http_fcfaas_past(t)                                             \
    ((ngx_msec_int_t) (ngx_current_msec - (t)) >= 0)

/* 1: it is to be set, in ms: it is not, or was for later */
static ngx_inline ngx_uint_t
ngx_http_fcfaas_sooner(ngx_event_t *timer, ngx_msec_t ms)
{
    if (!timer->timer_set) {
        return 1;
    }

    if ((ngx_msec_int_t) (timer->timer.key - (ngx_current_msec + ms)) <= 0) {
        return 0;
    }

    /* ngx_add_timer() keeps one that is near */
    ngx_del_timer(timer);

    return 1;
}

/* how many of the kind there were in this millisecond, before this one */
static ngx_inline ngx_uint_t
ngx_http_fcfaas_pace(ngx_http_fcfaas_pace_t *pace)
{
    if (pace->at != ngx_current_msec) {
        pace->at = ngx_current_msec;
        pace->n = 0;
    }

    return pace->n++;
}

/* stands where nginx expects the connection of a bare timer, and says to its
 * debug log that there is none */
extern const ngx_connection_t  ngx_http_fcfaas_no_connection;

#endif /* _NGX_HTTP_FCFAAS_H_INCLUDED_ */
