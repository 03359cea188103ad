#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent/net/net_nl.h"

/* a notice of the kernel's is at most that long */
#define NOTICE_MAX   32768
/* what comes while the worker is at something else */
#define NOTICES_BUF  (4 * 1024 * 1024)


int
fca_nl_fail(fcf_err_t *err, int rc, const char *what)
{
    fcf_code_e  code;

    switch (-rc) {
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND:
        code = FCF_E_NOT_FOUND;
        break;
    case NLE_EXIST:
        code = FCF_E_EXISTS;
        break;
    case NLE_NOMEM:
        code = FCF_E_NOMEM;
        break;
    case NLE_DUMP_INTR:
        code = FCF_E_UNAVAILABLE;
        break;
    default:
        code = FCF_E_SYSTEM;
    }

    return fcf_err_set(err, code, "%s: %s", what, nl_geterror(rc));
}


int
fca_nl_nomem(struct nl_msg *msg, fcf_err_t *err)
{
    nlmsg_free(msg);
    return fcf_err_set(err, FCF_E_NOMEM, "netlink message: out of memory");
}


struct nl_sock *
fca_nl_connect(int protocol, fcf_err_t *err)
{
    int              rc;
    struct nl_sock  *sk;

    sk = nl_socket_alloc();
    if (sk == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "netlink socket: out of memory");
        return NULL;
    }

    rc = nl_connect(sk, protocol);
    if (rc < 0) {
        fca_nl_fail(err, rc, "netlink socket");
        nl_socket_free(sk);
        return NULL;
    }

    return sk;
}


struct nl_sock *
fca_nl_notices(int protocol, const int *groups, fcf_err_t *err)
{
    int              rc;
    struct nl_sock  *sk;

    sk = fca_nl_connect(protocol, err);
    if (sk == NULL) {
        return NULL;
    }

    /* a buffer too small costs a full look, no notice */
    (void) nl_socket_set_buffer_size(sk, NOTICES_BUF, 0);

    for (rc = 0; *groups != 0 && rc == 0; groups++) {
        rc = nl_socket_add_membership(sk, *groups);
    }

    if (rc < 0) {
        fca_nl_fail(err, rc, "netlink notices");
        nl_socket_free(sk);
        return NULL;
    }

    return sk;
}


struct nl_msg *
fca_nl_msg(int type, int flags, const void *header, size_t len)
{
    struct nl_msg  *msg;

    msg = nlmsg_alloc_simple(type, flags);

    if (msg != NULL
        && nlmsg_append(msg, (void *) (uintptr_t) header, len, NLMSG_ALIGNTO)
           < 0)
    {
        nlmsg_free(msg);
        msg = NULL;
    }

    return msg;
}


int
fca_nl_send(struct nl_sock *sk, struct nl_msg *msg, const char *what,
    fcf_err_t *err)
{
    int  rc;

    if (msg == NULL) {
        return fca_nl_nomem(msg, err);
    }

    rc = nl_send_sync(sk, msg);

    return rc < 0 ? fca_nl_fail(err, rc, what) : 0;
}


int
fca_nl_ask(struct nl_sock *sk, struct nl_msg *msg, int dump,
    nl_recvmsg_msg_cb_t each, void *arg, const char *what, fcf_err_t *err)
{
    int            rc;
    struct nl_cb  *cb;

    cb = nl_cb_alloc(NL_CB_DEFAULT);

    if (msg == NULL || cb == NULL) {
        nl_cb_put(cb);
        return fca_nl_nomem(msg, err);
    }

    nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, each, arg);

    rc = nl_send_auto(sk, msg);
    nlmsg_free(msg);

    if (rc >= 0) {
        rc = nl_recvmsgs(sk, cb);

        if (rc >= 0 && !dump) {
            rc = nl_wait_for_ack(sk);
        }
    }

    nl_cb_put(cb);

    return rc < 0 ? fca_nl_fail(err, rc, what) : 0;
}


int
fca_nl_drain(struct nl_sock *sk,
    void (*each)(void *arg, const struct nlmsghdr *msg), void *arg)
{
    int               lost, left;
    ssize_t           n;
    struct nlmsghdr  *msg;
    union {
        struct nlmsghdr  head;
        char             bytes[NOTICE_MAX];
    }                 buf;

    lost = 0;

    for ( ;; ) {
        n = recv(nl_socket_get_fd(sk), &buf, sizeof(buf), MSG_DONTWAIT);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n < 0 && errno == ENOBUFS) {
            lost = 1;
            continue;
        }

        if (n <= 0) {
            return lost;
        }

        left = (int) n;

        for (msg = &buf.head; nlmsg_ok(msg, left);
             msg = nlmsg_next(msg, &left))
        {
            each(arg, msg);
        }
    }
}
