/*
 * One VM's life, from a job to nothing left of it.  States, events and what
 * happens on each are in instance_table.c; each state's work in
 * instance_boot.c (slot to ready), instance_serve.c (registered, draining)
 * and instance_stop.c (the way back); instance_keys.c is what it says to
 * etcd.
 */

#ifndef _FCA_INSTANCE_H_INCLUDED_
#define _FCA_INSTANCE_H_INCLUDED_

#include "agent/base/capacity.h"
#include "agent/base/conf.h"
#include "agent/base/hist.h"
#include "agent/base/pool.h"
#include "agent/base/state.h"
#include "agent/net/net.h"
#include "agent/route/route.h"
#include "agent/store/failures.h"
#include "agent/store/jobs.h"
#include "agent/store/keys.h"
#include "agent/vmm/image.h"
#include "agent/vmm/snaps.h"
#include "agent/vmm/vmm.h"

#define FCA_BOOT_ID_LEN  36
#define FCA_NO_PROXY     "there is no proxy to serve VMs"

typedef struct fca_instance_s  fca_instance_t;
typedef struct fca_template_s  fca_template_t;
typedef struct fca_ahead_s     fca_ahead_t;

/* the states from the look for images to the key in etcd */
#define FCA_START_STATES  14

/* Since the agent's start. */
typedef struct {
    fca_hist_t  state[FCA_START_STATES];    /* time spent in each, when it
                                               was left for the next */
    fca_hist_t  start;                      /* the job taken, to registered */
    fca_hist_t  restore;                    /* the same of those that were
                                               restored */
    uint64_t    booted, restored;           /* how they came up */
    uint64_t    not_restored;               /* and booted, or failed */
    uint64_t    ahead;                      /* given a VMM that was there */
    uint64_t    failed[FCF_FAILURE_N];
} fca_start_stats_t;

/* One VM, for those who look.  All pointers are valid during the call that
 * shows it. */
typedef struct {
    const char              *function_id, *worker_id, *state;
    int64_t                  version;
    int                      slot;          /* -1: none */
    unsigned                 port;          /* 0: none any more */
    struct in_addr           address;       /* 0: none */
    uint64_t                 age_ms;
    pid_t                    pid;           /* 0: no process */
    const fca_route_stat_t  *stat;          /* NULL: no route */
    const fca_vmm_t         *vmm;           /* NULL: none, or none any more */
} fca_instance_view_t;

/* what came out of one, as fca_vmm_said_pt */
typedef struct {
    const char    *function_id, *worker_id;
    int64_t        version;
    fca_stream_e   stream;
    const char    *data;
    size_t         len;
    uint64_t       dropped;
} fca_instance_said_t;

typedef void (*fca_instance_view_pt)(void *arg,
    const fca_instance_view_t *view);

/* All instances of this node, and what they live on. */
typedef struct {
    const fca_conf_t              *conf;
    fcf_loop_t                    *loop;
    fca_state_t                   *state;
    fca_capacity_t                *capacity;
    uint64_t                       looked;      /* at the host's; loop ms */
    fca_pool_t                    *ports;
    fca_pool_t                    *uids;        /* NULL: VMs have none of
                                                   their own */
    fca_net_t                     *net;
    fca_routes_t                  *routes;      /* NULL: they have ended */
    const fca_vmm_conf_t          *vmm;
    fca_looker_t                  *looker;
    fcf_etcd_t                    *etcd;
    fca_snaps_t                   *snaps;       /* NULL: none are used */
    char                           cpu_model[FCA_DIGEST + 1];
    fca_template_t                *template;    /* NULL: none is made now */
    fca_specs_t                   *specs;
    fca_failures_t                *failures;
    fca_keyring_t                 *keyring;
    char                           boot_id[FCA_BOOT_ID_LEN + 1];
    /* one more, one less, or one has booted */
    void                         (*changed)(void *arg);
    /* it printed something */
    void                         (*said)(void *arg,
                                         const fca_instance_said_t *said);
    /* a VM's process has ended; what it said is still there */
    fca_instance_view_pt           ended;
    /* a route is closed; its counters are still there */
    fca_instance_view_pt           closed;
    /* one did not start, perhaps for this host's fault; one is ready */
    void                         (*failed)(void *arg, const char *why);
    void                         (*well)(void *arg);
    /* a guest of this function ran and did not come up: the function's fault,
     * or that of all that the host lets it run on.  1: nothing says which */
    int                          (*doubt)(void *arg, const char *function_id,
                                     const char *why);
    void                          *arg;

    TAILQ_HEAD(, fca_instance_s)   list;
    LIST_HEAD(, fca_ahead_s)       ahead;       /* used last first */
    uint64_t                       illegal;     /* events refused by the state
                                                   table */
    fca_start_stats_t              stats;
} fca_instances_t;

/* Takes capacity and a port; the job is the instance's from then on.  On
 * failure nothing was taken. */
int fca_instance_new(fca_instances_t *all, fca_job_t *job,
    const fcf_spec_t *spec, fcf_err_t *err) fcf_must_check;

/* "<node_id>-<number>" */
void fca_worker_id(const fca_instances_t *all, uint64_t number,
    char id[FCF_WORKER_ID_MAX + 1]);
/* What a VM's jail is run as, by its number in the pool, which goes back by
 * fca_pool_give().  0: none, where there is no jail; it is root's then. */
int fca_jail_take(fca_instances_t *all, uint32_t *n, fcf_err_t *err)
    fcf_must_check;
uid_t fca_jail_uid(const fca_instances_t *all, uint32_t n);

/* one that is not gone has this image, or is about to */
int fca_instances_run(const fca_instances_t *all, const char *sha256);
/* an instance of this function and request is on its way up */
int fca_instance_boots(fca_instances_t *all, const char *function_id,
    const char *request_id);
/* An idle instance of this function and version that was being drained
 * serves again: 1; 0 if there is none. */
int fca_instance_revive(fca_instances_t *all, const char *function_id,
    int64_t version);
/* there is an address for one more, beside those that will need one and have
 * none yet; more: so many are about to be left */
int fca_instances_address(const fca_instances_t *all, unsigned more);

/* a VM's NIC is gone for good (fca_net_conf_t's lost): it is replaced */
void fca_instances_nic_lost(fca_instances_t *all, const fca_nic_t *nic,
    const fcf_err_t *why);
/* the node has a new lease: all keys are put again */
void fca_instances_put(fca_instances_t *all);
/* the function's spec came, changed or went */
void fca_instances_spec(fca_instances_t *all, const char *function_id);
/* all specs are known: adopted VMs whose function was removed meanwhile */
void fca_instances_specs(fca_instances_t *all);
/* the agent ends: what boots is given up and its job given back, what serves
 * is drained; hurry: killed */
void fca_instances_stop(fca_instances_t *all, int hurry);
/* "looking" and so on; i below FCA_START_STATES */
const char *fca_start_state_name(size_t i);
/* of all that there are now, also of those on their way back */
void fca_instances_each(const fca_instances_t *all, fca_instance_view_pt each,
    void *arg);

/* the agent hands over: what has no guest yet is given up and its job given
 * back */
void fca_instances_unbegun(fca_instances_t *all);
/* the process is about to end, and they go on */
void fca_instances_leave(const fca_instances_t *all);
/* there is none of these, and every record is on the disk */
int fca_instances_settled(const fca_instances_t *all);
/* a slot's or an instance's key is of one of them */
int fca_instances_own(const fca_instances_t *all, const fcf_key_t *key);
/* SIGKILL for every VMM that there still is; the process is about to end */
void fca_instances_abandon(fca_instances_t *all);

#endif /* _FCA_INSTANCE_H_INCLUDED_ */
