/* What is taken away: at the end, and at a start what an earlier run has left
 * under settings that are others by now. */

#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/net/net_int.h"
#include "agent/net/net_nl.h"


static int
end_taps(fca_net_t *net, fcf_err_t *err)
{
    int          n_ours;
    size_t       i, n;
    fca_link_t  *links;

    if (fca_link_list(net->sk, &links, &n, err) != 0) {
        return -1;
    }

    n_ours = 0;

    for (i = 0; i < n; i++) {
        if (fca_net_tap_ours(net, &links[i])
            && fca_link_set_group(net->sk, links[i].ifindex,
                                  FCA_NET_GROUP(net), NULL) == 0)
        {
            n_ours++;
        }
    }

    free(links);

    return n_ours > 0
           ? fca_link_del_group(net->sk, FCA_NET_GROUP(net), err) : 0;
}


void
fca_net_end(fca_net_t *net)
{
    fcf_err_t  err;

    fca_net_complain(end_taps(net, &err), &err);
    fca_net_forward_end(net);

    if (net->made) {
        fca_net_complain(fca_link_del(net->sk, net->ifindex, &err), &err);

    } else {
        fca_net_complain(fca_link_set_alias(net->sk, net->ifindex, "", &err),
                         &err);
    }

    fca_net_complain(fca_nft_remove(net, &err), &err);
}


/* whether a bridge is one that this node had under another name, or with
 * another address */
static int
former_is(const fca_net_t *net, const fca_link_t *link)
{
    fca_net_t  was = *net;

    if (strcmp(link->kind, "bridge") != 0
        || !fca_net_alias_ours(net, link->alias))
    {
        return 0;
    }

    if (strcmp(link->name, net->bridge) != 0) {
        memcpy(was.bridge, link->name, sizeof(was.bridge));

        return fca_net_lock_check(&was, NULL) == 0;
    }

    fca_net_bridge_read(&was, link);

    return was.made
           && fca_link_has_address(net->sk, link->ifindex, net->address,
                                   net->prefix_len, NULL) == 0;
}


/* whether a process is at one of our TAPs still: the look will say so */
static int
former_lives(const fca_net_t *net, const fca_link_t *links, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (fca_net_tap_ours(net, &links[i])
            && fca_tap_busy(links[i].name, NULL) != 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
former_end(const fca_net_t *net, const fca_link_t *link)
{
    fca_net_t  was = *net;

    fca_log(FCF_LOG_WARN, NULL, "guest network: bridge %s, which an earlier "
            "run had with other settings, is taken away", link->name);

    memcpy(was.bridge, link->name, sizeof(was.bridge));
    fca_net_table_name(&was);
    was.ifindex = link->ifindex;
    fca_net_bridge_read(&was, link);
    fca_net_teardown(&was);
}


int
fca_net_former(fca_net_t *net, fcf_err_t *err)
{
    int          rc;
    size_t       i, n;
    fca_link_t  *links;

    if (net->nkeep > 0) {
        return 0;
    }

    links = NULL;
    net->sk = fca_nl_connect(NETLINK_ROUTE, err);
    rc = net->sk != NULL ? fca_link_list(net->sk, &links, &n, err) : -1;

    for (i = 0; rc == 0 && i < n; i++) {
        if (former_is(net, &links[i]) && !former_lives(net, links, n)) {
            former_end(net, &links[i]);
        }
    }

    free(links);
    nl_socket_free(net->sk);
    net->sk = NULL;

    return rc;
}


void
fca_net_teardown(fca_net_t *net)
{
    fcf_err_t  err;

    if (fca_net_connect(net, &err) == 0) {
        fca_net_end(net);

    } else {
        fca_net_complain(-1, &err);
    }

    fca_net_disconnect(net);
}
