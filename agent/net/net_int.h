/*
 * Shared by net*.c only.  Two threads: the loop's (fca_net_* of net.h) and
 * one worker, which alone uses the netlink socket and libnftables once it
 * runs.  A NIC that is queued belongs to the worker until its result is
 * queued back; the loop then reads it.
 */

#ifndef _FCA_NET_INT_H_INCLUDED_
#define _FCA_NET_INT_H_INCLUDED_

#include <sys/queue.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/net/net.h"
#include "agent/net/net_link.h"
#include "agent/base/pool.h"
#include "contract/fcf_names.h"

/* for the pool of addresses, which do not rest */
#define FCA_NET_NOW        1

/* a bridge port's number has ten bits, and 0 is none */
#define FCA_NET_PORTS_MAX   1023
#define FCA_NET_BATCH_MAX   16
/* deletion waits for company: that many, or that long without other work */
#define FCA_NET_DOOM_MAX    64
#define FCA_NET_DOOM_NS     (200 * 1000000ull)
/* how often the rules are looked at when nothing else is to do */
#define FCA_NET_WATCH_NS    (2000 * 1000000ull)

#define FCA_NET_QUIET_NS    (1000 * 1000000ull)

/* "ip addr flush" deletes until none is left: it would not end */
#define FCA_NET_ADDRESS_NS  (100 * 1000000ull)

#define FCA_NET_ALIAS       "fcfaas:"
#define FCA_NET_ALIAS_MAX   (sizeof(FCA_NET_ALIAS) + FCF_ID_MAX)
/* both tables are called that and the bridge's name */
#define FCA_NET_TABLE       "fcfaas_"
#define FCA_NFT_TABLES      2
/* our own last generations of the host's rules */
#define FCA_NET_OWN_MAX     64
#define FCA_NET_ALLOW_MAX   32
#define FCA_NET_MTU         1500
#define FCA_NET_MTU_MIN     576
#define FCA_FOREIGN_NAME    160
/* link group of what is to be deleted: agents that share a namespace differ
 * in their bridge */
#define FCA_NET_GROUP(net)  (0x66630000u + (net)->ifindex)

struct nft_ctx;

typedef enum {
    FCA_NET_MAKE,           /* a TAP and all that belongs to it, then up */
    FCA_NET_TAKE,           /* a pooled one: look at it, then up */
    FCA_NET_APART,          /* out of the bridge, for a clone */
    FCA_NET_JOIN,           /* into it again */
    FCA_NET_GIVE,           /* down */
    FCA_NET_DOOM            /* delete */
} fca_net_op_e;

typedef struct fca_net_nic_s  fca_net_nic_t;

struct fca_net_nic_s {
    fca_nic_t                    nic;
    unsigned                     host;      /* number within the prefix */
    fca_net_op_e                 op;
    int                          failed;    /* err says why */
    int                          lost;      /* under lock: its TAP is gone */
    int                          told;      /* loop's: the owner knows */
    int                          drop;      /* given back to be deleted */
    int                          ahead;     /* made for the pool: not up */
    fcf_err_t                    err;
    fca_nic_owner_t              want;      /* who is to open the TAP */

    struct in_addr               clone;     /* apart: what its guest has */
    unsigned char                clone_mac[6];

    /* the worker's */
    int                          apart;     /* out of the bridge */
    int                          armed;     /* in net->armed */
    int                          up;        /* a guest may use it */
    int                          dirty;     /* somebody touched its TAP */
    unsigned char                tap_mac[6];
    fca_nic_owner_t              owner;     /* as the TAP has it */

    fca_net_pt                   taken;
    fca_nic_moved_pt             moved;
    void                       (*given)(void *arg);
    void                        *arg;
    STAILQ_ENTRY(fca_net_nic_s)  next;      /* jobs, results or idle */
    TAILQ_ENTRY(fca_net_nic_s)   out;       /* loop's: handed out */
    TAILQ_ENTRY(fca_net_nic_s)   arm;       /* worker's */
    LIST_ENTRY(fca_net_nic_s)    same;      /* worker's: net->by_ifindex */
};

STAILQ_HEAD(fca_net_queue_s, fca_net_nic_s);
TAILQ_HEAD(fca_net_list_s, fca_net_nic_s);

typedef struct fca_net_queue_s  fca_net_queue_t;
typedef struct fca_net_list_s   fca_net_list_t;

LIST_HEAD(fca_net_bucket_s, fca_net_nic_s);

typedef struct fca_net_bucket_s  fca_net_bucket_t;

/* a link's index modulo that is its bucket */
#define FCA_NET_BUCKETS  256

struct fca_net_s {
    /* constant once open */
    char               bridge[IFNAMSIZ];
    char               tap_prefix[IFNAMSIZ];
    char               table[sizeof(FCA_NET_TABLE) + IFNAMSIZ];
    char               alias[FCA_NET_ALIAS_MAX];
    struct in_addr     address;
    unsigned           prefix_len;
    int                egress;
    fca_cidr_t         allow[FCA_NET_ALLOW_MAX];
    size_t             nallow;
    unsigned           connections;
    unsigned           pool_max;
    unsigned           ahead, most;
    int                beside;
    fca_nic_t         *keep;            /* the opener's, while it opens */
    size_t             nkeep;
    void             (*lost)(void *arg, const fca_nic_t *nic,
                             const fcf_err_t *why);
    void              *arg;
    int                lock;            /* -1: none */
    int                wake, done;      /* eventfds: to and from the worker */

    /* the loop's */
    uv_poll_t         *poll;            /* on done; freed by its close */
    fca_pool_t         pool;            /* host numbers */
    fca_net_queue_t    idle;
    unsigned           nidle;
    unsigned           ngiving;         /* on their way to those that are */
    unsigned           nnics;           /* idle, out and queued */
    unsigned           pending;         /* jobs whose result is due */
    fca_net_list_t     out;
    uv_timer_t        *quiet;           /* until one is made ahead; freed by
                                           its close; NULL: none ever is */
    fca_net_nic_t     *coming;          /* being made ahead, one at a time */
    struct {
        fca_net_pt       taken;         /* NULL: for the pool */
        void            *arg;
        fca_nic_owner_t  owner;
    }                  heir;            /* who gets it */

    /* the worker's; the opener's and the closer's when it does not run */
    struct nl_sock    *sk, *nfsk;       /* rtnetlink, nfnetlink */
    struct nl_sock    *rules_notices, *link_notices;
    struct nft_ctx    *nft;
    unsigned           ifindex;         /* the bridge's */
    int                made;            /* the bridge is ours to delete */
    int                forward_was_off;
    unsigned           mtu;             /* of the way out */
    fca_net_list_t     armed;           /* NICs with an element in our sets;
                                           first those that are dirty */
    fca_net_bucket_t   by_ifindex[FCA_NET_BUCKETS];     /* the same */
    char              *rules[FCA_NFT_TABLES];   /* as they are to be */
    uint32_t           own[FCA_NET_OWN_MAX];
    size_t             nown;
    uint32_t           seen_gen;        /* the last generation of the host's
                                           rules that a notice told; 0: none */
    uint64_t           strays;          /* as last counted */
    uint64_t           nft_runs;        /* of commands, by libnftables */
    uint64_t           nft_rested;      /* and at its last rest */
    unsigned           stranger;        /* ifindex of a foreign port */
    unsigned           touched:2, rules_gone:1, rules_dirty:1;
    unsigned           bridge_dirty:1, forward_dirty:1;
    unsigned           foreign_changed:1, retry:1;
    unsigned           flows_one_by_one:1;  /* an older kernel */
    uint64_t           foreign_due;     /* when others' rules may be read */
    uint64_t           address_due;     /* to be looked at; 0: not */
    const char        *bridge_told;     /* what was wrong with it last */
    uint64_t           bridge_quiet;    /* and until when that is known */
    char               by[32];          /* who changed the rules */
    char               foreign[2048];   /* as last told */

    /* shared, under lock */
    int                running;
    uv_thread_t        thread;
    uv_sem_t           started;
    int                work_failed;
    fcf_err_t          work_err;
    uv_mutex_t         mutex;
    fca_net_queue_t    jobs, results;
    unsigned           nlost;           /* not yet told */
    int                stop;
};

/* net.c: a job for the worker, whose result comes back */
void fca_net_submit(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op);
/* one with an address of its own and no TAP yet; NULL: none is left */
fca_net_nic_t *fca_net_more(fca_net_t *net, fcf_err_t *err);
/* what the owner gets, by MAKE or TAKE */
void fca_net_hand(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op,
    const fca_nic_owner_t *owner, fca_net_pt done, void *arg);
void fca_net_doom(fca_net_t *net, fca_net_nic_t *nic);

/* net_ahead.c: TAPs for the pool, made while nobody waits for one */
int fca_net_ahead_open(fca_net_t *net, uv_loop_t *uv, fcf_err_t *err)
    fcf_must_check;
/* not before nobody has taken one for a while */
void fca_net_ahead_later(fca_net_t *net);
/* 1: the one that is being made is theirs, and done runs for it */
int fca_net_ahead_wait(fca_net_t *net, const fca_nic_owner_t *owner,
    fca_net_pt done, void *arg);
/* its result: it goes to whoever waits, or into the pool */
void fca_net_ahead_made(fca_net_t *net, fca_net_nic_t *nic);
/* it is made, and the network closed: who waits hears that */
void fca_net_ahead_cancel(fca_net_t *net, const fcf_err_t *err);
void fca_net_ahead_close(fca_net_t *net);
/* net_move.c: what is kept of one that is out */
fca_net_nic_t *fca_net_out(fca_net_t *net, const fca_nic_t *nic);

/* net_tap.c */
int fca_tap_check(fcf_err_t *err) fcf_must_check;
/* a persistent TAP named by the kernel from prefix; the alias is on it before
 * it is made persistent, so that a kill never leaves one without owner */
int fca_tap_make(struct nl_sock *sk, const char *prefix, const char *alias,
    fca_link_t *out, fcf_err_t *err) fcf_must_check;
/* uid and gid: 0 and 0 are root alone */
int fca_tap_own(const char *name, uid_t uid, gid_t gid, fcf_err_t *err)
    fcf_must_check;
/* 1: a process has it open, 0: nobody */
int fca_tap_busy(const char *name, fcf_err_t *err) fcf_must_check;
/* writes below /proc/sys/net; where the kernel has no such setting, 0 */
int fca_sysctl_set(const char *path, const char *value, fcf_err_t *err);
/* first character of the value; -1: not there */
int fca_sysctl_get(const char *path);
int fca_link_no_ipv6(const char *name, fcf_err_t *err) fcf_must_check;

/* net_conf.c */
int fca_net_conf_check(const fca_net_conf_t *conf, fcf_err_t *err)
    fcf_must_check;
void fca_net_conf_apply(fca_net_t *net, const fca_net_conf_t *conf);
/* from the bridge's */
void fca_net_table_name(fca_net_t *net);

/* net_rules.c: the tables' text, with an element for each armed NIC */
void fca_rules_bridge(const fca_net_t *net, FILE *f);
void fca_rules_inet(const fca_net_t *net, FILE *f);
void fca_rules_element(FILE *f, const fca_nic_t *nic);
/* whether guests may open connections to addr */
int fca_rules_reachable(const fca_net_t *net, struct in_addr addr);

/* net_nft.c */
struct nft_ctx *fca_nft_new(fcf_err_t *err);
/* both tables anew, in one transaction */
int fca_nft_load(fca_net_t *net, fcf_err_t *err) fcf_must_check;
int fca_nft_learn(fca_net_t *net, fcf_err_t *err) fcf_must_check;
/* 0: both tables and their sets are as they are to be; else err says what */
int fca_nft_check(fca_net_t *net, fcf_err_t *err) fcf_must_check;
int fca_nft_remove(fca_net_t *net, fcf_err_t *err) fcf_must_check;
/* nothing is to be done: memory is given back */
void fca_nft_rest(fca_net_t *net);
/* segments from guests that belonged to no known connection, so far */
int fca_nft_strays(fca_net_t *net, uint64_t *packets) fcf_must_check;
/* these, and no others, are connections that guests may answer */
int fca_nft_keep(fca_net_t *net, const char *elements, fcf_err_t *err)
    fcf_must_check;
/* One transaction each; 0 also if there is none to treat.  Adds those that are
 * being made, deletes and looks for those that are armed. */
int fca_nft_add(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
    fcf_must_check;
int fca_nft_delete(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
    fcf_must_check;
int fca_nft_verify(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
    fcf_must_check;

/* net_guard.c */
int fca_guard_open(fca_net_t *net, fcf_err_t *err) fcf_must_check;
void fca_guard_close(fca_net_t *net);
/* everything has to be looked at */
void fca_guard_all(fca_net_t *net);
/* reads the notices, looks at what they are about, puts back */
void fca_guard(fca_net_t *net);
void fca_guard_tick(fca_net_t *net);
int fca_guard_reload(fca_net_t *net, const char *why, fcf_err_t *err)
    fcf_must_check;

/* net_gen.c */
/* of the host's rules */
int fca_guard_generation(fca_net_t *net, uint32_t *gen, fcf_err_t *err)
    fcf_must_check;
/* gen is of our own making */
void fca_guard_own(fca_net_t *net, uint32_t gen);
int fca_guard_owns(const fca_net_t *net, uint32_t gen);
/* since the notices were read, and our tables looked at, nobody has changed
 * any rules of the host's */
int fca_guard_unchanged(fca_net_t *net);

/* net_cut.c */
int fca_net_is_guest(const fca_net_t *net, struct in_addr addr);
/* Lets what agent and proxy opened go on; end: and ends what guests did. */
void fca_cut(fca_net_t *net, int end);
/* net_flows.c */
int fca_flows_cut(fca_net_t *net, fcf_err_t *err) fcf_must_check;
int fca_flows_forget(fca_net_t *net, struct in_addr addr, fcf_err_t *err)
    fcf_must_check;

/* net_foreign.c */
/* Does somebody else have rules for forwarding?  Then whose says who, in
 * FCA_FOREIGN_NAME bytes. */
int fca_foreign_forwards(struct nft_ctx *nft, char *whose);
void fca_net_foreign_tell(fca_net_t *net);

/* net_lock.c */
int fca_net_lock(fca_net_t *net, fcf_err_t *err) fcf_must_check;
/* 0: nobody has it, or nobody who counts; waits up to a second for who is left
 * of one that was killed */
int fca_net_lock_check(const fca_net_t *net, fcf_err_t *err) fcf_must_check;

/* net_forward.c */
int fca_net_alias_ours(const fca_net_t *net, const char *alias);
/* what the alias of a bridge that is there already says */
void fca_net_bridge_read(fca_net_t *net, const fca_link_t *link);
/* makes the bridge's alias say it */
int fca_net_bridge_mark(fca_net_t *net, fcf_err_t *err) fcf_must_check;
int fca_net_forward_start(fca_net_t *net, fcf_err_t *err) fcf_must_check;
void fca_net_forward_guard(fca_net_t *net);
void fca_net_forward_end(fca_net_t *net);

/* net_bridge.c */
extern const unsigned char  fca_net_bridge_mac[6];
int fca_net_bridge_set_up(fca_net_t *net, fcf_err_t *err) fcf_must_check;
void fca_net_bridge_guard(fca_net_t *net);
void fca_net_stranger_guard(fca_net_t *net, unsigned ifindex);
void fca_net_mtu_read(fca_net_t *net);

/* net_nic.c */
/* the TAP of nic is in the bridge, isolated and armed, still down */
int fca_net_nic_prepare(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
    fcf_must_check;
int fca_net_nic_own(fca_net_nic_t *nic, fcf_err_t *err) fcf_must_check;
int fca_net_nic_raise(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
    fcf_must_check;
/* puts back what is wrong with it; FCF_E_NOT_FOUND: its TAP is gone */
int fca_net_nic_look(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
    fcf_must_check;
void fca_net_nic_guard(fca_net_t *net, fca_net_nic_t *nic);
/* FCA_NET_APART: out of the bridge and up, for the guest that nic->clone says;
 * FCA_NET_JOIN: back.  In the bridge it stays down where up is 0. */
int fca_net_nic_move(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
    fcf_must_check;
int fca_net_nic_join(fca_net_t *net, fca_net_nic_t *nic, int up,
    fcf_err_t *err) fcf_must_check;
/* what it has for the time out of the bridge alone */
void fca_net_nic_undress(fca_net_t *net, unsigned ifindex);
void fca_net_arm(fca_net_t *net, fca_net_nic_t *nic, int armed);

/* net_end.c; all log what could not be removed, and go on */
void fca_net_teardown(fca_net_t *net);
/* the same for who is connected */
void fca_net_end(fca_net_t *net);
/* Takes away bridges that an agent of this node, which is no more, had under
 * other settings; none while VMs of then go on. */
int fca_net_former(fca_net_t *net, fcf_err_t *err) fcf_must_check;

/* net_open.c */
/* netlink and nftables, for the thread that calls */
int fca_net_connect(fca_net_t *net, fcf_err_t *err) fcf_must_check;
void fca_net_disconnect(fca_net_t *net);
int fca_net_setup(fca_net_t *net, fcf_err_t *err) fcf_must_check;
/* only whether that may be tried */
int fca_net_look(fca_net_t *net, fcf_err_t *err) fcf_must_check;
int fca_net_tap_ours(const fca_net_t *net, const fca_link_t *link);
/* a warning, where rc says so, for what cannot be undone or is only tidying */
void fca_net_complain(int rc, const fcf_err_t *err);
/* what net.c keeps of a NIC; NULL: out of memory */
fca_net_nic_t *fca_net_nic_new(fca_net_t *net, unsigned host);
/* the same of a TAP that an earlier run left; NULL: err is set */
fca_net_nic_t *fca_net_nic_found(fca_net_t *net, unsigned host,
    const fca_link_t *link, fcf_err_t *err);

/* net_keep.c */
/* a TAP of that name is to be kept */
int fca_net_keeps(const fca_net_t *net, const char *tap);
/* keeps it if so: 1; 0: it is not kept */
int fca_net_keep(fca_net_t *net, const fca_link_t *link, fcf_err_t *err)
    fcf_must_check;

/* net_work.c */
/* nic has lost its TAP: the loop tells its owner */
void fca_net_lose(fca_net_t *net, fca_net_nic_t *nic);
void fca_net_ring(int bell);
void fca_net_ring_stop(int bell);
int fca_net_work_start(fca_net_t *net, fcf_err_t *err) fcf_must_check;
/* ends the worker once it has done every job; results stay queued */
void fca_net_work_stop(fca_net_t *net);
void fca_net_work_add(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op);

#endif /* _FCA_NET_INT_H_INCLUDED_ */
