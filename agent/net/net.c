#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/net/net_int.h"

#define NAME_CHARS                                                          \
    "abcdefghijklmnopqrstuvwxyz" "ABCDEFGHIJKLMNOPQRSTUVWXYZ" "0123456789_-."
/* what is left of an interface name for the number */
#define TAP_PREFIX_MAX  10


static void net_results(uv_async_t *async);


static int
net_check_name(const char *what, const char *name, size_t max, fcf_err_t *err)
{
    size_t  n;

    n = name != NULL ? strlen(name) : 0;

    if (n == 0 || n > max || strspn(name, NAME_CHARS) != n || name[0] == '.'
        || name[0] == '-')
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s \"%s\": 1 to %zu letters, digits, \"_\", \"-\" "
                           "and \".\" are allowed, no \"-\" or \".\" first",
                           what, name != NULL ? name : "", max);
    }

    return 0;
}


static int
net_check_conf(const fca_net_conf_t *conf, fcf_err_t *err)
{
    char      text[INET_ADDRSTRLEN];
    uint32_t  mask, host;

    if (net_check_name("bridge", conf->bridge, IFNAMSIZ - 1, err) != 0
        || net_check_name("tap_prefix", conf->tap_prefix, TAP_PREFIX_MAX, err)
           != 0)
    {
        return -1;
    }

    if (conf->node_id == NULL
        || !fcf_id_valid(conf->node_id, strlen(conf->node_id)))
    {
        return fcf_err_set(err, FCF_E_INVALID, "node_id \"%s\" is invalid",
                           conf->node_id != NULL ? conf->node_id : "");
    }

    inet_ntop(AF_INET, &conf->address, text, sizeof(text));

    if (conf->prefix_len < 16 || conf->prefix_len > 29) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "guest network %s/%u: the prefix length must be "
                           "16 to 29", text, conf->prefix_len);
    }

    mask = 0xffffffffu << (32 - conf->prefix_len);
    host = ntohl(conf->address.s_addr) & ~mask;

    if (host == 0 || host == ~mask
        || ntohl(conf->address.s_addr) >> 24 == 0
        || ntohl(conf->address.s_addr) >> 24 == 127
        || ntohl(conf->address.s_addr) >> 28 >= 0xe)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "guest network %s/%u: that is no address of a host",
                           text, conf->prefix_len);
    }

    return 0;
}


static void
net_name(fca_net_t *net, const fca_net_conf_t *conf)
{
    snprintf(net->bridge, sizeof(net->bridge), "%s", conf->bridge);
    snprintf(net->tap_prefix, sizeof(net->tap_prefix), "%s",
             conf->tap_prefix);
    snprintf(net->alias, sizeof(net->alias), FCA_NET_ALIAS "%s",
             conf->node_id);

    net->address = conf->address;
    net->prefix_len = conf->prefix_len;
    net->egress = conf->egress;
    net->pool_max = conf->pool_max;
    net->keep = conf->keep;
    net->nkeep = conf->nkeep;
}


static int
net_init(fca_net_t *net, uv_loop_t *uv, const fca_net_conf_t *conf,
    fcf_err_t *err)
{
    int       rc;
    uint32_t  mask;

    net_name(net, conf);

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

    net->async = malloc(sizeof(uv_async_t));
    if (net->async == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "network: out of memory");
    }

    rc = uv_async_init(uv, net->async, net_results);

    if (rc != 0) {
        free(net->async);
        net->async = NULL;
        return fcf_err_sys(err, -rc, "network: waking the loop");
    }

    net->async->data = net;
    uv_unref((uv_handle_t *) net->async);

    return 0;
}


static void
net_async_closed(uv_handle_t *handle)
{
    free(handle);
}


static void
net_destroy(fca_net_t *net)
{
    fca_net_nic_t  *nic;

    while ((nic = STAILQ_FIRST(&net->idle)) != NULL) {
        STAILQ_REMOVE_HEAD(&net->idle, next);
        free(nic);
    }

    while ((nic = TAILQ_FIRST(&net->out)) != NULL) {
        TAILQ_REMOVE(&net->out, nic, out);
        free(nic);
    }

    if (net->async != NULL) {
        uv_close((uv_handle_t *) net->async, net_async_closed);
    }

    if (net->sk != NULL) {
        nl_socket_free(net->sk);
    }

    fca_nft_free(net);
    fca_pool_free(&net->pool);
    free(net);
}


fca_net_t *
fca_net_open(uv_loop_t *uv, const fca_net_conf_t *conf, fcf_err_t *err)
{
    fca_net_t  *net;

    if (net_check_conf(conf, err) != 0) {
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

    if (net_check_conf(conf, err) != 0) {
        return -1;
    }

    net = calloc(1, sizeof(*net));
    if (net == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "network: out of memory");
    }

    net_name(net, conf);
    rc = fca_net_look(net, err);

    if (net->sk != NULL) {
        nl_socket_free(net->sk);
    }

    fca_nft_free(net);
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


static void
net_doom(fca_net_t *net, fca_net_nic_t *nic)
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
    net_doom(net, nic);
    taken(arg, NULL, &err);
}


static void
net_given(fca_net_t *net, fca_net_nic_t *nic)
{
    void   *arg;
    void  (*given)(void *arg);

    given = nic->given;
    arg = nic->arg;

    if (nic->failed || net->nidle >= net->pool_max) {
        net_doom(net, nic);

    } else {
        STAILQ_INSERT_TAIL(&net->idle, nic, next);
        net->nidle++;
    }

    if (given != NULL) {
        given(arg);
    }
}


static void
net_results(uv_async_t *async)
{
    fca_net_t        *net = async->data;
    fca_net_nic_t    *nic;
    fca_net_queue_t   done = STAILQ_HEAD_INITIALIZER(done);

    uv_mutex_lock(&net->lock);
    STAILQ_CONCAT(&done, &net->results);
    uv_mutex_unlock(&net->lock);

    while ((nic = STAILQ_FIRST(&done)) != NULL) {
        STAILQ_REMOVE_HEAD(&done, next);
        net->pending--;

        switch (nic->op) {

        case FCA_NET_MAKE:
        case FCA_NET_TAKE:
            net_taken(net, nic);
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
        uv_unref((uv_handle_t *) async);
    }
}


static void
net_submit(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op)
{
    net->pending++;
    uv_ref((uv_handle_t *) net->async);
    fca_net_work_add(net, nic, op);
}


int
fca_net_take(fca_net_t *net, fca_net_pt done, void *arg, fcf_err_t *err)
{
    char            text[INET_ADDRSTRLEN];
    unsigned        host;
    fca_net_op_e    op;
    fca_net_nic_t  *nic;

    nic = STAILQ_FIRST(&net->idle);

    if (nic != NULL) {
        STAILQ_REMOVE_HEAD(&net->idle, next);
        net->nidle--;
        op = FCA_NET_TAKE;

    } else {
        host = net->nnics < FCA_NET_PORTS_MAX
               ? fca_pool_take(&net->pool, FCA_NET_NOW) : 0;

        if (host == 0) {
            inet_ntop(AF_INET, &net->address, text, sizeof(text));
            return fcf_err_set(err, FCF_E_LIMIT,
                               "guest network %s/%u is full: %u in use", text,
                               net->prefix_len, net->nnics);
        }

        nic = fca_net_nic_new(net, host);

        if (nic == NULL) {
            fca_pool_give(&net->pool, host, 0);
            return fcf_err_set(err, FCF_E_NOMEM, "network: out of memory");
        }

        net->nnics++;
        op = FCA_NET_MAKE;
    }

    nic->taken = done;
    nic->arg = arg;
    net_submit(net, nic, op);

    return 0;
}


void
fca_net_give(fca_net_t *net, const fca_nic_t *nic, void (*done)(void *arg),
    void *arg)
{
    fca_net_nic_t  *n;

    TAILQ_FOREACH(n, &net->out, out) {
        if (n->nic.ifindex == nic->ifindex) {
            break;
        }
    }

    assert(n != NULL);

    TAILQ_REMOVE(&net->out, n, out);

    n->given = done;
    n->arg = arg;
    net_submit(net, n, FCA_NET_GIVE);
}


unsigned
fca_net_free_count(const fca_net_t *net)
{
    unsigned  made, left;

    made = fca_pool_left(&net->pool);
    left = FCA_NET_PORTS_MAX - net->nnics;

    return net->nidle + (made < left ? made : left);
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

        if (nic->op == FCA_NET_MAKE || nic->op == FCA_NET_TAKE) {
            nic->taken(nic->arg, NULL, &err);

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
