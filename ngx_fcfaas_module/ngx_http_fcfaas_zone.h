/*
 * The shared memory: one allocation for what the workers must agree on
 * (zone/fcz.h), and counters, for the status page.  Of the latter each worker
 * writes an entry of its own, without a lock; the entry of one that has gone
 * is added to the totals by whoever comes next.
 */

#ifndef _NGX_HTTP_FCFAAS_ZONE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_ZONE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

#define NGX_HTTP_FCFAAS_WORKERS_MAX  FCZ_MEMBERS_MAX

/* of this struct and the rest below; FCZ_LAYOUT is the zone's own */
#define NGX_HTTP_FCFAAS_ZONE_LAYOUT  3

#define NGX_HTTP_FCFAAS_COUNTERS(X)                                         \
    X(WARM,         "requests", "warm")                                     \
    X(COLD,         "requests", "cold")                                     \
    X(PASSED,       "outcomes", "passed")       /* to a function */         \
    X(LEFT,         "outcomes", "left")         /* while it waited */       \
    X(BAD_NAME,     "outcomes", "400")                                      \
    X(UNKNOWN,      "outcomes", "404")                                      \
    X(LIMITED,      "outcomes", "429")                                      \
    X(FAILED,       "outcomes", "502")                                      \
    X(UNAVAILABLE,  "outcomes", "503")                                      \
    X(TIMEOUT,      "outcomes", "504")                                      \
    X(ASKED,        "jobs", "asked")                                        \
    X(NOT_NEEDED,   "jobs", "not_needed")                                   \
    X(ASK_FAILED,   "jobs", "failed")                                       \
    X(WAITED,       "balancer", "waited")                                   \
    X(UNSENT,       "balancer", "unsent")                                   \
    X(REFUSED,      "balancer", "refused")

typedef enum {
#define NGX_HTTP_FCFAAS_X(id, group, name)  NGX_HTTP_FCFAAS_N_##id,
    NGX_HTTP_FCFAAS_COUNTERS(NGX_HTTP_FCFAAS_X)
#undef NGX_HTTP_FCFAAS_X
    NGX_HTTP_FCFAAS_NCOUNTERS
} ngx_http_fcfaas_counter_e;

typedef struct {
    const char                  *group;         /* of one stand together */
    const char                  *name;
} ngx_http_fcfaas_counter_name_t;

extern const ngx_http_fcfaas_counter_name_t
    ngx_http_fcfaas_counter_names[NGX_HTTP_FCFAAS_NCOUNTERS];

struct ngx_http_fcfaas_stat_s {
    ngx_pid_t                    pid;           /* 0: free */
    uint64_t                     started;       /* by the kernel's clock; pids
                                                   are used again */
    ngx_uint_t                   worker;
    uint64_t                     counters[NGX_HTTP_FCFAAS_NCOUNTERS];

    ngx_uint_t                   parked;
    ngx_uint_t                   parked_bytes;  /* what they hold in memory */
    ngx_uint_t                   oldest_parked; /* its age, ms */
    ngx_uint_t                   busy;          /* requests in instances */
    ngx_uint_t                   member;        /* of the zone, or FCZ_NONE */
    ngx_uint_t                   alone;         /* counts for itself */
    ngx_uint_t                   functions;
    ngx_uint_t                   specs;
    ngx_uint_t                   instances;

    ngx_uint_t                   etcd_state;    /* fcf_sync_state_e */
    ngx_uint_t                   etcd_healthy;
    int64_t                      revision;
    uint64_t                     events;
    uint64_t                     lists;
    uint64_t                     etcd_reconnects;
    uint64_t                     etcd_idle_ms;
    ngx_uint_t                   redis_connected;
    uint64_t                     redis_reconnects;
};

#define NGX_HTTP_FCFAAS_REFUSED_WHY  96

/* a certificate that one side of TLS to a node did not take */
typedef struct {
    uint64_t                     at;            /* by fcz_now(); 0: none */
    ngx_uint_t                   ours;          /* else the node's */
    u_char                       node[FCF_WORKER_ID_MAX + 1];
    u_char                       address[NGX_SOCKADDR_STRLEN + 1];
    u_char                       why[NGX_HTTP_FCFAAS_REFUSED_WHY];
} ngx_http_fcfaas_refused_t;

typedef struct {
    pthread_mutex_t              lock;          /* of all but what is shared */
    fcz_t                       *shared;
    uint64_t                     totals[NGX_HTTP_FCFAAS_NCOUNTERS];
    ngx_http_fcfaas_refused_t    refused;       /* the last */
    ngx_http_fcfaas_stat_t       stats[NGX_HTTP_FCFAAS_WORKERS_MAX];
} ngx_http_fcfaas_zone_t;

#define ngx_http_fcfaas_count(w, id)                                        \
    (w)->stat->counters[NGX_HTTP_FCFAAS_N_##id]++

/* how long the counters' mutex is waited for; then they are read as they are */
#define NGX_HTTP_FCFAAS_ZONE_LOCK  100

/* For the files of it.  Lock: 0: it is held by one that stands still, or has no
 * processor. */
ngx_http_fcfaas_zone_t *ngx_http_fcfaas_zone(ngx_shm_zone_t *shm_zone);
ngx_uint_t ngx_http_fcfaas_zone_lock(ngx_http_fcfaas_zone_t *zone, int ms);
void ngx_http_fcfaas_zone_unlock(ngx_http_fcfaas_zone_t *zone);

/* The zone of this configuration.  What nginx calls it has the layout, the
 * prefix and etcd in it: where one of these changes, the workers before keep
 * theirs and the new ones get another.  NULL: logged. */
ngx_shm_zone_t *ngx_http_fcfaas_zone_add(ngx_conf_t *cf,
    ngx_http_fcfaas_main_conf_t *fmcf);
fcz_t *ngx_http_fcfaas_zone_shared(ngx_shm_zone_t *shm_zone);

/* This process' entry: one of the pool, which the others do not see, where the
 * zone has no more room, or is held by one that stands still.  NULL: out of
 * memory. */
ngx_http_fcfaas_stat_t *ngx_http_fcfaas_zone_join(ngx_shm_zone_t *shm_zone,
    ngx_pool_t *pool);
/* Now and then: a place in the zone for one that had none, if it has one now;
 * what was counted is in it.  Else the same. */
ngx_http_fcfaas_stat_t *ngx_http_fcfaas_zone_again(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_stat_t *stat);
void ngx_http_fcfaas_zone_leave(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_stat_t *stat);

/* Copies what there is of live workers, adds up the counters (those of the
 * gone included), and returns how many were copied. */
ngx_uint_t ngx_http_fcfaas_zone_read(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_stat_t *stats, uint64_t *totals);

/* One more certificate, or the last of all workers; or with this node all is
 * well.  Where another process is just at it, nothing is done: there will be
 * more of them. */
void ngx_http_fcfaas_zone_refused(ngx_shm_zone_t *shm_zone,
    const ngx_http_fcfaas_refused_t *refused);
void ngx_http_fcfaas_zone_taken(ngx_shm_zone_t *shm_zone, const u_char *node,
    size_t len);
void ngx_http_fcfaas_zone_last_refused(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_refused_t *refused);

#endif /* _NGX_HTTP_FCFAAS_ZONE_H_INCLUDED_ */
