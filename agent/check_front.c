/*
 * TLS in front of the ports of VMs: somebody else takes the connections, on
 * the address that gateways are told, and hands them on to ours.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/check_int.h"

#define FCA_FRONT_MS  1000

/* 0 or why not, an errno; blocks for a second at most */
static int
fca_front_connect(struct in_addr addr, unsigned port)
{
    int                 fd, e;
    socklen_t           len;
    struct pollfd       pfd;
    struct sockaddr_in  sin;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return errno;
    }

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr = addr;
    sin.sin_port = htons((uint16_t) port);

    e = connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == 0 ? 0 : errno;

    if (e == EINPROGRESS) {
        pfd.fd = fd;
        pfd.events = POLLOUT;
        len = sizeof(e);

        if (poll(&pfd, 1, FCA_FRONT_MS) < 1) {
            e = ETIMEDOUT;

        } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0) {
            e = errno;
        }
    }

    close(fd);

    return e;
}

static int
fca_front_allowed(const fca_conf_t *conf)
{
    size_t  i;

    for (i = 0; i < conf->nallow; i++) {
        if ((conf->listen.s_addr & conf->allow[i].mask) == conf->allow[i].addr)
        {
            return 1;
        }
    }

    return conf->nallow == 0;
}

void
fca_check_front(fca_check_t *check, const fca_conf_t *conf)
{
    int                 e;
    char                at[INET_ADDRSTRLEN], on[INET_ADDRSTRLEN];
    unsigned            i, ports[3];
    struct sockaddr_in  admin = fca_conf_tell_admin(conf);

    if (!fca_conf_fronted(conf)) {
        return;
    }

    inet_ntop(AF_INET, &conf->advertise, at, sizeof(at));
    inet_ntop(AF_INET, &conf->listen, on, sizeof(on));

    ports[0] = (unsigned) conf->port_first;
    ports[1] = (unsigned) conf->port_last;
    ports[2] = admin.sin_port
               && admin.sin_addr.s_addr != conf->admin.sin_addr.s_addr
               ? ntohs(admin.sin_port) : 0;

    for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {

        e = ports[i] ? fca_front_connect(conf->advertise, ports[i]) : 0;

        if (e) {
            fca_check_say(check, "front", "start fcfaas-front, for these "
                          "ports of advertise, or unset listen", "%s:%u, "
                          "before %s: %s", at, ports[i], on, strerror(e));
            return;
        }
    }

    /* it connects from the address that it connects to, on loopback */
    if (!fca_front_allowed(conf)) {
        fca_check_say(check, "front", "put the front's own address into "
                      "allow, or leave it to token_file", "allow has no "
                      "network with %s", on);
        return;
    }

    fca_check_say(check, "front", NULL, "%s takes connections before %s", at,
                  on);
}
