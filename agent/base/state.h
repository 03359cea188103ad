/*
 * The state directory: who owns it (flock), which worker numbers were used,
 * and which leases the last life held.  Small files, written whole.
 */

#ifndef _FCA_STATE_H_INCLUDED_
#define _FCA_STATE_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include "agent/base/later.h"

/* numbers reserved by one write, and so by each start */
#define FCA_STATE_BLOCK       1000
#define FCA_STATE_LEASES_MAX  8

typedef struct {
    char         *dir;
    int           lock;                 /* fd; the lock lives as long */
    uint64_t      next, end;            /* worker numbers reserved on disk */

    /* NULL: whatever is written is waited for */
    fca_later_t  *counter, *leases;
    uint64_t      reserving;            /* the next end, being written; 0 */
    fcf_err_t     why;                  /* the last try of that failed */
    int           awaited;              /* somebody was told to come again */
} fca_state_t;

/* Makes the directory (0700) if need be.  FCF_E_EXISTS: another agent has
 * it. */
int fca_state_open(fca_state_t *state, const char *dir, fcf_err_t *err)
    fcf_must_check;
/* From now on nothing waits for the disk: worker threads write.  Numbers are
 * reserved first, waited for once more; that may fail (a full disk), and is
 * then tried again with each number asked for. */
int fca_state_async(fca_state_t *state, uv_loop_t *uv, fcf_err_t *err)
    fcf_must_check;
/* what was stored is still written, if the loop runs on */
void fca_state_close(fca_state_t *state);

/* A number never given before, not even by an agent killed meanwhile.
 * FCF_E_UNAVAILABLE: soon, when the disk has answered. */
int fca_state_number(fca_state_t *state, uint64_t *n, fcf_err_t *err)
    fcf_must_check;

/* n is how many of max were found; a file that is not readable counts as
 * empty (the leases end by themselves) */
size_t fca_state_leases_load(fca_state_t *state, int64_t *leases, size_t max);
/* asynchronous: a failure is logged, and 0 returned */
int fca_state_leases_store(fca_state_t *state, const int64_t *leases,
    size_t n, fcf_err_t *err) fcf_must_check;

#endif /* _FCA_STATE_H_INCLUDED_ */
