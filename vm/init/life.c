#include <limits.h>
#include <signal.h>
#include <time.h>
#include "vm/init/life.h"

#define DEAF_MS        500      /* between SIGTERM and SIGKILL */
#define KILL_MS        2000     /* a killed process that does not go is stuck */
#define FLUSH_MS       3000     /* a host may be busy; nobody reads: no longer */
#define FLUSH_POLL_MS  10       /* see fcv_control_behind() */

typedef void (*action_pt)(fcv_life_t *life);


int64_t
fcv_now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* the only place that assigns the state; timeout_ms < 0: none */

static void
set_state(fcv_life_t *life, fcv_life_e state, int64_t timeout_ms)
{
    life->state = state;
    life->deadline_ms = timeout_ms < 0 ? -1 : fcv_now_ms() + timeout_ms;
}


static void
begin_stop(fcv_life_t *life)
{
    life->stopped = 1;
    fcv_function_signal(life->function, SIGTERM);
    set_state(life, FCV_LIFE_STOPPING, life->stop_ms);
}


/* it can never be reached: what it would do in its own time nobody waits for */

static void
end_deaf(fcv_life_t *life)
{
    life->deaf = 1;
    fcv_function_signal(life->function, SIGTERM);
    set_state(life, FCV_LIFE_STOPPING, DEAF_MS);
}


/* also what left the function's process group; PID 1 itself is spared by the
 * kernel */

static void
kill_all(fcv_life_t *life)
{
    kill(-1, SIGKILL);
    set_state(life, FCV_LIFE_KILLING, KILL_MS);
}


static void
begin_flush(fcv_life_t *life)
{
    kill(-1, SIGKILL);
    set_state(life, FCV_LIFE_FLUSHING, FLUSH_MS);
}


static void
end(fcv_life_t *life)
{
    set_state(life, FCV_LIFE_GONE, -1);
}


static const action_pt  actions[FCV_LIFE_NSTATES][FCV_ON_NEVENTS] = {
    [FCV_LIFE_RUNNING] = {
        [FCV_ON_STOP] = begin_stop,
        [FCV_ON_DEAF] = end_deaf,
        [FCV_ON_ENDED] = begin_flush,
    },
    [FCV_LIFE_STOPPING] = {
        [FCV_ON_ENDED] = begin_flush,
        [FCV_ON_TIMEOUT] = kill_all,
    },
    [FCV_LIFE_KILLING] = {
        [FCV_ON_ENDED] = begin_flush,
        [FCV_ON_TIMEOUT] = end,
    },
    [FCV_LIFE_FLUSHING] = {
        [FCV_ON_FLUSHED] = end,
        [FCV_ON_TIMEOUT] = end,
    },
};


void
fcv_life_init(fcv_life_t *life, const fcv_function_t *function)
{
    life->function = function;
    life->stopped = 0;
    life->deaf = 0;
    life->stop_ms = 0;
    set_state(life, FCV_LIFE_RUNNING, -1);
}


void
fcv_life_event(fcv_life_t *life, fcv_life_event_e event)
{
    action_pt  action;

    action = actions[life->state][event];

    if (action) {
        action(life);
    }
}


int
fcv_life_wait(const fcv_life_t *life)
{
    int64_t  left;

    if (life->deadline_ms < 0) {
        return -1;
    }

    left = life->deadline_ms - fcv_now_ms();

    if (life->state == FCV_LIFE_FLUSHING && left > FLUSH_POLL_MS) {
        return FLUSH_POLL_MS;
    }

    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int) left;
}
