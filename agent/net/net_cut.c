/*
 * After the rules were away: what guests opened meanwhile is cut, what the
 * host opened goes on.
 *
 * Connections of agent and proxy are bound to the bridge, and so are told from
 * all others that have a guest at their other end.  While no rule asked for
 * connection tracking they may have begun without it: they are put into the
 * set of those that guests may answer.
 */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "agent/base/log.h"
#include "agent/net/net_int.h"
#include "agent/net/net_nl.h"

#define STATES(a)    (1u << (a))
/* all in which something can still be said; a listener has no other end */
#define DIAG_STATES  (0xfffu & ~(STATES(TCP_LISTEN) | STATES(TCP_CLOSE)     \
                                 | STATES(TCP_TIME_WAIT)))
#define SYN_RECV_NEW 12                 /* the kernel's TCP_NEW_SYN_RECV */

typedef struct {
    struct inet_diag_sockid  id;
    unsigned char            family;
} cut_sock_t;

typedef struct {
    const fca_net_t  *net;
    FILE             *kept;
    unsigned          nkept;
    cut_sock_t       *socks;            /* to be ended */
    size_t            n, size;
    int               nomem;
} cut_t;


int
fca_net_is_guest(const fca_net_t *net, struct in_addr addr)
{
    uint32_t  mask;

    mask = 0xffffffffu << (32 - net->prefix_len);

    return ((ntohl(addr.s_addr) ^ ntohl(net->address.s_addr)) & mask) == 0
           && addr.s_addr != net->address.s_addr;
}


/* the other end, if it is IPv4, mapped or not */
static int
cut_peer(const struct inet_diag_msg *diag, struct in_addr *addr)
{
    if (diag->idiag_family == AF_INET) {
        addr->s_addr = diag->id.idiag_dst[0];
        return 1;
    }

    addr->s_addr = diag->id.idiag_dst[3];

    return diag->idiag_family == AF_INET6
           && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)
                                   diag->id.idiag_dst);
}


static void
cut_add(cut_t *cut, const struct inet_diag_msg *diag)
{
    void    *p;
    size_t   size;

    if (cut->n == cut->size) {
        size = cut->size == 0 ? 16 : cut->size * 2;
        p = realloc(cut->socks, size * sizeof(cut->socks[0]));

        if (p == NULL) {
            cut->nomem = 1;
            return;
        }

        cut->socks = p;
        cut->size = size;
    }

    cut->socks[cut->n].id = diag->id;
    cut->socks[cut->n++].family = diag->idiag_family;
}


static int
cut_valid(struct nl_msg *msg, void *arg)
{
    char                         text[INET_ADDRSTRLEN];
    cut_t                       *cut = arg;
    struct in_addr               peer;
    const struct inet_diag_msg  *diag;

    if (!nlmsg_valid_hdr(nlmsg_hdr(msg), sizeof(*diag))) {
        return NL_OK;
    }

    diag = nlmsg_data(nlmsg_hdr(msg));

    if (!cut_peer(diag, &peer) || !fca_net_is_guest(cut->net, peer)) {
        return NL_OK;
    }

    if (diag->id.idiag_if != cut->net->ifindex) {
        cut_add(cut, diag);
        return NL_OK;
    }

    inet_ntop(AF_INET, &peer, text, sizeof(text));
    fprintf(cut->kept, "%s%s . %u . %u", cut->nkept++ > 0 ? ", " : "", text,
            ntohs(diag->id.idiag_dport), ntohs(diag->id.idiag_sport));

    return NL_OK;
}


static int
cut_look(cut_t *cut, struct nl_sock *sk, fcf_err_t *err)
{
    size_t                   i;
    struct nl_msg           *msg;
    struct inet_diag_req_v2  req;

    static const unsigned char  families[] = { AF_INET, AF_INET6 };

    for (i = 0; i < sizeof(families); i++) {
        memset(&req, 0, sizeof(req));
        req.sdiag_family = families[i];
        req.sdiag_protocol = IPPROTO_TCP;
        req.idiag_states = DIAG_STATES | STATES(SYN_RECV_NEW);

        msg = fca_nl_msg(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &req, sizeof(req));

        if (fca_nl_ask(sk, msg, 1, cut_valid, cut, "reading sockets", err)
            != 0)
        {
            return -1;
        }
    }

    return cut->nomem ? fcf_err_set(err, FCF_E_NOMEM,
                                    "reading sockets: out of memory") : 0;
}


/* one that is gone by itself is as good */
static unsigned
cut_end(const cut_t *cut, struct nl_sock *sk, fcf_err_t *err)
{
    size_t                   i;
    unsigned                 failed;
    fcf_err_t                why;
    struct inet_diag_req_v2  req;

    failed = 0;

    for (i = 0; i < cut->n; i++) {
        memset(&req, 0, sizeof(req));
        req.sdiag_family = cut->socks[i].family;
        req.sdiag_protocol = IPPROTO_TCP;
        req.idiag_states = ~0u;
        req.id = cut->socks[i].id;

        if (fca_nl_send(sk, fca_nl_msg(SOCK_DESTROY, 0, &req, sizeof(req)),
                        "ending a guest's connection to this host", &why) != 0
            && why.code != FCF_E_NOT_FOUND)
        {
            *err = why;
            failed++;
        }
    }

    return failed;
}


static int
cut_sockets(fca_net_t *net, int end, fcf_err_t *err)
{
    int              rc;
    char            *kept = NULL;
    cut_t            cut = { .net = net };
    size_t           len;
    struct nl_sock  *sk;

    cut.kept = open_memstream(&kept, &len);
    sk = fca_nl_connect(NETLINK_SOCK_DIAG, err);
    rc = -1;

    if (cut.kept == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "reading sockets: out of memory");

    } else if (sk != NULL) {
        rc = cut_look(&cut, sk, err);
    }

    if (cut.kept != NULL && fclose(cut.kept) != 0) {
        rc = fcf_err_set(err, FCF_E_NOMEM, "reading sockets: out of memory");
    }

    if (rc == 0 && cut.nkept > 0) {
        rc = fca_nft_keep(net, kept, err);
    }

    if (rc == 0 && end && cut_end(&cut, sk, err) != 0) {
        rc = -1;
    }

    nl_socket_free(sk);
    free(cut.socks);
    free(kept);

    return rc;
}


/*
 * The sockets first: what one of them sends after its flow is forgotten would
 * look like a connection of the host's own.  So flows stay known where sockets
 * cannot be ended, and the rules refuse both sides.
 */
void
fca_cut(fca_net_t *net, int end)
{
    int        rc;
    fcf_err_t  err;

    rc = cut_sockets(net, end, &err);
    fca_net_complain(rc, &err);

    if (rc == 0 && end) {
        fca_net_complain(fca_flows_cut(net, &err), &err);
    }
}
