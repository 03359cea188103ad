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

    fcf_sync_close(sync);
    fcf_sync_list_drop(sync);
}


size_t
fcf_sync_unlisted(const fcf_sync_t *sync)
{
    size_t  i;

    for (i = 0; i < sync->nprefixes && sync->prefixes[i].listed; i++) {
        continue;
    }

    return i;
}


void
fcf_sync_next(fcf_sync_t *sync)
{
    size_t  prefix;

    prefix = fcf_sync_unlisted(sync);

    if (prefix == sync->nprefixes) {
        fcf_sync_open(sync);

    } else {
        fcf_sync_list(sync, prefix);
    }
}


void
fcf_sync_relist(fcf_sync_t *sync)
{
    size_t  i;

    for (i = 0; i < sync->nprefixes; i++) {
        sync->prefixes[i].listed = 0;
    }

    sync->suspect = 0;
}


void
fcf_sync_applied(fcf_sync_t *sync, fcf_sync_prefix_t *prefix,
    int64_t revision)
{
    prefix->revision = revision;

    if (revision > sync->held.revision) {
        sync->held.revision = revision;
    }
}


uint64_t
fcf_sync_failed(fcf_sync_t *sync, const char *why)
{
    sync->failures++;
    sync->reconnects++;

    /* a change of state tells the handler */

    if (!fcf_said(&sync->said, sync->loop, why)
        && (sync->state != FCF_SYNC_LIVE || sync->handler.state == NULL))
    {
        fcf_log(sync->loop, FCF_LOG_WARN, "etcd sync: %s", why);
    }

    return (sync->failures == 1)
           ? 0 : fcf_backoff(sync->failures - 1, FCF_SYNC_BACKOFF_MAX_MS);
}


void
fcf_sync_restart(fcf_sync_t *sync, int relist, const char *why)
{
    fcf_err_t   err;

    /* why may be part of what is dropped now */

    fcf_err_set(&err, FCF_OK, "%s", why);
    fcf_sync_drop(sync);

    if (relist || sync->suspect) {
        fcf_sync_relist(sync);
    }

    /* only what it says all the time is believed in the end */

    sync->distrusted = 0;

    fcf_sync_phase(sync, FCF_SYNC_IDLE, fcf_sync_failed(sync, err.msg));
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


/* what is held can be gone on with, if etcd agrees */

static void
fcf_sync_go_on(fcf_sync_t *sync)
{
    size_t  i;

    for (i = 0; i < sync->nprefixes; i++) {

        if (sync->prefixes[i].listed) {
            fcf_sync_resume(sync);
            return;
        }
    }

    fcf_sync_next(sync);
}


static void
fcf_sync_on_wait(void *arg)
{
    fcf_sync_t  *sync;

    sync = arg;

    switch (sync->phase) {

    case FCF_SYNC_IDLE:
        fcf_sync_go_on(sync);
        break;

    case FCF_SYNC_LIST:
    case FCF_SYNC_OPEN:
        fcf_sync_stream_on_wait(sync);
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
    return sync->prefixes[prefix].listed && !sync->suspect
           ? sync->prefixes[prefix].revision : 0;
}


void
fcf_sync_stat(const fcf_sync_t *sync, fcf_sync_stat_t *out)
{
    memset(out, 0, sizeof(fcf_sync_stat_t));

    out->state = sync->state;
    out->revision = sync->held.revision;
    out->lists = sync->lists;
    out->reconnects = sync->reconnects;
    out->events = sync->events;
    out->idle_ms = sync->loop->now(sync->loop) - sync->answered;
}
