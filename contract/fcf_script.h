/*
 * The Lua scripts that change the queue and "pending" in one step.  Scores in
 * pending are deadlines by Redis' own TIME: no clock of gateway or agent is
 * compared with another's.
 *
 * The client loads each once per connection (SCRIPT LOAD) and calls it by the
 * digest Redis gave; NOSCRIPT falls back to EVAL.
 *
 * What is overdue in pending, or further ahead than FCF_PENDING_MAX_MS, is
 * purged by each that has it among its keys.  A key of ours of another type
 * (not the queue: producers write there) is deleted, not stumbled over.
 *
 *  ask      KEYS pending queue demand; ARGV request_id job gateway:version
 *           waiting concurrency least max live ttl_ms demand_ttl_ms seen boots
 *           others
 *           tells that so many wait in this gateway for that version, for so
 *           long.  Adds request_id and pushes the job if all that wait for it
 *           in all gateways call for more than is pending (concurrency each,
 *           or one if that is 0), or pending + live < least; but never beyond
 *           max.  Pending is what is in there, without instances that were
 *           put up to etcd's revision "seen", and the boots that etcd knows
 *           of: ids with commas between, "others" of other versions, which
 *           count for max only.  Returns 1 pushed, 0 not needed.
 *  extend   KEYS pending; ARGV request_id ttl_ms
 *           Returns 1 if the id was still pending (now for ttl_ms more), 0 if
 *           it is overdue or unknown.
 *  settle   KEYS pending; ARGV request_id ttl_ms [revision]
 *           ttl_ms 0 removes the id, else it stays for ttl_ms at most,
 *           whether or not it was there: where revision is given, as
 *           <request_id>@<revision>, for those who have not seen etcd's
 *           revision yet with which its instance came.  Returns 1.
 *  hold     KEYS pending demand; ARGV request_id ttl_ms
 *           As extend, for a job that waits for room: the id stays for ttl_ms
 *           at least if a gateway says that requests wait, and goes if all
 *           that say something say none.  Returns as extend.
 *  giveback KEYS taken queue nodes; ARGV node_id
 *           moves everything in a dead node's taken list back to the taking
 *           end of the queue, oldest first, and forgets the node.  Returns
 *           how many.
 *  join     KEYS nodes; ARGV node_id
 *           adds the node.  Returns { Redis' time in ms, all nodes }.
 *  restore  KEYS taken queue; ARGV job_as_taken job_to_queue [aside_ms]
 *           removes one entry from taken and, if job_to_queue is not empty
 *           and the entry was there, pushes that to the producing end, with
 *           "not_before" that much later than now if aside_ms is above 0.
 *           Returns 1 if the entry was there.
 *  bury     KEYS taken dead; ARGV entry reason max [job]
 *           removes the entry from taken and puts {"reason","job"} at the
 *           head of dead, bounded to max entries; job: what to keep of one
 *           that is no text.
 */

#ifndef _FCF_SCRIPT_H_INCLUDED_
#define _FCF_SCRIPT_H_INCLUDED_

#include <stdint.h>

#include "contract/fcf_names.h"

#define FCF_ASK_KEYS    3
#define FCF_ASK_ARGS    16
#define FCF_ASKER_MAX   96

typedef struct {
    const char   *name;
    const char   *text;
} fcf_script_t;

/* what "ask" is told; texts are the caller's */
typedef struct {
    const char   *prefix;
    const char   *function_id;
    const char   *request_id;
    const char   *job;
    const char   *asker;        /* a gateway's id, FCF_ASKER_MAX at most */
    const char   *boots;
    const char   *others;
    int64_t       version;
    int64_t       seen;
    unsigned      waiting;
    unsigned      concurrency;
    unsigned      least;
    unsigned      max;
    unsigned      live;
    uint64_t      ttl_ms;
    uint64_t      demand_ttl_ms;
} fcf_ask_t;

/* argv points into the rest of it and to the caller's texts */
typedef struct {
    const char   *argv[FCF_ASK_ARGS];
    char          keys[FCF_ASK_KEYS][FCF_KEY_MAX];
    char          asker[FCF_ASKER_MAX + 22];
    char          numbers[8][22];
} fcf_ask_args_t;

extern const fcf_script_t  fcf_script_ask;
extern const fcf_script_t  fcf_script_extend;
extern const fcf_script_t  fcf_script_settle;
extern const fcf_script_t  fcf_script_hold;
extern const fcf_script_t  fcf_script_giveback;
extern const fcf_script_t  fcf_script_join;
extern const fcf_script_t  fcf_script_restore;
extern const fcf_script_t  fcf_script_bury;

/* keys and arguments of "ask", in its order */
void fcf_ask_args(fcf_ask_args_t *args, const fcf_ask_t *ask);

#endif /* _FCF_SCRIPT_H_INCLUDED_ */
