/* fcf_loop.h's operations on poll(2): a command's few descriptors need no
 * more, and it ends when what it waits for has come. */

#ifndef _FCC_POLL_LOOP_H_INCLUDED_
#define _FCC_POLL_LOOP_H_INCLUDED_

#include "client/fcf_loop.h"

typedef struct fcc_poll_s  fcc_poll_t;

/* fills *out, whose log stays NULL.  NULL: out of memory. */
fcc_poll_t *fcc_poll_new(fcf_loop_t *out);
/* all timers and descriptors must have been given back; may be NULL */
void fcc_poll_free(fcc_poll_t *poll);

/* one turn: waits for a descriptor or a timer, for at most max_ms (-1: as long
 * as it takes), and runs what is due.  -1: there is nothing to wait for. */
int fcc_poll_turn(fcc_poll_t *poll, int max_ms);

#endif /* _FCC_POLL_LOOP_H_INCLUDED_ */
