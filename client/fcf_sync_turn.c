#include "client/fcf_sync_private.h"


/* a piece of the page at hand */

static void
fcf_sync_deliver_page(fcf_sync_t *sync)
{
    unsigned          n;
    fcf_sync_list_t  *list;

    list = &sync->list;

    if (list->kvs.n != 0 && !list->begun) {
        list->begun = 1;
        sync->handler.begin(sync->arg);
    }

    for (n = 0; n < FCF_SYNC_TURN && list->kv < list->kvs.n; n++) {
        sync->handler.put(sync->arg, &list->kvs.kvs[list->kv++]);
    }

    if (list->kv < list->kvs.n) {
        sync->loop->timer_set(sync->turn_timer, 0);
        return;
    }

    fcf_etcd_kvs_free(&list->kvs);
    list->kv = 0;

    if (list->more) {
        fcf_sync_list_page(sync);
        return;
    }

    list->next_len = 0;
    list->at++;

    if (list->at < sync->nprefixes) {
        fcf_sync_list_page(sync);
        return;
    }

    fcf_sync_list_end(sync);
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
            prefix->revision = kv->mod_revision - 1;
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
            prefix->revision =
                sync->msg.events.kvs[sync->event - 1].mod_revision;
        }

        sync->in_msg = 0;

        if (!sync->msg.partial) {
            sync->applied = 1;
        }

        fcf_watch_msg_free(&sync->msg);
    }

    return budget;
}


static void
fcf_sync_on_created(fcf_sync_t *sync, const fcf_watch_msg_t *msg)
{
    size_t              i;
    fcf_sync_prefix_t  *prefix;

    /* said again: nothing new, and the probe may be under way */

    if (sync->phase != FCF_SYNC_OPEN) {
        return;
    }

    prefix = &sync->prefixes[msg->watch_id - 1];

    /* a watch on the future is created too, and silent for ever */

    if (msg->header.revision < prefix->revision) {
        fcf_sync_restart(sync, 1, "etcd's revision went backwards");
        return;
    }

    prefix->created = 1;

    for (i = 0; i < sync->nprefixes; i++) {
        if (!sync->prefixes[i].created) {
            return;
        }
    }

    fcf_sync_created(sync);
}


static void
fcf_sync_on_canceled(fcf_sync_t *sync, const fcf_watch_msg_t *msg)
{
    if (msg->compact_revision != 0) {
        fcf_sync_restart(sync, 1, "etcd compacted what was not seen yet");
        return;
    }

    if (msg->err.code == FCF_E_AUTH) {
        fcf_etcd_token_refused(sync->etcd, sync->token);
    }

    fcf_sync_restart(sync, 0, msg->err.msg);
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

        fcf_sync_restart(sync, 0, msg.err.msg);
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

    if (msg.watch_id < 1 || (size_t) msg.watch_id > sync->nprefixes) {
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


static void
fcf_sync_stream_ended(fcf_sync_t *sync)
{
    int  relist;

    /* one line larger than the buffer, like one that is not understood, would
     * be met again and again */

    relist = (sync->ended_err.code == FCF_E_LIMIT && !sync->applied);

    if (sync->ended_err.code == FCF_E_UNAVAILABLE
        || sync->ended_err.code == FCF_E_TIMEOUT)
    {
        fcf_etcd_endpoint_failed(sync->etcd, sync->endpoint,
                                 sync->ended_err.msg);
    }

    fcf_sync_restart(sync, relist, sync->ended_err.msg);
}


static void
fcf_sync_deliver_stream(fcf_sync_t *sync)
{
    int         rc;
    unsigned    budget;
    fcf_err_t   err;

    budget = FCF_SYNC_TURN;

    while (budget > 0) {

        if (sync->in_msg) {
            budget = fcf_sync_deliver_events(sync, budget);
            continue;
        }

        rc = fcf_watch_next(&sync->watch, sync->ended, &sync->msg, &err);

        /* the end may have come in the middle of a line */

        if (rc <= 0 && sync->ended) {
            fcf_sync_stream_ended(sync);
            return;
        }

        if (rc < 0) {
            fcf_sync_restart(sync, !sync->applied, err.msg);
            return;
        }

        if (rc == 0) {
            return;
        }

        budget--;
        fcf_sync_on_msg(sync);

        if (sync->phase != FCF_SYNC_OPEN && sync->phase != FCF_SYNC_WATCH) {
            return;
        }
    }

    sync->loop->timer_set(sync->turn_timer, 0);
}


void
fcf_sync_on_turn(void *arg)
{
    fcf_sync_t  *sync;

    sync = arg;

    switch (sync->phase) {

    case FCF_SYNC_LIST:
        fcf_sync_deliver_page(sync);
        break;

    case FCF_SYNC_OPEN:
    case FCF_SYNC_WATCH:
        fcf_sync_deliver_stream(sync);
        break;

    default:
        break;
    }
}
