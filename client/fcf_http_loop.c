#include <stdlib.h>

#include "client/fcf_http_private.h"


struct fcf_http_sock_s {
    fcf_http_t          *http;
    fcf_http_sock_t     *prev, *next;
    curl_socket_t        fd;
    fcf_io_t            *io;
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

    sock->http->loop->io_del(sock->io);
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
    sock->io = http->loop->io_add(http->loop, fd, fcf_http_io, sock);

    if (sock->io == NULL) {
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


int
fcf_http_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
    void *sockp)
{
    unsigned          events;
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

    events = 0;

    if (what & CURL_POLL_IN) {
        events |= FCF_READ;
    }

    if (what & CURL_POLL_OUT) {
        events |= FCF_WRITE;
    }

    /* a failure told to curl would end every transfer: this one runs into its
     * timeout instead */

    if (sock == NULL || http->loop->io_set(sock->io, events) != 0) {
        fcf_log(http->loop, FCF_LOG_ERROR,
                "HTTP client: descriptor %d cannot be watched", (int) fd);
    }

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
