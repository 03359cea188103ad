/* What the files of instance*.c share, and the tests of the state table. */

#ifndef _FCA_INSTANCE_INT_H_INCLUDED_
#define _FCA_INSTANCE_INT_H_INCLUDED_

#include "agent/base/later.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/instance/instance.h"
#include "agent/store/secrets.h"
#include "agent/vmm/guest_config.h"
#include "agent/vmm/vmm_ask.h"

/* name, timeout in ms; 0: fca_instance_timeout() computes it */
#define FCA_STATES(X)                                                       \
    X(LOOKING,    "looking",    10000)  /* for its images */                \
    X(FETCHING,   "fetching",   600000) /* its image, from a store */       \
    X(CLAIMED,    "claimed",    10000)  /* a slot in etcd is sought, a NIC  \
                                           taken meanwhile, and a VMM       \
                                           started */                       \
    X(NETWORK,    "network",    10000)  /* the NIC is awaited still */      \
    X(APART,      "apart",      10000)  /* and kept from the bridge */      \
    X(SPAWN,      "spawn",      15000)  /* the VMM starts */                \
    X(RESTORE,    "restore",    0)      /* it loads a snapshot */           \
    X(WAKE,       "wake",       0)      /* the clone is told who it is */   \
    X(JOIN,       "join",       10000)  /* the NIC goes into the bridge */  \
    X(RESTORED,   "restored",   0)      /* until the port accepts */        \
    X(FALLBACK,   "fallback",   15000)  /* back, for a boot instead */      \
    X(CONFIGURE,  "configure",  15000)                                      \
    X(BOOT,       "boot",       0)      /* until the port accepts */        \
    X(READY,      "ready",      60000)  /* is put into etcd */              \
    X(REGISTERED, "registered", 0)      /* looked at each tick */           \
    X(DRAINING,   "draining",   1000)   /* idle, may be revived */          \
    X(STOPPING,   "stopping",   15000)  /* walking back, step by step */    \
    X(GONE,       "gone",       1)      /* is freed */

typedef enum {
#define FCA_X(id, name, ms)  FCA_S_##id,
    FCA_STATES(FCA_X)
#undef FCA_X
    FCA_S_N
} fca_instance_state_e;

#define FCA_EVENTS(X)                                                       \
    X(FETCH,        "image fetched")    /* is being */                      \
    X(IMAGES,       "images found")                                         \
    X(NO_IMAGES,    "no images")                                            \
    X(CLAIM_OK,     "slot claimed")                                         \
    X(CLAIM_NO,     "no slot")          /* inst->refusal says why */        \
    X(ENV,          "environment read")                                     \
    X(NO_ENV,       "no environment")                                       \
    X(NIC,          "nic taken")                                            \
    X(NIC_FAILED,   "no nic")                                               \
    X(MOVED,        "nic moved")                                            \
    X(NOT_MOVED,    "nic not moved")                                        \
    X(AWAKE,        "clone awake")                                          \
    X(NOT_AWAKE,    "clone not awake")                                      \
    X(SPAWNED,      "vmm started")                                          \
    X(CONFIGURED,   "vmm configured")                                       \
    X(BOOTED,       "guest started")                                        \
    X(VMM_FAILED,   "vmm failed")                                           \
    X(EXIT,         "vmm exited")                                           \
    X(ACCEPTED,     "port accepted")                                        \
    X(PUT,          "in etcd")                                              \
    X(SLOT_LOST,    "slot lost")                                            \
    X(DRAIN,        "drain")            /* is not wanted any more */        \
    X(DRAINED,      "drained")          /* by the proxy */                  \
    X(DEMAND,       "new demand")       /* while it drains, idle */         \
    X(ABORT,        "agent stops")                                          \
    X(STEP,         "step done")        /* of the way back */               \
    X(ADOPTED,      "adopted")          /* not an event: it was there */    \
    X(BACK,         "not gone on with") /* an adopted one */                \
    X(TIMEOUT,      "timeout")

typedef enum {
#define FCA_X(id, name)  FCA_E_##id,
    FCA_EVENTS(FCA_X)
#undef FCA_X
    FCA_E_N
} fca_event_e;

typedef void (*fca_action_pt)(fca_instance_t *inst, fca_event_e event,
    const fcf_err_t *err);

extern const fca_action_pt  fca_instance_table[FCA_S_N][FCA_E_N];

typedef enum { FCA_NIC_NONE = 0, FCA_NIC_TAKING, FCA_NIC_HELD,
               FCA_NIC_MOVING, FCA_NIC_GIVING } fca_nic_e;

/* a look at the guest's port, repeated until it accepts */
typedef struct {
    int           fd;                   /* -1: none */
    fcf_io_t     *io;
    fcf_timer_t  *timer;
    unsigned      patience;             /* ms for this try */
    unsigned      refused, silent;      /* how tries ended */
    uint64_t      tell;                 /* when to say that it is refused; loop
                                           ms, 0: it was not yet */
} fca_probe_t;

struct fca_instance_s {
    TAILQ_ENTRY(fca_instance_s)   link;
    fca_instances_t              *all;
    fca_instance_state_e          state;        /* set by one function */
    fcf_timer_t                  *timer;        /* the state's timeout */
    uint64_t                      number;
    uint64_t                      born;         /* loop ms */
    uint64_t                      since;        /* of the state; loop ms */

    char                          function_id[FCF_ID_MAX + 1];
    char                          request_id[FCF_REQUEST_ID_MAX + 1];
    char                          worker_id[FCF_WORKER_ID_MAX + 1];
    fca_log_ctx_t                 log;          /* the three of them */
    fca_job_t                    *job;          /* until settled */
    char                         *job_text;     /* for the record, as taken */
    fca_later_t                  *record;       /* its file; from the first
                                                   change on */
    fcf_timer_t                  *extend_timer;
    fcf_spec_t                    spec;         /* as it was at the start */
    int                           declared;
    int                           named;    /* no share of the requests: asked
                                               for by its version */
    fca_image_look_t             *look;         /* while it looks */
    fca_images_t                 *images;       /* until spawned, or up */
    fca_secrets_t                *secrets;      /* being read */
    fcf_env_t                     env;          /* as long as the images */
    fca_snap_id_t                 snap_id;      /* key "": it has none */
    fca_snap_t                   *snap;         /* while it is restored */
    fca_ask_t                    *ask;          /* while it wakes */
    fcf_failure_e                 refusal;

    fca_keys_t                   *keys;         /* until it stops */
    fcf_instance_state_e          put_state;    /* what etcd is told */

    fca_nic_e                     nic_state;
    fca_nic_t                     nic;
    fca_vmm_t                    *vmm;
    fca_ahead_t                  *ahead;        /* what vmm was before; NULL:
                                                   started for this */
    int                           vmm_exited, vmm_killed, stop_sent;
    fca_probe_t                   probe;
    unsigned                      port;         /* reserved or listening */
    int                           port_used;
    uint32_t                      uid;          /* of the pool; 0: none */
    fca_route_t                  *route;
    int                           route_closing;

    unsigned                      booting:1;    /* counted as a boot */
    unsigned                      graceful:1;   /* it served: no cutting */
    unsigned                      hurry:1;
    unsigned                      record_said:1;    /* it is behind */
    unsigned                      drain_put:1;  /* etcd knows of it */
    unsigned                      proxy_awaited:1;  /* ready, but for it */
    unsigned                      drain_on:1;   /* the proxy is to drain */
    unsigned                      drain_asked:1;    /* and will answer */
    unsigned                      port_only:1;  /* a dead guest's: nothing
                                                   else waits for its route */
    unsigned                      given_back:1; /* what it had of the host */
    unsigned                      vmm_there:1;  /* earlier than awaited */
    unsigned                      loaded:1;     /* its snapshot, ahead */
    unsigned                      nic_lost:1;   /* before it went on */
    unsigned                      snap_failed:1;    /* it boots */
    unsigned                      snap_other:1; /* of another VMM */
    unsigned                      was_restored:1;
    unsigned                      flooded:1;    /* was told */
    unsigned                      heir:1;       /* its images were not looked
                                                   for: an earlier agent's */
    unsigned                      removing:1;   /* the directory of a VMM that
                                                   was to restore it */
    uint64_t                      stop_since;   /* the guest was told */
    uint64_t                      requests;     /* when draining began */
    int64_t                       started_ms;   /* Unix time */
};

#define fca_inst_log(inst, level, ...)                                      \
    fca_log(level, &(inst)->log, __VA_ARGS__)

/* instance.c */
void fca_instance_event(fca_instance_t *inst, fca_event_e event,
    const fcf_err_t *err);
/* the only one that assigns inst->state; arms the state's timeout */
void fca_instance_set(fca_instance_t *inst, fca_instance_state_e state,
    fca_event_e event);
unsigned fca_instance_timeout(const fca_instance_t *inst,
    fca_instance_state_e state);
/* an instance with keys that holds nothing yet */
fca_instance_t *fca_instance_bare(fca_instances_t *all, uint64_t number,
    const char *function_id, const char *request_id, const fcf_spec_t *spec,
    int declared, fcf_err_t *err);
void fca_instance_free(fca_instance_t *inst);
const char *fca_state_name(fca_instance_state_e state);
const char *fca_event_name(fca_event_e event);
unsigned fca_state_ms(fca_instance_state_e state);

/* instance_view.c */
void fca_instance_look(const fca_instance_t *inst, fca_instance_view_pt look,
    void *arg);
/* before the state changes to this one */
void fca_instance_count(fca_instance_t *inst, fca_instance_state_e next);

/* instance_keys.c */
int fca_inst_keys(fca_instance_t *inst, fcf_err_t *err) fcf_must_check;
/* the slot, and with it NIC and environment: none needs the other, and each
 * takes as long */
void fca_inst_claim(fca_instance_t *inst);
void fca_inst_put(fca_instance_t *inst, fcf_instance_state_e state);
void fca_inst_unput(fca_instance_t *inst);

/* instance_record.c */
/* what it says in that state, malloc'd; NULL: out of memory */
char *fca_inst_record_text(const fca_instance_t *inst,
    fca_instance_state_e state);
/* writes it, if the VM has a directory */
void fca_inst_record(fca_instance_t *inst);

/* instance_look.c: its first step, which ends in IMAGES or NO_IMAGES */
int fca_inst_look(fca_instance_t *inst, fcf_err_t *err) fcf_must_check;
void fca_inst_look_end(fca_instance_t *inst);
/* Of an heir, which serves: looks for what a snapshot of its version would be
 * made of, once those that there are have been checked. */
void fca_inst_look_back(fca_instance_t *inst);

/* instance_env.c */
/* reads it, if the spec names one, which ends in ENV or NO_ENV */
void fca_inst_env(fca_instance_t *inst);
/* nothing is booted of it, or of the images, any more */
void fca_inst_boot_end(fca_instance_t *inst);

/* instance_restore.c */
unsigned fca_inst_restore_ms(const fca_instance_t *inst);
/* there is one for it */
int fca_inst_snap_there(const fca_instance_t *inst);
/* the next one of its version finds a VMM that is there */
void fca_inst_ahead(fca_instance_t *inst);
/* it is not restored any more */
void fca_inst_snap_end(fca_instance_t *inst);
/* arg: the instance */
void fca_inst_removed(void *arg);

/* instance_boot.c */
/* takes one, which ends in NIC or NIC_FAILED */
void fca_inst_nic(fca_instance_t *inst);
/* its VMM, which ends in SPAWNED or VMM_FAILED */
void fca_inst_start(fca_instance_t *inst);
/* all that it needs is there: waits for the VMM */
void fca_inst_spawn(fca_instance_t *inst, fca_event_e event);
/* fca_vmm_said_pt; arg: the instance */
void fca_inst_said(void *arg, fca_stream_e stream, const char *data,
    size_t len, uint64_t dropped);
void fca_inst_vmm_event(void *arg, fca_vmm_event_e event,
    const fcf_err_t *err);
/* it is registered: so is its job done, once its record is written */
void fca_inst_job_done(fca_instance_t *inst);
/* its port listens and leads to the guest */
int fca_inst_serve(fca_instance_t *inst, fcf_err_t *err) fcf_must_check;

/* arg: the instance; as fca_route_close() tells */
void fca_inst_route_closed(void *arg);
void fca_inst_route_drained(void *arg);

/* the guest's port refuses: says so to those who wait, for as long as it does;
 * returns when to say it again, in loop ms */
uint64_t fca_inst_refused(fca_instance_t *inst);

/* instance_probe.c */
void fca_probe_start(fca_instance_t *inst);
void fca_probe_stop(fca_instance_t *inst);

/* the way back: instance_stop.c */
/* the last lines of a console that fit beside the reason */
const char *fca_console_tail(const char *console);
/* if it holds one */
void fca_inst_nic_give(fca_instance_t *inst);
void fca_stop_begin(fca_instance_t *inst, fca_event_e event);
void fca_fail(fca_instance_t *inst, fca_event_e event, fcf_failure_e error,
    const char *fmt, ...) fcf_printf_like(4, 5);
/* the same for what may be this host's fault: another node's turn, if there is
 * one left */
void fca_fail_here(fca_instance_t *inst, fca_event_e event,
    fcf_failure_e error, const char *fmt, ...) fcf_printf_like(4, 5);

/* another node's turn, too, but no fault of this host's */
void fca_fail_elsewhere(fca_instance_t *inst, fca_event_e event,
    fcf_failure_e error, const char *fmt, ...) fcf_printf_like(4, 5);

/* for what may be its function's fault as well: another node's turn, if this
 * one has not shown that guests come up, and not many have tried */
void fca_fail_guest(fca_instance_t *inst, fca_event_e event,
    fcf_failure_e error, const char *fmt, ...) fcf_printf_like(4, 5);

/* the actions of the table */
#define FCA_ACTION(name)                                                    \
    void fca_on_##name(fca_instance_t *inst, fca_event_e event,             \
        const fcf_err_t *err)

FCA_ACTION(fetch);              /* instance_look.c */
FCA_ACTION(fetch_timeout);
FCA_ACTION(images);
FCA_ACTION(no_images);
FCA_ACTION(look_timeout);
FCA_ACTION(claimed);            /* instance_boot.c */
FCA_ACTION(refused);
FCA_ACTION(give_back);
FCA_ACTION(nic_failed);
FCA_ACTION(nic_early);
FCA_ACTION(spawned_early);
FCA_ACTION(exit_early);
FCA_ACTION(no_env);             /* instance_env.c */
FCA_ACTION(nic);                /* instance_restore.c */
FCA_ACTION(apart);
FCA_ACTION(spawned);
FCA_ACTION(restored);
FCA_ACTION(awake);
FCA_ACTION(joined);
FCA_ACTION(fallback);
FCA_ACTION(fallback_step);
FCA_ACTION(fallback_stuck);
FCA_ACTION(configured);         /* instance_boot.c */
FCA_ACTION(booted);
FCA_ACTION(vmm_failed);
FCA_ACTION(vmm_exit);
FCA_ACTION(spawn_failed);
FCA_ACTION(vmm_timeout);
FCA_ACTION(nic_timeout);
FCA_ACTION(boot_exit);
FCA_ACTION(boot_timeout);
FCA_ACTION(accepted);
FCA_ACTION(opened);
FCA_ACTION(ready_timeout);
FCA_ACTION(slot_lost);
FCA_ACTION(registered);         /* instance_serve.c */
FCA_ACTION(tick);
FCA_ACTION(drain);
FCA_ACTION(died);
FCA_ACTION(idle_put);
FCA_ACTION(idle_over);
FCA_ACTION(idle_drained);
FCA_ACTION(revive);
FCA_ACTION(late_nic);           /* instance_stop.c */
FCA_ACTION(late);
FCA_ACTION(stop_exit);
FCA_ACTION(step);
FCA_ACTION(hurry);
FCA_ACTION(stuck);
FCA_ACTION(end);

#endif /* _FCA_INSTANCE_INT_H_INCLUDED_ */
