/*
 * The Lua scripts that change the queue and "pending" in one step.  Scores in
 * pending are deadlines by Redis' own TIME: no clock of gateway or agent is
 * compared with another's.
 *
 * The client loads each once per connection (SCRIPT LOAD) and calls it by the
 * digest Redis gave; NOSCRIPT falls back to EVAL.
 *
 *  ask      KEYS pending queue; ARGV request_id job wanted live ttl_ms
 *           purges what is overdue; if pending + live < wanted, adds
 *           request_id and pushes the job.  Returns 1 pushed, 0 not needed.
 *  extend   KEYS pending; ARGV request_id ttl_ms
 *           Returns 1 if the id was still pending (now for ttl_ms more), 0 if
 *           it is overdue or unknown (nothing is changed).
 *  settle   KEYS pending; ARGV request_id ttl_ms
 *           ttl_ms 0 removes the id, else it stays for ttl_ms at most,
 *           whether or not it was there.  Returns 1.
 *  giveback KEYS taken queue nodes; ARGV node_id
 *           moves everything in a dead node's taken list back to the taking
 *           end of the queue, oldest first, and forgets the node.  Returns
 *           how many.
 *  restore  KEYS taken queue; ARGV job_as_taken job_to_queue
 *           removes one entry from taken and, if job_to_queue is not empty
 *           and the entry was there, pushes that to the producing end.
 *           Returns 1 if the entry was there.
 *  bury     KEYS taken dead; ARGV entry reason max
 *           removes the entry from taken and puts {"reason","job"} at the
 *           head of dead, bounded to max entries.
 */

#ifndef _FCF_SCRIPT_H_INCLUDED_
#define _FCF_SCRIPT_H_INCLUDED_

typedef struct {
    const char   *name;
    const char   *text;
} fcf_script_t;

extern const fcf_script_t  fcf_script_ask;
extern const fcf_script_t  fcf_script_extend;
extern const fcf_script_t  fcf_script_settle;
extern const fcf_script_t  fcf_script_giveback;
extern const fcf_script_t  fcf_script_restore;
extern const fcf_script_t  fcf_script_bury;

#endif /* _FCF_SCRIPT_H_INCLUDED_ */
