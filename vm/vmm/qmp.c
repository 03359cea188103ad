#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm/vmm/qmp.h"

#define FCV_QMP_LINE_MAX  65536


static void
take_lines(fcv_qmp_t *qmp)
{
    char    *nl;
    size_t   n;
    json_t  *message;

    while (qmp->in.len) {
        nl = memchr(qmp->in.data, '\n', qmp->in.len);

        if (nl == NULL) {
            return;
        }

        n = (size_t) (nl - qmp->in.data) + 1;
        message = json_loadb(qmp->in.data, n, 0, NULL);

        fcf_buf_consume(&qmp->in, n);

        if (message) {
            qmp->message(message);
            json_decref(message);
        }
    }
}


static void
qmp_handler(void *arg, uint32_t events)
{
    char        buf[4096];
    ssize_t     n;
    fcv_qmp_t  *qmp;

    (void) events;

    qmp = arg;
    n = recv(qmp->source.fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    /* its end is QEMU's end, which is seen when it is reaped */

    if (n <= 0 || fcf_buf_add(&qmp->in, buf, (size_t) n) != 0) {
        fcv_loop_del(qmp->loop, &qmp->source);
        return;
    }

    take_lines(qmp);
}


int
fcv_qmp_open(fcv_qmp_t *qmp, fcv_loop_t *loop, int fd,
    void (*message)(const json_t *message), fcf_err_t *err)
{
    qmp->source.fd = fd;
    qmp->source.handler = qmp_handler;
    qmp->source.arg = qmp;
    qmp->loop = loop;
    qmp->message = message;
    fcf_buf_init(&qmp->in, FCV_QMP_LINE_MAX);

    if (fcv_loop_add(loop, &qmp->source, EPOLLIN, err) != 0) {
        (void) close(fd);
        qmp->source.fd = -1;
        return -1;
    }

    return 0;
}


void
fcv_qmp_close(fcv_qmp_t *qmp)
{
    if (qmp->source.fd == -1) {
        return;
    }

    fcv_loop_del(qmp->loop, &qmp->source);
    (void) close(qmp->source.fd);
    qmp->source.fd = -1;
    fcf_buf_free(&qmp->in);
}


int
fcv_qmp_send(fcv_qmp_t *qmp, const char *text, fcf_err_t *err)
{
    return fcv_qmp_send_fd(qmp, text, -1, err);
}


int
fcv_qmp_send_fd(fcv_qmp_t *qmp, const char *text, int fd, fcf_err_t *err)
{
    ssize_t          n;
    struct iovec     iov;
    struct msghdr    msg;
    struct cmsghdr  *cmsg;

    union {
        struct cmsghdr  align;
        char            room[CMSG_SPACE(sizeof(int))];
    } control;

    memset(&msg, 0, sizeof(msg));
    iov.iov_base = (char *) (uintptr_t) text;
    iov.iov_len = strlen(text);
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;

    if (fd != -1) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof(control.room);

        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
    }

    n = qmp->source.fd == -1 ? -1 : sendmsg(qmp->source.fd, &msg,
                                            MSG_NOSIGNAL|MSG_DONTWAIT);

    if (n != (ssize_t) iov.iov_len) {
        return fcf_err_set(err, FCF_E_UNAVAILABLE,
                           "QEMU does not take commands");
    }

    return 0;
}
