/* One NIC: made, let loose, looked at, put back.  On the worker. */

#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/net/net_int.h"


void
fca_net_arm(fca_net_t *net, fca_net_nic_t *nic, int armed)
{
    if (nic->armed == armed) {
        return;
    }

    nic->armed = armed;
    nic->dirty = 0;

    if (armed) {
        TAILQ_INSERT_TAIL(&net->armed, nic, arm);
        LIST_INSERT_HEAD(&net->by_ifindex[nic->nic.ifindex % FCA_NET_BUCKETS],
                         nic, same);

    } else {
        TAILQ_REMOVE(&net->armed, nic, arm);
        LIST_REMOVE(nic, same);
    }
}


static int
nic_make(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
{
    fca_link_t  link;

    if (fca_tap_make(net->sk, net->tap_prefix, net->alias, &link, err) != 0) {
        return -1;
    }

    nic->nic.ifindex = link.ifindex;
    memcpy(nic->nic.tap, link.name, sizeof(nic->nic.tap));
    memcpy(nic->tap_mac, link.mac, sizeof(nic->tap_mac));
    memset(&nic->owner, 0, sizeof(nic->owner));

    return 0;
}


/* Into the bridge, isolated, with a neighbour entry, and its MAC told: a frame
 * for a guest that has said nothing yet, or is gone, would be given to all
 * others, a thousand times. */
static int
nic_place(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
{
    if (fca_link_set_up(net->sk, nic->nic.ifindex, 0, err) != 0
        || fca_link_no_ipv6(nic->nic.tap, err) != 0
        || fca_link_enslave(net->sk, nic->nic.ifindex, net->ifindex, err) != 0
        || fca_link_isolate(net->sk, nic->nic.ifindex, err) != 0
        || fca_link_add_fdb(net->sk, nic->nic.ifindex, nic->nic.mac, err) != 0
        || fca_link_add_neigh(net->sk, net->ifindex, nic->nic.address,
                              nic->nic.mac, err) != 0)
    {
        return fcf_err_wrap(err, "TAP %s", nic->nic.tap);
    }

    return 0;
}


int
fca_net_nic_prepare(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
{
    if (nic->nic.ifindex == 0 && nic_make(net, nic, err) != 0) {
        return -1;
    }

    return nic_place(net, nic, err);
}


int
fca_net_nic_own(fca_net_nic_t *nic, fcf_err_t *err)
{
    if (nic->owner.uid == nic->want.uid && nic->owner.gid == nic->want.gid) {
        return 0;
    }

    if (fca_tap_own(nic->nic.tap, nic->want.uid, nic->want.gid, err) != 0) {
        return -1;
    }

    nic->owner = nic->want;

    return 0;
}


/* A link that filters by the way back drops everything as long as it has no
 * address at all: IANA's dummy (RFC 7600), which overlaps nothing. */
static struct in_addr
nic_dummy(void)
{
    struct in_addr  addr = { htonl(0xc0000008) };

    return addr;
}


void
fca_net_nic_undress(fca_net_t *net, unsigned ifindex)
{
    fcf_err_t  err;

    fca_net_complain(fca_link_del_address(net->sk, ifindex, nic_dummy(), 32,
                                          &err), &err);
}


/* A clone's guest has the MAC of its gateway from its template's life, and
 * strict filtering would drop what comes from an address that is behind the
 * bridge. */
static int
nic_apart(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
{
    char  path[80];

    nic->apart = 1;
    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter",
             nic->nic.tap);

    if (fca_link_set_up(net->sk, nic->nic.ifindex, 0, err) != 0
        || fca_link_enslave(net->sk, nic->nic.ifindex, 0, err) != 0
        || fca_link_set_mac(net->sk, nic->nic.ifindex, fca_net_bridge_mac, err)
           != 0
        || fca_sysctl_set(path, "2", err) != 0
        || fca_link_add_address(net->sk, nic->nic.ifindex, nic_dummy(), 32,
                                err) != 0
        || fca_link_set_up(net->sk, nic->nic.ifindex, 1, err) != 0
        || fca_link_add_neigh(net->sk, nic->nic.ifindex, nic->clone,
                              nic->clone_mac, err) != 0)
    {
        return fcf_err_wrap(err, "TAP %s, out of the bridge", nic->nic.tap);
    }

    return 0;
}


int
fca_net_nic_join(fca_net_t *net, fca_net_nic_t *nic, int up, fcf_err_t *err)
{
    fca_net_nic_undress(net, nic->nic.ifindex);

    if (fca_link_set_up(net->sk, nic->nic.ifindex, 0, err) != 0
        || fca_link_set_mac(net->sk, nic->nic.ifindex, nic->tap_mac, err) != 0
        || nic_place(net, nic, err) != 0
        || (up && fca_link_set_up(net->sk, nic->nic.ifindex, 1, err) != 0))
    {
        return fcf_err_wrap(err, "TAP %s, into the bridge", nic->nic.tap);
    }

    nic->apart = 0;

    return 0;
}


int
fca_net_nic_move(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
{
    return nic->op == FCA_NET_APART ? nic_apart(net, nic, err)
                                    : fca_net_nic_join(net, nic, 1, err);
}


/* what is wrong with it, in words; NULL: nothing */
static const char *
nic_wrong(const fca_net_t *net, const fca_net_nic_t *nic,
    const fca_link_t *link)
{
    if (strcmp(link->name, nic->nic.tap) != 0) {
        return "was given another name";
    }

    if (strcmp(link->alias, net->alias) != 0) {
        return "was given another alias";
    }

    if (link->master != net->ifindex) {
        return "was taken out of the bridge";
    }

    if (!link->isolated) {
        return "is no longer isolated";
    }

    if (memcmp(link->mac, nic->tap_mac, sizeof(link->mac)) != 0) {
        return "was given another MAC";
    }

    if (nic->up && !(link->flags & IFF_UP)) {
        return "was set down";
    }

    return NULL;
}


int
fca_net_nic_raise(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
{
    fca_link_t   link;
    const char  *wrong;

    if (fca_link_get(net->sk, NULL, nic->nic.ifindex, &link, err) != 0) {
        return fcf_err_wrap(err, "TAP %s", nic->nic.tap);
    }

    wrong = nic_wrong(net, nic, &link);

    if (wrong != NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "TAP %s %s", nic->nic.tap,
                           wrong);
    }

    if (fca_link_set_up(net->sk, nic->nic.ifindex, 1, err) != 0) {
        return fcf_err_wrap(err, "TAP %s", nic->nic.tap);
    }

    nic->up = 1;

    return 0;
}


/* A port that is down first: it must not be open to others, not for a moment,
 * while it is neither isolated nor under its name. */
static int
nic_repair(fca_net_t *net, fca_net_nic_t *nic, const fca_link_t *link,
    fcf_err_t *err)
{
    unsigned  ifindex;

    ifindex = nic->nic.ifindex;

    if (fca_link_set_up(net->sk, ifindex, 0, err) != 0
        || (strcmp(link->name, nic->nic.tap) != 0
            && fca_link_rename(net->sk, ifindex, nic->nic.tap, err) != 0)
        || fca_link_set_alias(net->sk, ifindex, net->alias, err) != 0
        || fca_link_set_mac(net->sk, ifindex, nic->tap_mac, err) != 0
        || nic_place(net, nic, err) != 0)
    {
        return -1;
    }

    return nic->up ? fca_link_set_up(net->sk, ifindex, 1, err) : 0;
}


int
fca_net_nic_look(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
{
    fcf_err_t    why;
    fca_link_t   link;
    const char  *wrong;

    if (fca_link_get(net->sk, NULL, nic->nic.ifindex, &link, err) != 0) {
        return -1;
    }

    /* for a moment; who changes it then has a clone that is not reached */
    if (nic->apart) {
        return 0;
    }

    /* the bridge may be gone, whose notice comes after those of its ports */
    if (link.master != net->ifindex) {
        fca_net_bridge_guard(net);
    }

    wrong = nic_wrong(net, nic, &link);

    if (wrong == NULL) {
        return 0;
    }

    if (nic_repair(net, nic, &link, &why) != 0) {
        fca_log(FCF_LOG_ERROR, NULL, "guest network: TAP %s %s, and cannot "
                "be put back: %s", nic->nic.tap, wrong, why.msg);
        return 0;
    }

    fca_log(FCF_LOG_WARN, NULL, "guest network: TAP %s %s; it is put back",
            nic->nic.tap, wrong);

    return 0;
}


/* One that is idle is looked at when it is taken. */
void
fca_net_nic_guard(fca_net_t *net, fca_net_nic_t *nic)
{
    fcf_err_t  err;

    if (!nic->up || fca_net_nic_look(net, nic, &err) == 0
        || err.code != FCF_E_NOT_FOUND)
    {
        return;
    }

    fca_log(FCF_LOG_WARN, NULL, "guest network: TAP %s was deleted; its VM "
            "has no network any more", nic->nic.tap);

    nic->up = 0;
    fca_net_lose(net, nic);
}
