#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/base/listen.h"

int
fca_listen(struct in_addr addr, unsigned port, fcf_err_t *err)
{
    int                 fd, on, e;
    char                text[INET_ADDRSTRLEN];
    struct sockaddr_in  sin;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return fcf_err_sys(err, errno, "socket");
    }

    on = 1;
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr = addr;
    sin.sin_port = htons((uint16_t) port);

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0
        && bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == 0
        && listen(fd, FCA_BACKLOG) == 0)
    {
        return fd;
    }

    e = errno;
    close(fd);
    inet_ntop(AF_INET, &addr, text, sizeof(text));

    if (e == EADDRINUSE) {
        return fcf_err_set(err, FCF_E_EXISTS, "%s:%u is taken by another "
                           "process", text, port);
    }

    return fcf_err_sys(err, e, "cannot listen on %s:%u", text, port);
}
