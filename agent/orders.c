#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/orders.h"

#define ORDERS_PEERS_MAX  16
#define ORDERS_LINE_MAX   64

typedef struct fca_peer_s  fca_peer_t;

struct fca_peer_s {
    TAILQ_ENTRY(fca_peer_s)   link;
    fca_orders_t             *orders;
    int                       fd;
    fcf_io_t                 *io;
    int                       waits;    /* to be told until none is left */
    size_t                    len;
    char                      line[ORDERS_LINE_MAX];
};

struct fca_orders_s {
    fcf_loop_t               *loop;
    fca_orders_handler_t      handler;
    int                       dir, fd;
    fcf_io_t                 *io;
    unsigned                  npeers;
    TAILQ_HEAD(, fca_peer_s)  peers;
};


static void
peer_close(fca_peer_t *peer)
{
    TAILQ_REMOVE(&peer->orders->peers, peer, link);
    peer->orders->npeers--;

    if (peer->io) {
        peer->orders->loop->io_del(peer->io);
    }

    close(peer->fd);
    free(peer);
}


/* Who does not read a few lines is not waited for. */
fcf_printf_like(2, 3)
static int
peer_say(fca_peer_t *peer, const char *fmt, ...)
{
    int      n;
    char     text[256];
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text) - 1, fmt, args);
    va_end(args);

    n = n < (int) sizeof(text) - 2 ? n : (int) sizeof(text) - 2;
    text[n++] = '\n';

    return send(peer->fd, text, (size_t) n, MSG_NOSIGNAL | MSG_DONTWAIT) == n
           ? 0 : -1;
}


/* who waits for the last VM's end would wait for ever */
static void
orders_resumed(fca_orders_t *orders)
{
    fca_peer_t  *peer, *next;

    for (peer = TAILQ_FIRST(&orders->peers); peer; peer = next) {
        next = TAILQ_NEXT(peer, link);

        if (peer->waits) {
            (void) peer_say(peer, "error not emptied: it was told to take "
                            "jobs again");
            peer_close(peer);
        }
    }
}

/* 1: there is more to come for it */
static int
peer_order(fca_peer_t *peer)
{
    unsigned               vms;
    fca_orders_handler_t  *h = &peer->orders->handler;

    vms = h->vms(h->arg);

    if (strcmp(peer->line, "status") == 0) {
        (void) peer_say(peer, "ok %s, %u VMs", h->state(h->arg), vms);
        return 0;
    }

    if (strcmp(peer->line, "resume") == 0) {
        h->drain(h->arg, 0);
        orders_resumed(peer->orders);
        (void) peer_say(peer, "ok");
        return 0;
    }

    if (strcmp(peer->line, "drain") != 0
        && strcmp(peer->line, "drain wait") != 0)
    {
        (void) peer_say(peer, "error unknown order \"%s\"", peer->line);
        return 0;
    }

    h->drain(h->arg, 1);

    if (peer_say(peer, "ok draining: %u VMs", vms) != 0
        || strcmp(peer->line, "drain") == 0)
    {
        return 0;
    }

    if (h->vms(h->arg) == 0) {
        (void) peer_say(peer, "ok empty");
        return 0;
    }

    peer->waits = 1;

    return 1;
}


static void
peer_read(void *arg, unsigned events)
{
    char        *end;
    ssize_t      n;
    fca_peer_t  *peer = arg;

    (void) events;

    n = recv(peer->fd, peer->line + peer->len,
             sizeof(peer->line) - 1 - peer->len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n <= 0 || peer->waits) {        /* gone, or more than one order */
        peer_close(peer);
        return;
    }

    peer->len += (size_t) n;
    peer->line[peer->len] = '\0';
    end = memchr(peer->line, '\n', peer->len);

    if (end == NULL && peer->len < sizeof(peer->line) - 1) {
        return;
    }

    if (end) {
        *end = '\0';
    }

    if (!peer_order(peer)) {
        peer_close(peer);
        return;
    }

    peer->len = 0;
}


static void
orders_accept(void *arg, unsigned events)
{
    int            fd;
    socklen_t      len;
    fca_peer_t    *peer;
    struct ucred   cred;
    fca_orders_t  *orders = arg;

    (void) events;

    fd = accept4(orders->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }

    len = sizeof(cred);

    if (orders->npeers == ORDERS_PEERS_MAX
        || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0
        || (cred.uid != 0 && cred.uid != geteuid())
        || (peer = calloc(1, sizeof(*peer))) == NULL)
    {
        close(fd);
        return;
    }

    peer->orders = orders;
    peer->fd = fd;
    TAILQ_INSERT_TAIL(&orders->peers, peer, link);
    orders->npeers++;

    peer->io = orders->loop->io_add(orders->loop, fd, peer_read, peer);
    if (peer->io == NULL || orders->loop->io_set(peer->io, FCF_READ) != 0) {
        peer_close(peer);
    }
}


void
fca_orders_changed(fca_orders_t *orders)
{
    unsigned     vms;
    fca_peer_t  *peer, *next;

    if (orders == NULL || orders->npeers == 0) {
        return;
    }

    vms = orders->handler.vms(orders->handler.arg);

    for (peer = TAILQ_FIRST(&orders->peers); peer; peer = next) {
        next = TAILQ_NEXT(peer, link);

        if (peer->waits
            && ((vms ? peer_say(peer, "%u VMs", vms)
                     : peer_say(peer, "ok empty")) != 0
                || vms == 0))
        {
            peer_close(peer);
        }
    }
}


/* Through the directory's descriptor, so that no path is too long. */
static void
orders_name(struct sockaddr_un *sun, int dir)
{
    memset(sun, 0, sizeof(*sun));
    sun->sun_family = AF_UNIX;
    snprintf(sun->sun_path, sizeof(sun->sun_path),
             "/proc/self/fd/%d/" FCA_ORDERS_SOCKET, dir);
}


static int
orders_listen(fca_orders_t *orders, const char *dir, fcf_err_t *err)
{
    struct sockaddr_un  sun;

    orders->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (orders->dir < 0) {
        return fcf_err_sys(err, errno, "%s", dir);
    }

    (void) unlinkat(orders->dir, FCA_ORDERS_SOCKET, 0);
    orders_name(&sun, orders->dir);
    orders->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                        0);

    if (orders->fd < 0
        || bind(orders->fd, (struct sockaddr *) &sun, sizeof(sun)) != 0
        || fchmodat(orders->dir, FCA_ORDERS_SOCKET, 0600, 0) != 0
        || listen(orders->fd, ORDERS_PEERS_MAX) != 0)
    {
        return fcf_err_sys(err, errno, "%s/" FCA_ORDERS_SOCKET, dir);
    }

    orders->io = orders->loop->io_add(orders->loop, orders->fd, orders_accept,
                                      orders);

    if (orders->io == NULL || orders->loop->io_set(orders->io, FCF_READ) != 0)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for orders");
    }

    return 0;
}


fca_orders_t *
fca_orders_new(fcf_loop_t *loop, const char *dir,
    const fca_orders_handler_t *handler, fcf_err_t *err)
{
    fca_orders_t  *orders;

    orders = calloc(1, sizeof(*orders));
    if (orders == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for orders");
        return NULL;
    }

    orders->loop = loop;
    orders->handler = *handler;
    orders->dir = orders->fd = -1;
    TAILQ_INIT(&orders->peers);

    if (orders_listen(orders, dir, err) != 0) {
        fca_orders_free(orders);
        return NULL;
    }

    return orders;
}


void
fca_orders_free(fca_orders_t *orders)
{
    if (orders == NULL) {
        return;
    }

    while (!TAILQ_EMPTY(&orders->peers)) {
        peer_close(TAILQ_FIRST(&orders->peers));
    }

    if (orders->io) {
        orders->loop->io_del(orders->io);
    }

    if (orders->fd >= 0) {
        (void) unlinkat(orders->dir, FCA_ORDERS_SOCKET, 0);
        close(orders->fd);
    }

    if (orders->dir >= 0) {
        close(orders->dir);
    }

    free(orders);
}


static FILE *
order_connect(const char *dir, fcf_err_t *err)
{
    int                 fd, at, e;
    FILE               *f;
    struct sockaddr_un  sun;

    at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        fcf_err_sys(err, errno, "state_dir = \"%s\"", dir);
        return NULL;
    }

    orders_name(&sun, at);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    e = 0;

    if (fd < 0 || connect(fd, (struct sockaddr *) &sun, sizeof(sun)) != 0) {
        e = errno;
    }

    close(at);

    if (e == ENOENT || e == ECONNREFUSED) {
        fcf_err_set(err, FCF_E_NOT_FOUND, "no agent runs on state_dir = "
                    "\"%s\"", dir);

    } else if (e) {
        fcf_err_sys(err, e, "%s/" FCA_ORDERS_SOCKET, dir);
    }

    if (e && fd >= 0) {
        close(fd);
    }

    if (e) {
        return NULL;
    }

    f = fdopen(fd, "r+");
    if (f == NULL) {
        fcf_err_sys(err, errno, "%s/" FCA_ORDERS_SOCKET, dir);
        close(fd);
    }

    return f;
}


/* what to do with a line of the answer; 1: there is more to come */
static int
order_line(char *line, int waits, fcf_err_t *err)
{
    line[strcspn(line, "\n")] = '\0';

    if (strncmp(line, "error ", 6) == 0) {
        return fcf_err_set(err, FCF_E_REFUSED, "%s", line + 6);
    }

    if (strncmp(line, "ok", 2) != 0) {
        printf("%s\n", line);
        fflush(stdout);
        return 1;
    }

    if (line[2] == ' ') {
        printf("%s\n", line + 3);
        fflush(stdout);
    }

    return waits && strcmp(line, "ok empty") != 0;
}


int
fca_order(const char *dir, const char *order, fcf_err_t *err)
{
    int    rc;
    char   line[512];
    FILE  *f;

    f = order_connect(dir, err);
    if (f == NULL) {
        return -1;
    }

    fprintf(f, "%s\n", order);
    fflush(f);
    rc = 1;

    while (rc > 0 && fgets(line, sizeof(line), f)) {
        rc = order_line(line, strcmp(order, "drain wait") == 0, err);
    }

    fclose(f);

    if (rc > 0) {
        return fcf_err_set(err, FCF_E_UNAVAILABLE, "the agent went away "
                           "before it had answered");
    }

    return rc;
}
