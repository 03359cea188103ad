#include <stdlib.h>
#include "agent/proxy/proxy_timer.h"
#include "t/unit/tap.h"

static char           order[64];
static fca_timers_t   timers;
static fca_timer_t    again;
static unsigned       again_left;


static void
note(void *arg)
{
    strncat(order, arg, sizeof(order) - strlen(order) - 1);
}


static void
rearm(void *arg)
{
    note(arg);

    if (--again_left) {
        fca_timer_set(&timers, FCA_TIMER_ROUTE, &again, 50);
    }
}


static void
stop_other(void *arg)
{
    fca_timer_stop(arg);
}


int
main(void)
{
    fca_timer_t  a, b, c, d;
    static char  na[] = "a", nb[] = "b", nc[] = "c", nx[] = "x";

    fca_timers_init(&timers);
    fca_timer_init(&a, note, na);
    fca_timer_init(&b, note, nb);
    fca_timer_init(&c, note, nc);

    ok(fca_timers_next(&timers) == UINT64_MAX, "none armed: no limit");

    fca_timer_set(&timers, FCA_TIMER_ROUTE, &a, 30);
    fca_timer_set(&timers, FCA_TIMER_ROUTE, &b, 10);
    fca_timer_set(&timers, FCA_TIMER_ROUTE, &c, 20);
    is_int(fca_timers_next(&timers), 10, "the nearest, sorted in");

    fca_timers_run(&timers, 9);
    is_str(order, "", "nothing fires early");
    fca_timers_run(&timers, 20);
    is_str(order, "bc", "in order of expiry, those due only");
    is_int(fca_timers_next(&timers), 30, "the rest stays");

    fca_timer_set(&timers, FCA_TIMER_ROUTE, &a, 90);
    is_int(fca_timers_next(&timers), 90, "arming again moves it");
    fca_timer_set(&timers, FCA_TIMER_IDLE, &a, 40);
    is_int(fca_timers_next(&timers), 40, "also to another class");
    fca_timer_stop(&a);
    fca_timer_stop(&a);
    ok(fca_timers_next(&timers) == UINT64_MAX, "stopped, twice");

    order[0] = '\0';
    fca_timer_set(&timers, FCA_TIMER_IDLE, &a, 5);
    fca_timer_set(&timers, FCA_TIMER_IDLE, &b, 5);
    fca_timer_set(&timers, FCA_TIMER_IDLE, &c, 5);
    fca_timers_run(&timers, 5);
    is_str(order, "abc", "equal ones in order of arming");

    order[0] = '\0';
    again_left = 3;
    fca_timer_init(&again, rearm, nx);
    fca_timer_set(&timers, FCA_TIMER_ROUTE, &again, 50);
    fca_timers_run(&timers, 50);
    is_str(order, "xxx", "a handler may arm its own timer");

    order[0] = '\0';
    fca_timer_init(&d, stop_other, &a);
    fca_timer_set(&timers, FCA_TIMER_IDLE, &d, 1);
    fca_timer_set(&timers, FCA_TIMER_IDLE, &a, 1);
    fca_timer_set(&timers, FCA_TIMER_IDLE, &b, 1);
    fca_timers_run(&timers, 1);
    is_str(order, "b", "a handler may stop another that is due");

    return tap_done();
}
