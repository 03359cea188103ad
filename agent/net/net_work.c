#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/close_range.h>
#include <sys/syscall.h>

#include "agent/net/net_int.h"
#include "agent/net/net_nl.h"

#define WORK_NICE  (-15)


/* A pooled TAP that somebody changed is put back, one that was deleted is made
 * again, maybe under another name: its element goes with it. */
static int
work_check_pooled(fca_net_t *net, fca_net_nic_t *nic)
{
    fcf_err_t  err;

    if (fca_net_nic_look(net, nic, &err) == 0
        || err.code != FCF_E_NOT_FOUND)
    {
        return 0;
    }

    fca_net_arm(net, nic, 0);
    nic->nic.ifindex = 0;
    nic->op = FCA_NET_MAKE;

    return 1;
}


static int
work_give(fca_net_t *net, fca_net_nic_t *nic)
{
    nic->up = 0;

    /* the next one with this address is somebody else */
    if (net->egress) {
        fca_net_complain(fca_flows_forget(net, nic->nic.address, &nic->err),
                         &nic->err);
    }

    /* it waits for all packets under way, each time anew: those that are to be
     * deleted are so together */
    return nic->drop ? 0
           : nic->apart ? fca_net_nic_join(net, nic, 0, &nic->err)
           : fca_link_set_up(net->sk, nic->nic.ifindex, 0, &nic->err);
}


/* stale: elements of TAPs that are gone are in the set still */
static void
work_links(fca_net_t *net, fca_net_queue_t *batch, int *stale)
{
    fca_net_nic_t  *nic;

    STAILQ_FOREACH(nic, batch, next) {

        if (nic->op == FCA_NET_GIVE) {
            nic->failed = work_give(net, nic) != 0;
            continue;
        }

        if (nic->op == FCA_NET_APART || nic->op == FCA_NET_JOIN) {
            nic->failed = fca_net_nic_move(net, nic, &nic->err) != 0;
            continue;
        }

        if (nic->op == FCA_NET_TAKE) {
            *stale |= work_check_pooled(net, nic);
        }

        if (nic->op == FCA_NET_MAKE) {
            nic->failed = fca_net_nic_prepare(net, nic, &nic->err) != 0;
        }

        if (!nic->failed) {
            nic->failed = fca_net_nic_own(nic, &nic->err) != 0;
        }

        nic->nic.mtu = net->mtu;
    }
}


/*
 * The sets must hold every NIC that goes up.  Who flushes the host's ruleset
 * takes our tables along: they are put back whole.
 */
static void
work_elements(fca_net_t *net, fca_net_queue_t *batch, int stale)
{
    int             rc;
    fcf_err_t       err;
    fca_net_nic_t  *nic;

    rc = stale ? -1 : fca_nft_verify(net, batch, &err);

    if (rc == 0) {
        rc = fca_nft_add(net, batch, &err);
    }

    STAILQ_FOREACH(nic, batch, next) {
        if (nic->op == FCA_NET_MAKE && !nic->failed) {
            fca_net_arm(net, nic, 1);
        }
    }

    if (rc != 0) {
        rc = stale ? fca_nft_load(net, &err)
                   : fca_guard_reload(net, "the set nics was changed", &err);
    }

    if (rc == 0) {
        return;
    }

    STAILQ_FOREACH(nic, batch, next) {
        if ((nic->op == FCA_NET_MAKE || nic->op == FCA_NET_TAKE)
            && !nic->failed)
        {
            nic->failed = 1;
            nic->err = err;
        }
    }
}


static void
work_batch(fca_net_t *net, fca_net_queue_t *batch)
{
    int             stale;
    fca_net_nic_t  *nic;

    stale = 0;
    work_links(net, batch, &stale);
    work_elements(net, batch, stale);

    STAILQ_FOREACH(nic, batch, next) {
        if ((nic->op == FCA_NET_MAKE || nic->op == FCA_NET_TAKE)
            && !nic->failed && !nic->ahead)
        {
            nic->failed = fca_net_nic_raise(net, nic, &nic->err) != 0;
        }
    }
}


/* Deleting one TAP makes the kernel wait as long as deleting a hundred. */
static void
work_doom(fca_net_t *net, fca_net_queue_t *doomed)
{
    int             n, rc;
    fcf_err_t       err;
    fca_net_nic_t  *nic;

    n = 0;
    rc = fca_nft_delete(net, doomed, &err);

    STAILQ_FOREACH(nic, doomed, next) {
        fca_net_arm(net, nic, 0);

        fca_net_complain(fca_link_del_neigh(net->sk, net->ifindex,
                                            nic->nic.address, &nic->err),
                         &nic->err);

        /* 0: none was made; one that somebody deleted is as good */
        if (nic->nic.ifindex != 0
            && fca_link_set_group(net->sk, nic->nic.ifindex,
                                  FCA_NET_GROUP(net), NULL) == 0)
        {
            n++;
        }
    }

    if (rc != 0) {
        fca_net_complain(fca_nft_load(net, &err), &err);
    }

    if (n > 0) {
        fca_net_complain(fca_link_del_group(net->sk, FCA_NET_GROUP(net), &err),
                         &err);
    }
}


static void
work_results(fca_net_t *net, fca_net_queue_t *done)
{
    uv_mutex_lock(&net->mutex);
    STAILQ_CONCAT(&net->results, done);
    uv_mutex_unlock(&net->mutex);

    fca_net_ring(net->done);
}


void
fca_net_lose(fca_net_t *net, fca_net_nic_t *nic)
{
    uv_mutex_lock(&net->mutex);
    nic->lost = 1;
    net->nlost++;
    uv_mutex_unlock(&net->mutex);

    fca_net_ring(net->done);
}


void
fca_net_ring(int bell)
{
    /* full: it rings already */
    while (eventfd_write(bell, 1) != 0 && errno == EINTR) { /* void */ }
}


void
fca_net_ring_stop(int bell)
{
    eventfd_t  n;

    while (eventfd_read(bell, &n) != 0 && errno == EINTR) { /* void */ }
}


/* Waits for a job or a notice, until then at most.  1: more jobs than could be
 * taken are there. */
static void
work_wait(fca_net_t *net, uint64_t until)
{
    uint64_t       now, ms;
    struct pollfd  pfd[] = {
        { .fd = net->wake, .events = POLLIN },
        { .fd = nl_socket_get_fd(net->rules_notices), .events = POLLIN },
        { .fd = nl_socket_get_fd(net->link_notices), .events = POLLIN },
    };

    if (net->address_due != 0 && net->address_due < until) {
        until = net->address_due;
    }

    now = uv_hrtime();
    ms = until > now ? (until - now) / 1000000 + 1 : 0;

    /* interrupted or not, what there is is looked at next */
    (void) poll(pfd, sizeof(pfd) / sizeof(pfd[0]),
                (int) (ms < INT_MAX ? ms : INT_MAX));

    fca_net_ring_stop(net->wake);
}


/* Takes what there is to do, not all at once, so that the first of many need
 * not wait for the last.  stop: there is nothing more, for good. */
static unsigned
work_take(fca_net_t *net, fca_net_queue_t *batch, int *left, int *stop)
{
    unsigned        n;
    fca_net_nic_t  *nic;

    uv_mutex_lock(&net->mutex);

    for (n = 0; n < FCA_NET_BATCH_MAX; n++) {
        nic = STAILQ_FIRST(&net->jobs);
        if (nic == NULL) {
            break;
        }

        STAILQ_REMOVE_HEAD(&net->jobs, next);
        STAILQ_INSERT_TAIL(batch, nic, next);
    }

    *left = !STAILQ_EMPTY(&net->jobs);
    *stop = net->stop && !*left;

    uv_mutex_unlock(&net->mutex);

    return n;
}


static unsigned
work_split(fca_net_queue_t *batch, fca_net_queue_t *doomed)
{
    unsigned         n;
    fca_net_nic_t   *nic;
    fca_net_queue_t  rest = STAILQ_HEAD_INITIALIZER(rest);

    n = 0;

    while ((nic = STAILQ_FIRST(batch)) != NULL) {
        STAILQ_REMOVE_HEAD(batch, next);

        if (nic->op == FCA_NET_DOOM) {
            STAILQ_INSERT_TAIL(doomed, nic, next);
            n++;

        } else {
            STAILQ_INSERT_TAIL(&rest, nic, next);
        }
    }

    STAILQ_CONCAT(batch, &rest);

    return n;
}


/* Doomed NICs wait until nothing else has come for a while, since deleting
 * holds the kernel's one lock on links. */
static void
work_loop(fca_net_t *net)
{
    int              left, stop;
    uint64_t         now, tick, quiet;
    unsigned         ndoomed;
    fca_net_queue_t  batch = STAILQ_HEAD_INITIALIZER(batch);
    fca_net_queue_t  doomed = STAILQ_HEAD_INITIALIZER(doomed);

    ndoomed = 0;
    left = 0;
    stop = 0;
    tick = 0;                   /* at once: what changed since the opening */
    quiet = 0;

    while (!stop || ndoomed > 0) {
        work_wait(net, left || stop ? 0
                       : ndoomed > 0 && quiet < tick ? quiet : tick);
        fca_guard(net);

        now = uv_hrtime();

        if (work_take(net, &batch, &left, &stop) > 0) {
            ndoomed += work_split(&batch, &doomed);
            quiet = now + FCA_NET_DOOM_NS;
        }

        if (!STAILQ_EMPTY(&batch)) {
            work_batch(net, &batch);
            work_results(net, &batch);
        }

        if (ndoomed > 0
            && (now >= quiet || stop || ndoomed >= FCA_NET_DOOM_MAX))
        {
            work_doom(net, &doomed);
            work_results(net, &doomed);
            ndoomed = 0;
        }

        if (now >= tick) {
            fca_guard_tick(net);
            tick = now + FCA_NET_WATCH_NS;

            if (now >= quiet + FCA_NET_WATCH_NS) {
                fca_nft_rest(net);
            }
        }
    }
}


/*
 * A table of descriptors of its own.  Who starts a process, on whichever
 * thread, copies the descriptors there are, and the copies live until that
 * process runs its program: a TAP that was open here at that moment would be
 * busy for its VMM.
 */
static int
work_own_files(const fca_net_t *net, fcf_err_t *err)
{
    unsigned  low, high;

    low = (unsigned) (net->wake < net->done ? net->wake : net->done);
    high = (unsigned) (net->wake < net->done ? net->done : net->wake);

    if (unshare(CLONE_FILES) != 0
        || (low > STDERR_FILENO + 1
            && syscall(SYS_close_range, STDERR_FILENO + 1, low - 1, 0) != 0)
        || (high > low + 1
            && syscall(SYS_close_range, low + 1, high - 1, 0) != 0)
        || syscall(SYS_close_range, high + 1, ~0u, 0) != 0)
    {
        return fcf_err_sys(err, errno, "network worker: descriptors");
    }

    return 0;
}


static void
work_main(void *arg)
{
    fca_net_t  *net = arg;

    net->work_failed = work_own_files(net, &net->work_err) != 0
                       || fca_net_connect(net, &net->work_err) != 0;

    if (!net->work_failed) {
        net->rules_dirty = 1;
        fca_guard_all(net);

        /* rules that are away are put back before anything else runs; without
         * the right to it, in its turn */
        (void) setpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid),
                           WORK_NICE);
    }

    uv_sem_post(&net->started);

    if (!net->work_failed) {
        work_loop(net);
    }

    fca_net_disconnect(net);
}


int
fca_net_work_start(fca_net_t *net, fcf_err_t *err)
{
    int  rc;

    rc = uv_mutex_init(&net->mutex);
    if (rc != 0) {
        return fcf_err_sys(err, -rc, "network worker: mutex");
    }

    rc = uv_sem_init(&net->started, 0);
    if (rc != 0) {
        uv_mutex_destroy(&net->mutex);
        return fcf_err_sys(err, -rc, "network worker: semaphore");
    }

    rc = uv_thread_create(&net->thread, work_main, net);
    if (rc != 0) {
        uv_sem_destroy(&net->started);
        uv_mutex_destroy(&net->mutex);
        return fcf_err_sys(err, -rc, "network worker: thread");
    }

    net->running = 1;
    uv_sem_wait(&net->started);
    uv_sem_destroy(&net->started);

    if (net->work_failed) {
        fca_net_work_stop(net);
        *err = net->work_err;
        return -1;
    }

    return 0;
}


void
fca_net_work_stop(fca_net_t *net)
{
    if (!net->running) {
        return;
    }

    uv_mutex_lock(&net->mutex);
    net->stop = 1;
    uv_mutex_unlock(&net->mutex);

    fca_net_ring(net->wake);

    uv_thread_join(&net->thread);
    uv_mutex_destroy(&net->mutex);

    net->running = 0;
}


void
fca_net_work_add(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op)
{
    assert(net->running);

    nic->op = op;
    nic->failed = 0;

    uv_mutex_lock(&net->mutex);
    STAILQ_INSERT_TAIL(&net->jobs, nic, next);
    uv_mutex_unlock(&net->mutex);

    fca_net_ring(net->wake);
}
