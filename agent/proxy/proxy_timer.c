#include <stddef.h>
#include "agent/proxy/proxy_timer.h"


void
fca_timers_init(fca_timers_t *timers)
{
    unsigned  i;

    for (i = 0; i < FCA_TIMER_NCLASSES; i++) {
        timers->list[i].prev = &timers->list[i];
        timers->list[i].next = &timers->list[i];
    }
}


void
fca_timer_init(fca_timer_t *timer, void (*fire)(void *arg), void *arg)
{
    timer->prev = NULL;
    timer->next = NULL;
    timer->expire = 0;
    timer->fire = fire;
    timer->arg = arg;
}


void
fca_timer_stop(fca_timer_t *timer)
{
    if (timer->next == NULL) {
        return;
    }

    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
    timer->next = NULL;
    timer->prev = NULL;
}


void
fca_timer_set(fca_timers_t *timers, fca_timer_class_e class,
    fca_timer_t *timer, uint64_t expire)
{
    fca_timer_t  *head, *at;

    fca_timer_stop(timer);
    timer->expire = expire;

    head = &timers->list[class];

    for (at = head->prev; at != head && at->expire > expire; at = at->prev) {
        continue;
    }

    timer->prev = at;
    timer->next = at->next;
    at->next->prev = timer;
    at->next = timer;
}


uint64_t
fca_timers_next(const fca_timers_t *timers)
{
    unsigned            i;
    uint64_t            next;
    const fca_timer_t  *head;

    next = UINT64_MAX;

    for (i = 0; i < FCA_TIMER_NCLASSES; i++) {
        head = &timers->list[i];

        if (head->next != head && head->next->expire < next) {
            next = head->next->expire;
        }
    }

    return next;
}


void
fca_timers_run(fca_timers_t *timers, uint64_t now)
{
    unsigned      i;
    fca_timer_t  *head, *timer;

    for (i = 0; i < FCA_TIMER_NCLASSES; i++) {
        head = &timers->list[i];

        while (head->next != head && head->next->expire <= now) {
            timer = head->next;
            fca_timer_stop(timer);
            timer->fire(timer->arg);
        }
    }
}
