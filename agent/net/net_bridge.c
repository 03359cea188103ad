/* The bridge: made, looked at, put back. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/net/net_int.h"

#define REPAIR_TRIES  10

const unsigned char  fca_net_bridge_mac[6] = { 0x06, 0xfc, 0, 0, 0, 0x01 };


int
fca_net_bridge_set_up(fca_net_t *net, fcf_err_t *err)
{
    fca_link_t  link;

    if (net->ifindex == 0) {
        if (fca_link_bridge_add(net->sk, net->bridge, err) != 0
            || fca_link_get(net->sk, net->bridge, 0, &link, err) != 0)
        {
            return -1;
        }

        net->ifindex = link.ifindex;
        net->made = 1;

        /* killed before that is said, an agent would leave one that the next
         * takes for somebody else's, and never deletes */
        if (fca_net_bridge_mark(net, err) != 0) {
            return -1;
        }
    }

    if (fca_link_bridge_set(net->sk, net->ifindex, fca_net_bridge_mac, err) != 0
        || fca_link_no_ipv6(net->bridge, err) != 0
        || fca_link_add_address(net->sk, net->ifindex, net->address,
                                net->prefix_len, err) != 0
        || fca_link_set_up(net->sk, net->ifindex, 1, err) != 0)
    {
        return -1;
    }

    return 0;
}


static int
bridge_has_route(fca_net_t *net)
{
    unsigned        oif, mtu;
    struct in_addr  guest;

    /* a neighbour of ours: the next number, or the one before */
    guest.s_addr = net->address.s_addr ^ htonl(1);

    if (!fca_net_is_guest(net, guest)) {
        return 1;
    }

    return fca_link_way_out(net->sk, guest, &oif, &mtu, NULL) == 0
           && oif == net->ifindex;
}


/* what is wrong with it, in words; NULL: nothing */
static const char *
bridge_wrong(fca_net_t *net, const fca_link_t *link)
{
    if (strcmp(link->name, net->bridge) != 0) {
        return "was given another name";
    }

    if (!(link->flags & IFF_UP)) {
        return "was set down";
    }

    if (memcmp(link->mac, fca_net_bridge_mac, sizeof(fca_net_bridge_mac)) != 0)
    {
        return "was given another MAC";
    }

    if (link->stp) {
        return "was told to speak STP";
    }

    if (link->snooping) {
        return "was told to snoop";
    }

    if (!fca_net_alias_ours(net, link->alias)) {
        return "was given another alias";
    }

    if (fca_link_has_address(net->sk, net->ifindex, net->address, 0, NULL)
        == 0)
    {
        return "has lost its address";
    }

    return bridge_has_route(net) ? NULL : "has lost its route";
}


/* All ports are there still, or out of it: each is put in its place again. */
static int
bridge_refill(fca_net_t *net, fcf_err_t *err)
{
    fca_net_nic_t  *nic;

    TAILQ_FOREACH(nic, &net->armed, arm) {
        nic->dirty = 1;

        if (fca_link_add_neigh(net->sk, net->ifindex, nic->nic.address,
                               nic->nic.mac, err) != 0)
        {
            return -1;
        }
    }

    return 0;
}


static int
bridge_repair(fca_net_t *net, const fca_link_t *link, fcf_err_t *err)
{
    if (link == NULL) {
        net->ifindex = 0;

    } else if (strcmp(link->name, net->bridge) != 0
               && (fca_link_set_up(net->sk, net->ifindex, 0, err) != 0
                   || fca_link_rename(net->sk, net->ifindex, net->bridge, err)
                      != 0))
    {
        return -1;
    }

    /* with the address comes its route */
    if (link != NULL && !bridge_has_route(net)
        && fca_link_del_address(net->sk, net->ifindex, net->address,
                                net->prefix_len, err) != 0)
    {
        return -1;
    }

    /* a new one is marked as it is made */
    if (fca_net_bridge_set_up(net, err) != 0
        || (link != NULL && fca_net_bridge_mark(net, err) != 0))
    {
        return -1;
    }

    if (bridge_refill(net, err) != 0) {
        return -1;
    }

    /* connections that are bound to the one that is gone would wait for ever */
    if (link == NULL) {
        fca_cut(net, 1);
    }

    return 0;
}


/* there: whether *link is it */
static const char *
bridge_look(fca_net_t *net, fca_link_t *link, int *there)
{
    fcf_err_t  why;

    *there = fca_link_get(net->sk, NULL, net->ifindex, link, &why) == 0;

    if (*there) {
        return bridge_wrong(net, link);
    }

    return why.code == FCF_E_NOT_FOUND ? "was deleted" : NULL;
}


/* Who changes it may not be done yet: "ip addr flush" looks twice.  A bridge of
 * our name that somebody else made meanwhile is in the way, and said so: it is
 * not ours to take. */
void
fca_net_bridge_guard(fca_net_t *net)
{
    int          i, rc, there;
    fcf_err_t    err;
    fca_link_t   link;
    const char  *wrong, *first;

    first = NULL;
    rc = 0;

    for (i = 0; rc == 0 && i < REPAIR_TRIES; i++) {
        wrong = bridge_look(net, &link, &there);

        if (wrong == NULL) {
            break;
        }

        first = first != NULL ? first : wrong;
        rc = bridge_repair(net, there ? &link : NULL, &err);
    }

    if (first == NULL) {
        return;
    }

    if (rc == 0 && i == REPAIR_TRIES) {
        rc = fcf_err_set(&err, FCF_E_EXISTS, "it %s again and again", wrong);
    }

    if (rc != 0) {
        net->retry = 1;
        fca_log(FCF_LOG_ERROR, NULL, "guest network: bridge %s %s, and "
                "cannot be put back: %s", net->bridge, first, err.msg);
        return;
    }

    /* once, however often somebody does it in a row */
    fca_log(first == net->bridge_told && uv_hrtime() < net->bridge_quiet
            ? FCF_LOG_DEBUG : FCF_LOG_WARN, NULL,
            "guest network: bridge %s %s; it is put back", net->bridge, first);

    net->bridge_told = first;
    net->bridge_quiet = uv_hrtime() + FCA_NET_QUIET_NS;
}


/* A port of somebody else's is not isolated from guests. */
void
fca_net_stranger_guard(fca_net_t *net, unsigned ifindex)
{
    int         rc;
    fcf_err_t   err;
    fca_link_t  link;

    if (fca_link_get(net->sk, NULL, ifindex, &link, NULL) != 0
        || link.master != net->ifindex
        || strcmp(link.alias, net->alias) == 0)
    {
        return;
    }

    rc = fca_link_enslave(net->sk, ifindex, 0, &err);

    fca_log(FCF_LOG_WARN, NULL, "guest network: somebody put %s into bridge "
            "%s; it is taken out%s%s", link.name, net->bridge,
            rc != 0 ? ", which failed: " : "", rc != 0 ? err.msg : "");
}


/* What guests send in packets of that size gets out whole.  Not more than what
 * any TAP takes; without a way out it does not matter. */
void
fca_net_mtu_read(fca_net_t *net)
{
    unsigned        oif, mtu;
    struct in_addr  outside;

    mtu = 0;

    if (net->egress) {
        /* any public address: nothing is sent */
        outside.s_addr = htonl(0x01010101);

        if (fca_link_way_out(net->sk, outside, &oif, &mtu, NULL) != 0) {
            mtu = 0;
        }
    }

    net->mtu = mtu >= FCA_NET_MTU_MIN && mtu < FCA_NET_MTU ? mtu
                                                           : FCA_NET_MTU;
}
