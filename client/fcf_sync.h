/*
 * A local copy of some etcd prefixes, kept true: each is listed at revision R
 * and watched from R + 1; the watch resumes after the last revision seen, and
 * the prefix is listed again when that is not possible (compacted, restored
 * older, another cluster).
 *
 * The handler sees, of each prefix, either single changes or a whole list:
 *     begin, put*, end        every key that exists; what the receiver holds
 *                             of it and was not named in between is gone
 *     put | del               one change, in order of revision
 * A list may be spread over several turns of the loop; no single change of
 * its prefix is delivered inside it.  Prefixes are listed one after another,
 * in the order given, and a long list does not hold back the changes of those
 * that have been: these come in between.  Work per turn is bounded.  If etcd
 * fails in the middle of a list, begin comes again.  Revisions can go
 * backwards (a restored etcd): the receiver must not compare them.  The order
 * holds within each prefix, not among them.  An empty list of another
 * cluster, or of one whose revision went backwards, is held back for 15 s and
 * asked again meanwhile.
 */

#ifndef _FCF_SYNC_H_INCLUDED_
#define _FCF_SYNC_H_INCLUDED_

#include "client/fcf_etcd.h"

#define FCF_SYNC_PREFIXES_MAX   8
#define FCF_SYNC_PAGE           1000    /* keys per range request, for each
                                           of which etcd 3.4 goes through all
                                           there are of the prefix */
#define FCF_SYNC_PAGE_MIN       250     /* less are not asked for because it
                                           took too long */
#define FCF_SYNC_PIECE          4096    /* bytes read from a stream at once */
#define FCF_SYNC_TURN           32      /* changes delivered per turn */
#define FCF_SYNC_PROBE_MS       2000    /* interval and deadline */
#define FCF_SYNC_BACKOFF_MAX_MS 2000
#define FCF_SYNC_DISTRUST_MS    15000

typedef enum {
    FCF_SYNC_STARTING = 0,      /* no list yet */
    FCF_SYNC_LIVE,              /* watching all, and the last probe was
                                   answered */
    FCF_SYNC_STALE              /* cut off: what is held may be old */
} fcf_sync_state_e;

/* "starting", "live", "stale" */
const char *fcf_sync_state_name(fcf_sync_state_e state);

typedef struct {
    void  (*begin)(void *arg, size_t prefix);   /* which of those given */
    void  (*put)(void *arg, const fcf_kv_t *kv);
    void  (*del)(void *arg, const char *key, size_t len);
    void  (*end)(void *arg, size_t prefix);
    void  (*state)(void *arg, fcf_sync_state_e state, const char *why);
} fcf_sync_handler_t;

typedef struct fcf_sync_s  fcf_sync_t;

typedef struct {
    fcf_sync_state_e  state;
    int64_t           revision;         /* applied */
    uint64_t          lists;            /* after which all was listed */
    uint64_t          reconnects, events;
    uint64_t          idle_ms;          /* since etcd last answered */
} fcf_sync_stat_t;

/* prefixes and *handler are copied.  Handlers run from the loop only; they
 * may start etcd calls; they must not free the sync or the client. */
fcf_sync_t *fcf_sync_new(fcf_etcd_t *etcd, const char *const *prefixes,
    size_t nprefixes, const fcf_sync_handler_t *handler, void *arg,
    fcf_err_t *err);
/* before fcf_etcd_free(); calls nothing */
void fcf_sync_free(fcf_sync_t *sync);
void fcf_sync_stat(const fcf_sync_t *sync, fcf_sync_stat_t *out);
/* up to which revision all of this prefix was delivered; 0: it is still to be
 * listed, or anew */
int64_t fcf_sync_revision(const fcf_sync_t *sync, size_t prefix);

#endif /* _FCF_SYNC_H_INCLUDED_ */
