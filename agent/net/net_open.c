#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nftables/libnftables.h>

#include "agent/base/log.h"
#include "agent/net/net_int.h"
#include "agent/net/net_nl.h"
#include "vm/guest.h"

/* how often the rules may change under us while they are read */
#define LEARN_TRIES  10


void
fca_net_complain(int rc, const fcf_err_t *err)
{
    if (rc != 0) {
        fca_log(FCF_LOG_WARN, NULL, "guest network: %s", err->msg);
    }
}


int
fca_net_connect(fca_net_t *net, fcf_err_t *err)
{
    net->sk = fca_nl_connect(NETLINK_ROUTE, err);
    if (net->sk == NULL) {
        return -1;
    }

    net->nft = fca_nft_new(err);
    if (net->nft == NULL) {
        return -1;
    }

    return fca_guard_open(net, err);
}


void
fca_net_disconnect(fca_net_t *net)
{
    nl_socket_free(net->sk);
    net->sk = NULL;

    if (net->nft != NULL) {
        nft_ctx_free(net->nft);
        net->nft = NULL;
    }

    fca_guard_close(net);
}


int
fca_net_tap_ours(const fca_net_t *net, const fca_link_t *link)
{
    return strcmp(link->kind, "tun") == 0
           && strcmp(link->alias, net->alias) == 0;
}


static int
setup_check_bridge(fca_net_t *net, fcf_err_t *err)
{
    fcf_err_t   why;
    fca_link_t  link;

    if (fca_link_get(net->sk, net->bridge, 0, &link, &why) != 0) {

        if (why.code == FCF_E_NOT_FOUND) {
            return 0;
        }

        *err = why;
        return fcf_err_wrap(err, "bridge %s", net->bridge);
    }

    if (strcmp(link.kind, "bridge") != 0) {
        return fcf_err_set(err, FCF_E_EXISTS,
                           "bridge %s: a link of that name is there and no "
                           "bridge (kind \"%s\")", net->bridge, link.kind);
    }

    if (link.alias[0] != '\0' && !fca_net_alias_ours(net, link.alias)) {
        return fcf_err_set(err, FCF_E_EXISTS,
                           "bridge %s belongs to somebody else: its alias is "
                           "\"%s\", not \"%s\"", net->bridge, link.alias,
                           net->alias);
    }

    net->ifindex = link.ifindex;
    fca_net_bridge_read(net, &link);

    return 0;
}


/* the letters of a TAP's name, without its number */
static size_t
stem_len(const char *name)
{
    size_t  n;

    n = strlen(name);

    while (n > 0 && name[n - 1] >= '0' && name[n - 1] <= '9') {
        n--;
    }

    return n;
}


static int
setup_check_link(fca_net_t *net, const fca_link_t *link, fcf_err_t *err)
{
    int     busy;
    size_t  n, stem;

    if (fca_net_tap_ours(net, link)) {
        busy = net->beside || fca_net_keeps(net, link->name)
               ? 0 : fca_tap_busy(link->name, err);

        if (busy > 0) {
            return fcf_err_set(err, FCF_E_EXISTS,
                               "TAP %s, of an agent with this node_id, is in "
                               "use by a process", link->name);
        }

        return busy;
    }

    if (net->ifindex != 0 && link->master == net->ifindex) {
        return fcf_err_set(err, FCF_E_EXISTS,
                           "bridge %s has a foreign port: %s", net->bridge,
                           link->name);
    }

    /* our rules match by prefix: neither of two may begin with the other */
    n = strlen(net->tap_prefix);
    stem = stem_len(link->name);
    n = n < stem ? n : stem;

    if (strncmp(link->alias, FCA_NET_ALIAS, sizeof(FCA_NET_ALIAS) - 1) == 0
        && strcmp(link->kind, "tun") == 0
        && memcmp(link->name, net->tap_prefix, n) == 0)
    {
        return fcf_err_set(err, FCF_E_EXISTS,
                           "tap_prefix %s: TAP %s belongs to another agent "
                           "(\"%s\")", net->tap_prefix, link->name,
                           link->alias);
    }

    return 0;
}


fca_net_nic_t *
fca_net_nic_new(fca_net_t *net, unsigned host)
{
    uint32_t        mask, addr;
    fca_net_nic_t  *nic;

    nic = calloc(1, sizeof(*nic));
    if (nic == NULL) {
        return NULL;
    }

    mask = 0xffffffffu << (32 - net->prefix_len);
    addr = (ntohl(net->address.s_addr) & mask) + host;

    nic->host = host;
    nic->nic.address.s_addr = htonl(addr);
    memcpy(nic->nic.device, net->bridge, sizeof(nic->nic.device));

    /* FCV_MAC_FMT */
    nic->nic.mac[0] = 0x06;
    nic->nic.mac[1] = 0x00;
    memcpy(&nic->nic.mac[2], &nic->nic.address.s_addr, 4);

    return nic;
}


fca_net_nic_t *
fca_net_nic_found(fca_net_t *net, unsigned host, const fca_link_t *link,
    fcf_err_t *err)
{
    fca_net_nic_t  *nic;

    nic = fca_net_nic_new(net, host);
    if (nic == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "adopting TAPs: out of memory");
        return NULL;
    }

    nic->nic.ifindex = link->ifindex;
    memcpy(nic->nic.tap, link->name, sizeof(nic->nic.tap));
    memcpy(nic->tap_mac, link->mac, sizeof(nic->tap_mac));

    /* it was out of the bridge, for a clone: no port has the bridge's */
    if (memcmp(link->mac, fca_net_bridge_mac, sizeof(link->mac)) == 0) {
        memcpy(nic->tap_mac + 2, &nic->nic.address, 4);
        fca_net_nic_undress(net, link->ifindex);

        if (fca_link_set_mac(net->sk, link->ifindex, nic->tap_mac, err) != 0) {
            free(nic);
            return NULL;
        }
    }

    /* whose it was, nobody knows any more */
    nic->owner.uid = nic->owner.gid = (uid_t) -1;

    return nic;
}


/* A TAP that an earlier run left goes into the pool, or is marked for
 * deletion if the pool is full. */
static int
setup_adopt(fca_net_t *net, const fca_link_t *link, int *doomed,
    fcf_err_t *err)
{
    unsigned        host;
    fca_net_nic_t  *nic;

    /* one that is not kept has its VMM on it still */
    host = net->nidle < net->pool_max && !fca_net_keeps(net, link->name)
           ? fca_pool_take(&net->pool, FCA_NET_NOW) : 0;

    if (host == 0) {
        *doomed = 1;
        return fca_link_set_group(net->sk, link->ifindex, FCA_NET_GROUP(net),
                                  err);
    }

    nic = fca_net_nic_found(net, host, link, err);
    if (nic == NULL) {
        return -1;
    }

    STAILQ_INSERT_TAIL(&net->idle, nic, next);
    net->nidle++;
    net->nnics++;
    fca_net_arm(net, nic, 1);

    return fca_net_nic_prepare(net, nic, err);
}


static int
setup_taps(fca_net_t *net, const fca_link_t *links, size_t n, fcf_err_t *err)
{
    int     rc, doomed;
    char   *settled;
    size_t  i;

    settled = calloc(1, n + 1);
    if (settled == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "adopting TAPs: out of memory");
    }

    doomed = 0;
    rc = 0;

    /* first, since the others take what addresses are left */
    for (i = 0; i < n && rc >= 0; i++) {
        rc = fca_net_tap_ours(net, &links[i])
             ? fca_net_keep(net, &links[i], err) : 1;
        settled[i] = rc == 1;
    }

    for (i = 0; i < n && rc >= 0; i++) {
        rc = settled[i] ? 0 : setup_adopt(net, &links[i], &doomed, err);
    }

    free(settled);

    if (rc < 0) {
        return -1;
    }

    /* the kernel calls an empty group a fault */
    return doomed ? fca_link_del_group(net->sk, FCA_NET_GROUP(net), err) : 0;
}


/* The rules, and how the kernel shows them: by that it is known later whether
 * somebody changed them, so nobody may have between the two. */
static int
setup_rules(fca_net_t *net, fcf_err_t *err)
{
    int       i;
    uint32_t  before, after;

    for (i = 0; i < LEARN_TRIES; i++) {

        if (fca_nft_load(net, err) != 0
            || fca_guard_generation(net, &before, err) != 0
            || fca_nft_learn(net, err) != 0
            || fca_guard_generation(net, &after, err) != 0)
        {
            return -1;
        }

        if (before == after && fca_guard_owns(net, after)) {
            fca_cut(net, 1);
            return 0;
        }
    }

    return fcf_err_set(err, FCF_E_UNAVAILABLE, "nftables: somebody changes "
                       "the rules all the time");
}


/* What changes the host.  A bridge that this call made goes again if a later
 * step fails; one that was there is left for the next try. */
static int
setup_apply(fca_net_t *net, const fca_link_t *links, size_t n, fcf_err_t *err)
{
    int  fresh;

    fresh = net->ifindex == 0;

    /* down drops the neighbour entries of an earlier run, and what is on its
     * way to VMs that go on */
    if ((fresh || net->nkeep > 0
         || fca_link_set_up(net->sk, net->ifindex, 0, err) == 0)
        && fca_net_bridge_set_up(net, err) == 0
        && setup_taps(net, links, n, err) == 0
        && setup_rules(net, err) == 0
        && fca_net_forward_start(net, err) == 0)
    {
        fca_net_mtu_read(net);
        fca_net_foreign_tell(net);
        return 0;
    }

    if (fresh && net->ifindex != 0) {
        fca_net_end(net);
    }

    return -1;
}


/* *links are the caller's to free, also of a failure */
static int
setup_look(fca_net_t *net, fca_link_t **links, size_t *n, fcf_err_t *err)
{
    size_t  i;

    *links = NULL;

    if (fca_tap_check(err) != 0
        || fca_net_connect(net, err) != 0
        || setup_check_bridge(net, err) != 0
        || fca_link_list(net->sk, links, n, err) != 0)
    {
        return -1;
    }

    for (i = 0; i < *n; i++) {
        if (setup_check_link(net, &(*links)[i], err) != 0) {
            return -1;
        }
    }

    return fca_link_check_overlap(net->sk, net->ifindex, net->address,
                                  net->prefix_len, err);
}


int
fca_net_look(fca_net_t *net, fcf_err_t *err)
{
    int          rc;
    size_t       n;
    fca_link_t  *links;

    if (!net->beside && fca_net_lock_check(net, err) != 0) {
        return -1;
    }

    rc = setup_look(net, &links, &n, err);
    free(links);
    fca_net_disconnect(net);

    return rc;
}


int
fca_net_setup(fca_net_t *net, fcf_err_t *err)
{
    int          rc;
    size_t       n;
    fca_link_t  *links;

    if (fca_net_lock(net, err) != 0) {
        return -1;
    }

    rc = fca_net_former(net, err);
    links = NULL;

    if (rc == 0) {
        rc = setup_look(net, &links, &n, err);
    }

    if (rc == 0) {
        rc = setup_apply(net, links, n, err);
    }

    free(links);
    fca_net_disconnect(net);

    return rc;
}
