#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "agent/net/net_int.h"
#include "contract/fcf_mac.h"
#include "vm/guest.h"

#define REJECT_TCP  "meta l4proto tcp reject with tcp reset\n"
#define REJECT      "reject with icmpx admin-prohibited\n"

/* what a guest with egress may not reach: everything that is not a unicast
 * address of the internet (IANA's special-purpose registry) */
static const struct {
    unsigned char  addr[4];
    unsigned       prefix_len;
} private[] = {
    { { 0, 0, 0, 0 }, 8 },          { { 10, 0, 0, 0 }, 8 },
    { { 100, 64, 0, 0 }, 10 },      { { 127, 0, 0, 0 }, 8 },
    { { 169, 254, 0, 0 }, 16 },     { { 172, 16, 0, 0 }, 12 },
    { { 192, 0, 0, 0 }, 24 },       { { 192, 0, 2, 0 }, 24 },
    { { 192, 168, 0, 0 }, 16 },     { { 198, 18, 0, 0 }, 15 },
    { { 198, 51, 100, 0 }, 24 },    { { 203, 0, 113, 0 }, 24 },
    { { 224, 0, 0, 0 }, 3 },
};

#define NPRIVATE  (sizeof(private) / sizeof(private[0]))


static int
within(struct in_addr addr, struct in_addr net, unsigned prefix_len)
{
    return (ntohl(addr.s_addr) ^ ntohl(net.s_addr)) >> (32 - prefix_len) == 0;
}


int
fca_rules_reachable(const fca_net_t *net, struct in_addr addr)
{
    size_t          i;
    struct in_addr  range;

    if (!net->egress || within(addr, net->address, net->prefix_len)) {
        return 0;
    }

    for (i = 0; i < net->nallow; i++) {
        if (((addr.s_addr ^ net->allow[i].addr) & net->allow[i].mask) == 0) {
            return 1;
        }
    }

    for (i = 0; i < NPRIVATE; i++) {
        memcpy(&range, private[i].addr, sizeof(range));

        if (within(addr, range, private[i].prefix_len)) {
            return 0;
        }
    }

    return 1;
}


void
fca_rules_element(FILE *f, const fca_nic_t *nic)
{
    char  addr[INET_ADDRSTRLEN], mac[FCF_MAC_TEXT];

    inet_ntop(AF_INET, &nic->address, addr, sizeof(addr));

    fprintf(f, "\"%s\" . %s . %s", nic->tap, fcf_mac_format(mac, nic->mac),
            addr);
}


static void
put_private(FILE *f)
{
    size_t  i;

    fprintf(f, "{");

    for (i = 0; i < NPRIVATE; i++) {
        fprintf(f, "%s %u.%u.%u.%u/%u", i > 0 ? "," : "", private[i].addr[0],
                private[i].addr[1], private[i].addr[2], private[i].addr[3],
                private[i].prefix_len);
    }

    fprintf(f, " }");
}


static void
put_allow(const fca_net_t *net, FILE *f)
{
    char    text[INET_ADDRSTRLEN];
    size_t  i;

    fprintf(f, "{");

    for (i = 0; i < net->nallow; i++) {
        inet_ntop(AF_INET, &net->allow[i].addr, text, sizeof(text));
        fprintf(f, "%s %s/%u", i > 0 ? "," : "", text,
                (unsigned) __builtin_popcount(net->allow[i].mask));
    }

    fprintf(f, " }");
}


/* "ip daddr" or "ip saddr" is one that egress includes: one or two lines, with
 * this before and that behind each */
static void
put_reachable(const fca_net_t *net, FILE *f, const char *before,
    const char *what, const char *behind)
{
    fprintf(f, "%s%s != ", before, what);
    put_private(f);
    fprintf(f, " %s\n", behind);

    if (net->nallow > 0) {
        fprintf(f, "%s%s ", before, what);
        put_allow(net, f);
        fprintf(f, " %s\n", behind);
    }
}


/* frames: only ARP and IPv4 with the NIC's own MAC and address.  A TAP that
 * is not in the set passes nothing. */
void
fca_rules_bridge(const fca_net_t *net, FILE *f)
{
    const char     *sep = "";
    fca_net_nic_t  *nic;

    fprintf(f,
            "table bridge %s\n"
            "delete table bridge %s\n"
            "table bridge %s {\n"
            "set nics {\n"
            "type ifname . ether_addr . ipv4_addr\n",
            net->table, net->table, net->table);

    if (!TAILQ_EMPTY(&net->armed)) {
        fprintf(f, "elements = {");

        TAILQ_FOREACH(nic, &net->armed, arm) {
            fprintf(f, "%s", sep);
            fca_rules_element(f, &nic->nic);
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
 * Refused before routing and before connection tracking: what no state is
 * needed to judge, so that a guest that knocks everywhere costs little.
 * Refused, not dropped: a function that tries must fail at once.
 */
static void
put_guests(const fca_net_t *net, FILE *f, const char *gw)
{
    /* a clone that wakes, on a TAP of its own: only what answers a question to
     * its control port */
    fprintf(f,
            "chain apart {\n"
            "meta pkttype host ip daddr %s tcp sport %d "
            "tcp flags & (syn | ack) != syn accept\n"
            "drop\n"
            "}\n",
            gw, FCV_CONTROL_PORT);

    fprintf(f,
            "chain guests {\n"
            "type filter hook prerouting priority -300; policy accept;\n"
            "iifname \"%s*\" goto apart\n"
            "iifname != \"%s\" accept\n"
            "meta pkttype != host drop\n"
            "ip daddr %s tcp flags & (syn | ack) != syn accept\n"
            "ip daddr %s icmp type { echo-reply, destination-unreachable, "
            "time-exceeded } accept\n",
            net->tap_prefix, net->bridge, gw, gw);

    fprintf(f,
            "ip daddr %s/%u " REJECT_TCP
            "ip daddr %s/%u " REJECT,
            gw, net->prefix_len, gw, net->prefix_len);

    if (net->egress) {
        put_reachable(net, f, "", "ip daddr", "accept");
    }

    fprintf(f, REJECT_TCP REJECT "}\n");
}


/*
 * To this host: only what answers a connection of the host's own.  A guest's
 * own is refused whatever its age, and whatever address it had before somebody
 * redirected it.  A segment that belongs to no known connection is dropped
 * without a word, and counted: its connection may be one that the host made
 * while nobody tracked it, and goes on once that is in "kept".
 *
 * From this host: no answer to what a guest opened, not even of a handshake;
 * nor a segment of no known connection, which would make it one of the host's.
 * A reset is neither, and passes.
 *
 * Connections to guests are many and short: what is left of an ended one must
 * not fill the host's table.
 */
static void
put_local(const fca_net_t *net, FILE *f, const char *gw)
{
    const char  *br = net->bridge;

    fprintf(f,
            "counter stray { }\n"
            "set kept {\n"
            "type ipv4_addr . inet_service . inet_service\n"
            "}\n"
            "ct timeout short {\n"
            "protocol tcp\n"
            "l3proto ip\n"
            "policy = { syn_sent: 30, established: 3600, fin_wait: 30, "
            "close_wait: 60, last_ack: 10, time_wait: 2, close: 2 }\n"
            "}\n"
            "chain local {\n"
            "type filter hook input priority -10; policy accept;\n"
            "iifname \"%s*\" ct direction reply ct state established "
            "accept\n"
            "iifname \"%s*\" drop\n"
            "iifname != \"%s\" accept\n"
            "ip daddr %s ct direction reply ct state established,related "
            "accept\n"
            "ip daddr %s ip saddr . tcp sport . tcp dport @kept accept\n"
            "tcp flags & (syn | ack) != syn counter name \"stray\" drop\n"
            REJECT_TCP
            REJECT
            "}\n"
            "chain answers {\n"
            "type filter hook output priority -10; policy accept;\n"
            "oifname != \"%s\" accept\n"
            "ip daddr . tcp dport . tcp sport @kept accept\n"
            "ct direction reply ct state established meta l4proto tcp "
            "reject with tcp reset\n"
            "ct direction reply ct state established drop\n"
            "tcp flags & (syn | ack) == syn | ack drop\n"
            "ct state new tcp flags & (syn | ack) != syn "
            "counter name \"stray\" drop\n"
            "meta l4proto tcp ct state new ct timeout set \"short\"\n"
            "}\n",
            net->tap_prefix, net->tap_prefix, br, gw, gw, br);
}


/*
 * Through this host.  Behind any DNAT, so that what counts is where a packet
 * really goes: a rule of somebody's that forwards a public address of this
 * host to a container is no way in.
 */
static void
put_through(const fca_net_t *net, FILE *f, const char *gw)
{
    char         leaving[2 * IFNAMSIZ + 32];
    const char  *br = net->bridge;

    if (net->egress) {
        fprintf(f,
                "set conns {\n"
                "type ipv4_addr\n"
                "size 65535\n"
                "flags dynamic\n"
                "}\n"
                "chain refuse {\n"
                REJECT_TCP
                REJECT
                "}\n"
                "chain leave {\n"
                "ct state new add @conns { ip saddr ct count over %u } "
                "goto refuse\n"
                "tcp flags syn tcp option maxseg size set rt mtu\n"
                "accept\n"
                "}\n"
                "chain enter {\n"
                "ct direction original return\n"
                "ct state related icmp type { destination-unreachable, "
                "time-exceeded, parameter-problem } accept\n"
                "ct state != established return\n",
                net->connections);
        put_reachable(net, f, "", "ip saddr", "accept");
        fprintf(f, "}\n");
    }

    fprintf(f,
            "chain through {\n"
            "type filter hook forward priority -10; policy accept;\n"
            "iifname \"%s*\" drop\n"
            "oifname \"%s*\" drop\n",
            net->tap_prefix, net->tap_prefix);

    if (net->egress) {
        fprintf(f, "oifname \"%s\" iifname != \"%s\" jump enter\n", br, br);
        snprintf(leaving, sizeof(leaving),
                 "iifname \"%s\" oifname != \"%s\" ", br, br);
        put_reachable(net, f, leaving, "ip daddr", "goto leave");
    }

    fprintf(f,
            "iifname \"%s\" " REJECT_TCP
            "iifname \"%s\" " REJECT
            "oifname \"%s\" tcp flags & (syn | ack) != syn "
            "reject with tcp reset\n"
            "oifname \"%s\" " REJECT
            "}\n",
            br, br, br, br);

    if (net->egress) {
        fprintf(f,
                "chain nat {\n"
                "type nat hook postrouting priority srcnat; policy accept;\n"
                "ip saddr %s/%u oifname != \"%s\" masquerade\n"
                "}\n",
                gw, net->prefix_len, br);
    }
}


void
fca_rules_inet(const fca_net_t *net, FILE *f)
{
    char  gw[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &net->address, gw, sizeof(gw));

    fprintf(f,
            "table inet %s\n"
            "delete table inet %s\n"
            "table inet %s {\n",
            net->table, net->table, net->table);

    put_guests(net, f, gw);
    put_local(net, f, gw);
    put_through(net, f, gw);

    fprintf(f, "}\n");
}
