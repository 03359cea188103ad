/*
 * The host's connection tracking: what guests opened while our rules were
 * away.  Such a flow lacks what the rules would have done to it, and would go
 * without that for as long as it is known.
 */

#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "agent/net/net_int.h"
#include "agent/net/net_nl.h"

/* the kernel's CTA_FILTER_F_CTA_IP_SRC, which it shows nobody */
#define FILTER_IP_SRC  1

typedef struct {
    struct in_addr  src, dst;
} flow_way_t;

/* what names a flow to the kernel: its first tuple, its zone, its id */
typedef struct flow_s  flow_t;

struct flow_s {
    flow_t         *next;
    struct nlattr  *tuple;              /* a copy */
    uint32_t        id;
    uint16_t        zone;
};

typedef struct {
    const fca_net_t  *net;
    struct in_addr    of;               /* whose; 0: all bad ones */
    flow_t           *list;
    int               nomem;
} flows_t;


static int
flow_way(struct nlattr *tuple, flow_way_t *way)
{
    struct nlattr  *attr[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1];

    if (tuple == NULL
        || nla_parse_nested(attr, CTA_TUPLE_MAX, tuple, NULL) < 0
        || attr[CTA_TUPLE_IP] == NULL
        || nla_parse_nested(ip, CTA_IP_MAX, attr[CTA_TUPLE_IP], NULL) < 0
        || ip[CTA_IP_V4_SRC] == NULL || ip[CTA_IP_V4_DST] == NULL)
    {
        return -1;
    }

    way->src.s_addr = nla_get_u32(ip[CTA_IP_V4_SRC]);
    way->dst.s_addr = nla_get_u32(ip[CTA_IP_V4_DST]);

    return 0;
}


/* a guest's own, and either not masqueraded or with somebody it may not
 * reach */
static int
flow_bad(const fca_net_t *net, const flow_way_t *to, const flow_way_t *back)
{
    return fca_net_is_guest(net, to->src)
           && (back->dst.s_addr == to->src.s_addr
               || !fca_rules_reachable(net, back->src));
}


static int
flow_valid(struct nl_msg *msg, void *arg)
{
    flow_t          *flow;
    flows_t         *flows = arg;
    flow_way_t       to, back;
    struct nlattr   *attr[CTA_MAX + 1];

    if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct nfgenmsg), attr, CTA_MAX,
                    NULL) < 0
        || flow_way(attr[CTA_TUPLE_ORIG], &to) != 0
        || flow_way(attr[CTA_TUPLE_REPLY], &back) != 0
        || attr[CTA_ID] == NULL
        || !(flows->of.s_addr != 0 ? to.src.s_addr == flows->of.s_addr
                                   : flow_bad(flows->net, &to, &back)))
    {
        return NL_OK;
    }

    flow = calloc(1, sizeof(*flow));

    if (flow != NULL) {
        flow->tuple = malloc((size_t) nla_total_size(
                                 nla_len(attr[CTA_TUPLE_ORIG])));
    }

    if (flow == NULL || flow->tuple == NULL) {
        free(flow);
        flows->nomem = 1;
        return NL_OK;
    }

    memcpy(flow->tuple, attr[CTA_TUPLE_ORIG], attr[CTA_TUPLE_ORIG]->nla_len);
    flow->id = nla_get_u32(attr[CTA_ID]);

    if (attr[CTA_ZONE] != NULL) {
        flow->zone = nla_get_u16(attr[CTA_ZONE]);
    }

    flow->next = flows->list;
    flows->list = flow;

    return NL_OK;
}


static int
flow_delete(fca_net_t *net, const flow_t *flow, fcf_err_t *err)
{
    fcf_err_t         why;
    struct nl_msg    *msg;
    struct nfgenmsg   head = { .nfgen_family = AF_INET,
                               .version = NFNETLINK_V0 };

    msg = fca_nl_msg(FCA_NFNL(CTNETLINK, IPCTNL_MSG_CT_DELETE), 0, &head,
                     sizeof(head));

    if (msg != NULL
        && (nla_put(msg, CTA_TUPLE_ORIG | NLA_F_NESTED, nla_len(flow->tuple),
                    nla_data(flow->tuple)) < 0
            || nla_put_u32(msg, CTA_ID, flow->id) < 0
            || (flow->zone != 0
                && nla_put_u16(msg, CTA_ZONE, flow->zone) < 0)))
    {
        return fca_nl_nomem(msg, err);
    }

    if (fca_nl_send(net->nfsk, msg, "cutting a guest's flow", &why) != 0
        && why.code != FCF_E_NOT_FOUND)
    {
        *err = why;
        return -1;
    }

    return 0;
}


/* all of them are read, and those that are meant deleted one by one */
static int
flows_delete(fca_net_t *net, struct in_addr of, fcf_err_t *err)
{
    int               rc;
    flow_t           *flow;
    flows_t           flows = { .net = net, .of = of };
    struct nl_msg    *msg;
    struct nfgenmsg   head = { .nfgen_family = AF_INET,
                               .version = NFNETLINK_V0 };

    msg = fca_nl_msg(FCA_NFNL(CTNETLINK, IPCTNL_MSG_CT_GET), NLM_F_DUMP, &head,
                     sizeof(head));

    rc = fca_nl_ask(net->nfsk, msg, 1, flow_valid, &flows,
                    "reading the host's flows", err);

    if (rc == 0 && flows.nomem) {
        rc = fcf_err_set(err, FCF_E_NOMEM,
                         "reading the host's flows: out of memory");
    }

    while ((flow = flows.list) != NULL) {
        flows.list = flow->next;

        if (flow_delete(net, flow, err) != 0) {
            rc = -1;
        }

        free(flow->tuple);
        free(flow);
    }

    return rc;
}


int
fca_flows_cut(fca_net_t *net, fcf_err_t *err)
{
    struct in_addr  all = { .s_addr = 0 };

    return flows_delete(net, all, err);
}


/* by one message, which Linux understands from 6.8 on */
static int
flows_forget(fca_net_t *net, struct in_addr addr, fcf_err_t *err)
{
    struct nl_msg    *msg;
    struct nlattr    *tuple, *ip, *filter;
    struct nfgenmsg   head = { .nfgen_family = AF_INET,
                               .version = NFNETLINK_V0 };

    msg = fca_nl_msg(FCA_NFNL(CTNETLINK, IPCTNL_MSG_CT_DELETE), 0, &head,
                     sizeof(head));

    if (msg == NULL
        || (tuple = nla_nest_start(msg, CTA_TUPLE_ORIG | NLA_F_NESTED)) == NULL
        || (ip = nla_nest_start(msg, CTA_TUPLE_IP | NLA_F_NESTED)) == NULL
        || nla_put(msg, CTA_IP_V4_SRC, sizeof(addr), &addr) < 0)
    {
        return fca_nl_nomem(msg, err);
    }

    nla_nest_end(msg, ip);
    nla_nest_end(msg, tuple);

    filter = nla_nest_start(msg, CTA_FILTER | NLA_F_NESTED);

    if (filter == NULL
        || nla_put_u32(msg, CTA_FILTER_ORIG_FLAGS, FILTER_IP_SRC) < 0
        || nla_put_u32(msg, CTA_FILTER_REPLY_FLAGS, 0) < 0)
    {
        return fca_nl_nomem(msg, err);
    }

    nla_nest_end(msg, filter);

    return fca_nl_send(net->nfsk, msg, "forgetting a guest's flows", err);
}


/* all that was opened by addr */
int
fca_flows_forget(fca_net_t *net, struct in_addr addr, fcf_err_t *err)
{
    if (net->flows_one_by_one) {
        return flows_delete(net, addr, err);
    }

    if (flows_forget(net, addr, NULL) == 0) {
        return 0;
    }

    net->flows_one_by_one = 1;

    return flows_delete(net, addr, err);
}
