#include <stdlib.h>
#include <string.h>

#include "client/fcf_sync_private.h"


/* all that was told since the prefix' begin is what there is */

static void
fcf_sync_listed(fcf_sync_t *sync, size_t i)
{
    fcf_sync_applied(sync, &sync->prefixes[i], sync->prefixes[i].revision);
    sync->handler.end(sync->arg, i);
}


/* all that is listed from now on is of the etcd that answered so */

static void
fcf_sync_believe(fcf_sync_t *sync)
{
    size_t  i;

    sync->suspect = 0;
    sync->distrusted = 0;
    sync->held.cluster_id = sync->cluster_id;
    sync->held.revision = 0;

    /* what was found empty while it was not believed */

    for (i = 0; i < sync->nprefixes; i++) {
        if (sync->prefixes[i].listed) {
            sync->handler.begin(sync->arg, i);
            fcf_sync_listed(sync, i);
        }
    }
}


/* the first answer of a list says what it is of: NULL, or why all is to be
 * listed again */

static const char *
fcf_sync_list_first(fcf_sync_t *sync, const fcf_etcd_header_t *header)
{
    size_t       i;
    const char  *why;

    for (i = 0; i < sync->nprefixes; i++) {

        if (sync->prefixes[i].listed) {
            why = fcf_sync_distinct(sync, header);

            return why != NULL || header->revision >= sync->list.floor
                   ? why : "etcd's revision went backwards";
        }
    }

    sync->cluster_id = header->cluster_id;
    sync->raft_term = header->raft_term;

    if (sync->held.cluster_id != 0
        && (header->cluster_id != sync->held.cluster_id
            || header->revision < sync->held.revision))
    {
        sync->suspect = 1;
        return NULL;
    }

    fcf_sync_believe(sync);

    return NULL;
}


static const char *
fcf_sync_list_answer(fcf_sync_t *sync, const fcf_etcd_header_t *header)
{
    fcf_sync_list_t  *list;

    list = &sync->list;

    if (fcf_sync_headless(header)) {
        return "an answer without etcd's header";
    }

    fcf_sync_alive(sync);

    if (!list->first) {
        return header->cluster_id == list->header.cluster_id
               ? NULL : "another etcd cluster answers";
    }

    list->first = 0;
    list->header = *header;

    return fcf_sync_list_first(sync, header);
}


static void
fcf_sync_on_page(void *arg, fcf_etcd_answer_t *answer, const fcf_err_t *err)
{
    fcf_sync_t       *sync;
    const char       *why;
    fcf_sync_list_t  *list;

    sync = arg;
    sync->call = NULL;
    list = &sync->list;

    /* too long, or it took too long */

    if (err != NULL
        && ((err->code == FCF_E_LIMIT && list->limit > 1)
            || (err->code == FCF_E_TIMEOUT
                && list->limit > FCF_SYNC_PAGE_MIN)))
    {
        list->limit /= 2;
        fcf_sync_list_page(sync);
        return;
    }

    if (err != NULL) {
        fcf_sync_restart(sync, 0, err->msg);
        return;
    }

    why = fcf_sync_list_answer(sync, &answer->header);

    if (why != NULL) {
        fcf_sync_restart(sync, 1, why);
        return;
    }

    list->kvs = answer->kvs;
    list->kv = 0;
    memset(&answer->kvs, 0, sizeof(fcf_etcd_kvs_t));

    list->rest = answer->rest;
    memset(&answer->rest, 0, sizeof(fcf_etcd_rest_t));

    list->more = (answer->more
                  && (list->kvs.n != 0 || list->rest.text != NULL));

    /* the rest may take long; what is not believed yet is not told */

    if (list->more && !sync->suspect) {
        fcf_sync_open_beside(sync);
    }

    /* taking it apart was a turn's work */

    sync->loop->timer_set(sync->turn_timer, 0);
}


void
fcf_sync_list_more(fcf_sync_t *sync)
{
    fcf_kv_t         *last;
    fcf_sync_list_t  *list;

    list = &sync->list;
    last = &list->kvs.kvs[list->kvs.n - 1];

    /* the key after a key is itself and a NUL, which stands there */

    list->next_len = last->key_len + 1;
    free(list->next);
    list->next = malloc(list->next_len);

    if (list->next == NULL) {
        fcf_sync_restart(sync, 0, "out of memory");
        return;
    }

    memcpy(list->next, last->key, list->next_len);

    fcf_etcd_kvs_free(&list->kvs);
    fcf_etcd_rest_free(&list->rest);
    list->kv = 0;

    fcf_sync_list_page(sync);
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
    range.limit = list->limit;
    range.revision = list->header.revision;

    sync->call = fcf_etcd_range(sync->etcd, FCF_ETCD_PAGE, &range,
                                fcf_sync_on_page, sync);

    if (sync->call == NULL) {
        fcf_sync_restart(sync, 0, "out of memory");
    }
}


void
fcf_sync_list(fcf_sync_t *sync, size_t prefix)
{
    size_t            i;
    fcf_sync_list_t  *list;

    list = &sync->list;

    fcf_sync_list_drop(sync);
    list->at = prefix;
    list->first = 1;
    list->limit = FCF_SYNC_PAGE;

    /* while it is under way the watch beside it may bring more */

    for (i = 0; i < sync->nprefixes; i++) {
        if (sync->prefixes[i].listed
            && sync->prefixes[i].revision > list->floor)
        {
            list->floor = sync->prefixes[i].revision;
        }
    }

    /* the timer is that of the watch beside it, which there may be already */

    if (sync->phase != FCF_SYNC_LIST) {
        fcf_sync_phase(sync, FCF_SYNC_LIST, 0);
    }

    fcf_sync_list_page(sync);
}


void
fcf_sync_list_drop(fcf_sync_t *sync)
{
    fcf_etcd_kvs_free(&sync->list.kvs);
    fcf_etcd_rest_free(&sync->list.rest);
    free(sync->list.next);
    memset(&sync->list, 0, sizeof(fcf_sync_list_t));
}


/* an empty list of another cluster, or of one that lost its past: more likely
 * somebody's new etcd on the old address than a world without functions */

static int
fcf_sync_distrusted(fcf_sync_t *sync)
{
    uint64_t  now;

    now = sync->loop->now(sync->loop);

    if (sync->distrusted == 0) {
        sync->distrusted = now ? now : 1;

        fcf_log(sync->loop, FCF_LOG_ERROR,
                "etcd sync: a new and empty etcd answers; what is known is "
                "kept for %d s",
                FCF_SYNC_DISTRUST_MS / 1000);
    }

    return now - sync->distrusted < FCF_SYNC_DISTRUST_MS;
}


void
fcf_sync_list_begin(fcf_sync_t *sync)
{
    if (sync->list.begun) {
        return;
    }

    if (sync->suspect) {
        fcf_sync_believe(sync);
    }

    sync->list.begun = 1;
    sync->handler.begin(sync->arg, sync->list.at);
}


/* all is listed now: 0, or -1: it is asked again later */

static int
fcf_sync_list_all(fcf_sync_t *sync)
{
    if (sync->suspect && fcf_sync_distrusted(sync)) {
        fcf_sync_drop(sync);
        fcf_sync_relist(sync);
        fcf_sync_phase(sync, FCF_SYNC_IDLE, FCF_SYNC_PROBE_MS);
        fcf_sync_state(sync, FCF_SYNC_STALE, "a new and empty etcd answers");
        return -1;
    }

    if (sync->suspect) {
        fcf_sync_believe(sync);
    }

    sync->lists++;

    return 0;
}


void
fcf_sync_list_end(fcf_sync_t *sync)
{
    fcf_sync_prefix_t  *prefix;

    prefix = &sync->prefixes[sync->list.at];

    if (!sync->suspect) {
        fcf_sync_list_begin(sync);
    }

    prefix->listed = 1;
    prefix->revision = sync->list.header.revision;

    if (!sync->suspect) {
        fcf_sync_listed(sync, sync->list.at);
    }

    if (fcf_sync_unlisted(sync) == sync->nprefixes
        && fcf_sync_list_all(sync) != 0)
    {
        return;
    }

    fcf_sync_next(sync);
}
