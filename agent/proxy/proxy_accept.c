/* Clients that come. */

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/proxy/proxy_int.h"

#define ACCEPTS        64           /* in one turn */
#define ACCEPT_AGAIN   100          /* ms, after descriptors ran out */


static int
allowed(const fca_access_t *access, const struct sockaddr_in *peer)
{
    size_t  i;

    for (i = 0; i < access->nallow; i++) {
        if ((peer->sin_addr.s_addr & access->allow[i].mask)
            == (access->allow[i].addr & access->allow[i].mask))
        {
            return 1;
        }
    }

    return access->nallow == 0;
}


/* No edge will tell of those that still wait. */
static void
again(fca_route_t *route, unsigned ms)
{
    fca_timer_set(&route->loop->timers, FCA_TIMER_ROUTE, &route->accept,
                  route->loop->now + ms);
}


/* Idle connections make room for one that comes, if there is one. */
static int
room(fca_route_t *route)
{
    fca_dloop_t    *loop;
    struct pollfd   pfd;

    loop = route->loop;

    if (loop->nfds < loop->fds_max) {
        return 1;
    }

    pfd.fd = route->sock.fd;
    pfd.events = POLLIN;

    if (poll(&pfd, 1, 0) == 0) {
        errno = EAGAIN;
        return 0;
    }

    if (fca_idle_room(loop, 1)) {
        return 1;
    }

    errno = EMFILE;

    return 0;
}


void
fca_route_accept(fca_sock_t *sock)
{
    int                  fd, i;
    socklen_t            len;
    fca_route_t         *route;
    struct sockaddr_in   peer;

    route = (fca_route_t *) sock;

    for (i = 0; i < ACCEPTS; i++) {
        len = sizeof(peer);
        fd = room(route) ? accept4(route->sock.fd, (struct sockaddr *) &peer,
                                   &len, SOCK_NONBLOCK | SOCK_CLOEXEC)
                         : -1;

        if (fd >= 0) {
            if (!allowed(route->loop->access, &peer)) {
                close(fd);
                continue;
            }

            fca_conn_open(route, fd);
            continue;
        }

        if (errno == EAGAIN) {
            return;
        }

        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS
            || errno == ENOMEM)
        {
            fca_route_complain(route, "accept, tried again every 100 ms",
                               errno);
            again(route, ACCEPT_AGAIN);
            return;
        }

        /* the client has gone meanwhile, or a signal came */
    }

    again(route, 1);
}


void
fca_route_accept_again(void *arg)
{
    fca_route_t  *route;

    route = arg;
    fca_route_accept(&route->sock);
}
