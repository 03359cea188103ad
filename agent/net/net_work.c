#include <assert.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/net/net_int.h"


void
fca_net_arm(fca_net_t *net, fca_net_nic_t *nic, int armed)
{
    if (nic->armed == armed) {
        return;
    }

    nic->armed = armed;

    if (armed) {
        TAILQ_INSERT_TAIL(&net->armed, nic, arm);

    } else {
        TAILQ_REMOVE(&net->armed, nic, arm);
    }
}


int
fca_net_nic_prepare(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
{
    fca_link_t  link;

    if (nic->nic.ifindex == 0) {
        if (fca_tap_make(net->sk, net->tap_prefix, net->alias, &link, err)
            != 0)
        {
            return -1;
        }

        nic->nic.ifindex = link.ifindex;
        memcpy(nic->nic.tap, link.name, sizeof(nic->nic.tap));
    }

    if (fca_link_set_up(net->sk, nic->nic.ifindex, 0, err) != 0
        || fca_link_no_ipv6(nic->nic.tap, err) != 0
        || fca_link_enslave(net->sk, nic->nic.ifindex, net->ifindex, err) != 0
        || fca_link_isolate(net->sk, nic->nic.ifindex, err) != 0
        || fca_link_add_neigh(net->sk, net->ifindex, nic->nic.address,
                              nic->nic.mac, err) != 0)
    {
        return fcf_err_wrap(err, "TAP %s", nic->nic.tap);
    }

    return 0;
}


/* Looks at what a guest will be let loose on: only an isolated port of our
 * bridge goes up. */
static int
nic_raise(fca_net_t *net, fca_net_nic_t *nic, fcf_err_t *err)
{
    fca_link_t  link;

    if (fca_link_get(net->sk, NULL, nic->nic.ifindex, &link, err) != 0) {
        return fcf_err_wrap(err, "TAP %s", nic->nic.tap);
    }

    if (link.master != net->ifindex || !link.isolated
        || strcmp(link.name, nic->nic.tap) != 0
        || strcmp(link.alias, net->alias) != 0)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "TAP %s is not as it was made: name %s, alias "
                           "\"%s\", bridge port %s, %s", nic->nic.tap,
                           link.name, link.alias,
                           link.master == net->ifindex ? "yes" : "no",
                           link.isolated ? "isolated" : "not isolated");
    }

    if (fca_link_set_up(net->sk, nic->nic.ifindex, 1, err) != 0) {
        return fcf_err_wrap(err, "TAP %s", nic->nic.tap);
    }

    return 0;
}


/* a pooled TAP that somebody changed or deleted meanwhile is made again */
static void
work_check_pooled(fca_net_t *net, fca_net_nic_t *nic)
{
    fca_link_t  link;

    if (fca_link_get(net->sk, NULL, nic->nic.ifindex, &link, NULL) == 0
        && link.master == net->ifindex && link.isolated)
    {
        return;
    }

    nic->nic.ifindex = 0;
    nic->op = FCA_NET_MAKE;
}


static void
work_links(fca_net_t *net, fca_net_queue_t *batch)
{
    fca_net_nic_t  *nic;

    STAILQ_FOREACH(nic, batch, next) {

        if (nic->op == FCA_NET_TAKE) {
            work_check_pooled(net, nic);
        }

        if (nic->op == FCA_NET_MAKE) {
            nic->failed = fca_net_nic_prepare(net, nic, &nic->err) != 0;

        } else if (nic->op == FCA_NET_GIVE) {
            nic->failed = fca_link_set_up(net->sk, nic->nic.ifindex, 0,
                                          &nic->err) != 0;
        }
    }
}


/*
 * The sets must hold every NIC that goes up.  Who flushes the host's ruleset
 * takes our tables along: they are put back whole.
 */
static void
work_elements(fca_net_t *net, fca_net_queue_t *batch)
{
    int             rc;
    fcf_err_t       err;
    fca_net_nic_t  *nic;

    rc = fca_nft_verify(net, batch, &err);

    if (rc == 0) {
        rc = fca_nft_add(net, batch, &err);
    }

    STAILQ_FOREACH(nic, batch, next) {
        if (nic->op == FCA_NET_MAKE && !nic->failed) {
            fca_net_arm(net, nic, 1);
        }
    }

    if (rc != 0) {
        rc = fca_nft_load(net, &err);
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
    fca_net_nic_t  *nic;

    work_links(net, batch);
    work_elements(net, batch);

    STAILQ_FOREACH(nic, batch, next) {
        if ((nic->op == FCA_NET_MAKE || nic->op == FCA_NET_TAKE)
            && !nic->failed)
        {
            nic->failed = nic_raise(net, nic, &nic->err) != 0;
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


/* Guests run on while somebody reloads the host's firewall, which takes our
 * tables along. */
static void
work_watch(fca_net_t *net)
{
    fcf_err_t  err;

    if (fca_nft_check(net, NULL) == 0) {
        return;
    }

    fca_log(FCF_LOG_WARN, NULL,
            "guest network: the nftables rules of %s were removed by "
            "somebody, and are put back", net->bridge);

    fca_net_complain(fca_nft_load(net, &err), &err);
}


static void
work_results(fca_net_t *net, fca_net_queue_t *done)
{
    uv_mutex_lock(&net->lock);
    STAILQ_CONCAT(&net->results, done);
    uv_mutex_unlock(&net->lock);

    uv_async_send(net->async);
}


/* Takes what there is to do, waiting for it.  Doomed NICs wait until nothing
 * else has come for a while, since deleting holds the kernel's one lock on
 * links.  0: the wait is over and nothing came. */
static int
work_wait(fca_net_t *net, fca_net_queue_t *batch, unsigned ndoomed)
{
    int             rc, more;
    unsigned        n;
    fca_net_nic_t  *nic;

    rc = 0;

    uv_mutex_lock(&net->lock);

    while (STAILQ_EMPTY(&net->jobs) && !net->stop && rc == 0) {
        rc = uv_cond_timedwait(&net->wake, &net->lock,
                               ndoomed > 0 ? FCA_NET_DOOM_NS
                                           : FCA_NET_WATCH_NS);
    }

    more = !STAILQ_EMPTY(&net->jobs);

    /* bounded, so that the first of many need not wait for the last */
    for (n = 0; n < FCA_NET_BATCH_MAX; n++) {
        nic = STAILQ_FIRST(&net->jobs);
        if (nic == NULL) {
            break;
        }

        STAILQ_REMOVE_HEAD(&net->jobs, next);
        STAILQ_INSERT_TAIL(batch, nic, next);
    }

    uv_mutex_unlock(&net->lock);

    return more;
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


static void
work_main(void *arg)
{
    int              more, stop;
    unsigned         ndoomed;
    fca_net_t       *net = arg;
    fca_net_queue_t  batch = STAILQ_HEAD_INITIALIZER(batch);
    fca_net_queue_t  doomed = STAILQ_HEAD_INITIALIZER(doomed);

    ndoomed = 0;

    for ( ;; ) {
        more = work_wait(net, &batch, ndoomed);
        ndoomed += work_split(&batch, &doomed);

        if (!STAILQ_EMPTY(&batch)) {
            work_batch(net, &batch);
            work_results(net, &batch);
        }

        if (ndoomed > 0 && (!more || ndoomed >= FCA_NET_DOOM_MAX)) {
            work_doom(net, &doomed);
            work_results(net, &doomed);
            ndoomed = 0;

        } else if (!more) {
            work_watch(net);
        }

        uv_mutex_lock(&net->lock);
        stop = net->stop && STAILQ_EMPTY(&net->jobs) && ndoomed == 0;
        uv_mutex_unlock(&net->lock);

        if (stop) {
            return;
        }
    }
}


int
fca_net_work_start(fca_net_t *net, fcf_err_t *err)
{
    int  rc;

    rc = uv_mutex_init(&net->lock);
    if (rc != 0) {
        return fcf_err_sys(err, -rc, "network worker: mutex");
    }

    rc = uv_cond_init(&net->wake);
    if (rc != 0) {
        uv_mutex_destroy(&net->lock);
        return fcf_err_sys(err, -rc, "network worker: condition");
    }

    rc = uv_thread_create(&net->thread, work_main, net);
    if (rc != 0) {
        uv_cond_destroy(&net->wake);
        uv_mutex_destroy(&net->lock);
        return fcf_err_sys(err, -rc, "network worker: thread");
    }

    net->running = 1;

    return 0;
}


void
fca_net_work_stop(fca_net_t *net)
{
    if (!net->running) {
        return;
    }

    uv_mutex_lock(&net->lock);
    net->stop = 1;
    uv_cond_signal(&net->wake);
    uv_mutex_unlock(&net->lock);

    uv_thread_join(&net->thread);
    uv_cond_destroy(&net->wake);
    uv_mutex_destroy(&net->lock);

    net->running = 0;
}


void
fca_net_work_add(fca_net_t *net, fca_net_nic_t *nic, fca_net_op_e op)
{
    assert(net->running);

    nic->op = op;
    nic->failed = 0;

    uv_mutex_lock(&net->lock);
    STAILQ_INSERT_TAIL(&net->jobs, nic, next);
    uv_cond_signal(&net->wake);
    uv_mutex_unlock(&net->lock);
}
