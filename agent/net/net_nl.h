/*
 * Netlink requests and notices of any family, on libnl's sockets and messages:
 * rtnetlink, nfnetlink and sock_diag.  Synchronous; a socket serves one thread
 * at a time.
 */

#ifndef _FCA_NET_NL_H_INCLUDED_
#define _FCA_NET_NL_H_INCLUDED_

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include "contract/fcf_err.h"

/* a type of NFNL_SUBSYS_<subsystem> in <linux/netfilter/nfnetlink.h> */
#define FCA_NFNL(subsystem, type)  (NFNL_SUBSYS_##subsystem << 8 | (type))

struct nl_sock *fca_nl_connect(int protocol, fcf_err_t *err);
/* joined to the groups, a list that ends with 0; never blocks */
struct nl_sock *fca_nl_notices(int protocol, const int *groups,
    fcf_err_t *err);

/* a message with its fixed header; NULL: out of memory */
struct nl_msg *fca_nl_msg(int type, int flags, const void *header,
    size_t len);

/* Both take msg, which may be NULL for lack of memory.  Sends, and waits for
 * the kernel's word. */
int fca_nl_send(struct nl_sock *sk, struct nl_msg *msg, const char *what,
    fcf_err_t *err);
/* Sends, and shows each message of the answer; dump: of several. */
int fca_nl_ask(struct nl_sock *sk, struct nl_msg *msg, int dump,
    nl_recvmsg_msg_cb_t each, void *arg, const char *what, fcf_err_t *err);

/* Shows all notices that have come.  1: some were lost, 0: none was. */
int fca_nl_drain(struct nl_sock *sk,
    void (*each)(void *arg, const struct nlmsghdr *msg), void *arg);

/* sets err to what libnl says; always negative */
int fca_nl_fail(fcf_err_t *err, int rc, const char *what);
int fca_nl_nomem(struct nl_msg *msg, fcf_err_t *err);

#endif /* _FCA_NET_NL_H_INCLUDED_ */
