/*
 * What others do to our rules, links and addresses while guests run: noticed
 * by netlink, put back at once, told by name.  All of it on the worker.
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netconf.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include "agent/base/log.h"
#include "agent/net/net_foreign.h"
#include "agent/net/net_int.h"
#include "agent/net/net_nl.h"

/* the rest of the time, in times of a look at others' rules */
#define FOREIGN_SHARE  100

/* what a transaction did to a table of ours */
#define TOUCHED        1u
#define TOUCHED_GONE   2u


/* one transaction's end: *net->touched says whether it was about a table of
 * ours */
static void
guard_generation(fca_net_t *net, const struct nlmsghdr *msg)
{
    int             touched;
    struct nlattr  *attr[NFTA_GEN_MAX + 1];

    touched = net->touched;
    net->touched = 0;

    if (nlmsg_parse((struct nlmsghdr *) (uintptr_t) msg,
                    sizeof(struct nfgenmsg), attr, NFTA_GEN_MAX, NULL) != 0
        || attr[NFTA_GEN_ID] == NULL)
    {
        return;
    }

    net->seen_gen = ntohl(nla_get_u32(attr[NFTA_GEN_ID]));

    if (fca_guard_owns(net, net->seen_gen)) {
        return;
    }

    net->foreign_changed = 1;

    if (!touched) {
        return;
    }

    net->rules_dirty = 1;
    net->rules_gone |= (touched & TOUCHED_GONE) != 0;
    net->by[0] = '\0';

    if (attr[NFTA_GEN_PROC_NAME] != NULL) {
        nla_strlcpy(net->by, attr[NFTA_GEN_PROC_NAME], sizeof(net->by));
    }
}


/* all notices but that of the generation carry their table's name first */
static void
guard_rules_notice(void *arg, const struct nlmsghdr *msg)
{
    fca_net_t             *net = arg;
    const char            *name;
    struct nlattr         *table;
    const struct nfgenmsg *head;

    if (msg->nlmsg_type == FCA_NFNL(NFTABLES, NFT_MSG_NEWGEN)) {
        guard_generation(net, msg);
        return;
    }

    if (!nlmsg_valid_hdr(msg, sizeof(*head))) {
        return;
    }

    head = nlmsg_data(msg);
    table = nlmsg_find_attr((struct nlmsghdr *) (uintptr_t) msg,
                            sizeof(*head), NFTA_TABLE_NAME);

    if (table == NULL
        || (head->nfgen_family != NFPROTO_BRIDGE
            && head->nfgen_family != NFPROTO_INET))
    {
        return;
    }

    name = nla_get_string(table);

    if (strcmp(name, net->table) == 0) {
        net->touched |= msg->nlmsg_type == FCA_NFNL(NFTABLES, NFT_MSG_DELTABLE)
                        ? TOUCHED_GONE : TOUCHED;
    }
}


/* Guests run on while somebody reloads the host's firewall, which takes our
 * tables along.  What they opened meanwhile is cut. */
int
fca_guard_reload(fca_net_t *net, const char *why, fcf_err_t *err)
{
    if (fca_nft_load(net, err) != 0) {
        return -1;
    }

    fca_log(FCF_LOG_WARN, NULL, "guest network: %s%s%s; the rules of %s are "
            "put back, what guests opened meanwhile is cut", why,
            net->by[0] != '\0' ? " by " : "", net->by, net->bridge);

    net->by[0] = '\0';
    fca_cut(net, 1);

    return 0;
}


static void
guard_rules(fca_net_t *net)
{
    fcf_err_t  err, why;

    net->rules_dirty = 0;

    /* guests have the host before them meanwhile: no time for a look */
    if (net->rules_gone) {
        net->rules_gone = 0;
        fcf_err_set(&why, FCF_E_NOT_FOUND, "the table %s was deleted",
                    net->table);

    } else if (fca_nft_check(net, &why) == 0) {
        /* who took them away may have put them back */
        fca_cut(net, 1);
        return;
    }

    if (fca_guard_reload(net, why.msg, &err) == 0) {
        return;
    }

    fca_log(FCF_LOG_ERROR, NULL, "guest network: %s, and cannot be put back: "
            "%s", why.msg, err.msg);
    net->rules_dirty = 1;           /* at the next look */
}


static fca_net_nic_t *
nic_of(fca_net_t *net, unsigned ifindex)
{
    fca_net_nic_t  *nic;

    LIST_FOREACH(nic, &net->by_ifindex[ifindex % FCA_NET_BUCKETS], same) {
        if (nic->nic.ifindex == ifindex) {
            return nic;
        }
    }

    return NULL;
}


static void
guard_touched(fca_net_t *net, fca_net_nic_t *nic)
{
    if (!nic->dirty) {
        nic->dirty = 1;
        TAILQ_REMOVE(&net->armed, nic, arm);
        TAILQ_INSERT_HEAD(&net->armed, nic, arm);
    }
}


/* a link that is none of ours may have become a port of the bridge */
static void
guard_stranger(fca_net_t *net, const struct nlmsghdr *msg, unsigned ifindex)
{
    struct nlattr  *master;

    master = nlmsg_find_attr((struct nlmsghdr *) (uintptr_t) msg,
                             sizeof(struct ifinfomsg), IFLA_MASTER);

    if (msg->nlmsg_type == RTM_NEWLINK && master != NULL
        && nla_get_u32(master) == net->ifindex)
    {
        net->stranger = ifindex;
    }
}


static void
guard_route(fca_net_t *net, const struct nlmsghdr *msg)
{
    struct nlattr  *oif;

    oif = nlmsg_find_attr((struct nlmsghdr *) (uintptr_t) msg,
                          sizeof(struct rtmsg), RTA_OIF);

    /* with an address go its routes */
    if (oif != NULL && nla_get_u32(oif) == net->ifindex) {
        net->address_due = uv_hrtime() + FCA_NET_ADDRESS_NS;
    }
}


static void
guard_link_notice(void *arg, const struct nlmsghdr *msg)
{
    fca_net_t               *net = arg;
    fca_net_nic_t           *nic;
    const struct ifinfomsg  *ifi;
    const struct ifaddrmsg  *ifa;

    switch (msg->nlmsg_type) {

    case RTM_NEWLINK:
    case RTM_DELLINK:

        if (!nlmsg_valid_hdr(msg, sizeof(*ifi))) {
            return;
        }

        ifi = nlmsg_data(msg);

        if ((unsigned) ifi->ifi_index == net->ifindex) {
            net->bridge_dirty = 1;
            return;
        }

        nic = nic_of(net, (unsigned) ifi->ifi_index);

        if (nic != NULL) {
            guard_touched(net, nic);

        } else {
            guard_stranger(net, msg, (unsigned) ifi->ifi_index);
        }

        break;

    case RTM_DELADDR:

        if (!nlmsg_valid_hdr(msg, sizeof(*ifa))) {
            return;
        }

        ifa = nlmsg_data(msg);

        if (ifa->ifa_index == net->ifindex) {
            net->address_due = uv_hrtime() + FCA_NET_ADDRESS_NS;
        }

        break;

    case RTM_DELROUTE:
        guard_route(net, msg);
        break;

    case RTM_NEWNETCONF:
        net->forward_dirty = 1;
        break;
    }
}


/* lost notices: everything is looked at */
void
fca_guard_all(fca_net_t *net)
{
    fca_net_nic_t  *nic;

    TAILQ_FOREACH(nic, &net->armed, arm) {
        nic->dirty = 1;
    }

    net->bridge_dirty = 1;
    net->forward_dirty = 1;
}


/* one that is looked at may turn out to need others looked at, too */
static void
guard_nics(fca_net_t *net)
{
    fca_net_nic_t  *nic;

    while ((nic = TAILQ_FIRST(&net->armed)) != NULL && nic->dirty) {
        nic->dirty = 0;
        TAILQ_REMOVE(&net->armed, nic, arm);
        TAILQ_INSERT_TAIL(&net->armed, nic, arm);
        fca_net_nic_guard(net, nic);
    }
}


int
fca_guard_open(fca_net_t *net, fcf_err_t *err)
{
    static const int  rules[] = { NFNLGRP_NFTABLES, 0 };
    static const int  links[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
                                  RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_NETCONF,
                                  0 };

    net->nfsk = fca_nl_connect(NETLINK_NETFILTER, err);
    if (net->nfsk == NULL) {
        return -1;
    }

    net->rules_notices = fca_nl_notices(NETLINK_NETFILTER, rules, err);
    if (net->rules_notices == NULL) {
        return -1;
    }

    net->link_notices = fca_nl_notices(NETLINK_ROUTE, links, err);

    return net->link_notices == NULL ? -1 : 0;
}


void
fca_guard_close(fca_net_t *net)
{
    nl_socket_free(net->nfsk);
    nl_socket_free(net->rules_notices);
    nl_socket_free(net->link_notices);

    net->nfsk = NULL;
    net->rules_notices = NULL;
    net->link_notices = NULL;
}


static void
guard_read(fca_net_t *net)
{
    if (fca_nl_drain(net->rules_notices, guard_rules_notice, net)) {
        net->rules_dirty = 1;
        net->foreign_changed = 1;
    }

    if (fca_nl_drain(net->link_notices, guard_link_notice, net)) {
        fca_guard_all(net);
    }
}


void
fca_guard(fca_net_t *net)
{
    guard_read(net);

    /* first what guests could get through */
    if (net->rules_dirty) {
        guard_rules(net);
    }

    if (net->stranger != 0) {
        fca_net_stranger_guard(net, net->stranger);
        net->stranger = 0;
    }

    if (net->address_due != 0 && uv_hrtime() >= net->address_due) {
        net->address_due = 0;
        net->bridge_dirty = 1;
    }

    if (net->bridge_dirty) {
        net->bridge_dirty = 0;
        fca_net_bridge_guard(net);
    }

    guard_nics(net);

    if (net->forward_dirty) {
        net->forward_dirty = 0;
        fca_net_forward_guard(net);
    }
}


/* With ten thousands of rules a look takes long, and they may change all the
 * time: it gets a small share of it. */
static void
guard_foreign(fca_net_t *net)
{
    uint64_t  start;

    start = uv_hrtime();

    /* of the older iptables' no notice tells */
    if (start < net->foreign_due
        || !(net->foreign_changed || fca_legacy_there()))
    {
        return;
    }

    net->foreign_changed = 0;
    fca_net_foreign_tell(net);
    net->foreign_due = uv_hrtime() + (uv_hrtime() - start) * FOREIGN_SHARE;
}


/* what no notice tells: looked at every two seconds */
void
fca_guard_tick(fca_net_t *net)
{
    uint64_t  strays;

    if (fca_nft_strays(net, &strays) == 0) {

        if (strays > net->strays) {
            fca_cut(net, 0);
        }

        net->strays = strays;
    }

    guard_foreign(net);

    if (net->retry) {
        net->retry = 0;
        fca_guard_all(net);
    }

    fca_net_mtu_read(net);
}
