#include "client/fcf_sync_private.h"


/* the next keys of a page that comes in pieces */

static int
fcf_sync_next_piece(fcf_sync_t *sync)
{
    fcf_err_t         err;
    fcf_sync_list_t  *list;

    list = &sync->list;

    fcf_etcd_kvs_free(&list->kvs);
    list->kv = 0;

    if (fcf_etcd_rest_next(&list->rest, &list->kvs, &err) == 0) {
        return 0;
    }

    /* what does not speak etcd's language is no endpoint */

    fcf_etcd_endpoint_failed(sync->etcd, sync->etcd->at, err.msg);
    fcf_sync_restart(sync, 0, err.msg);

    return -1;
}


/* up to "budget" keys of the page at hand */

static void
fcf_sync_deliver_page(fcf_sync_t *sync, unsigned budget)
{
    fcf_sync_list_t  *list;

    list = &sync->list;

    /* it may take long, here, while etcd has nothing to answer */

    fcf_sync_alive(sync);

    if (list->kv == list->kvs.n && !fcf_etcd_rest_done(&list->rest)
        && fcf_sync_next_piece(sync) != 0)
    {
        return;
    }

    if (list->kvs.n != 0) {
        fcf_sync_list_begin(sync);
    }

    while (budget > 0 && list->kv < list->kvs.n) {
        sync->handler.put(sync->arg, &list->kvs.kvs[list->kv++]);
        budget--;
    }

    if (list->kv < list->kvs.n || !fcf_etcd_rest_done(&list->rest)) {
        sync->loop->timer_set(sync->turn_timer, 0);

    } else if (list->more && list->kvs.n != 0) {
        fcf_sync_list_more(sync);

    } else {
        fcf_sync_list_end(sync);
    }
}


/* up to "budget" events of the message at hand; returns what is left of it */

static unsigned
fcf_sync_deliver_events(fcf_sync_t *sync, unsigned budget)
{
    fcf_kv_t           *kv;
    fcf_sync_prefix_t  *prefix;

    prefix = &sync->prefixes[sync->msg.watch_id - 1];

    while (budget > 0 && sync->event < sync->msg.events.n) {

        kv = &sync->msg.events.kvs[sync->event];

        /* the revision counts as applied when all of it is: after a cut in
         * the middle of a transaction all of that comes again */

        if (kv->mod_revision > prefix->revision + 1) {
            fcf_sync_applied(sync, prefix, kv->mod_revision - 1);
        }

        if (sync->msg.events.deleted[sync->event]) {
            sync->handler.del(sync->arg, kv->key, kv->key_len);

        } else {
            sync->handler.put(sync->arg, kv);
        }

        sync->event++;
        sync->events++;
        budget--;
    }

    if (sync->event == sync->msg.events.n) {

        if (sync->event != 0 && !sync->msg.partial
            && sync->msg.events.kvs[sync->event - 1].mod_revision
               > prefix->revision)
        {
            fcf_sync_applied(sync, prefix,
                        sync->msg.events.kvs[sync->event - 1].mod_revision);
        }

        sync->in_msg = 0;

        if (!sync->msg.partial) {
            sync->applied = 1;
        }

        fcf_watch_msg_free(&sync->msg);
    }

    return budget;
}


/* everything but events; those stay in sync->msg */

static void
fcf_sync_on_msg(fcf_sync_t *sync)
{
    const char         *why;
    fcf_watch_msg_t     msg;
    fcf_etcd_header_t   header;

    msg = sync->msg;
    header = msg.header;

    if (msg.kind == FCF_WATCH_ERROR) {
        if (msg.err.code == FCF_E_UNAVAILABLE) {
            fcf_etcd_endpoint_failed(sync->etcd, sync->endpoint, msg.err.msg);
        }

        fcf_sync_lost(sync, msg.err.msg);
        return;
    }

    /* what is buffered here may be of the term before the last probe's */

    if (msg.kind == FCF_WATCH_EVENTS || msg.kind == FCF_WATCH_PROGRESS) {
        header.raft_term = 0;
    }

    /* a compacted watch is told without a revision */

    why = fcf_sync_distinct(sync, &header);

    if (why != NULL) {
        fcf_watch_msg_free(&sync->msg);
        fcf_sync_restart(sync, 1, why);
        return;
    }

    if (msg.kind == FCF_WATCH_CANCELED) {
        fcf_sync_on_canceled(sync, &msg);
        return;
    }

    if (msg.watch_id < 1 || (size_t) msg.watch_id > sync->nprefixes
        || !sync->prefixes[msg.watch_id - 1].watched)
    {
        fcf_watch_msg_free(&sync->msg);
        return;
    }

    if (msg.kind == FCF_WATCH_CREATED) {
        fcf_sync_on_created(sync, &msg);

    } else if (msg.kind == FCF_WATCH_EVENTS) {
        sync->in_msg = 1;
        sync->event = 0;
    }
}


/* what would be met again and again, if nothing came before it, is passed by a
 * list */
static void
fcf_sync_broken(fcf_sync_t *sync, int again, const char *why)
{
    if (again && !sync->applied) {
        fcf_sync_restart(sync, 1, why);
    } else {
        fcf_sync_lost(sync, why);
    }
}


static void
fcf_sync_stream_ended(fcf_sync_t *sync)
{
    if (sync->ended_err.code == FCF_E_UNAVAILABLE
        || sync->ended_err.code == FCF_E_TIMEOUT)
    {
        fcf_etcd_endpoint_failed(sync->etcd, sync->endpoint,
                                 sync->ended_err.msg);
    }

    /* a line larger than the buffer */

    fcf_sync_broken(sync, sync->ended_err.code == FCF_E_LIMIT,
                    sync->ended_err.msg);
}


/* up to "budget" events or other messages; what is left of it */

static unsigned
fcf_sync_deliver_stream(fcf_sync_t *sync, unsigned budget)
{
    int               rc;
    fcf_err_t         err;
    fcf_sync_phase_e  phase;

    phase = sync->phase;

    while (budget > 0) {

        if (sync->in_msg) {
            budget = fcf_sync_deliver_events(sync, budget);
            continue;
        }

        rc = fcf_watch_next(&sync->watch, sync->ended, &sync->msg, &err);

        /* the end may have come in the middle of a line */

        if (rc <= 0 && sync->ended) {
            fcf_sync_stream_ended(sync);
            return budget;
        }

        if (rc < 0) {
            fcf_sync_broken(sync, 1, err.msg);
            return budget;
        }

        if (rc == 0) {
            return budget;
        }

        budget--;
        fcf_sync_on_msg(sync);

        if (sync->phase != phase && sync->phase != FCF_SYNC_WATCH) {
            return budget;
        }
    }

    sync->loop->timer_set(sync->turn_timer, 0);

    return 0;
}


void
fcf_sync_on_turn(void *arg)
{
    unsigned     left;
    fcf_sync_t  *sync;

    sync = arg;

    switch (sync->phase) {

    case FCF_SYNC_LIST:

        /* each has its half: neither many changes nor a long list keeps the
         * other waiting */

        left = fcf_sync_deliver_stream(sync, FCF_SYNC_TURN / 2);

        if (sync->phase == FCF_SYNC_LIST && sync->call == NULL) {
            fcf_sync_deliver_page(sync, FCF_SYNC_TURN / 2 + left);
        }

        break;

    case FCF_SYNC_OPEN:
    case FCF_SYNC_WATCH:
        (void) fcf_sync_deliver_stream(sync, FCF_SYNC_TURN);
        break;

    default:
        break;
    }
}
