#include <arpa/inet.h>
#include <string.h>

#include <linux/rtnetlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>

#include "agent/net/net_link.h"
#include "agent/net/net_nl.h"

typedef struct {
    struct nl_sock  *sk;
    unsigned         ifindex;           /* of the bridge: its own are fine */
    uint32_t         net, mask;         /* host byte order */
    int              found;
    unsigned         by;                /* the other link's ifindex */
    const char      *what;
    char             text[64];
} overlap_t;


static struct nl_addr *
addr_build(struct in_addr addr, unsigned prefix_len)
{
    struct nl_addr  *a;

    a = nl_addr_build(AF_INET, &addr, sizeof(addr));
    if (a != NULL) {
        nl_addr_set_prefixlen(a, (int) prefix_len);
    }

    return a;
}


/* NULL: out of memory */
static struct rtnl_addr *
address_build(unsigned ifindex, struct in_addr addr, unsigned prefix_len)
{
    int                rc;
    struct nl_addr    *local;
    struct rtnl_addr  *ra;

    ra = rtnl_addr_alloc();
    local = addr_build(addr, prefix_len);
    rc = -NLE_NOMEM;

    if (ra != NULL && local != NULL) {
        rtnl_addr_set_ifindex(ra, (int) ifindex);
        rc = rtnl_addr_set_local(ra, local);
    }

    nl_addr_put(local);

    if (rc < 0) {
        rtnl_addr_put(ra);
        ra = NULL;
    }

    return ra;
}


int
fca_link_add_address(struct nl_sock *sk, unsigned ifindex, struct in_addr addr,
    unsigned prefix_len, fcf_err_t *err)
{
    int                rc;
    struct rtnl_addr  *ra;

    ra = address_build(ifindex, addr, prefix_len);
    rc = ra == NULL ? -NLE_NOMEM : rtnl_addr_add(sk, ra, 0);
    rtnl_addr_put(ra);

    if (rc < 0 && rc != -NLE_EXIST) {
        return fca_nl_fail(err, rc, "adding the address");
    }

    return 0;
}


int
fca_link_del_address(struct nl_sock *sk, unsigned ifindex, struct in_addr addr,
    unsigned prefix_len, fcf_err_t *err)
{
    int                rc;
    struct rtnl_addr  *ra;

    ra = address_build(ifindex, addr, prefix_len);
    rc = ra == NULL ? -NLE_NOMEM : rtnl_addr_delete(sk, ra, 0);
    rtnl_addr_put(ra);

    if (rc < 0 && rc != -NLE_NOADDR && rc != -NLE_OBJ_NOTFOUND) {
        return fca_nl_fail(err, rc, "deleting the address");
    }

    return 0;
}


typedef struct {
    unsigned        ifindex;
    struct in_addr  addr;
    unsigned        prefix_len;         /* 0: whatever */
    int             found;
} has_address_t;


static void
has_address(struct nl_object *obj, void *arg)
{
    has_address_t     *has = arg;
    struct nl_addr    *local;
    struct rtnl_addr  *ra = (struct rtnl_addr *) obj;

    local = rtnl_addr_get_local(ra);

    if ((unsigned) rtnl_addr_get_ifindex(ra) == has->ifindex && local != NULL
        && nl_addr_get_family(local) == AF_INET
        && memcmp(nl_addr_get_binary_addr(local), &has->addr,
                  sizeof(has->addr)) == 0
        && (has->prefix_len == 0
            || nl_addr_get_prefixlen(local) == has->prefix_len))
    {
        has->found = 1;
    }
}


int
fca_link_has_address(struct nl_sock *sk, unsigned ifindex, struct in_addr addr,
    unsigned prefix_len, fcf_err_t *err)
{
    int               rc;
    has_address_t     has = { ifindex, addr, prefix_len, 0 };
    struct nl_cache  *cache;

    rc = rtnl_addr_alloc_cache(sk, &cache);
    if (rc < 0) {
        return fca_nl_fail(err, rc, "reading addresses");
    }

    nl_cache_foreach(cache, has_address, &has);
    nl_cache_free(cache);

    return has.found;
}


static struct rtnl_neigh *
neigh_build(unsigned ifindex, struct in_addr addr, const unsigned char *mac)
{
    int                 rc;
    struct nl_addr     *dst, *lladdr;
    struct rtnl_neigh  *neigh;

    neigh = rtnl_neigh_alloc();
    dst = addr_build(addr, 32);
    lladdr = mac != NULL ? nl_addr_build(AF_LLC, mac, 6) : NULL;
    rc = -NLE_NOMEM;

    if (neigh != NULL && dst != NULL && (mac == NULL || lladdr != NULL)) {
        rtnl_neigh_set_ifindex(neigh, (int) ifindex);
        rtnl_neigh_set_state(neigh, NUD_PERMANENT);

        if (lladdr != NULL) {
            rtnl_neigh_set_lladdr(neigh, lladdr);
        }

        rc = rtnl_neigh_set_dst(neigh, dst);
    }

    nl_addr_put(dst);
    nl_addr_put(lladdr);

    if (rc < 0) {
        rtnl_neigh_put(neigh);
        neigh = NULL;
    }

    return neigh;
}


int
fca_link_add_neigh(struct nl_sock *sk, unsigned ifindex, struct in_addr addr,
    const unsigned char *mac, fcf_err_t *err)
{
    int                 rc;
    struct rtnl_neigh  *neigh;

    neigh = neigh_build(ifindex, addr, mac);

    rc = neigh == NULL ? -NLE_NOMEM
                       : rtnl_neigh_add(sk, neigh,
                                        NLM_F_CREATE | NLM_F_REPLACE);
    rtnl_neigh_put(neigh);

    return rc < 0 ? fca_nl_fail(err, rc, "adding the neighbour entry") : 0;
}


int
fca_link_del_neigh(struct nl_sock *sk, unsigned ifindex, struct in_addr addr,
    fcf_err_t *err)
{
    int                 rc;
    struct rtnl_neigh  *neigh;

    neigh = neigh_build(ifindex, addr, NULL);

    rc = neigh == NULL ? -NLE_NOMEM : rtnl_neigh_delete(sk, neigh, 0);
    rtnl_neigh_put(neigh);

    if (rc < 0 && rc != -NLE_OBJ_NOTFOUND) {
        return fca_nl_fail(err, rc, "deleting the neighbour entry");
    }

    return 0;
}


/* static, so that it outlives its port's being down */
int
fca_link_add_fdb(struct nl_sock *sk, unsigned ifindex,
    const unsigned char *mac, fcf_err_t *err)
{
    struct ndmsg    head;
    struct nl_msg  *msg;

    memset(&head, 0, sizeof(head));
    head.ndm_family = AF_BRIDGE;
    head.ndm_ifindex = (int) ifindex;
    head.ndm_state = NUD_NOARP;
    head.ndm_flags = NTF_MASTER;

    msg = fca_nl_msg(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &head,
                     sizeof(head));

    if (msg != NULL && nla_put(msg, NDA_LLADDR, 6, mac) < 0) {
        nlmsg_free(msg);
        msg = NULL;
    }

    return fca_nl_send(sk, msg, "telling the bridge the guest's MAC", err);
}


typedef struct {
    unsigned  oif, mtu;
} way_t;


static int
way_valid(struct nl_msg *msg, void *arg)
{
    way_t          *way = arg;
    struct nlattr  *attr[RTA_MAX + 1], *metric[RTAX_MAX + 1];

    if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct rtmsg), attr, RTA_MAX, NULL)
        < 0)
    {
        return NL_OK;
    }

    if (attr[RTA_OIF] != NULL) {
        way->oif = nla_get_u32(attr[RTA_OIF]);
    }

    if (attr[RTA_METRICS] != NULL
        && nla_parse_nested(metric, RTAX_MAX, attr[RTA_METRICS], NULL) == 0
        && metric[RTAX_MTU] != NULL)
    {
        way->mtu = nla_get_u32(metric[RTAX_MTU]);
    }

    return NL_OK;
}


int
fca_link_way_out(struct nl_sock *sk, struct in_addr addr, unsigned *oif,
    unsigned *mtu, fcf_err_t *err)
{
    way_t           way = { 0 };
    fca_link_t      link;
    struct rtmsg    rtm = { .rtm_family = AF_INET, .rtm_dst_len = 32 };
    struct nl_msg  *msg;

    msg = fca_nl_msg(RTM_GETROUTE, 0, &rtm, sizeof(rtm));

    if (msg != NULL && nla_put(msg, RTA_DST, sizeof(addr), &addr) < 0) {
        return fca_nl_nomem(msg, err);
    }

    if (fca_nl_ask(sk, msg, 0, way_valid, &way, "asking for the way out", err)
        != 0)
    {
        return -1;
    }

    if (way.oif != 0 && way.mtu == 0) {
        if (fca_link_get(sk, NULL, way.oif, &link, err) != 0) {
            return -1;
        }

        way.mtu = link.mtu;
    }

    *oif = way.oif;
    *mtu = way.mtu;

    return 0;
}


/* *a lies in our prefix, or our prefix in it */
static int
overlaps(const overlap_t *o, struct nl_addr *a)
{
    uint32_t  net, mask, both;
    unsigned  len;

    if (a == NULL || nl_addr_get_family(a) != AF_INET) {
        return 0;
    }

    len = nl_addr_get_prefixlen(a);

    if (len == 0 || len > 32 || nl_addr_get_len(a) != sizeof(net)) {
        return 0;
    }

    memcpy(&net, nl_addr_get_binary_addr(a), sizeof(net));
    net = ntohl(net);
    mask = 0xffffffffu << (32 - len);
    both = mask & o->mask;

    return (net & both) == (o->net & both);
}


static void
overlap_found(overlap_t *o, const char *what, struct nl_addr *a, unsigned by)
{
    if (!o->found) {
        o->found = 1;
        o->what = what;
        o->by = by;
        nl_addr2str(a, o->text, sizeof(o->text));
    }
}


static void
overlap_addr(struct nl_object *obj, void *arg)
{
    unsigned           ifindex;
    overlap_t         *o = arg;
    struct rtnl_addr  *ra = (struct rtnl_addr *) obj;

    ifindex = (unsigned) rtnl_addr_get_ifindex(ra);

    if (ifindex != o->ifindex && overlaps(o, rtnl_addr_get_local(ra))) {
        overlap_found(o, "address", rtnl_addr_get_local(ra), ifindex);
    }
}


static void
overlap_route(struct nl_object *obj, void *arg)
{
    unsigned              ifindex;
    overlap_t            *o = arg;
    struct nl_addr       *dst;
    struct rtnl_route    *route = (struct rtnl_route *) obj;
    struct rtnl_nexthop  *hop;

    dst = rtnl_route_get_dst(route);
    hop = rtnl_route_nexthop_n(route, 0);
    ifindex = hop != NULL ? (unsigned) rtnl_route_nh_get_ifindex(hop) : 0;

    if (ifindex != o->ifindex && overlaps(o, dst)) {
        overlap_found(o, "route", dst, ifindex);
    }
}


/* a bridge that takes an address other than ours is used for something else */
static void
overlap_own(struct nl_object *obj, void *arg)
{
    overlap_t         *o = arg;
    struct nl_addr    *a;
    struct rtnl_addr  *ra = (struct rtnl_addr *) obj;

    a = rtnl_addr_get_local(ra);

    if ((unsigned) rtnl_addr_get_ifindex(ra) == o->ifindex && a != NULL
        && nl_addr_get_family(a) == AF_INET
        && !(overlaps(o, a)
             && 0xffffffffu << (32 - nl_addr_get_prefixlen(a)) == o->mask))
    {
        overlap_found(o, "foreign address", a, o->ifindex);
    }
}


int
fca_link_check_overlap(struct nl_sock *sk, unsigned ifindex,
    struct in_addr addr, unsigned prefix_len, fcf_err_t *err)
{
    int               rc;
    char              ours[INET_ADDRSTRLEN];
    overlap_t         o = { .sk = sk, .ifindex = ifindex };
    fca_link_t        link = { 0 };
    struct nl_cache  *cache;

    o.net = ntohl(addr.s_addr);
    o.mask = 0xffffffffu << (32 - prefix_len);

    rc = rtnl_addr_alloc_cache(sk, &cache);
    if (rc < 0) {
        return fca_nl_fail(err, rc, "reading addresses");
    }

    if (ifindex != 0) {
        nl_cache_foreach(cache, overlap_own, &o);
    }

    nl_cache_foreach(cache, overlap_addr, &o);
    nl_cache_free(cache);

    if (!o.found) {
        rc = rtnl_route_alloc_cache(sk, AF_INET, 0, &cache);
        if (rc < 0) {
            return fca_nl_fail(err, rc, "reading routes");
        }

        nl_cache_foreach(cache, overlap_route, &o);
        nl_cache_free(cache);
    }

    if (!o.found) {
        return 0;
    }

    if (o.by == 0 || fca_link_get(sk, NULL, o.by, &link, NULL) != 0) {
        link.name[0] = '-';
    }

    inet_ntop(AF_INET, &addr, ours, sizeof(ours));

    return fcf_err_set(err, FCF_E_EXISTS,
                       "guest network %s/%u overlaps the %s %s of link %s",
                       ours, prefix_len, o.what, o.text, link.name);
}
