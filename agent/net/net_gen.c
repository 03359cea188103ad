/*
 * The generation of the host's rules, which each transaction of anybody makes
 * one more: by it is known whether rules are as they were when we looked.
 */

#include <arpa/inet.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "agent/net/net_int.h"
#include "agent/net/net_nl.h"


static int
generation_valid(struct nl_msg *msg, void *arg)
{
    uint32_t       *gen = arg;
    struct nlattr  *attr[NFTA_GEN_MAX + 1];

    if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct nfgenmsg), attr,
                    NFTA_GEN_MAX, NULL) == 0
        && attr[NFTA_GEN_ID] != NULL)
    {
        *gen = ntohl(nla_get_u32(attr[NFTA_GEN_ID]));
    }

    return NL_OK;
}


int
fca_guard_generation(fca_net_t *net, uint32_t *gen, fcf_err_t *err)
{
    struct nl_msg    *msg;
    struct nfgenmsg   head = { .version = NFNETLINK_V0 };

    *gen = 0;
    msg = fca_nl_msg(FCA_NFNL(NFTABLES, NFT_MSG_GETGEN), 0, &head,
                     sizeof(head));

    return fca_nl_ask(net->nfsk, msg, 0, generation_valid, gen,
                      "asking for the rules' generation", err);
}


void
fca_guard_own(fca_net_t *net, uint32_t gen)
{
    net->own[net->nown++ % FCA_NET_OWN_MAX] = gen;
}


int
fca_guard_owns(const fca_net_t *net, uint32_t gen)
{
    size_t  i;

    for (i = 0; i < FCA_NET_OWN_MAX && i < net->nown; i++) {
        if (net->own[i] == gen) {
            return 1;
        }
    }

    return 0;
}


int
fca_guard_unchanged(fca_net_t *net)
{
    uint32_t  gen;

    return !net->rules_dirty && net->seen_gen != 0
           && fca_guard_generation(net, &gen, NULL) == 0
           && gen == net->seen_gen;
}
