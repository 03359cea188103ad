/* fcf_loop.h's operations for unit tests: a manual clock and no descriptors
 * of its own.  Timers run when the clock is moved, in order of their time. */

#ifndef _FCT_FAKE_LOOP_H_INCLUDED_
#define _FCT_FAKE_LOOP_H_INCLUDED_

#include "client/fcf_loop.h"

fcf_loop_t *fake_loop_new(void);
/* checks that nothing was left in it: returns how many timers and ios were */
unsigned fake_loop_free(fcf_loop_t *loop);

/* moves the clock, running what falls due; with 0 one turn of 0 ms timers */
void fake_loop_advance(fcf_loop_t *loop, uint64_t ms);
/* moves the clock and runs nothing: a turn took that long */
void fake_loop_stall(fcf_loop_t *loop, uint64_t ms);
/* turns of 0 ms timers until none is left; returns how many turns */
unsigned fake_loop_settle(fcf_loop_t *loop);
/* makes a descriptor's handler run, if it asked for these events */
int fake_loop_ready(fcf_loop_t *loop, int fd, unsigned events);
/* milliseconds until the next timer, -1: none */
int64_t fake_loop_next(fcf_loop_t *loop);
/* after n more timers or ios these cannot be made; -1: never */
void fake_loop_fail_after(fcf_loop_t *loop, int n);

#endif /* _FCT_FAKE_LOOP_H_INCLUDED_ */
