/*
 * What client/ needs of an event loop.  The gateway supplies it on nginx's
 * events (ngx_http_fcfaas_loop.c), the agent on libuv (agent/base/loop.c), the
 * unit tests on a fake with a manual clock (t/unit/fake_loop.c).
 *
 * Rules for an adapter:
 *  - descriptors are level triggered; the adapter never closes one;
 *  - no operation calls a handler before it returns;
 *  - all operations are idempotent; *_del and *_free may be called from
 *    inside any handler, also the object's own, and no handler of that object
 *    runs afterwards;
 *  - timers do not keep a process that wants to exit alive.
 */

#ifndef _FCF_LOOP_H_INCLUDED_
#define _FCF_LOOP_H_INCLUDED_

#include <stdint.h>
#include "contract/fcf_err.h"

#define FCF_READ   1u
#define FCF_WRITE  2u

typedef enum {
    FCF_LOG_DEBUG = 0,
    FCF_LOG_INFO,
    FCF_LOG_WARN,
    FCF_LOG_ERROR
} fcf_log_e;

typedef struct fcf_loop_s   fcf_loop_t;
typedef struct fcf_io_s     fcf_io_t;       /* defined by the adapter */
typedef struct fcf_timer_s  fcf_timer_t;    /* defined by the adapter */

typedef void (*fcf_io_pt)(void *arg, unsigned events);
typedef void (*fcf_timer_pt)(void *arg);

struct fcf_loop_s {
    void           *data;                   /* the adapter's own */

    /* starts with no event asked for; NULL: out of memory or connections */
    fcf_io_t      *(*io_add)(fcf_loop_t *loop, int fd, fcf_io_pt handler,
                             void *arg);
    /* events: FCF_READ | FCF_WRITE, 0 to ask for none; -1 on failure */
    int            (*io_set)(fcf_io_t *io, unsigned events);
    /* before the descriptor is closed by its owner */
    void           (*io_del)(fcf_io_t *io);

    /* one shot, not armed; NULL: out of memory */
    fcf_timer_t   *(*timer_new)(fcf_loop_t *loop, fcf_timer_pt handler,
                                void *arg);
    /* (re)arms; 0 means on the loop's next turn, never inline */
    void           (*timer_set)(fcf_timer_t *timer, uint64_t ms);
    void           (*timer_stop)(fcf_timer_t *timer);
    void           (*timer_free)(fcf_timer_t *timer);

    /* milliseconds of a monotonic clock; only differences mean anything */
    uint64_t       (*now)(fcf_loop_t *loop);
    void           (*log)(fcf_loop_t *loop, fcf_log_e level, const char *msg);
};

/* formats into a bounded buffer, made fit for a log, and calls loop->log */
void fcf_log(fcf_loop_t *loop, fcf_log_e level, const char *fmt, ...)
    fcf_printf_like(3, 4);

/*
 * What went wrong is said once while it lasts, and again only when it is
 * something else, and not before 10 s have passed.  Zeroed to begin with.
 */
typedef struct {
    uint64_t   at;                      /* valid unless text is empty */
    char       text[256];
} fcf_said_t;

/* 1: not to be said; 0: to be said now, and kept as said */
int fcf_said(fcf_said_t *said, fcf_loop_t *loop, const char *text);
/* it is well again */
void fcf_said_nothing(fcf_said_t *said);

#endif /* _FCF_LOOP_H_INCLUDED_ */
