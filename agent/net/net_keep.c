/* NICs of VMs that an earlier agent left running: each goes on under the
 * name and address it has, and nothing of it is taken down for a moment. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/net/net_int.h"


int
fca_net_keeps(const fca_net_t *net, const char *tap)
{
    size_t  i;

    for (i = 0; i < net->nkeep; i++) {
        if (strcmp(net->keep[i].tap, tap) == 0) {
            return 1;
        }
    }

    return 0;
}


/* the number of its address, if that is one of ours and free, and if it is
 * the one that its MAC says; 0: not so */
static unsigned
keep_host(fca_net_t *net, const fca_nic_t *nic)
{
    uint32_t        mask, host;
    fca_net_nic_t  *as_made;

    mask = 0xffffffffu << (32 - net->prefix_len);
    host = ntohl(nic->address.s_addr) & ~mask;

    if ((ntohl(nic->address.s_addr) & mask)
        != (ntohl(net->address.s_addr) & mask))
    {
        return 0;
    }

    as_made = fca_net_nic_new(net, host);

    if (as_made == NULL
        || memcmp(as_made->nic.mac, nic->mac, sizeof(nic->mac)) != 0
        || fca_pool_adopt(&net->pool, host) != 0)
    {
        host = 0;
    }

    free(as_made);

    return host;
}


static fca_nic_t *
keep_wanted(fca_net_t *net, const char *tap)
{
    size_t  i;

    for (i = 0; i < net->nkeep; i++) {
        if (net->keep[i].ifindex == 0
            && strcmp(net->keep[i].tap, tap) == 0)
        {
            return &net->keep[i];
        }
    }

    return NULL;
}


/* only what somebody changed meanwhile is put right, for that takes the link
 * down */
static int
keep_look(fca_net_t *net, const fca_link_t *link, fca_net_nic_t *nic,
    fcf_err_t *err)
{
    nic->up = 1;

    if ((link->master != net->ifindex || !link->isolated)
        && fca_net_nic_prepare(net, nic, err) != 0)
    {
        return -1;
    }

    if (fca_link_add_neigh(net->sk, net->ifindex, nic->nic.address,
                           nic->nic.mac, err) != 0)
    {
        return -1;
    }

    return fca_link_set_up(net->sk, nic->nic.ifindex, 1, err);
}


int
fca_net_keep(fca_net_t *net, const fca_link_t *link, fcf_err_t *err)
{
    unsigned        host;
    fca_nic_t      *wanted;
    fca_net_nic_t  *nic;

    wanted = keep_wanted(net, link->name);
    if (wanted == NULL) {
        return 0;
    }

    host = keep_host(net, wanted);
    if (host == 0) {
        fca_log(FCF_LOG_WARN, NULL, "guest network: TAP %s is not kept: its "
                "address is another's, or none of this network", link->name);
        return 0;
    }

    nic = fca_net_nic_found(net, host, link, err);
    if (nic == NULL) {
        return -1;
    }

    TAILQ_INSERT_TAIL(&net->out, nic, out);
    net->nnics++;
    fca_net_arm(net, nic, 1);
    wanted->ifindex = link->ifindex;
    memcpy(wanted->device, net->bridge, sizeof(wanted->device));

    /* its VM will be seen to serve or not; the others go on in any case */
    fca_net_complain(keep_look(net, link, nic, err), err);

    return 1;
}
