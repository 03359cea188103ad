/* NICs that are out: into the bridge and out of it, and connections by them. */

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/net/net_int.h"


fca_net_nic_t *
fca_net_out(fca_net_t *net, const fca_nic_t *nic)
{
    fca_net_nic_t  *n;

    TAILQ_FOREACH(n, &net->out, out) {
        if (n->nic.ifindex == nic->ifindex) {
            break;
        }
    }

    assert(n != NULL);

    return n;
}


static void
net_move(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op,
    fca_nic_moved_pt done, void *arg)
{
    nic->moved = done;
    nic->arg = arg;
    fca_net_submit(net, nic, op);
}


void
fca_net_apart(fca_net_t *net, const fca_nic_t *nic, struct in_addr address,
    const unsigned char *mac, fca_nic_moved_pt done, void *arg)
{
    fca_net_nic_t  *n;

    n = fca_net_out(net, nic);
    n->clone = address;
    memcpy(n->clone_mac, mac, sizeof(n->clone_mac));
    net_move(net, n, FCA_NET_APART, done, arg);
}


void
fca_net_join(fca_net_t *net, const fca_nic_t *nic, fca_nic_moved_pt done,
    void *arg)
{
    net_move(net, fca_net_out(net, nic), FCA_NET_JOIN, done, arg);
}


int
fca_nic_bind(const fca_nic_t *nic, int fd, fcf_err_t *err)
{
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, nic->device,
                   (socklen_t) strlen(nic->device) + 1) != 0)
    {
        return fcf_err_sys(err, errno, "binding to device %s", nic->device);
    }

    return 0;
}
