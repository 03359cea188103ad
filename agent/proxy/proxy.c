#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/base/files.h"
#include "agent/proxy/proxy_int.h"

void
fca_proxy_done(fca_proxy_t *proxy, fca_route_t *route)
{
    uint64_t       one;
    fca_route_t  **last;

    pthread_mutex_lock(&proxy->lock);

    route->next = NULL;

    for (last = &proxy->done; *last; last = &(*last)->next) {
        continue;
    }

    *last = route;
    pthread_mutex_unlock(&proxy->lock);

    /* fails only when the counter is full, and then control is awake */
    one = 1;
    if (write(proxy->done_fd, &one, sizeof(one)) < 0) {
        one = 0;
    }
}


static fca_route_t *
done_pop(fca_proxy_t *proxy)
{
    fca_route_t  *route;

    pthread_mutex_lock(&proxy->lock);

    route = proxy->done;

    if (route) {
        proxy->done = route->next;
    }

    pthread_mutex_unlock(&proxy->lock);

    return route;
}


static void
run_done(fca_proxy_t *proxy)
{
    fca_route_t  *route;

    while ((route = done_pop(proxy)) != NULL) {
        route->loop->nroutes--;

        if (route->done) {
            route->done(route->done_arg);
        }

        free(route);
    }
}


static void
destroy(fca_proxy_t *proxy)
{
    unsigned  i;

    for (i = 0; i < proxy->nloops; i++) {
        fca_dloop_free(&proxy->loops[i]);
    }

    if (proxy->io) {
        proxy->control->io_del(proxy->io);
    }

    if (proxy->done_fd > -1) {
        close(proxy->done_fd);
    }

    pthread_mutex_destroy(&proxy->lock);
    free(proxy->loops);
    free(proxy);
}


static void
done_ready(void *arg, unsigned events)
{
    uint64_t      n;
    fca_proxy_t  *proxy;

    (void) events;

    proxy = arg;

    /* nothing to be done about a failure: the list is read either way */
    if (read(proxy->done_fd, &n, sizeof(n)) < 0) {
        n = 0;
    }

    proxy->in_handler = 1;
    run_done(proxy);
    proxy->in_handler = 0;

    if (proxy->freed) {
        destroy(proxy);
    }
}


static int
copy_conf(fca_proxy_t *proxy, const fca_proxy_conf_t *conf, fcf_err_t *err)
{
    proxy->connect_ms = conf->connect_timeout_ms ? conf->connect_timeout_ms
                                                 : 1000;
    proxy->head_ms = conf->head_timeout_ms ? conf->head_timeout_ms : 60000;
    proxy->idle_ms = conf->idle_timeout_ms ? conf->idle_timeout_ms : 75000;
    proxy->client_ms = conf->client_timeout_ms ? conf->client_timeout_ms
                                               : 60000;
    proxy->queue_max = conf->queue_max;
    proxy->queue_ms = conf->queue_ms;

    proxy->loops = calloc(conf->threads, sizeof(fca_dloop_t));
    if (proxy->loops == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    return 0;
}


/* Signals are the control thread's. */
static int
start_thread(fca_dloop_t *loop, fcf_err_t *err)
{
    int       rc;
    sigset_t  all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&loop->thread, NULL, fca_dloop_main, loop);
    pthread_sigmask(SIG_SETMASK, &old, NULL);

    if (rc) {
        return fcf_err_sys(err, rc, "pthread_create");
    }

    loop->started = 1;
    pthread_setname_np(loop->thread, "proxy");

    return 0;
}


/* Of what the process may open, what is open and what control will need (to
 * start a VM, to listen for it) is not the loops'; half of the rest is for
 * requests under way. */
static void
share_files(fca_proxy_t *proxy, unsigned threads)
{
    unsigned  i, all, keep;

    all = fca_files_raise();
    keep = all < 512 ? all / 4 : all / 8 < 4096 ? all / 8 : 4096;
    /* the lowest free number is what it got */
    keep += (unsigned) proxy->done_fd + 2 * threads;
    all = all > keep + 4 * threads ? (all - keep) / threads : 4;

    for (i = 0; i < threads; i++) {
        proxy->loops[i].fds_max = all;
        proxy->loops[i].idle_max = all / 2 < FCA_IDLE_MAX / threads
                                   ? all / 2 : FCA_IDLE_MAX / threads;
    }
}


static int
start_all(fca_proxy_t *proxy, const fca_proxy_conf_t *conf, fcf_err_t *err)
{
    fca_dloop_t  *loop;

    if (copy_conf(proxy, conf, err) == -1) {
        return -1;
    }

    proxy->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (proxy->done_fd == -1) {
        return fcf_err_sys(err, errno, "eventfd");
    }

    proxy->io = proxy->control->io_add(proxy->control, proxy->done_fd,
                                       done_ready, proxy);
    if (proxy->io == NULL
        || proxy->control->io_set(proxy->io, FCF_READ) == -1)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "cannot watch an eventfd");
    }

    share_files(proxy, conf->threads);

    while (proxy->nloops < conf->threads) {
        loop = &proxy->loops[proxy->nloops];

        /* counted first, so that a half-made one is freed as well */
        proxy->nloops++;
        loop->access = fca_access_new(conf, 1, err);

        if (loop->access == NULL || fca_dloop_init(loop, proxy, err) == -1
            || start_thread(loop, err) == -1)
        {
            return -1;
        }
    }

    return 0;
}


fca_proxy_t *
fca_proxy_new(fcf_loop_t *control, const fca_proxy_conf_t *conf,
    fcf_err_t *err)
{
    fca_proxy_t  *proxy;

    if (conf->threads < 1 || conf->threads > 64) {
        fcf_err_set(err, FCF_E_INVALID, "proxy threads must be 1 to 64, "
                    "not %u", conf->threads);
        return NULL;
    }

    proxy = calloc(1, sizeof(*proxy));
    if (proxy == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "out of memory");
        return NULL;
    }

    proxy->control = control;
    proxy->done_fd = -1;
    pthread_mutex_init(&proxy->lock, NULL);

    if (start_all(proxy, conf, err) == -1) {
        fca_proxy_free(proxy);
        return NULL;
    }

    return proxy;
}


void
fca_proxy_free(fca_proxy_t *proxy)
{
    unsigned  i;

    if (proxy == NULL) {
        return;
    }

    for (i = 0; i < proxy->nloops; i++) {
        if (proxy->loops[i].started) {
            fca_dloop_send(&proxy->loops[i], NULL);
        }
    }

    for (i = 0; i < proxy->nloops; i++) {
        if (proxy->loops[i].started) {
            pthread_join(proxy->loops[i].thread, NULL);
        }
    }

    run_done(proxy);

    if (proxy->in_handler) {
        /* called from a route's done: that handler ends it */
        proxy->freed = 1;
        return;
    }

    destroy(proxy);
}


/* Accepted connections inherit them. */
static int
listen_options(int fd, fcf_err_t *err)
{
    int  i, flags;

    static const struct {
        int  level, name, value;
    } options[] = {
        { IPPROTO_TCP, TCP_NODELAY, 1 },
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, 30 },
        { IPPROTO_TCP, TCP_KEEPINTVL, 5 },
        { IPPROTO_TCP, TCP_KEEPCNT, 3 },
    };

    flags = fcntl(fd, F_GETFL);

    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) {
        return fcf_err_sys(err, errno, "fcntl(%d)", fd);
    }

    for (i = 0; i < (int) (sizeof(options) / sizeof(options[0])); i++) {
        if (setsockopt(fd, options[i].level, options[i].name,
                       &options[i].value, sizeof(int))
            == -1)
        {
            return fcf_err_sys(err, errno, "setsockopt(%d)", fd);
        }
    }

    return 0;
}


static fca_dloop_t *
least_loop(fca_proxy_t *proxy)
{
    unsigned      i;
    fca_dloop_t  *loop;

    loop = &proxy->loops[0];

    for (i = 1; i < proxy->nloops; i++) {
        if (proxy->loops[i].nroutes < loop->nroutes) {
            loop = &proxy->loops[i];
        }
    }

    return loop;
}


fca_route_t *
fca_proxy_open(fca_proxy_t *proxy, const fca_route_conf_t *conf,
    fcf_err_t *err)
{
    size_t        vm_len, device_len;
    const char   *device;
    fca_route_t  *route;

    device = conf->device ? conf->device : "";
    device_len = strlen(device);
    vm_len = strlen(conf->worker_id);

    if (!fcf_id_valid(conf->function_id, strlen(conf->function_id))
        || vm_len > FCF_WORKER_ID_MAX || device_len > FCA_DEVICE_MAX)
    {
        fcf_err_set(err, FCF_E_INVALID, "route: bad function_id \"%s\", "
                    "worker_id \"%s\" or device \"%s\"", conf->function_id,
                    conf->worker_id, device);
        return NULL;
    }

    if (listen_options(conf->listen_fd, err) == -1) {
        return NULL;
    }

    route = calloc(1, sizeof(*route));
    if (route == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "out of memory");
        return NULL;
    }

    route->sock.fd = conf->listen_fd;
    route->stat = conf->stat ? conf->stat : &route->own_stat;
    route->proxy = proxy;
    route->loop = least_loop(proxy);
    route->guest = conf->guest;
    route->concurrency = conf->concurrency;
    route->timeout_ms = conf->timeout_ms;
    route->function_len = strlen(conf->function_id);
    memcpy(route->function_id, conf->function_id, route->function_len + 1);
    memcpy(route->worker_id, conf->worker_id, vm_len + 1);
    memcpy(route->device, device, device_len + 1);

    route->open_msg.type = FCA_MSG_OPEN;
    route->open_msg.route = route;
    route->close_msg.type = FCA_MSG_CLOSE;
    route->close_msg.route = route;
    atomic_store(&route->stat->last_ms, fca_now_ms());

    route->loop->nroutes++;
    fca_dloop_send(route->loop, &route->open_msg);

    return route;
}


const fca_route_stat_t *
fca_proxy_stat(const fca_route_t *route)
{
    return route->stat;
}


void
fca_proxy_drain(fca_route_t *route, int draining)
{
    atomic_store(&route->draining, draining);
}


void
fca_proxy_close(fca_route_t *route, unsigned linger_ms, unsigned grace_ms,
    int guest_dead, fca_route_done_pt done, void *arg)
{
    assert(!route->close_sent);

    route->close_sent = 1;
    route->linger_ms = linger_ms;
    route->grace_ms = grace_ms;
    route->guest_dead = !!guest_dead;
    route->done = done;
    route->done_arg = arg;

    fca_dloop_send(route->loop, &route->close_msg);
}


void
fca_proxy_guest_dead(fca_route_t *route)
{
    fca_msg_t  *msg;

    assert(route->close_sent);

    msg = calloc(1, sizeof(*msg));
    if (msg == NULL) {
        return;                 /* the grace ends it */
    }

    msg->type = FCA_MSG_DEAD;
    msg->route = route;
    fca_dloop_send(route->loop, msg);
}
