#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/net/net_int.h"

static void net_results(uv_poll_t *poll, int status, int events);


/* the worker rings the loop, and the loop the worker */
static int
net_bells(fca_net_t *net, uv_loop_t *uv, fcf_err_t *err)
{
    int  rc;

    net->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    net->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (net->wake < 0 || net->done < 0) {
        return fcf_err_sys(err, errno, "network: waking the loop");
    }

    net->poll = malloc(sizeof(uv_poll_t));
    if (net->poll == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "network: out of memory");
    }

    rc = uv_poll_init(uv, net->poll, net->done);

    if (rc != 0) {
        free(net->poll);
        net->poll = NULL;
        return fcf_err_sys(err, -rc, "network: waking the loop");
    }

    net->poll->data = net;

    rc = uv_poll_start(net->poll, UV_READABLE, net_results);
    uv_unref((uv_handle_t *) net->poll);

    return rc == 0 ? 0 : fcf_err_sys(err, -rc, "network: waking the loop");
}


static int
net_init(fca_net_t *net, uv_loop_t *uv, const fca_net_conf_t *conf,
    fcf_err_t *err)
{
    uint32_t  mask;

    fca_net_conf_apply(net, conf);

    STAILQ_INIT(&net->idle);
    STAILQ_INIT(&net->jobs);
    STAILQ_INIT(&net->results);
    TAILQ_INIT(&net->out);
    TAILQ_INIT(&net->armed);

    /* host numbers, without the network's, the broadcast's and our own */
    mask = 0xffffffffu << (32 - conf->prefix_len);

    if (fca_pool_init(&net->pool, 1, ~mask - 1, 0, 0, err) != 0) {
        return -1;
    }

    fca_pool_reserve(&net->pool, ntohl(conf->address.s_addr) & ~mask);

    return net_bells(net, uv, err) != 0 || fca_net_ahead_open(net, uv, err) != 0
           ? -1 : 0;
}


static void
net_poll_closed(uv_handle_t *handle)
{
    free(handle);
}


static void
net_destroy(fca_net_t *net)
{
    int             fds[] = { net->lock, net->wake, net->done };
    size_t          i;
    fca_net_nic_t  *nic;

    while ((nic = STAILQ_FIRST(&net->idle)) != NULL) {
        STAILQ_REMOVE_HEAD(&net->idle, next);
        free(nic);
    }

    while ((nic = TAILQ_FIRST(&net->out)) != NULL) {
        TAILQ_REMOVE(&net->out, nic, out);
        free(nic);
    }

    if (net->poll != NULL) {
        uv_close((uv_handle_t *) net->poll, net_poll_closed);
    }

    fca_net_ahead_close(net);

    for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }

    for (i = 0; i < FCA_NFT_TABLES; i++) {
        free(net->rules[i]);
    }

    fca_pool_free(&net->pool);
    free(net);
}


fca_net_t *
fca_net_open(uv_loop_t *uv, const fca_net_conf_t *conf, fcf_err_t *err)
{
    fca_net_t  *net;

    if (fca_net_conf_check(conf, err) != 0) {
        return NULL;
    }

    net = calloc(1, sizeof(*net));
    if (net == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "network: out of memory");
        return NULL;
    }

    if (net_init(net, uv, conf, err) != 0
        || fca_net_setup(net, err) != 0
        || fca_net_work_start(net, err) != 0)
    {
        net_destroy(net);
        return NULL;
    }

    net->keep = NULL;
    net->nkeep = 0;

    return net;
}


int
fca_net_check(const fca_net_conf_t *conf, fcf_err_t *err)
{
    int         rc;
    fca_net_t  *net;

    if (fca_net_conf_check(conf, err) != 0) {
        return -1;
    }

    net = calloc(1, sizeof(*net));
    if (net == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "network: out of memory");
    }

    fca_net_conf_apply(net, conf);
    rc = fca_net_look(net, err);

    free(net);

    return rc;
}


static void
net_forget(fca_net_t *net, fca_net_nic_t *nic)
{
    fca_pool_give(&net->pool, nic->host, FCA_NET_NOW);
    net->nnics--;
    free(nic);
}


void
fca_net_doom(fca_net_t *net, fca_net_nic_t *nic)
{
    net->pending++;
    fca_net_work_add(net, nic, FCA_NET_DOOM);
}


static void
net_taken(fca_net_t *net, fca_net_nic_t *nic)
{
    void        *arg;
    fcf_err_t    err;
    fca_net_pt   taken;

    taken = nic->taken;
    arg = nic->arg;

    if (!nic->failed) {
        TAILQ_INSERT_TAIL(&net->out, nic, out);
        taken(arg, &nic->nic, NULL);
        return;
    }

    err = nic->err;
    fca_net_doom(net, nic);
    taken(arg, NULL, &err);
}


static void
net_given(fca_net_t *net, fca_net_nic_t *nic)
{
    void   *arg;
    void  (*given)(void *arg);

    given = nic->given;
    arg = nic->arg;
    net->ngiving -= !nic->drop;

    if (nic->failed || nic->drop) {
        fca_net_doom(net, nic);

    } else {
        STAILQ_INSERT_TAIL(&net->idle, nic, next);
        net->nidle++;
    }

    if (given != NULL) {
        given(arg);
    }
}


/* NICs that are out and have lost their TAP; one that is on its way back is
 * nobody's any more. */
static void
net_losses(fca_net_t *net)
{
    fcf_err_t       err;
    fca_net_nic_t  *nic, *lost;

    do {
        lost = NULL;
        uv_mutex_lock(&net->mutex);

        TAILQ_FOREACH(nic, &net->out, out) {
            if (nic->lost && !nic->told) {
                lost = nic;
                break;
            }
        }

        if (lost == NULL) {
            net->nlost = 0;
        }

        uv_mutex_unlock(&net->mutex);

        if (lost != NULL) {
            lost->told = 1;

            if (net->lost != NULL) {
                fcf_err_set(&err, FCF_E_NOT_FOUND, "its TAP %s was deleted",
                            lost->nic.tap);
                net->lost(net->arg, &lost->nic, &err);
            }
        }

    } while (lost != NULL);
}


static void
net_results(uv_poll_t *poll, int status, int events)
{
    unsigned          nlost;
    fca_net_t        *net = poll->data;
    fca_net_nic_t    *nic;
    fca_net_queue_t   done = STAILQ_HEAD_INITIALIZER(done);

    (void) status;
    (void) events;

    fca_net_ring_stop(net->done);

    uv_mutex_lock(&net->mutex);
    STAILQ_CONCAT(&done, &net->results);
    nlost = net->nlost;
    uv_mutex_unlock(&net->mutex);

    while ((nic = STAILQ_FIRST(&done)) != NULL) {
        STAILQ_REMOVE_HEAD(&done, next);
        net->pending--;

        switch (nic->op) {

        case FCA_NET_MAKE:
        case FCA_NET_TAKE:
            if (nic->ahead) {
                fca_net_ahead_made(net, nic);
            } else {
                net_taken(net, nic);
            }

            break;

        case FCA_NET_APART:
        case FCA_NET_JOIN:
            nic->moved(nic->arg, nic->failed ? &nic->err : NULL);
            break;

        case FCA_NET_GIVE:
            net_given(net, nic);
            break;

        case FCA_NET_DOOM:
            net_forget(net, nic);
            break;
        }
    }

    if (net->pending == 0) {
        uv_unref((uv_handle_t *) poll);
    }

    if (nlost > 0) {
        net_losses(net);
    }
}


void
fca_net_submit(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op)
{
    net->pending++;
    uv_ref((uv_handle_t *) net->poll);
    fca_net_work_add(net, nic, op);
}


fca_net_nic_t *
fca_net_more(fca_net_t *net, fcf_err_t *err)
{
    char            text[INET_ADDRSTRLEN];
    unsigned        host;
    fca_net_nic_t  *nic;

    host = net->nnics < FCA_NET_PORTS_MAX
           ? fca_pool_take(&net->pool, FCA_NET_NOW) : 0;

    if (host == 0) {
        inet_ntop(AF_INET, &net->address, text, sizeof(text));
        fcf_err_set(err, FCF_E_LIMIT, "guest network %s/%u is full: %u in use",
                    text, net->prefix_len, net->nnics);
        return NULL;
    }

    nic = fca_net_nic_new(net, host);

    if (nic == NULL) {
        fca_pool_give(&net->pool, host, 0);
        fcf_err_set(err, FCF_E_NOMEM, "network: out of memory");
        return NULL;
    }

    net->nnics++;

    return nic;
}


void
fca_net_hand(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op,
    const fca_nic_owner_t *owner, fca_net_pt done, void *arg)
{
    nic->lost = nic->told = 0;
    memset(&nic->want, 0, sizeof(nic->want));

    if (owner != NULL) {
        nic->want = *owner;
    }

    nic->taken = done;
    nic->arg = arg;
    fca_net_submit(net, nic, op);
}


int
fca_net_take(fca_net_t *net, const fca_nic_owner_t *owner, fca_net_pt done,
    void *arg, fcf_err_t *err)
{
    fca_net_nic_t  *nic;

    fca_net_ahead_later(net);
    nic = STAILQ_FIRST(&net->idle);

    if (nic != NULL) {
        STAILQ_REMOVE_HEAD(&net->idle, next);
        net->nidle--;
        fca_net_hand(net, nic, FCA_NET_TAKE, owner, done, arg);
        return 0;
    }

    if (fca_net_ahead_wait(net, owner, done, arg)) {
        return 0;
    }

    nic = fca_net_more(net, err);
    if (nic == NULL) {
        return -1;
    }

    fca_net_hand(net, nic, FCA_NET_MAKE, owner, done, arg);

    return 0;
}


void
fca_net_give(fca_net_t *net, const fca_nic_t *nic, void (*done)(void *arg),
    void *arg)
{
    fca_net_nic_t  *n;

    n = fca_net_out(net, nic);

    TAILQ_REMOVE(&net->out, n, out);

    n->given = done;
    n->arg = arg;
    n->drop = net->nidle + net->ngiving >= net->pool_max;
    net->ngiving += !n->drop;
    fca_net_submit(net, n, FCA_NET_GIVE);
}


unsigned
fca_net_free_count(const fca_net_t *net)
{
    unsigned  made, left;

    made = fca_pool_left(&net->pool);
    left = FCA_NET_PORTS_MAX - net->nnics;

    return net->nidle + (net->coming != NULL && net->heir.taken == NULL)
           + (made < left ? made : left);
}


void
fca_net_close(fca_net_t *net, int remove)
{
    fcf_err_t       err;
    fca_net_nic_t  *nic;

    fca_net_work_stop(net);

    fcf_err_set(&err, FCF_E_CANCELED, "the network was closed");

    while ((nic = STAILQ_FIRST(&net->results)) != NULL) {
        STAILQ_REMOVE_HEAD(&net->results, next);

        if (nic->ahead) {
            fca_net_ahead_cancel(net, &err);

        } else if (nic->op == FCA_NET_MAKE || nic->op == FCA_NET_TAKE) {
            nic->taken(nic->arg, NULL, &err);

        } else if (nic->op == FCA_NET_APART || nic->op == FCA_NET_JOIN) {
            nic->moved(nic->arg, &err);
            continue;           /* it is out */

        } else if (nic->op == FCA_NET_GIVE && nic->given != NULL) {
            nic->given(nic->arg);
        }

        free(nic);
    }

    if (remove) {
        fca_net_teardown(net);
    }

    net_destroy(net);
}
