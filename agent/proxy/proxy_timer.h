/*
 * Timers of a data loop: one ordered list per class.  All timers of a class
 * mostly have the same length, so that a new one goes to the end of its list
 * without a search; the few of other lengths are sorted in from the back.
 * No system call: the loop's wait takes fca_timers_next() as its limit.
 */

#ifndef _FCA_PROXY_TIMER_H_INCLUDED_
#define _FCA_PROXY_TIMER_H_INCLUDED_

#include <stdint.h>

typedef enum {
    FCA_TIMER_IDLE = 0,         /* kept client connections */
    FCA_TIMER_HEAD,             /* a request's head */
    FCA_TIMER_CLIENT,           /* its next byte, or room for one */
    FCA_TIMER_QUEUE,            /* waiting for a free place */
    FCA_TIMER_LINGER,           /* answers and rests of bodies at the end */
    FCA_TIMER_CONNECT,          /* to the guest */
    FCA_TIMER_POOL,             /* idle guest connections */
    FCA_TIMER_REPLAY,           /* how long a request is kept for a retry */
    FCA_TIMER_ROUTE,            /* routes and the loop itself: any length */
    FCA_TIMER_NCLASSES
} fca_timer_class_e;

typedef struct fca_timer_s  fca_timer_t;

struct fca_timer_s {
    fca_timer_t  *prev, *next;          /* next == NULL: not armed */
    uint64_t      expire;               /* ms */
    void        (*fire)(void *arg);
    void         *arg;
};

typedef struct {
    fca_timer_t   list[FCA_TIMER_NCLASSES];
} fca_timers_t;

void fca_timers_init(fca_timers_t *timers);
void fca_timer_init(fca_timer_t *timer, void (*fire)(void *arg), void *arg);
/* (re)arms */
void fca_timer_set(fca_timers_t *timers, fca_timer_class_e class,
    fca_timer_t *timer, uint64_t expire);
/* idempotent */
void fca_timer_stop(fca_timer_t *timer);
/* the nearest expiry; UINT64_MAX: none armed */
uint64_t fca_timers_next(const fca_timers_t *timers);
/* fires what is due at now; a handler may arm and stop any timer */
void fca_timers_run(fca_timers_t *timers, uint64_t now);

#endif /* _FCA_PROXY_TIMER_H_INCLUDED_ */
