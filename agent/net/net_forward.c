/*
 * The host's ip_forward, which guests with egress need.  Turned off at the end
 * only if it was off before, nobody else of ours is left, and nobody else's
 * rules speak of forwarding: Docker's containers would lose their network.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/net/net_int.h"

#define IP_FORWARD   "/proc/sys/net/ipv4/ip_forward"
#define IP_TABLES    "/proc/net/ip_tables_names"

/* the bridge's alias is the owner, and what teardown must know even if the
 * process that set up was killed */
#define ALIAS_MADE   " made"
#define ALIAS_NOFWD  " forward=0"


int
fca_net_alias_ours(const fca_net_t *net, const char *alias)
{
    size_t  n;

    n = strlen(net->alias);

    return strncmp(alias, net->alias, n) == 0
           && (alias[n] == '\0' || alias[n] == ' ');
}


void
fca_net_bridge_read(fca_net_t *net, const fca_link_t *link)
{
    if (fca_net_alias_ours(net, link->alias)) {
        net->made = strstr(link->alias, ALIAS_MADE) != NULL;
        net->forward_was_off = strstr(link->alias, ALIAS_NOFWD) != NULL;
    }
}


int
fca_net_bridge_mark(fca_net_t *net, fcf_err_t *err)
{
    char  alias[FCA_NET_ALIAS_MAX + sizeof(ALIAS_MADE ALIAS_NOFWD)];

    snprintf(alias, sizeof(alias), "%s%s%s", net->alias,
             net->made ? ALIAS_MADE : "",
             net->forward_was_off ? ALIAS_NOFWD : "");

    return fca_link_set_alias(net->sk, net->ifindex, alias, err);
}


/* The alias says that forwarding was off before it is turned on, so that a
 * kill between the two loses nothing. */
int
fca_net_forward_start(fca_net_t *net, fcf_err_t *err)
{
    if (net->egress && fca_sysctl_get(IP_FORWARD) == '0') {
        net->forward_was_off = 1;
    }

    if (fca_net_bridge_mark(net, err) != 0) {
        return -1;
    }

    return net->egress ? fca_sysctl_set(IP_FORWARD, "1", err) : 0;
}


void
fca_net_forward_guard(fca_net_t *net)
{
    fcf_err_t  err;

    if (!net->egress || fca_sysctl_get(IP_FORWARD) != '0') {
        return;
    }

    if (fca_sysctl_set(IP_FORWARD, "1", &err) != 0) {
        fca_log(FCF_LOG_ERROR, NULL, "guest network: ip_forward was turned "
                "off, and cannot be put back: %s", err.msg);
        return;
    }

    fca_log(FCF_LOG_WARN, NULL, "guest network: ip_forward was turned off; "
            "egress = internet needs it, and it is put back");
}


/* Another agent in this namespace: it is told that forwarding was off, so that
 * the last to end turns it off.  1: there is one. */
static int
forward_pass_on(fca_net_t *net, fcf_err_t *err)
{
    int          rc;
    char         alias[FCA_ALIAS_MAX];
    size_t       i, n;
    fca_link_t  *links, *link;

    if (fca_link_list(net->sk, &links, &n, err) != 0) {
        return -1;
    }

    rc = 0;

    for (i = 0; i < n && rc == 0; i++) {
        link = &links[i];

        if (strcmp(link->kind, "bridge") != 0
            || strncmp(link->alias, FCA_NET_ALIAS, sizeof(FCA_NET_ALIAS) - 1)
               != 0
            || fca_net_alias_ours(net, link->alias))
        {
            continue;
        }

        rc = 1;
        fca_log(FCF_LOG_INFO, NULL, "guest network: ip_forward stays on for "
                "bridge %s", link->name);

        if (strstr(link->alias, ALIAS_NOFWD) == NULL
            && snprintf(alias, sizeof(alias), "%s" ALIAS_NOFWD, link->alias)
               < (int) sizeof(alias)
            && fca_link_set_alias(net->sk, link->ifindex, alias, err) != 0)
        {
            rc = -1;
        }
    }

    free(links);

    return rc;
}


void
fca_net_forward_end(fca_net_t *net)
{
    int         rc;
    char        whose[FCA_FOREIGN_NAME];
    fcf_err_t   err;
    fca_link_t  link;

    /* another agent's end may have marked it meanwhile */
    if (fca_link_get(net->sk, net->bridge, 0, &link, NULL) == 0) {
        fca_net_bridge_read(net, &link);
    }

    if (!net->forward_was_off) {
        return;
    }

    rc = forward_pass_on(net, &err);

    if (rc != 0) {
        fca_net_complain(rc < 0 ? -1 : 0, &err);
        return;
    }

    if (fca_foreign_forwards(net->nft, whose)) {
        fca_log(FCF_LOG_INFO, NULL, "guest network: ip_forward was off when "
                "the first agent started, and stays on for %s", whose);
        return;
    }

    if (fca_sysctl_get(IP_TABLES) != -1) {
        fca_log(FCF_LOG_INFO, NULL, "guest network: ip_forward was off when "
                "the first agent started, and stays on for somebody's "
                "iptables rules");
        return;
    }

    fca_net_complain(fca_sysctl_set(IP_FORWARD, "0", &err), &err);
}
