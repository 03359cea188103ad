#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "vm/guest.h"
#include "vm/init/hook.h"

#define NOT_IMPLEMENTED  501            /* POST: a server of plain files */
#define STATUS_AT        9              /* behind "HTTP/1.1 " */

#define RESEEDS  "\r\n" FCV_HOOK_RESEEDS ":"


void
fcv_hook_init(fcv_hook_t *hook)
{
    hook->fd = -1;
}


/* FCF_E_UNAVAILABLE: the function does not listen yet */
static int
no_connection(const fcv_hook_t *hook, int e, fcf_err_t *err)
{
    (void) fcf_err_sys(err, e, "%s", hook->path);

    if (e == ECONNREFUSED) {
        err->code = FCF_E_UNAVAILABLE;
    }

    return -1;
}


static void
hook_end(fcv_hook_t *hook)
{
    close(hook->fd);
    hook->fd = -1;
}


int
fcv_hook_start(fcv_hook_t *hook, const char *path, int port, int64_t now_ms,
    fcf_err_t *err)
{
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons((uint16_t) port);

    hook->path = path;
    hook->sent = 0;
    hook->len = 0;
    hook->deadline_ms = now_ms + FCV_HOOK_MS;
    hook->fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);

    if (hook->fd < 0) {
        return fcf_err_sys(err, errno, "%s", path);
    }

    if (connect(hook->fd, (struct sockaddr *) &sin, sizeof(sin)) < 0
        && errno != EINPROGRESS)
    {
        (void) no_connection(hook, errno, err);
        hook_end(hook);
        return -1;
    }

    return 0;
}


void
fcv_hook_want(const fcv_hook_t *hook, struct pollfd *fd)
{
    fd->fd = hook->fd;
    fd->events = hook->sent ? POLLIN : POLLOUT;
    fd->revents = 0;
}


static int
send_request(fcv_hook_t *hook, fcf_err_t *err)
{
    int        n, e;
    char       text[256];
    socklen_t  len;

    len = sizeof(e);

    if (getsockopt(hook->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0 || e != 0) {
        return no_connection(hook, e ? e : errno, err);
    }

    n = snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                 "Content-Length: 0\r\nConnection: close\r\n\r\n",
                 hook->path);

    /* a fresh socket takes so much at once */
    if (send(hook->fd, text, (size_t) n, MSG_NOSIGNAL) != n) {
        return fcf_err_sys(err, errno, "%s", hook->path);
    }

    hook->sent = 1;

    return 0;
}


int
fcv_hook_judge(const char *path, const char *head, int eof, int *reseeds,
    fcf_err_t *err)
{
    int          status;
    const char  *p, *end;

    end = strstr(head, "\r\n\r\n");

    if (end == NULL) {
        return eof ? fcf_err_set(err, FCF_E_PROTOCOL, "%s: the function "
                                 "answered nothing that is an answer", path)
                   : 0;
    }

    if (strncmp(head, "HTTP/1.", 7) != 0 || !isdigit((unsigned char) head[7])
        || head[8] != ' ')
    {
        return fcf_err_set(err, FCF_E_PROTOCOL, "%s: the answer is not HTTP",
                           path);
    }

    status = atoi(head + STATUS_AT);

    if (status < 100 || (status >= 500 && status != NOT_IMPLEMENTED)) {
        return fcf_err_set(err, FCF_E_REFUSED, "%s: status %d", path, status);
    }

    *reseeds = 0;

    for (p = head; p < end; p++) {
        if (strncasecmp(p, RESEEDS, sizeof(RESEEDS) - 1) == 0) {
            *reseeds = 1;
        }
    }

    return 1;
}


static int
read_answer(fcv_hook_t *hook, int *reseeds, fcf_err_t *err)
{
    int      rc, eof;
    ssize_t  n;

    n = recv(hook->fd, hook->head + hook->len, FCV_HOOK_HEAD - hook->len, 0);

    if (n < 0) {
        return errno == EAGAIN || errno == EINTR
               ? 0 : fcf_err_sys(err, errno, "%s", hook->path);
    }

    hook->len += (size_t) n;
    hook->head[hook->len] = '\0';
    eof = n == 0 || hook->len == FCV_HOOK_HEAD;

    rc = fcv_hook_judge(hook->path, hook->head, eof, reseeds, err);
    hook->no_post = rc > 0
                    && atoi(hook->head + STATUS_AT) == NOT_IMPLEMENTED;

    return rc;
}


int
fcv_hook_ready(fcv_hook_t *hook, const struct pollfd *fd, int64_t now_ms,
    int *reseeds, fcf_err_t *err)
{
    int  rc;

    rc = 0;

    if (fd->fd == hook->fd && fd->revents) {
        rc = hook->sent ? read_answer(hook, reseeds, err)
                        : send_request(hook, err);
    }

    if (rc == 0 && now_ms >= hook->deadline_ms) {
        rc = fcf_err_set(err, FCF_E_TIMEOUT, "%s: no answer within %d ms",
                         hook->path, FCV_HOOK_MS);
    }

    if (rc != 0) {
        hook_end(hook);
    }

    return rc;
}
