/* What the caller wants, looked at and taken over. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "agent/net/net_int.h"

#define NAME_CHARS                                                          \
    "abcdefghijklmnopqrstuvwxyz" "ABCDEFGHIJKLMNOPQRSTUVWXYZ" "0123456789_-."
/* what is left of an interface name for the number */
#define TAP_PREFIX_MAX  10


static int
conf_name(const char *what, const char *name, size_t max, fcf_err_t *err)
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


int
fca_net_conf_check(const fca_net_conf_t *conf, fcf_err_t *err)
{
    char      text[INET_ADDRSTRLEN];
    uint32_t  mask, host;

    if (conf_name("bridge", conf->bridge, IFNAMSIZ - 1, err) != 0
        || conf_name("tap_prefix", conf->tap_prefix, TAP_PREFIX_MAX, err)
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


/* without those that lie in another, which nftables takes for a mistake */
static void
conf_allow(fca_net_t *net, const fca_net_conf_t *conf)
{
    size_t             i, j;
    const fca_cidr_t  *a, *b;

    for (i = 0; i < conf->negress_allow; i++) {
        a = &conf->egress_allow[i];

        for (j = 0; j < conf->negress_allow; j++) {
            b = &conf->egress_allow[j];

            if (j != i && ((a->addr ^ b->addr) & b->mask) == 0
                && ntohl(b->mask) <= ntohl(a->mask)
                && (b->mask != a->mask || j < i))
            {
                break;
            }
        }

        if (j == conf->negress_allow && net->nallow < FCA_NET_ALLOW_MAX) {
            net->allow[net->nallow++] = *a;
        }
    }
}


void
fca_net_table_name(fca_net_t *net)
{
    snprintf(net->table, sizeof(net->table), FCA_NET_TABLE "%s", net->bridge);
}


void
fca_net_conf_apply(fca_net_t *net, const fca_net_conf_t *conf)
{
    snprintf(net->bridge, sizeof(net->bridge), "%s", conf->bridge);
    snprintf(net->tap_prefix, sizeof(net->tap_prefix), "%s",
             conf->tap_prefix);
    snprintf(net->alias, sizeof(net->alias), FCA_NET_ALIAS "%s",
             conf->node_id);

    net->address = conf->address;
    net->prefix_len = conf->prefix_len;
    fca_net_table_name(net);

    net->egress = conf->egress;
    net->connections = conf->connections;
    conf_allow(net, conf);
    net->pool_max = conf->pool_max;
    net->ahead = conf->ahead < conf->pool_max ? conf->ahead : conf->pool_max;
    net->most = conf->most;
    net->beside = conf->beside;
    net->keep = conf->keep;
    net->nkeep = conf->nkeep;
    net->lost = conf->lost;
    net->arg = conf->arg;
    net->lock = net->wake = net->done = -1;
}
