/*
 * TAPs made ahead.  To make one takes several calls under the kernel's one lock
 * on links, to take one of the pool a single one; so the pool is filled while
 * nobody takes any, one by one, and who comes meanwhile gets the one that is
 * being made.  It is as any other in the pool: down, and root's.
 */

#include <stdlib.h>

#include "agent/net/net_int.h"

/* a start that has its TAP needs the processors, and that lock, for its VMM */
#define AHEAD_QUIET_MS  10


static void
ahead_next(fca_net_t *net)
{
    fca_net_nic_t  *nic;

    if (net->coming != NULL || net->nidle + net->ngiving >= net->ahead
        || net->nnics >= net->most)
    {
        return;
    }

    nic = fca_net_more(net, NULL);
    if (nic == NULL) {
        return;                         /* who needs one is told why */
    }

    nic->ahead = 1;
    net->coming = nic;
    fca_net_submit(net, nic, FCA_NET_MAKE);
}


static void
ahead_quiet(uv_timer_t *timer)
{
    ahead_next(timer->data);
}


void
fca_net_ahead_later(fca_net_t *net)
{
    if (net->quiet != NULL) {
        (void) uv_timer_start(net->quiet, ahead_quiet, AHEAD_QUIET_MS, 0);
    }
}


int
fca_net_ahead_open(fca_net_t *net, uv_loop_t *uv, fcf_err_t *err)
{
    if (net->ahead == 0) {
        return 0;
    }

    net->quiet = malloc(sizeof(uv_timer_t));
    if (net->quiet == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "network: out of memory");
    }

    (void) uv_timer_init(uv, net->quiet);
    net->quiet->data = net;
    uv_unref((uv_handle_t *) net->quiet);
    fca_net_ahead_later(net);

    return 0;
}


int
fca_net_ahead_wait(fca_net_t *net, const fca_nic_owner_t *owner,
    fca_net_pt done, void *arg)
{
    static const fca_nic_owner_t  root = { 0, 0 };

    if (net->coming == NULL || net->heir.taken != NULL) {
        return 0;
    }

    net->heir.taken = done;
    net->heir.arg = arg;
    net->heir.owner = owner != NULL ? *owner : root;

    return 1;
}


void
fca_net_ahead_made(fca_net_t *net, fca_net_nic_t *nic)
{
    void        *arg;
    fcf_err_t    err;
    fca_net_pt   taken;

    taken = net->heir.taken;
    arg = net->heir.arg;
    net->heir.taken = NULL;
    net->coming = NULL;
    nic->ahead = 0;

    if (nic->failed) {
        /* not again before the next is taken: who makes that is told why */
        err = nic->err;
        fca_net_doom(net, nic);

        if (taken != NULL) {
            taken(arg, NULL, &err);
        }

        return;
    }

    if (taken != NULL) {
        fca_net_hand(net, nic, FCA_NET_TAKE, &net->heir.owner, taken, arg);
        return;
    }

    STAILQ_INSERT_TAIL(&net->idle, nic, next);
    net->nidle++;

    if (!uv_is_active((uv_handle_t *) net->quiet)) {
        ahead_next(net);
    }
}


void
fca_net_ahead_cancel(fca_net_t *net, const fcf_err_t *err)
{
    net->coming = NULL;

    if (net->heir.taken != NULL) {
        net->heir.taken(net->heir.arg, NULL, err);
        net->heir.taken = NULL;
    }
}


static void
ahead_closed(uv_handle_t *handle)
{
    free(handle);
}


void
fca_net_ahead_close(fca_net_t *net)
{
    if (net->quiet != NULL) {
        uv_close((uv_handle_t *) net->quiet, ahead_closed);
    }
}
