#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/proxy/proxy_relay.h"


static void
set_options(int fd)
{
    int  on, idle, interval, count;

    on = 1;
    idle = 15;
    interval = 5;
    count = 3;

    /* refused options cost speed, or the notice of a dead guest; the request
     * itself is served */
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval,
                      sizeof(interval));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}


static void
unpool(fca_guest_t *guest)
{
    fca_route_t  *route;

    route = guest->route;
    route->npool--;

    if (guest->prev) {
        guest->prev->next = guest->next;

    } else {
        route->pool = guest->next;
    }

    if (guest->next) {
        guest->next->prev = guest->prev;

    } else {
        route->pool_last = guest->prev;
    }

    guest->prev = NULL;
    guest->next = NULL;
}


static void
bind_conn(fca_guest_t *guest, fca_conn_t *conn)
{
    guest->conn = conn;
    guest->answered = 0;
    guest->broken = 0;
    guest->keep = 0;
    guest->sent = 0;
    conn->guest = guest;
    conn->resp.kind = FCA_BODY_NONE;
    conn->resp.done = 0;
    conn->expect_more = 1;
    fca_head_start(&guest->reader, 1);
}


static void
connected(fca_guest_t *guest)
{
    fca_timer_stop(&guest->timer);
    guest->state = FCA_GUEST_BUSY;
    atomic_store_explicit(&guest->route->stat->refused, 0,
                          memory_order_relaxed);
}


static void
count_refused(fca_route_t *route)
{
    atomic_fetch_add_explicit(&route->stat->refused, 1, memory_order_relaxed);
}


/* closes the guest connection */
static void
failed(fca_guest_t *guest, const char *message)
{
    fca_conn_t  *conn;

    conn = guest->conn;
    count_refused(guest->route);
    fca_conn_go(conn, fca_answer_unsent(conn, "gone", FCF_UNSENT_GONE,
                                        message));
}


/* CONNECT: too long; POOLED: idle; BUSY: the guest has taken the request */
static void
timed_out(void *arg)
{
    fca_guest_t  *guest;

    guest = arg;

    if (guest->state == FCA_GUEST_CONNECT) {
        failed(guest, "the instance did not take the connection in time");
        return;
    }

    if (guest->state == FCA_GUEST_POOLED) {
        fca_guest_close(guest);
        return;
    }

    guest->conn->replayable = 0;
    fca_relay_request_sent(guest->conn);
}


static void
ready(fca_sock_t *sock)
{
    int           error;
    socklen_t     len;
    fca_guest_t  *guest;

    guest = (fca_guest_t *) sock;

    if (guest->state == FCA_GUEST_POOLED) {

        /* its end, or bytes that nobody asked for */
        if (guest->sock.rd) {
            fca_guest_close(guest);
        }

        return;
    }

    if (guest->state == FCA_GUEST_CONNECT) {

        error = 0;
        len = sizeof(error);

        if (getsockopt(guest->sock.fd, SOL_SOCKET, SO_ERROR, &error, &len)
            == -1)
        {
            error = errno;
        }

        if (error) {
            failed(guest, "the instance refused the connection");
            return;
        }

        if (!guest->sock.wr) {
            return;
        }

        connected(guest);
    }

    fca_conn_go(guest->conn, FCA_STEP_NEXT);
}


/* Without the device the guest's address would be taken to wherever the
 * host's other routes lead. */
static int
bind_device(fca_route_t *route, int fd)
{
    if (route->device[0] == '\0'
        || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, route->device,
                      (socklen_t) strlen(route->device))
           == 0)
    {
        return 0;
    }

    fca_route_complain(route, "binding to the guests' bridge", errno);

    return -1;
}


/* a connection that is made, or (*done) is there already */
static fca_guest_rc_e
start_connect(fca_route_t *route, int *out, int *done)
{
    int  fd, error;

    /* and one more, for a client who has to be told that there is none */
    if (!fca_idle_room(route->loop, 2)) {
        fca_route_complain(route, "connecting to the guest", EMFILE);
        return FCA_GUEST_NO_ROOM;
    }

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        fca_route_complain(route, "connecting to the guest", errno);
        return FCA_GUEST_NO_ROOM;
    }

    if (bind_device(route, fd) == -1) {
        close(fd);
        count_refused(route);
        return FCA_GUEST_REFUSED;
    }

    set_options(fd);
    *out = fd;
    *done = connect(fd, (struct sockaddr *) &route->guest,
                    sizeof(route->guest))
            == 0;

    if (*done || errno == EINPROGRESS) {
        return FCA_GUEST_OK;
    }

    error = errno;
    close(fd);

    if (error == EADDRNOTAVAIL || error == EAGAIN || error == ENOBUFS
        || error == ENOMEM)
    {
        fca_route_complain(route, "connecting to the guest", error);
        return FCA_GUEST_NO_ROOM;
    }

    count_refused(route);

    return FCA_GUEST_REFUSED;
}


static fca_guest_rc_e
guest_connect(fca_conn_t *conn)
{
    int              fd, done;
    fca_dloop_t     *loop;
    fca_guest_t     *guest;
    fca_route_t     *route;
    fca_guest_rc_e   rc;

    route = conn->route;
    loop = route->loop;
    rc = start_connect(route, &fd, &done);

    if (rc != FCA_GUEST_OK) {
        return rc;
    }

    guest = calloc(1, sizeof(*guest));
    if (guest == NULL) {
        close(fd);
        return FCA_GUEST_NO_ROOM;
    }

    guest->sock.fd = fd;
    guest->sock.ready = ready;
    guest->sock.stream = 1;
    guest->route = route;
    guest->state = FCA_GUEST_CONNECT;
    fca_timer_init(&guest->timer, timed_out, guest);

    if (fca_dloop_add(loop, &guest->sock) == -1) {
        close(fd);
        free(guest);
        return FCA_GUEST_NO_ROOM;
    }

    bind_conn(guest, conn);

    fca_timer_set(&loop->timers, FCA_TIMER_CONNECT, &guest->timer,
                  loop->now + loop->proxy->connect_ms);

    if (done) {
        connected(guest);
        guest->sock.wr = 1;
    }

    return FCA_GUEST_OK;
}


/* A close keeps the port for a minute; where many are closed so, only a reset
 * does not use them up. */
static void
close_hushed(fca_guest_t *guest)
{
    fca_route_t  *route;

    route = guest->route;

    if (route->loop->now - route->hushed_ms >= 1000) {
        route->hushed_ms = route->loop->now;
        route->nhushed = 0;
    }

    if (++route->nhushed > FCA_HUSHED_MAX) {
        fca_sock_reset(&guest->sock);
    }

    fca_guest_close(guest);
}


fca_guest_rc_e
fca_guest_get(fca_conn_t *conn, int fresh)
{
    fca_guest_t  *guest;
    fca_dloop_t  *loop;

    loop = conn->route->loop;

    /* a guest that serves one connection at a time would wait on it */
    while ((guest = conn->route->pool) != NULL && guest->hush
           && loop->now - guest->used_ms < FCA_POOL_QUIET_MS)
    {
        close_hushed(guest);
    }

    if (guest && !conn->replayable
        && loop->now - guest->used_ms >= FCA_POOL_FRESH_MS)
    {
        /* not beside it: a guest that serves one connection at a time would
         * wait on the idle one */
        fca_guest_close(guest);
        fresh = 1;
    }

    if (guest == NULL || fresh) {
        return guest_connect(conn);
    }

    unpool(guest);
    fca_timer_stop(&guest->timer);
    guest->state = FCA_GUEST_BUSY;
    guest->reused = 1;
    bind_conn(guest, conn);

    return FCA_GUEST_OK;
}


int
fca_guest_spoke(fca_guest_t *guest)
{
    char     c;
    ssize_t  n;

    if (!guest->reused && !guest->sock.rd) {
        return 0;
    }

    n = recv(guest->sock.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        guest->sock.rd = 0;
        return 0;
    }

    return n > 0 ? 1 : -1;
}


void
fca_guest_release(fca_guest_t *guest)
{
    fca_dloop_t  *loop;
    fca_route_t  *route;

    route = guest->route;
    loop = route->loop;

    if (guest->sock.hup || guest->sock.rd || route->closing) {
        fca_guest_close(guest);
        return;
    }

    guest->hush = guest->conn->bodiless;
    guest->conn->guest = NULL;
    guest->conn = NULL;
    guest->state = FCA_GUEST_POOLED;
    guest->used_ms = loop->now;
    guest->prev = NULL;
    guest->next = route->pool;

    if (guest->next) {
        guest->next->prev = guest;

    } else {
        route->pool_last = guest;
    }

    route->pool = guest;
    route->npool++;

    fca_timer_set(&loop->timers, FCA_TIMER_POOL, &guest->timer,
                  loop->now + FCA_POOL_IDLE_MS);

    if (route->npool > FCA_POOL_MAX) {
        fca_guest_close(route->pool_last);
    }
}


void
fca_guest_close(fca_guest_t *guest)
{
    if (guest->sock.fd == -1) {
        return;
    }

    fca_timer_stop(&guest->timer);

    if (guest->conn) {
        guest->conn->guest = NULL;
        guest->conn = NULL;
    }

    if (guest->state == FCA_GUEST_POOLED) {
        unpool(guest);
    }

    fca_sock_close(guest->route->loop, &guest->sock);
}
