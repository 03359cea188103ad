#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nftables/libnftables.h>

#include "agent/net/net_int.h"

/* what a guest with egress may not reach: everything that is not a unicast
 * address of the internet (IANA's special-purpose registry) */
#define NFT_PRIVATE                                                         \
    "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, "   \
    "172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24, 192.168.0.0/16, "           \
    "198.18.0.0/15, 198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/3"

#define NFT_REJECT_TCP    "meta l4proto tcp reject with tcp reset\n"
#define NFT_REJECT        "reject with icmpx admin-prohibited\n"


int
fca_nft_init(fca_net_t *net, fcf_err_t *err)
{
    net->nft = nft_ctx_new(NFT_CTX_DEFAULT);

    if (net->nft == NULL
        || nft_ctx_buffer_error(net->nft) != 0
        || nft_ctx_buffer_output(net->nft) != 0)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "nftables: out of memory");
    }

    return 0;
}


void
fca_nft_free(fca_net_t *net)
{
    if (net->nft != NULL) {
        nft_ctx_free(net->nft);
        net->nft = NULL;
    }
}


static int
nft_run(fca_net_t *net, const char *cmd, fcf_err_t *err)
{
    int          rc;
    size_t       n;
    const char  *words;

    rc = nft_run_cmd_from_buffer(net->nft, cmd);

    /* both buffers must be taken, or they grow */
    words = nft_ctx_get_error_buffer(net->nft);
    (void) nft_ctx_get_output_buffer(net->nft);

    if (rc == 0) {
        return 0;
    }

    n = strcspn(words, "\n");

    return fcf_err_set(err, FCF_E_SYSTEM, "nftables: %.*s", (int) n,
                       n > 0 ? words : "refused");
}


/* runs what was written to *f and frees both */
static int
nft_run_stream(fca_net_t *net, FILE *f, char **text, fcf_err_t *err)
{
    int  rc;

    if (f == NULL || fclose(f) != 0) {
        rc = fcf_err_set(err, FCF_E_NOMEM, "nftables: out of memory");

    } else {
        rc = nft_run(net, *text, err);
    }

    free(*text);
    *text = NULL;

    return rc;
}


static void
nft_put_element(FILE *f, const fca_nic_t *nic)
{
    char  addr[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &nic->address, addr, sizeof(addr));

    fprintf(f, "\"%s\" . %02x:%02x:%02x:%02x:%02x:%02x . %s", nic->tap,
            nic->mac[0], nic->mac[1], nic->mac[2], nic->mac[3], nic->mac[4],
            nic->mac[5], addr);
}


/* frames: only ARP and IPv4 with the NIC's own MAC and address.  A TAP that
 * is not in the set passes nothing. */
static void
nft_put_bridge(fca_net_t *net, FILE *f)
{
    const char     *sep = "";
    fca_net_nic_t  *nic;

    fprintf(f,
            "table bridge fcfaas_%s\n"
            "delete table bridge fcfaas_%s\n"
            "table bridge fcfaas_%s {\n"
            "set nics {\n"
            "type ifname . ether_addr . ipv4_addr\n",
            net->bridge, net->bridge, net->bridge);

    if (!TAILQ_EMPTY(&net->armed)) {
        fprintf(f, "elements = {");

        TAILQ_FOREACH(nic, &net->armed, arm) {
            fprintf(f, "%s", sep);
            nft_put_element(f, &nic->nic);
            sep = ", ";
        }

        fprintf(f, "}\n");
    }

    fprintf(f,
            "}\n"
            "chain guests {\n"
            "type filter hook prerouting priority -300; policy accept;\n"
            "iifname != \"%s*\" accept\n"
            "iifname . ether saddr . ip saddr @nics accept\n"
            "iifname . arp saddr ether . arp saddr ip != @nics drop\n"
            "iifname . ether saddr . arp saddr ip @nics accept\n"
            "drop\n"
            "}\n"
            "}\n",
            net->tap_prefix);
}


/*
 * Packets.  Guests are refused before routing and before connection tracking:
 * what is sent back to the host's own connections has no SYN alone, so no
 * state is needed for it, and a guest cannot fill the host's table.  Refused,
 * not dropped: a function that tries must fail at once.
 */
static void
nft_put_inet(fca_net_t *net, FILE *f)
{
    char         gw[INET_ADDRSTRLEN];
    const char  *br = net->bridge;

    inet_ntop(AF_INET, &net->address, gw, sizeof(gw));

    fprintf(f,
            "table inet fcfaas_%s\n"
            "delete table inet fcfaas_%s\n"
            "table inet fcfaas_%s {\n"
            "chain guests {\n"
            "type filter hook prerouting priority -300; policy accept;\n"
            "iifname != \"%s\" accept\n"
            "meta pkttype != host drop\n"
            "ip daddr %s tcp flags & (syn | ack) != syn accept\n"
            "ip daddr %s icmp type { echo-reply, destination-unreachable, "
            "time-exceeded } accept\n",
            br, br, br, br, gw, gw);

    if (net->egress) {
        /* our own addresses are caught on input */
        fprintf(f, "ip daddr != { " NFT_PRIVATE " } ip daddr != %s accept\n",
                gw);
    }

    fprintf(f,
            NFT_REJECT_TCP
            NFT_REJECT
            "}\n"
            "chain local {\n"
            "type filter hook input priority -10; policy accept;\n"
            "iifname \"%s\" ip daddr != %s " NFT_REJECT
            "}\n"
            "chain through {\n"
            "type filter hook forward priority -10; policy accept;\n",
            br, gw);

    if (net->egress) {
        fprintf(f,
                "iifname \"%s\" oifname != \"%s\" accept\n"
                "oifname \"%s\" ct state established,related accept\n",
                br, br, br);
    }

    fprintf(f,
            "iifname \"%s\" " NFT_REJECT
            "oifname \"%s\" " NFT_REJECT
            "}\n",
            br, br);

    if (net->egress) {
        fprintf(f,
                "chain nat {\n"
                "type nat hook postrouting priority srcnat; policy accept;\n"
                "ip saddr %s/%u oifname != \"%s\" masquerade\n"
                "}\n",
                gw, net->prefix_len, br);
    }

    fprintf(f, "}\n");
}


int
fca_nft_load(fca_net_t *net, fcf_err_t *err)
{
    char    *text = NULL;
    FILE    *f;
    size_t   len;

    f = open_memstream(&text, &len);

    if (f != NULL) {
        nft_put_bridge(net, f);
        nft_put_inet(net, f);
    }

    return nft_run_stream(net, f, &text, err);
}


int
fca_nft_check(fca_net_t *net, fcf_err_t *err)
{
    char    cmd[128];
    size_t  i;

    static const char *const  families[] = { "bridge", "inet" };

    /* one by one: libnftables 1.0.6 looks for the second's table in the cache
     * that it filled for the first */
    for (i = 0; i < 2; i++) {
        snprintf(cmd, sizeof(cmd), "list chain %s fcfaas_%s guests",
                 families[i], net->bridge);

        if (nft_run(net, cmd, err) != 0) {
            return -1;
        }
    }

    return 0;
}


int
fca_nft_remove(fca_net_t *net, fcf_err_t *err)
{
    char  cmd[256];

    /* made first, so that deleting works whether they exist or not */
    snprintf(cmd, sizeof(cmd),
             "table bridge fcfaas_%s\ndelete table bridge fcfaas_%s\n"
             "table inet fcfaas_%s\ndelete table inet fcfaas_%s\n",
             net->bridge, net->bridge, net->bridge, net->bridge);

    return nft_run(net, cmd, err);
}


/* armed: whether those are meant that have their element, or those of op */
static int
nft_elements(fca_net_t *net, const char *verb, fca_net_queue_t *nics,
    int armed, fca_net_op_e op, fcf_err_t *err)
{
    int             n;
    char           *text = NULL;
    FILE           *f;
    size_t          len;
    fca_net_nic_t  *nic;

    n = 0;
    f = open_memstream(&text, &len);

    if (f != NULL) {
        fprintf(f, "%s element bridge fcfaas_%s nics {", verb, net->bridge);

        STAILQ_FOREACH(nic, nics, next) {
            if (!nic->failed && nic->armed == armed
                && (armed || nic->op == op))
            {
                fprintf(f, "%s", n++ > 0 ? ", " : " ");
                nft_put_element(f, &nic->nic);
            }
        }

        fprintf(f, " }\n");

        if (n == 0) {
            fclose(f);
            free(text);
            return 0;
        }
    }

    return nft_run_stream(net, f, &text, err);
}


int
fca_nft_add(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
{
    return nft_elements(net, "add", nics, 0, FCA_NET_MAKE, err);
}


int
fca_nft_delete(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
{
    return nft_elements(net, "delete", nics, 1, FCA_NET_DOOM, err);
}


int
fca_nft_verify(fca_net_t *net, fca_net_queue_t *nics, fcf_err_t *err)
{
    return nft_elements(net, "get", nics, 1, FCA_NET_TAKE, err);
}
