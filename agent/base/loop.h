/* fcf_loop.h's operations on libuv, for the agent's control loop and for
 * test programs.  One thread. */

#ifndef _FCA_LOOP_H_INCLUDED_
#define _FCA_LOOP_H_INCLUDED_

#include <uv.h>
#include "client/fcf_loop.h"

/* for fcf_backoff() */
#define FCA_BACKOFF_MAX_MS  2000

typedef void (*fca_loop_log_pt)(fcf_log_e level, const char *msg);

/* fills *out; uv must outlive it, and uv->data is the adapter's from now on.
 * log may be NULL.  What client/ frees is closed by the loop's next turns:
 * run it once more before uv_loop_close(). */
void fca_loop_init(fcf_loop_t *out, uv_loop_t *uv, fca_loop_log_pt log);

/* Closes uv.  What was closed is finished by the loop's next turns, the first
 * of which may be taken by an uv_stop() that nobody waited for; what worker
 * threads still do is waited for. */
void fca_loop_end(uv_loop_t *uv);

static inline uint64_t
fca_now(fcf_loop_t *loop)
{
    return loop->now(loop);
}

#endif /* _FCA_LOOP_H_INCLUDED_ */
