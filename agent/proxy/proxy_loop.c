#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "agent/proxy/proxy_int.h"

#define EVENTS   256


uint64_t
fca_now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


ssize_t
fca_sock_recv(fca_sock_t *sock, void *data, size_t len)
{
    ssize_t  n;

    do {
        n = recv(sock->fd, data, len, 0);
    } while (n < 0 && errno == EINTR);

    if (n > 0) {
        /* a short read of a stream means that it is empty; the next byte, or
         * its end, brings another edge */
        if ((size_t) n < len && !sock->hup) {
            sock->rd = 0;
        }

        return n;
    }

    if (n == 0) {
        return 0;
    }

    if (errno == EAGAIN) {
        sock->rd = 0;
        return -1;
    }

    return -2;
}


ssize_t
fca_sock_send(fca_sock_t *sock, const void *data, size_t len)
{
    ssize_t  n;

    do {
        n = send(sock->fd, data, len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);

    if (n >= 0) {
        if ((size_t) n < len) {
            sock->wr = 0;
        }

        return n;
    }

    if (errno == EAGAIN) {
        sock->wr = 0;
        return -1;
    }

    return -2;
}


void
fca_sock_reset(fca_sock_t *sock)
{
    struct linger  linger;

    linger.l_onoff = 1;
    linger.l_linger = 0;
    (void) setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &linger,
                      sizeof(linger));
}


void
fca_sock_close(fca_dloop_t *loop, fca_sock_t *sock)
{
    if (sock->fd == -1) {
        return;
    }

    /* Closing does not do it while a child, between its fork and its exec,
     * has a copy of the descriptor.  A listener that could not be added is
     * not there either. */
    (void) epoll_ctl(loop->ep, EPOLL_CTL_DEL, sock->fd, NULL);
    close(sock->fd);
    sock->fd = -1;
    loop->nfds -= sock->added;
    sock->added = 0;

    if (sock->stream) {
        sock->dead_next = loop->dead;
        loop->dead = sock;
    }
}


int
fca_dloop_add(fca_dloop_t *loop, fca_sock_t *sock)
{
    struct epoll_event  ev;

    memset(&ev, 0, sizeof(ev));
    ev.data.ptr = sock;
    ev.events = EPOLLIN | EPOLLET;

    if (sock->stream) {
        ev.events |= EPOLLOUT | EPOLLRDHUP;
    }

    if (epoll_ctl(loop->ep, EPOLL_CTL_ADD, sock->fd, &ev) == -1) {
        return -1;
    }

    sock->added = 1;
    loop->nfds++;

    return 0;
}


void
fca_dloop_post(fca_dloop_t *loop, fca_sock_t *sock)
{
    if (sock->posted) {
        return;
    }

    sock->posted = 1;
    sock->post_next = NULL;
    *loop->posted_end = sock;
    loop->posted_end = &sock->post_next;
}


/* only those posted before this turn: a busy connection posts itself again */
static void
run_posted(fca_dloop_t *loop)
{
    fca_sock_t  *sock, *next;

    sock = loop->posted;
    loop->posted = NULL;
    loop->posted_end = &loop->posted;

    for ( /* void */ ; sock; sock = next) {
        next = sock->post_next;
        sock->posted = 0;

        if (sock->fd != -1) {
            sock->ready(sock);
        }
    }
}


/* Events and posts may point to what was closed in this turn until it ends. */
static void
bury(fca_dloop_t *loop)
{
    fca_sock_t   *sock, *next, *keep;
    fca_route_t  *route;

    keep = NULL;

    for (sock = loop->dead; sock; sock = next) {
        next = sock->dead_next;

        if (sock->posted) {
            sock->dead_next = keep;
            keep = sock;
            continue;
        }

        free(sock);
    }

    loop->dead = keep;

    while (loop->finished) {
        route = loop->finished;
        loop->finished = route->next;
        fca_proxy_done(loop->proxy, route);
    }
}


static void
read_inbox(fca_sock_t *sock)
{
    uint64_t      n;
    fca_msg_t    *msg, *next;
    fca_dloop_t  *loop;

    loop = (fca_dloop_t *) sock;

    /* nothing to be done about a failure: the inbox is read either way */
    if (read(loop->wake.fd, &n, sizeof(n)) < 0) {
        n = 0;
    }

    pthread_mutex_lock(&loop->lock);
    msg = loop->inbox;
    loop->inbox = NULL;
    loop->inbox_end = &loop->inbox;
    loop->stopped = loop->stop;
    pthread_mutex_unlock(&loop->lock);

    for ( /* void */ ; msg; msg = next) {
        next = msg->next;

        switch (msg->type) {

        case FCA_MSG_OPEN:
            fca_route_opened(msg->route);
            break;

        case FCA_MSG_CLOSE:
            fca_route_closing(msg->route);
            break;

        case FCA_MSG_DEAD:
            fca_route_dead(loop, msg->route);
            free(msg);
            break;

        case FCA_MSG_ACCESS:
            fca_access_release(loop->access);
            loop->access = msg->access;
            free(msg);
            break;
        }
    }
}


static void
dispatch(fca_sock_t *sock, uint32_t events)
{
    if (sock->fd == -1) {
        return;                         /* closed in this turn */
    }

    if (events & (EPOLLERR | EPOLLHUP)) {
        sock->err = 1;
    }

    if (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) {
        sock->hup = 1;
        sock->rd = 1;
    }

    if (events & EPOLLIN) {
        sock->rd = 1;
    }

    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        sock->wr = 1;
    }

    sock->ready(sock);
}


static int
wait_ms(const fca_dloop_t *loop)
{
    uint64_t  next;

    if (loop->posted) {
        return 0;
    }

    next = fca_timers_next(&loop->timers);

    if (next == UINT64_MAX) {
        return -1;
    }

    return next <= loop->now ? 0
           : next - loop->now > 60000 ? 60000 : (int) (next - loop->now);
}


void *
fca_dloop_main(void *arg)
{
    int                 i, n;
    fca_dloop_t        *loop;
    struct epoll_event  events[EVENTS];

    loop = arg;

    while (!loop->stopped) {

        n = epoll_wait(loop->ep, events, EVENTS, wait_ms(loop));
        assert(n >= 0 || errno == EINTR);

        loop->now = fca_now_ms();

        for (i = 0; i < n; i++) {
            dispatch(events[i].data.ptr, events[i].events);
        }

        run_posted(loop);
        fca_timers_run(&loop->timers, loop->now);
        bury(loop);
    }

    while (loop->routes) {
        fca_route_cut(loop->routes);
    }

    while (loop->orphans.conns) {
        fca_conn_close(loop->orphans.conns);
    }

    run_posted(loop);
    bury(loop);

    return NULL;
}


void
fca_dloop_send(fca_dloop_t *loop, fca_msg_t *msg)
{
    uint64_t  one;

    pthread_mutex_lock(&loop->lock);

    if (msg) {
        msg->next = NULL;
        *loop->inbox_end = msg;
        loop->inbox_end = &msg->next;

    } else {
        loop->stop = 1;
    }

    pthread_mutex_unlock(&loop->lock);

    /* fails only when the counter is full, and then the loop is awake */
    one = 1;
    if (write(loop->wake.fd, &one, sizeof(one)) < 0) {
        one = 0;
    }
}


int
fca_dloop_init(fca_dloop_t *loop, fca_proxy_t *proxy, fcf_err_t *err)
{
    loop->proxy = proxy;
    loop->now = fca_now_ms();
    loop->posted_end = &loop->posted;
    loop->inbox_end = &loop->inbox;
    loop->wake.ready = read_inbox;
    loop->wake.fd = -1;

    loop->orphans.loop = loop;
    loop->orphans.proxy = proxy;
    loop->orphans.stat = &loop->orphans.own_stat;
    loop->orphans.closing = 1;
    loop->orphans.guest_dead = 1;
    fca_route_init(&loop->orphans);
    TAILQ_INIT(&loop->idle[FCA_IDLE_STRANGERS]);
    TAILQ_INIT(&loop->idle[FCA_IDLE_KNOWN]);

    fca_timers_init(&loop->timers);
    fca_timer_init(&loop->trim, fca_buf_trim, loop);
    pthread_mutex_init(&loop->lock, NULL);

    loop->ep = epoll_create1(EPOLL_CLOEXEC);
    if (loop->ep == -1) {
        return fcf_err_sys(err, errno, "epoll_create1");
    }

    loop->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wake.fd == -1) {
        return fcf_err_sys(err, errno, "eventfd");
    }

    if (fca_dloop_add(loop, &loop->wake) == -1) {
        return fcf_err_sys(err, errno, "epoll_ctl");
    }

    return 0;
}


/* the thread has ended, or was never started */
void
fca_dloop_free(fca_dloop_t *loop)
{
    fca_buf_t  *buf;

    while (loop->bufs) {
        buf = loop->bufs;
        loop->bufs = buf->next;
        free(buf);
    }

    fca_access_release(loop->access);

    if (loop->wake.fd > -1) {
        close(loop->wake.fd);
    }

    if (loop->ep > -1) {
        close(loop->ep);
    }

    pthread_mutex_destroy(&loop->lock);
}
