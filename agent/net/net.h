/*
 * The node's guest network: bridge, pooled TAPs, nftables.  Opening and
 * closing are synchronous (start and end of the process); taking and giving a
 * NIC runs on a worker thread and answers on the loop.
 *
 * TAPs carry the node_id in their ifalias: that is how a later start knows
 * its own and takes them into the pool.
 */

#ifndef _FCA_NET_H_INCLUDED_
#define _FCA_NET_H_INCLUDED_

#include <net/if.h>
#include <netinet/in.h>
#include <sys/types.h>
#include <uv.h>
#include "agent/base/cidr.h"
#include "contract/fcf_err.h"

typedef struct fca_net_s  fca_net_t;

typedef struct {
    char             tap[IFNAMSIZ];
    char             device[IFNAMSIZ];  /* by which the guest is reached */
    unsigned         ifindex;
    unsigned         mtu;               /* what gets out whole */
    unsigned char    mac[6];            /* the guest's */
    struct in_addr   address;           /* the guest's */
} fca_nic_t;

typedef struct {
    const char         *bridge;         /* "fc-bridge0" */
    const char         *tap_prefix;     /* "fctap" */
    const char         *node_id;
    struct in_addr      address;        /* the bridge's: 172.16.0.1 */
    unsigned            prefix_len;     /* 16..29 */
    int                 egress;         /* 0 none, 1 internet */
    /* what egress includes beside public addresses */
    const fca_cidr_t   *egress_allow;
    size_t              negress_allow;
    unsigned            connections;    /* of a guest to outside, at once */
    unsigned            pool_max;       /* idle TAPs kept */
    unsigned            ahead;          /* so many are made while nobody takes
                                           any; at most pool_max, */
    unsigned            most;           /* and no more in all, those that are
                                           out included */
    /* an agent with these settings runs: what it holds is no refusal, for
     * fca_net_check() */
    int                 beside;
    fca_nic_t          *keep;           /* see fca_net_open() */
    size_t              nkeep;
    /* A NIC that is out has lost its TAP for good: its VM has no network any
     * more and is to be replaced.  From the loop, once a NIC; may give it.
     * May be NULL. */
    void              (*lost)(void *arg, const fca_nic_t *nic,
                              const fcf_err_t *why);
    void               *arg;
} fca_net_conf_t;

/* who may open a TAP beside root */
typedef struct {
    uid_t            uid;
    gid_t            gid;
} fca_nic_owner_t;

/* Refuses, by name: foreign ports on the bridge, a route that overlaps,
 * another agent's TAPs.  Takes over TAPs of this node_id.
 *
 * keep: NICs of VMs that an earlier agent left and that go on; nothing of
 * them is touched but what somebody changed, and they are given back as if
 * they had been taken.  ifindex must be 0, and still is afterwards where a NIC
 * could not be kept; its TAP is gone then.  Another TAP that a process still
 * has open is a refusal, so fca_vmm_reclaim() goes first. */
fca_net_t *fca_net_open(uv_loop_t *uv, const fca_net_conf_t *conf,
    fcf_err_t *err);
/* What fca_net_open() would refuse, without changing anything. */
int fca_net_check(const fca_net_conf_t *conf, fcf_err_t *err) fcf_must_check;
/* remove: TAPs, bridge and nftables table go too.  No NIC may be out.  Takes
 * under way get FCF_E_CANCELED from within; the loop must run once more, for
 * a handle to close.  Not remove: the next open takes all of it over. */
void fca_net_close(fca_net_t *net, int remove);

/* err == NULL: nic is the caller's until fca_net_give() */
typedef void (*fca_net_pt)(void *arg, const fca_nic_t *nic,
    const fcf_err_t *err);
/* Enslaved while down, isolated, its nftables elements added, permanent
 * neighbour entry, then up.  done runs exactly once from the loop; it may
 * take and give.  owner NULL: root alone.  FCF_E_LIMIT at once: no address or
 * port is left. */
int fca_net_take(fca_net_t *net, const fca_nic_owner_t *owner,
    fca_net_pt done, void *arg, fcf_err_t *err) fcf_must_check;
/*
 * For a clone, which wakes with its template's address and MAC: the TAP is out
 * of the bridge and has the bridge's MAC, and the guest of that address and
 * MAC is reached by it alone, for control (FCV_CONTROL_PORT); it reaches
 * nothing.  done runs once, from the loop, with err NULL if it is so.  Until
 * then the NIC may not be given.
 */
typedef void (*fca_nic_moved_pt)(void *arg, const fcf_err_t *err);

void fca_net_apart(fca_net_t *net, const fca_nic_t *nic,
    struct in_addr address, const unsigned char *mac, fca_nic_moved_pt done,
    void *arg);
/* and into the bridge, as it was taken */
void fca_net_join(fca_net_t *net, const fca_nic_t *nic, fca_nic_moved_pt done,
    void *arg);
/* Only after the VMM was reaped.  done may be NULL. */
void fca_net_give(fca_net_t *net, const fca_nic_t *nic,
    void (*done)(void *arg), void *arg);

unsigned fca_net_free_count(const fca_net_t *net);  /* addresses left */

/* Connections to a guest go by its device alone: without this, one made while
 * the bridge is away would take the default route, to a stranger.  fd is a
 * socket that is not connected yet. */
int fca_nic_bind(const fca_nic_t *nic, int fd, fcf_err_t *err)
    fcf_must_check;

/* Rules of others that cut guests off: the findings, a line each, with the
 * rule that would do; "" if there are none, or they cannot be read.  Blocks;
 * needs no network open. */
void fca_net_foreign(const fca_net_conf_t *conf, char *text, size_t size);

#endif /* _FCA_NET_H_INCLUDED_ */
