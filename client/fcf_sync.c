#include <stdlib.h>
#include <string.h>

#include "client/fcf_backoff.h"
#include "client/fcf_sync_private.h"


static const char *const  fcf_sync_phases[] = {
#define FCF_X(id)  #id,
    FCF_SYNC_PHASES(FCF_X)
#undef FCF_X
};


const char *
fcf_sync_state_name(fcf_sync_state_e state)
{
    static const char *const  names[] = {
        [FCF_SYNC_STARTING] = "starting",
        [FCF_SYNC_LIVE]     = "live",
        [FCF_SYNC_STALE]    = "stale"
    };

    return names[state];
}


void
fcf_sync_phase(fcf_sync_t *sync, fcf_sync_phase_e phase, uint64_t wait_ms)
{
    fcf_log(sync->loop, FCF_LOG_DEBUG, "etcd sync: %s -> %s",
            fcf_sync_phases[sync->phase], fcf_sync_phases[phase]);

    sync->phase = phase;

    if (wait_ms != 0 || phase == FCF_SYNC_IDLE) {
        sync->loop->timer_set(sync->wait_timer, wait_ms);

    } else {
        sync->loop->timer_stop(sync->wait_timer);
    }
}


void
fcf_sync_state(fcf_sync_t *sync, fcf_sync_state_e state, const char *why)
{
    /* until there is a list nothing can be stale */

    if (sync->state == state
        || (sync->state == FCF_SYNC_STARTING && state == FCF_SYNC_STALE))
    {
        return;
    }

    sync->state = state;

    if (sync->handler.state != NULL) {
        sync->handler.state(sync->arg, state, why);
    }
}


void
fcf_sync_alive(fcf_sync_t *sync)
{
    sync->answered = sync->loop->now(sync->loop);
}


void
fcf_sync_drop(fcf_sync_t *sync)
{
    sync->loop->timer_stop(sync->turn_timer);

    if (sync->call != NULL) {
        fcf_etcd_cancel(sync->call);
        sync->call = NULL;
    }

    if (sync->stream != NULL) {
        fcf_http_cancel(sync->stream);
        sync->stream = NULL;
    }

    if (sync->in_msg) {
        fcf_watch_msg_free(&sync->msg);
        sync->in_msg = 0;
    }

    fcf_watch_free(&sync->watch);
    sync->ended = 0;

    fcf_etcd_kvs_free(&sync->list.kvs);
    free(sync->list.next);
    memset(&sync->list, 0, sizeof(fcf_sync_list_t));
}


void
fcf_sync_restart(fcf_sync_t *sync, int relist, const char *why)
{
    uint64_t    ms;
    fcf_err_t   err;

    /* why may be part of what is dropped now */

    fcf_err_set(&err, FCF_OK, "%s", why);
    fcf_sync_drop(sync);

    if (relist) {
        sync->listed = 0;
    }

    /* only what it says all the time is believed in the end */

    sync->distrusted = 0;

    /* the first attempt comes at once, and at least a turn later */

    sync->failures++;
    ms = (sync->failures == 1)
         ? 0 : fcf_backoff(sync->failures - 1, FCF_SYNC_BACKOFF_MAX_MS);

    /* a change of state tells the handler */

    if (!fcf_said(&sync->said, sync->loop, err.msg)
        && (sync->state != FCF_SYNC_LIVE || sync->handler.state == NULL))
    {
        fcf_log(sync->loop, FCF_LOG_WARN, "etcd sync: %s", err.msg);
    }

    sync->reconnects++;
    fcf_sync_phase(sync, FCF_SYNC_IDLE, ms);
    fcf_sync_state(sync, FCF_SYNC_STALE, err.msg);
}


const char *
fcf_sync_distinct(const fcf_sync_t *sync, const fcf_etcd_header_t *header)
{
    if (header->cluster_id != 0 && header->cluster_id != sync->cluster_id) {
        return "another etcd cluster answers";
    }

    /* a snapshot restored under the old name begins its terms anew; a member
     * that lags behind costs a list in vain */

    if (header->raft_term != 0 && header->raft_term < sync->raft_term) {
        return "etcd's raft term went backwards";
    }

    return NULL;
}


int
fcf_sync_headless(const fcf_etcd_header_t *header)
{
    return header->cluster_id == 0 || header->revision == 0;
}


/* linearizable, so that only a member with a leader answers */

static fcf_etcd_call_t *
fcf_sync_ask(fcf_sync_t *sync, fcf_etcd_kind_e kind,
    fcf_etcd_answer_pt answered)
{
    fcf_etcd_range_t  range;

    memset(&range, 0, sizeof(range));
    range.key = sync->prefixes[0].key;
    range.key_len = sync->prefixes[0].len;
    range.limit = 1;
    range.keys_only = 1;

    return fcf_etcd_range(sync->etcd, kind, &range, answered, sync);
}


/* what a resume and a probe have in common: -1 if it starts anew */
static int
fcf_sync_answered(fcf_sync_t *sync, fcf_etcd_answer_t *answer,
    const fcf_err_t *err)
{
    sync->call = NULL;

    if (err != NULL) {
        fcf_sync_restart(sync, 0, err->msg);
        return -1;
    }

    if (fcf_sync_headless(&answer->header)) {
        fcf_sync_restart(sync, 0, "an answer without etcd's header");
        return -1;
    }

    fcf_sync_alive(sync);

    return 0;
}


static void
fcf_sync_on_resume(void *arg, fcf_etcd_answer_t *answer, const fcf_err_t *err)
{
    size_t       i;
    fcf_sync_t  *sync;
    const char  *why;

    sync = arg;

    if (fcf_sync_answered(sync, answer, err) < 0) {
        return;
    }

    why = fcf_sync_distinct(sync, &answer->header);

    for (i = 0; i < sync->nprefixes && why == NULL; i++) {
        if (answer->header.revision < sync->prefixes[i].revision) {
            why = "etcd's revision went backwards";
        }
    }

    if (why != NULL) {
        fcf_log(sync->loop, FCF_LOG_WARN, "etcd sync: %s: listing again",
                why);
        sync->listed = 0;
        fcf_sync_list(sync);
        return;
    }

    fcf_sync_open(sync);
}


static void
fcf_sync_resume(fcf_sync_t *sync)
{
    fcf_sync_phase(sync, FCF_SYNC_RESUME, 0);

    sync->call = fcf_sync_ask(sync, FCF_ETCD_RANGE, fcf_sync_on_resume);

    if (sync->call == NULL) {
        fcf_sync_restart(sync, 0, "out of memory");
    }
}


static void
fcf_sync_on_probe(void *arg, fcf_etcd_answer_t *answer, const fcf_err_t *err)
{
    fcf_sync_t  *sync;
    const char  *why;

    sync = arg;

    if (fcf_sync_answered(sync, answer, err) < 0) {
        return;
    }

    why = fcf_sync_distinct(sync, &answer->header);

    if (why != NULL) {
        fcf_sync_restart(sync, 1, why);
        return;
    }

    /* a new leader; a lower term than this is a sign of a restored etcd */

    sync->raft_term = answer->header.raft_term;
    sync->failures = 0;
    fcf_said_nothing(&sync->said);

    fcf_sync_phase(sync, FCF_SYNC_WATCH, FCF_SYNC_PROBE_MS);
}


static void
fcf_sync_probe(fcf_sync_t *sync)
{
    /* another call found this endpoint failing */

    if (sync->etcd->at != sync->endpoint) {
        fcf_sync_restart(sync, 0, "moved to another etcd endpoint");
        return;
    }

    sync->call = fcf_sync_ask(sync, FCF_ETCD_PROBE, fcf_sync_on_probe);

    if (sync->call == NULL) {
        fcf_sync_phase(sync, FCF_SYNC_WATCH, FCF_SYNC_PROBE_MS);
    }
}


static void
fcf_sync_on_wait(void *arg)
{
    fcf_sync_t  *sync;

    sync = arg;

    switch (sync->phase) {

    case FCF_SYNC_IDLE:

        if (sync->listed) {
            fcf_sync_resume(sync);

        } else {
            fcf_sync_list(sync);
        }

        break;

    case FCF_SYNC_OPEN:
        fcf_etcd_endpoint_failed(sync->etcd, sync->endpoint,
                                 "no answer to a watch");
        fcf_sync_restart(sync, 0, "no answer to a watch");
        break;

    case FCF_SYNC_WATCH:
        fcf_sync_probe(sync);
        break;

    default:
        break;
    }
}


fcf_sync_t *
fcf_sync_new(fcf_etcd_t *etcd, const char *const *prefixes, size_t nprefixes,
    const fcf_sync_handler_t *handler, void *arg, fcf_err_t *err)
{
    size_t       i;
    fcf_sync_t  *sync;

    if (nprefixes == 0 || nprefixes > FCF_SYNC_PREFIXES_MAX) {
        fcf_err_set(err, FCF_E_INVALID, "%zu prefixes, must be 1 to %d",
                    nprefixes, FCF_SYNC_PREFIXES_MAX);
        return NULL;
    }

    sync = calloc(1, sizeof(fcf_sync_t));

    if (sync == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "etcd sync");
        return NULL;
    }

    sync->etcd = etcd;
    sync->loop = etcd->loop;
    sync->handler = *handler;
    sync->arg = arg;
    fcf_watch_init(&sync->watch);

    for (i = 0; i < nprefixes; i++) {
        sync->prefixes[i].len = strlen(prefixes[i]);
        sync->prefixes[i].key = strdup(prefixes[i]);

        if (sync->prefixes[i].len >= FCF_KEY_MAX
            || sync->prefixes[i].len == 0)
        {
            fcf_err_set(err, FCF_E_INVALID, "bad etcd prefix \"%.80s\"",
                        prefixes[i]);
            sync->nprefixes = i + 1;
            fcf_sync_free(sync);
            return NULL;
        }
    }

    sync->nprefixes = nprefixes;
    sync->wait_timer = sync->loop->timer_new(sync->loop, fcf_sync_on_wait,
                                             sync);
    sync->turn_timer = sync->loop->timer_new(sync->loop, fcf_sync_on_turn,
                                             sync);

    for (i = 0; i < nprefixes; i++) {
        if (sync->prefixes[i].key == NULL || sync->wait_timer == NULL
            || sync->turn_timer == NULL)
        {
            fcf_err_set(err, FCF_E_NOMEM, "etcd sync");
            fcf_sync_free(sync);
            return NULL;
        }
    }

    fcf_sync_alive(sync);
    sync->loop->timer_set(sync->wait_timer, 0);

    return sync;
}


void
fcf_sync_free(fcf_sync_t *sync)
{
    size_t  i;

    if (sync == NULL) {
        return;
    }

    if (sync->turn_timer != NULL) {
        fcf_sync_drop(sync);
        sync->loop->timer_free(sync->turn_timer);
    }

    if (sync->wait_timer != NULL) {
        sync->loop->timer_free(sync->wait_timer);
    }

    for (i = 0; i < sync->nprefixes; i++) {
        free(sync->prefixes[i].key);
    }

    free(sync);
}


int64_t
fcf_sync_revision(const fcf_sync_t *sync, size_t prefix)
{
    return sync->prefixes[prefix].revision;
}


void
fcf_sync_stat(const fcf_sync_t *sync, fcf_sync_stat_t *out)
{
    size_t  i;

    memset(out, 0, sizeof(fcf_sync_stat_t));

    for (i = 0; i < sync->nprefixes; i++) {
        if (sync->prefixes[i].revision > out->revision) {
            out->revision = sync->prefixes[i].revision;
        }
    }

    out->state = sync->state;
    out->lists = sync->lists;
    out->reconnects = sync->reconnects;
    out->events = sync->events;
    out->idle_ms = sync->loop->now(sync->loop) - sync->answered;
}
