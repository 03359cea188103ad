/* fcf_loop.h's operations on libuv, for the agent's control loop and for
 * test programs.  One thread. */

#ifndef _FCA_LOOP_H_INCLUDED_
#define _FCA_LOOP_H_INCLUDED_

#include <uv.h>
#include "client/fcf_loop.h"

typedef void (*fca_loop_log_pt)(fcf_log_e level, const char *msg);

/* fills *out; uv must outlive it, and uv->data is the adapter's from now on.
 * log may be NULL.  What contract/ frees is closed by the loop's next turns:
 * run it once more before uv_loop_close(). */
void fca_loop_init(fcf_loop_t *out, uv_loop_t *uv, fca_loop_log_pt log);

#endif /* _FCA_LOOP_H_INCLUDED_ */
