#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/fcf_http_private.h"


/*
 * libcurl closes the sockets of connections that did not come about (refused,
 * timed out, one of two addresses too late) before it says that they are not
 * to be watched any more, and may open another meanwhile, which gets the same
 * number.  So what the loop watches is a duplicate of ours.
 */

struct fcf_http_sock_s {
    fcf_http_t          *http;
    fcf_http_sock_t     *prev, *next;
    curl_socket_t        fd;            /* libcurl's */
    int                  watched;       /* valid while io is not NULL */
    unsigned             events;
    fcf_io_t            *io;            /* NULL: it could not be watched */
};


static void
fcf_http_io(void *arg, unsigned events)
{
    int               mask;
    fcf_http_sock_t  *sock;

    sock = arg;
    mask = 0;

    if (events & FCF_READ) {
        mask |= CURL_CSELECT_IN;
    }

    if (events & FCF_WRITE) {
        mask |= CURL_CSELECT_OUT;
    }

    /* sock may be gone once curl has run */

    fcf_http_action(sock->http, sock->fd, mask);
}


void
fcf_http_timer(void *arg)
{
    fcf_http_action(arg, CURL_SOCKET_TIMEOUT, 0);
}


static int
fcf_http_sock_watch(fcf_http_sock_t *sock)
{
    fcf_loop_t  *loop;

    loop = sock->http->loop;
    sock->watched = fcntl(sock->fd, F_DUPFD_CLOEXEC, 0);

    if (sock->watched == -1) {
        return -1;
    }

    sock->io = loop->io_add(loop, sock->watched, fcf_http_io, sock);

    if (sock->io == NULL) {
        (void) close(sock->watched);
        return -1;
    }

    return 0;
}


static void
fcf_http_sock_unwatch(fcf_http_sock_t *sock)
{
    if (sock->io != NULL) {
        sock->http->loop->io_del(sock->io);
        sock->io = NULL;
        (void) close(sock->watched);
    }
}


static void
fcf_http_sock_free(fcf_http_sock_t *sock)
{
    if (sock->prev != NULL) {
        sock->prev->next = sock->next;

    } else {
        sock->http->socks = sock->next;
    }

    if (sock->next != NULL) {
        sock->next->prev = sock->prev;
    }

    fcf_http_sock_unwatch(sock);
    free(sock);
}


static fcf_http_sock_t *
fcf_http_sock_new(fcf_http_t *http, curl_socket_t fd)
{
    fcf_http_sock_t  *sock;

    sock = calloc(1, sizeof(fcf_http_sock_t));

    if (sock == NULL) {
        return NULL;
    }

    sock->http = http;
    sock->fd = fd;

    if (fcf_http_sock_watch(sock) != 0) {
        free(sock);
        return NULL;
    }

    sock->next = http->socks;

    if (sock->next != NULL) {
        sock->next->prev = sock;
    }

    http->socks = sock;

    (void) curl_multi_assign(http->multi, fd, sock);

    return sock;
}


static void
fcf_http_sock_set(fcf_http_t *http, fcf_http_sock_t *sock, curl_socket_t fd)
{
    /* a failure told to curl would end every transfer: this one runs into its
     * timeout instead */

    if (sock == NULL || sock->io == NULL
        || http->loop->io_set(sock->io, sock->events) != 0)
    {
        fcf_log(http->loop, FCF_LOG_ERROR,
                "HTTP client: descriptor %d cannot be watched", (int) fd);
    }
}


/* a new socket; no program that is started goes on with it */

int
fcf_http_on_open(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    fcf_http_t       *http;
    fcf_http_sock_t  *sock;

    (void) purpose;
    (void) fcntl(fd, F_SETFD, FD_CLOEXEC);

    http = arg;

    for (sock = http->socks; sock != NULL; sock = sock->next) {

        if (sock->fd == fd) {
            fcf_http_sock_unwatch(sock);
            (void) fcf_http_sock_watch(sock);
            fcf_http_sock_set(http, sock, fd);
            break;
        }
    }

    return CURL_SOCKOPT_OK;
}


int
fcf_http_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
    void *sockp)
{
    fcf_http_t       *http;
    fcf_http_sock_t  *sock;

    (void) easy;

    http = arg;
    sock = sockp;

    if (what == CURL_POLL_REMOVE) {
        if (sock != NULL) {
            (void) curl_multi_assign(http->multi, fd, NULL);
            fcf_http_sock_free(sock);
        }

        return 0;
    }

    if (sock == NULL) {
        sock = fcf_http_sock_new(http, fd);
    }

    if (sock != NULL) {
        sock->events = ((what & CURL_POLL_IN) ? FCF_READ : 0)
                       | ((what & CURL_POLL_OUT) ? FCF_WRITE : 0);
    }

    fcf_http_sock_set(http, sock, fd);

    return 0;
}


int
fcf_http_on_timer(CURLM *multi, long ms, void *arg)
{
    fcf_http_t  *http;

    (void) multi;

    http = arg;

    if (ms < 0) {
        http->loop->timer_stop(http->timer);

    } else {
        http->loop->timer_set(http->timer, (uint64_t) ms);
    }

    return 0;
}


void
fcf_http_socks_free(fcf_http_t *http)
{
    while (http->socks != NULL) {
        fcf_http_sock_free(http->socks);
    }
}
