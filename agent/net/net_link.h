/*
 * Links, addresses and neighbours over rtnetlink: what net.c needs and no
 * more.  Synchronous; a socket serves one thread at a time.  libnl's own
 * objects know neither a bridge port's "isolated" flag nor deletion by group,
 * so these messages are built here from libnl's primitives.
 */

#ifndef _FCA_NET_LINK_H_INCLUDED_
#define _FCA_NET_LINK_H_INCLUDED_

#include <net/if.h>
#include <netinet/in.h>
#include <netlink/socket.h>
#include "contract/fcf_err.h"

#define FCA_ALIAS_MAX  256              /* IFALIASZ */

typedef struct {
    unsigned  ifindex;
    unsigned  flags;                    /* IFF_* */
    unsigned  master;                   /* ifindex of the bridge, 0: none */
    unsigned  mtu;
    int       isolated;                 /* as a bridge port */
    int       stp, snooping;            /* as a bridge */
    unsigned char  mac[6];
    char      name[IFNAMSIZ];
    char      kind[16];                 /* "bridge", "tun", ""... */
    char      alias[FCA_ALIAS_MAX];
} fca_link_t;

/* by name, or by ifindex where name is NULL; FCF_E_NOT_FOUND */
int fca_link_get(struct nl_sock *sk, const char *name, unsigned ifindex,
    fca_link_t *out, fcf_err_t *err) fcf_must_check;
/* every link of the namespace; *out is the caller's to free() */
int fca_link_list(struct nl_sock *sk, fca_link_t **out, size_t *n,
    fcf_err_t *err) fcf_must_check;

/* STP off, multicast snooping off, no forward delay */
int fca_link_bridge_add(struct nl_sock *sk, const char *name,
    fcf_err_t *err) fcf_must_check;
/* the same settings and the MAC on a bridge that exists */
int fca_link_bridge_set(struct nl_sock *sk, unsigned ifindex,
    const unsigned char *mac, fcf_err_t *err) fcf_must_check;

int fca_link_set_alias(struct nl_sock *sk, unsigned ifindex,
    const char *alias, fcf_err_t *err) fcf_must_check;
int fca_link_set_mac(struct nl_sock *sk, unsigned ifindex,
    const unsigned char *mac, fcf_err_t *err) fcf_must_check;
/* the link must be down */
int fca_link_rename(struct nl_sock *sk, unsigned ifindex, const char *name,
    fcf_err_t *err) fcf_must_check;
/* master 0: out of the bridge it is in */
int fca_link_enslave(struct nl_sock *sk, unsigned ifindex, unsigned master,
    fcf_err_t *err) fcf_must_check;
int fca_link_isolate(struct nl_sock *sk, unsigned ifindex, fcf_err_t *err)
    fcf_must_check;
int fca_link_set_up(struct nl_sock *sk, unsigned ifindex, int up,
    fcf_err_t *err) fcf_must_check;
int fca_link_set_group(struct nl_sock *sk, unsigned ifindex, unsigned group,
    fcf_err_t *err);
int fca_link_del(struct nl_sock *sk, unsigned ifindex, fcf_err_t *err);
/* one message for all of a group: the kernel then waits once, not once per
 * link */
int fca_link_del_group(struct nl_sock *sk, unsigned group, fcf_err_t *err);

int fca_link_add_address(struct nl_sock *sk, unsigned ifindex,
    struct in_addr addr, unsigned prefix_len, fcf_err_t *err) fcf_must_check;
int fca_link_del_address(struct nl_sock *sk, unsigned ifindex,
    struct in_addr addr, unsigned prefix_len, fcf_err_t *err) fcf_must_check;
/* 1 or 0; prefix_len 0: whatever it is */
int fca_link_has_address(struct nl_sock *sk, unsigned ifindex,
    struct in_addr addr, unsigned prefix_len, fcf_err_t *err) fcf_must_check;
/* a permanent neighbour entry, replaced if there is one */
int fca_link_add_neigh(struct nl_sock *sk, unsigned ifindex,
    struct in_addr addr, const unsigned char *mac, fcf_err_t *err)
    fcf_must_check;
int fca_link_del_neigh(struct nl_sock *sk, unsigned ifindex,
    struct in_addr addr, fcf_err_t *err);
/* frames to mac leave a bridge by this port, and by no other */
int fca_link_add_fdb(struct nl_sock *sk, unsigned ifindex,
    const unsigned char *mac, fcf_err_t *err) fcf_must_check;

/* by which link, and with which MTU, packets to addr leave; 0: not known */
int fca_link_way_out(struct nl_sock *sk, struct in_addr addr, unsigned *oif,
    unsigned *mtu, fcf_err_t *err) fcf_must_check;

/* FCF_E_EXISTS, naming it, if an IPv4 address or route of another link than
 * ifindex overlaps addr/prefix_len; the default route does not count */
int fca_link_check_overlap(struct nl_sock *sk, unsigned ifindex,
    struct in_addr addr, unsigned prefix_len, fcf_err_t *err) fcf_must_check;

#endif /* _FCA_NET_LINK_H_INCLUDED_ */
