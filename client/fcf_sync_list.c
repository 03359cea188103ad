#include <stdlib.h>
#include <string.h>

#include "client/fcf_sync_private.h"


static void
fcf_sync_on_page(void *arg, fcf_etcd_answer_t *answer, const fcf_err_t *err)
{
    fcf_sync_t       *sync;
    fcf_etcd_kvs_t   *kvs;
    fcf_sync_list_t  *list;

    sync = arg;
    sync->call = NULL;
    list = &sync->list;

    if (err != NULL && err->code == FCF_E_LIMIT && list->page > 1) {
        list->page /= 2;
        fcf_sync_list_page(sync);
        return;
    }

    if (err != NULL) {
        fcf_sync_restart(sync, 1, err->msg);
        return;
    }

    if (fcf_sync_headless(&answer->header)) {
        fcf_sync_restart(sync, 1, "an answer without etcd's header");
        return;
    }

    fcf_sync_alive(sync);

    if (list->first) {
        list->first = 0;
        list->header = answer->header;

    } else if (answer->header.cluster_id != list->header.cluster_id) {
        fcf_sync_restart(sync, 1, "another etcd cluster answers");
        return;
    }

    list->kvs = answer->kvs;
    list->kv = 0;
    memset(&answer->kvs, 0, sizeof(fcf_etcd_kvs_t));

    kvs = &list->kvs;
    list->more = (answer->more && kvs->n != 0);

    if (list->more) {

        /* the key after a key is itself and a NUL, which stands there */

        list->next_len = kvs->kvs[kvs->n - 1].key_len + 1;
        free(list->next);
        list->next = malloc(list->next_len);

        if (list->next == NULL) {
            fcf_sync_restart(sync, 1, "out of memory");
            return;
        }

        memcpy(list->next, kvs->kvs[kvs->n - 1].key, list->next_len);
    }

    /* taking it apart was a turn's work */

    sync->loop->timer_set(sync->turn_timer, 0);
}


void
fcf_sync_list_page(fcf_sync_t *sync)
{
    char                end[FCF_KEY_MAX];
    fcf_sync_list_t    *list;
    fcf_etcd_range_t    range;
    fcf_sync_prefix_t  *prefix;

    list = &sync->list;
    prefix = &sync->prefixes[list->at];

    memset(&range, 0, sizeof(range));
    range.key = list->next_len ? list->next : prefix->key;
    range.key_len = list->next_len ? list->next_len : prefix->len;
    range.end = end;
    range.end_len = fcf_etcd_range_end(end, prefix->key, prefix->len);
    range.limit = list->page;
    range.revision = list->header.revision;

    sync->call = fcf_etcd_range(sync->etcd, FCF_ETCD_RANGE, &range,
                                fcf_sync_on_page, sync);

    if (sync->call == NULL) {
        fcf_sync_restart(sync, 1, "out of memory");
    }
}


void
fcf_sync_list(fcf_sync_t *sync)
{
    memset(&sync->list, 0, sizeof(fcf_sync_list_t));
    sync->list.first = 1;
    sync->list.page = FCF_SYNC_PAGE;

    fcf_sync_phase(sync, FCF_SYNC_LIST, 0);
    fcf_sync_list_page(sync);
}


/* an empty list of another cluster, or of one that lost its past: more likely
 * somebody's new etcd on the old address than a world without functions */

static int
fcf_sync_distrusted(fcf_sync_t *sync)
{
    uint64_t  now;

    if (sync->list.begun || sync->cluster_id == 0
        || (sync->list.header.cluster_id == sync->cluster_id
            && sync->list.header.revision >= sync->prefixes[0].revision))
    {
        sync->distrusted = 0;
        return 0;
    }

    now = sync->loop->now(sync->loop);

    if (sync->distrusted == 0) {
        sync->distrusted = now ? now : 1;

        fcf_log(sync->loop, FCF_LOG_ERROR,
                "etcd sync: a new and empty etcd answers; what is known is "
                "kept for %d s",
                FCF_SYNC_DISTRUST_MS / 1000);
    }

    if (now - sync->distrusted < FCF_SYNC_DISTRUST_MS) {
        return 1;
    }

    sync->distrusted = 0;

    return 0;
}


void
fcf_sync_list_end(fcf_sync_t *sync)
{
    size_t              i;
    fcf_etcd_header_t   header;

    header = sync->list.header;

    if (fcf_sync_distrusted(sync)) {
        fcf_sync_drop(sync);
        fcf_sync_phase(sync, FCF_SYNC_IDLE, FCF_SYNC_PROBE_MS);
        fcf_sync_state(sync, FCF_SYNC_STALE, "a new and empty etcd answers");
        return;
    }

    sync->cluster_id = header.cluster_id;
    sync->raft_term = header.raft_term;
    sync->lists++;

    for (i = 0; i < sync->nprefixes; i++) {
        sync->prefixes[i].revision = header.revision;
    }

    if (!sync->list.begun) {
        sync->handler.begin(sync->arg);
    }

    sync->listed = 1;
    sync->handler.end(sync->arg);

    fcf_sync_open(sync);
}
