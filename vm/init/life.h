/*
 * The life of a guest's function, as a table of states and events:
 *
 *     running   the function serves
 *     stopping  SIGTERM was sent, SIGKILL follows after the time asked for
 *     killing   SIGKILL was sent to everything
 *     flushing  the function has ended; its last output goes to whoever
 *               follows it
 *     gone      the machine ends
 */

#ifndef _FCV_LIFE_H_INCLUDED_
#define _FCV_LIFE_H_INCLUDED_

#include <stdint.h>
#include "vm/init/function.h"

#define FCV_LIFE_STATES(X)                                                   \
    X(RUNNING, "running")                                                    \
    X(STOPPING, "stopping")                                                  \
    X(KILLING, "killing")                                                    \
    X(FLUSHING, "flushing")                                                  \
    X(GONE, "gone")

#define FCV_LIFE_EVENTS(X)                                                   \
    X(STOP, "stop")                                                          \
    X(DEAF, "deaf")                                                          \
    X(ENDED, "ended")                                                        \
    X(TIMEOUT, "timeout")                                                    \
    X(FLUSHED, "flushed")

#define FCV_LIFE_STATE_ENUM(name, text)  FCV_LIFE_##name,
#define FCV_LIFE_EVENT_ENUM(name, text)  FCV_ON_##name,

typedef enum {
    FCV_LIFE_STATES(FCV_LIFE_STATE_ENUM)
    FCV_LIFE_NSTATES
} fcv_life_e;

typedef enum {
    FCV_LIFE_EVENTS(FCV_LIFE_EVENT_ENUM)
    FCV_ON_NEVENTS
} fcv_life_event_e;

typedef struct {
    fcv_life_e             state;
    int64_t                deadline_ms;     /* monotonic; -1: none */
    int64_t                stop_ms;         /* what the next STOP grants */
    int                    stopped;         /* by a STOP, not by itself */
    int                    deaf;            /* by a DEAF */
    const fcv_function_t  *function;
} fcv_life_t;

/* milliseconds of the monotonic clock */
int64_t fcv_now_ms(void);

void fcv_life_init(fcv_life_t *life, const fcv_function_t *function);
/* events that mean nothing in the present state are ignored */
void fcv_life_event(fcv_life_t *life, fcv_life_event_e event);
/* milliseconds until TIMEOUT is due, or until FLUSHED is to be asked for
 * again, as poll(2) wants them; 0: TIMEOUT is due */
int fcv_life_wait(const fcv_life_t *life);

#endif /* _FCV_LIFE_H_INCLUDED_ */
