#include <stdlib.h>
#include <string.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "agent/net/net_link.h"
#include "agent/net/net_nl.h"

/* how often links may come and go while they are listed */
#define LIST_TRIES  10

typedef struct {
    fca_link_t  *links;
    size_t       n, size;
    int          nomem;
} link_list_t;


static void
link_parse_bridge(struct nlattr *attr, fca_link_t *out)
{
    struct nlattr  *br[IFLA_BR_MAX + 1];

    if (nla_parse_nested(br, IFLA_BR_MAX, attr, NULL) < 0) {
        return;
    }

    if (br[IFLA_BR_STP_STATE] != NULL) {
        out->stp = nla_get_u32(br[IFLA_BR_STP_STATE]) != 0;
    }

    if (br[IFLA_BR_MCAST_SNOOPING] != NULL) {
        out->snooping = nla_get_u8(br[IFLA_BR_MCAST_SNOOPING]) != 0;
    }
}


static void
link_parse_info(struct nlattr *attr, fca_link_t *out)
{
    struct nlattr  *info[IFLA_INFO_MAX + 1], *port[IFLA_BRPORT_MAX + 1];

    if (nla_parse_nested(info, IFLA_INFO_MAX, attr, NULL) < 0) {
        return;
    }

    if (info[IFLA_INFO_KIND] != NULL) {
        nla_strlcpy(out->kind, info[IFLA_INFO_KIND], sizeof(out->kind));
    }

    if (strcmp(out->kind, "bridge") == 0 && info[IFLA_INFO_DATA] != NULL) {
        link_parse_bridge(info[IFLA_INFO_DATA], out);
    }

    if (info[IFLA_INFO_SLAVE_KIND] == NULL
        || nla_strcmp(info[IFLA_INFO_SLAVE_KIND], "bridge") != 0
        || info[IFLA_INFO_SLAVE_DATA] == NULL
        || nla_parse_nested(port, IFLA_BRPORT_MAX, info[IFLA_INFO_SLAVE_DATA],
                            NULL) < 0)
    {
        return;
    }

    if (port[IFLA_BRPORT_ISOLATED] != NULL) {
        out->isolated = nla_get_u8(port[IFLA_BRPORT_ISOLATED]) != 0;
    }
}


static int
link_valid(struct nl_msg *msg, void *arg)
{
    void              *p;
    size_t             size;
    fca_link_t        *out;
    link_list_t       *list;
    struct nlattr     *attr[IFLA_MAX + 1];
    struct nlmsghdr   *hdr;
    struct ifinfomsg  *ifi;

    list = arg;
    hdr = nlmsg_hdr(msg);

    if (hdr->nlmsg_type != RTM_NEWLINK
        || nlmsg_parse(hdr, sizeof(*ifi), attr, IFLA_MAX, NULL) < 0
        || attr[IFLA_IFNAME] == NULL)
    {
        return NL_OK;
    }

    if (list->n == list->size) {
        size = list->size == 0 ? 8 : list->size * 2;
        p = realloc(list->links, size * sizeof(fca_link_t));
        if (p == NULL) {
            list->nomem = 1;
            return NL_OK;
        }

        list->links = p;
        list->size = size;
    }

    ifi = nlmsg_data(hdr);
    out = &list->links[list->n++];
    memset(out, 0, sizeof(*out));

    out->ifindex = (unsigned) ifi->ifi_index;
    out->flags = ifi->ifi_flags;
    nla_strlcpy(out->name, attr[IFLA_IFNAME], sizeof(out->name));

    if (attr[IFLA_IFALIAS] != NULL) {
        nla_strlcpy(out->alias, attr[IFLA_IFALIAS], sizeof(out->alias));
    }

    if (attr[IFLA_ADDRESS] != NULL
        && nla_len(attr[IFLA_ADDRESS]) == (int) sizeof(out->mac))
    {
        memcpy(out->mac, nla_data(attr[IFLA_ADDRESS]), sizeof(out->mac));
    }

    if (attr[IFLA_MTU] != NULL) {
        out->mtu = nla_get_u32(attr[IFLA_MTU]);
    }

    if (attr[IFLA_MASTER] != NULL) {
        out->master = nla_get_u32(attr[IFLA_MASTER]);
    }

    if (attr[IFLA_LINKINFO] != NULL) {
        link_parse_info(attr[IFLA_LINKINFO], out);
    }

    return NL_OK;
}


/* takes msg */
static int
link_query(struct nl_sock *sk, struct nl_msg *msg, int dump,
    link_list_t *list, fcf_err_t *err)
{
    if (fca_nl_ask(sk, msg, dump, link_valid, list, "reading links", err)
        != 0)
    {
        return -1;
    }

    return list->nomem ? fcf_err_set(err, FCF_E_NOMEM,
                                     "reading links: out of memory") : 0;
}


static struct nl_msg *
link_msg(int type, int flags, const struct ifinfomsg *ifi)
{
    return fca_nl_msg(type, flags, ifi, sizeof(*ifi));
}


int
fca_link_get(struct nl_sock *sk, const char *name, unsigned ifindex,
    fca_link_t *out, fcf_err_t *err)
{
    int               rc;
    link_list_t       list = { 0 };
    struct nl_msg    *msg;
    struct ifinfomsg  ifi = { .ifi_family = AF_UNSPEC };

    ifi.ifi_index = name != NULL ? 0 : (int) ifindex;

    msg = link_msg(RTM_GETLINK, 0, &ifi);

    if (msg == NULL
        || (name != NULL && nla_put_string(msg, IFLA_IFNAME, name) < 0))
    {
        return fca_nl_nomem(msg, err);
    }

    rc = link_query(sk, msg, 0, &list, err);

    if (rc == 0) {
        if (list.n == 1) {
            *out = list.links[0];

        } else {
            rc = fcf_err_set(err, FCF_E_PROTOCOL,
                             "reading links: %zu answers for one link",
                             list.n);
        }
    }

    free(list.links);

    return rc;
}


int
fca_link_list(struct nl_sock *sk, fca_link_t **out, size_t *n, fcf_err_t *err)
{
    int               i;
    fcf_err_t         why;
    link_list_t       list;
    struct ifinfomsg  ifi = { .ifi_family = AF_UNSPEC };

    for (i = 0; i < LIST_TRIES; i++) {
        memset(&list, 0, sizeof(list));

        if (link_query(sk, link_msg(RTM_GETLINK, NLM_F_DUMP, &ifi), 1, &list,
                       &why) == 0)
        {
            *out = list.links;
            *n = list.n;
            return 0;
        }

        free(list.links);

        if (why.code != FCF_E_UNAVAILABLE) {
            break;
        }
    }

    *err = why;

    return -1;
}


/* with STP on, the kernel takes no forward delay of 0 */
static int
bridge_settings(struct nl_msg *msg, int stp_only)
{
    struct nlattr  *info, *data;

    info = nla_nest_start(msg, IFLA_LINKINFO);

    if (info == NULL || nla_put_string(msg, IFLA_INFO_KIND, "bridge") < 0) {
        return -1;
    }

    data = nla_nest_start(msg, IFLA_INFO_DATA);

    if (data == NULL
        || nla_put_u32(msg, IFLA_BR_STP_STATE, 0) < 0
        || (!stp_only
            && (nla_put_u32(msg, IFLA_BR_FORWARD_DELAY, 0) < 0
                || nla_put_u8(msg, IFLA_BR_MCAST_SNOOPING, 0) < 0)))
    {
        return -1;
    }

    nla_nest_end(msg, data);
    nla_nest_end(msg, info);

    return 0;
}


int
fca_link_bridge_add(struct nl_sock *sk, const char *name, fcf_err_t *err)
{
    struct nl_msg    *msg;
    struct ifinfomsg  ifi = { .ifi_family = AF_UNSPEC };

    msg = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi);

    if (msg == NULL
        || nla_put_string(msg, IFLA_IFNAME, name) < 0
        || bridge_settings(msg, 0) != 0)
    {
        return fca_nl_nomem(msg, err);
    }

    return fca_nl_send(sk, msg, "making the bridge", err);
}


int
fca_link_bridge_set(struct nl_sock *sk, unsigned ifindex,
    const unsigned char *mac, fcf_err_t *err)
{
    struct nl_msg    *msg;
    struct ifinfomsg  ifi = { .ifi_family = AF_UNSPEC };

    ifi.ifi_index = (int) ifindex;

    msg = link_msg(RTM_NEWLINK, 0, &ifi);

    if (msg == NULL || bridge_settings(msg, 1) != 0) {
        return fca_nl_nomem(msg, err);
    }

    if (fca_nl_send(sk, msg, "turning STP off", err) != 0) {
        return -1;
    }

    msg = link_msg(RTM_NEWLINK, 0, &ifi);

    if (msg == NULL
        || nla_put(msg, IFLA_ADDRESS, 6, mac) < 0
        || bridge_settings(msg, 0) != 0)
    {
        return fca_nl_nomem(msg, err);
    }

    return fca_nl_send(sk, msg, "setting up the bridge", err);
}


/* a change of one attribute of one link */
static int
link_change(struct nl_sock *sk, unsigned ifindex, int attr, const void *data,
    int len, const char *what, fcf_err_t *err)
{
    struct nl_msg    *msg;
    struct ifinfomsg  ifi = { .ifi_family = AF_UNSPEC };

    ifi.ifi_index = (int) ifindex;

    msg = link_msg(RTM_NEWLINK, 0, &ifi);

    if (msg == NULL || nla_put(msg, attr, len, data) < 0) {
        return fca_nl_nomem(msg, err);
    }

    return fca_nl_send(sk, msg, what, err);
}


int
fca_link_set_alias(struct nl_sock *sk, unsigned ifindex, const char *alias,
    fcf_err_t *err)
{
    /* no NUL: an empty attribute clears the alias */
    return link_change(sk, ifindex, IFLA_IFALIAS, alias, (int) strlen(alias),
                       "setting the alias", err);
}


int
fca_link_set_mac(struct nl_sock *sk, unsigned ifindex,
    const unsigned char *mac, fcf_err_t *err)
{
    return link_change(sk, ifindex, IFLA_ADDRESS, mac, 6, "setting the MAC",
                       err);
}


int
fca_link_rename(struct nl_sock *sk, unsigned ifindex, const char *name,
    fcf_err_t *err)
{
    return link_change(sk, ifindex, IFLA_IFNAME, name,
                       (int) strlen(name) + 1, "naming", err);
}


int
fca_link_enslave(struct nl_sock *sk, unsigned ifindex, unsigned master,
    fcf_err_t *err)
{
    uint32_t  value = master;

    return link_change(sk, ifindex, IFLA_MASTER, &value, sizeof(value),
                       "adding to the bridge", err);
}


int
fca_link_set_group(struct nl_sock *sk, unsigned ifindex, unsigned group,
    fcf_err_t *err)
{
    uint32_t  value = group;

    return link_change(sk, ifindex, IFLA_GROUP, &value, sizeof(value),
                       "setting the group", err);
}


int
fca_link_isolate(struct nl_sock *sk, unsigned ifindex, fcf_err_t *err)
{
    struct nl_msg    *msg;
    struct nlattr    *info, *data;
    struct ifinfomsg  ifi = { .ifi_family = AF_UNSPEC };

    ifi.ifi_index = (int) ifindex;

    msg = link_msg(RTM_NEWLINK, 0, &ifi);
    if (msg == NULL) {
        return fca_nl_nomem(msg, err);
    }

    info = nla_nest_start(msg, IFLA_LINKINFO);

    if (info == NULL
        || nla_put_string(msg, IFLA_INFO_SLAVE_KIND, "bridge") < 0)
    {
        return fca_nl_nomem(msg, err);
    }

    data = nla_nest_start(msg, IFLA_INFO_SLAVE_DATA);

    if (data == NULL || nla_put_u8(msg, IFLA_BRPORT_ISOLATED, 1) < 0) {
        return fca_nl_nomem(msg, err);
    }

    nla_nest_end(msg, data);
    nla_nest_end(msg, info);

    return fca_nl_send(sk, msg, "isolating the port", err);
}


int
fca_link_set_up(struct nl_sock *sk, unsigned ifindex, int up, fcf_err_t *err)
{
    struct nl_msg    *msg;
    struct ifinfomsg  ifi = { .ifi_family = AF_UNSPEC };

    ifi.ifi_index = (int) ifindex;
    ifi.ifi_change = IFF_UP;
    ifi.ifi_flags = up ? IFF_UP : 0;

    msg = link_msg(RTM_NEWLINK, 0, &ifi);
    if (msg == NULL) {
        return fca_nl_nomem(msg, err);
    }

    return fca_nl_send(sk, msg, up ? "setting up" : "setting down", err);
}


int
fca_link_del(struct nl_sock *sk, unsigned ifindex, fcf_err_t *err)
{
    struct nl_msg    *msg;
    struct ifinfomsg  ifi = { .ifi_family = AF_UNSPEC };

    ifi.ifi_index = (int) ifindex;

    msg = link_msg(RTM_DELLINK, 0, &ifi);
    if (msg == NULL) {
        return fca_nl_nomem(msg, err);
    }

    return fca_nl_send(sk, msg, "deleting", err);
}


int
fca_link_del_group(struct nl_sock *sk, unsigned group, fcf_err_t *err)
{
    struct nl_msg    *msg;
    struct ifinfomsg  ifi = { .ifi_family = AF_UNSPEC };

    msg = link_msg(RTM_DELLINK, 0, &ifi);

    if (msg == NULL || nla_put_u32(msg, IFLA_GROUP, group) < 0) {
        return fca_nl_nomem(msg, err);
    }

    return fca_nl_send(sk, msg, "deleting a group of links", err);
}
