#include <string.h>

#include "client/fcf_sync_private.h"


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


/* what a resume and a probe have in common: -1 if it starts anew; *why: it is
 * not the etcd that was listed, or NULL */
static int
fcf_sync_answered(fcf_sync_t *sync, fcf_etcd_answer_t *answer,
    const fcf_err_t *err, const char **why)
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
    *why = fcf_sync_distinct(sync, &answer->header);

    return 0;
}


static void
fcf_sync_on_resume(void *arg, fcf_etcd_answer_t *answer, const fcf_err_t *err)
{
    size_t       i;
    fcf_sync_t  *sync;
    const char  *why;

    sync = arg;

    if (fcf_sync_answered(sync, answer, err, &why) < 0) {
        return;
    }

    for (i = 0; i < sync->nprefixes && why == NULL; i++) {
        if (sync->prefixes[i].listed
            && answer->header.revision < sync->prefixes[i].revision)
        {
            why = "etcd's revision went backwards";
        }
    }

    if (why != NULL) {
        fcf_log(sync->loop, FCF_LOG_WARN, "etcd sync: %s: listing again",
                why);
        fcf_sync_relist(sync);
    }

    fcf_sync_next(sync);
}


void
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

    if (fcf_sync_answered(sync, answer, err, &why) < 0) {
        return;
    }

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


void
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
