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

#define FCA_NET_ALIAS       "fcfaas:"
#define FCA_NET_ALIAS_MAX   (sizeof(FCA_NET_ALIAS) + FCF_ID_MAX)
#define FCA_NET_MAC         "\x06\xfc\x00\x00\x00\x01"
/* link group of what is to be deleted: agents that share a namespace differ
 * in their bridge */
#define FCA_NET_GROUP(net)  (0x66630000u + (net)->ifindex)

struct nft_ctx;

typedef enum {
    FCA_NET_MAKE,           /* a TAP and all that belongs to it, then up */
    FCA_NET_TAKE,           /* a pooled one: look at it, then up */
    FCA_NET_GIVE,           /* down */
    FCA_NET_DOOM            /* delete */
} fca_net_op_e;

typedef struct fca_net_nic_s  fca_net_nic_t;

struct fca_net_nic_s {
    fca_nic_t                    nic;
    unsigned                     host;      /* number within the prefix */
    fca_net_op_e                 op;
    int                          failed;    /* err says why */
    int                          armed;     /* worker's: in net->armed */
    fcf_err_t                    err;
    fca_net_pt                   taken;
    void                       (*given)(void *arg);
    void                        *arg;
    STAILQ_ENTRY(fca_net_nic_s)  next;      /* jobs, results or idle */
    TAILQ_ENTRY(fca_net_nic_s)   out;       /* loop's: handed out */
    TAILQ_ENTRY(fca_net_nic_s)   arm;       /* worker's */
};

STAILQ_HEAD(fca_net_queue_s, fca_net_nic_s);
TAILQ_HEAD(fca_net_list_s, fca_net_nic_s);

typedef struct fca_net_queue_s  fca_net_queue_t;
typedef struct fca_net_list_s   fca_net_list_t;

struct fca_net_s {
    /* constant once open */
    char               bridge[IFNAMSIZ];
    char               tap_prefix[IFNAMSIZ];
    char               alias[FCA_NET_ALIAS_MAX];
    struct in_addr     address;
    unsigned           prefix_len;
    int                egress;
    unsigned           pool_max;
    unsigned           ifindex;         /* the bridge's */
    int                made;            /* the bridge is ours to delete */
    int                forward_was_off;
    fca_nic_t         *keep;            /* the opener's, while it opens */
    size_t             nkeep;

    /* the loop's */
    uv_async_t        *async;           /* freed by its close callback */
    fca_pool_t         pool;            /* host numbers */
    fca_net_queue_t    idle;
    unsigned           nidle;
    unsigned           nnics;           /* idle, out and queued */
    unsigned           pending;         /* jobs whose result is due */
    fca_net_list_t     out;

    /* the worker's; the opener's and the closer's when it does not run */
    struct nl_sock    *sk;
    struct nft_ctx    *nft;
    fca_net_list_t     armed;           /* NICs with an element in our sets */

    /* shared, under lock */
    int                running;
    uv_thread_t        thread;
    uv_mutex_t         lock;
    uv_cond_t          wake;
    fca_net_queue_t    jobs, results;
    int                stop;
};

/* net_tap.c */
int fca_tap_check(fcf_err_t *err) fcf_must_check;
/* a persistent TAP named by the kernel from prefix; the alias is on it before
 * it is made persistent, so that a kill never leaves one without owner */
int fca_tap_make(struct nl_sock *sk, const char *prefix, const char *alias,
    fca_link_t *out, fcf_err_t *err) fcf_must_check;
/* 1: a process has it open, 0: nobody */
int fca_tap_busy(const char *name, fcf_err_t *err) fcf_must_check;
/* writes below /proc/sys/net; where the kernel has no such setting, 0 */
int fca_sysctl_set(const char *path, const char *value, fcf_err_t *err);
/* first character of the value; -1: not there */
int fca_sysctl_get(const char *path);
int fca_link_no_ipv6(const char *name, fcf_err_t *err) fcf_must_check;

/* net_nft.c */
int fca_nft_init(fca_net_t *net, fcf_err_t *err) fcf_must_check;
void fca_nft_free(fca_net_t *net);
/* both tables anew, with an element for each armed NIC, in one transaction */
int fca_nft_load(fca_net_t *net, fcf_err_t *err);
/* 0: both tables are there */
int fca_nft_check(fca_net_t *net, fcf_err_t *err);
int fca_nft_remove(fca_net_t *net, fcf_err_t *err);
/* One transaction each; 0 also if there is none to treat.  Adds those that are
 * being made, deletes and looks for those that are armed. */
int fca_nft_add(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
    fcf_must_check;
int fca_nft_delete(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
    fcf_must_check;
int fca_nft_verify(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
    fcf_must_check;

/* net_open.c */
int fca_net_setup(fca_net_t *net, fcf_err_t *err) fcf_must_check;
/* only whether that may be tried */
int fca_net_look(fca_net_t *net, fcf_err_t *err) fcf_must_check;
/* logs what could not be removed, and goes on */
void fca_net_teardown(fca_net_t *net);
/* a warning, where rc says so, for what cannot be undone or is only tidying */
void fca_net_complain(int rc, const fcf_err_t *err);
/* what net.c keeps of a NIC; NULL: out of memory */
fca_net_nic_t *fca_net_nic_new(fca_net_t *net, unsigned host);

/* net_keep.c */
/* a TAP of that name is to be kept */
int fca_net_keeps(const fca_net_t *net, const char *tap);
/* keeps it if so: 1; 0: it is not kept */
int fca_net_keep(fca_net_t *net, const fca_link_t *link, fcf_err_t *err)
    fcf_must_check;

/* net_work.c */
/* the TAP of nic is in the bridge, isolated and armed, still down */
int fca_net_nic_prepare(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
    fcf_must_check;
void fca_net_arm(fca_net_t *net, fca_net_nic_t *nic, int armed);
int fca_net_work_start(fca_net_t *net, fcf_err_t *err) fcf_must_check;
/* ends the worker once it has done every job; results stay queued */
void fca_net_work_stop(fca_net_t *net);
void fca_net_work_add(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op);

#endif /* _FCA_NET_INT_H_INCLUDED_ */
