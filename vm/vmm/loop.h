/* The stand-in's event loop: epoll, one thread, and one tick that is run
 * before each wait (lwIP's timers and QEMU's start deadline hang on it). */

#ifndef _FCV_LOOP_H_INCLUDED_
#define _FCV_LOOP_H_INCLUDED_

#include <stdint.h>
#include <sys/epoll.h>
#include "contract/fcf_err.h"

#define FCV_LOOP_BATCH  64

typedef struct {
    int    fd;
    void (*handler)(void *arg, uint32_t events);
    void  *arg;
} fcv_source_t;

typedef struct {
    int                 epfd;
    int                 nready;         /* of ready[], while dispatching */
    int                 quit;
    int                 exit_code;
    /* returns the milliseconds until it wants to run again, -1: no matter */
    int               (*tick)(void *arg);
    void               *tick_arg;
    struct epoll_event  ready[FCV_LOOP_BATCH];
} fcv_loop_t;

int fcv_loop_init(fcv_loop_t *loop, fcf_err_t *err) fcf_must_check;
void fcv_loop_done(fcv_loop_t *loop);

/* The source is the caller's and must stay where it is until fcv_loop_del(),
 * after which its handler does not run, also for events already fetched. */
int fcv_loop_add(fcv_loop_t *loop, fcv_source_t *source, uint32_t events,
    fcf_err_t *err) fcf_must_check;
void fcv_loop_mod(fcv_loop_t *loop, fcv_source_t *source, uint32_t events);
void fcv_loop_del(fcv_loop_t *loop, fcv_source_t *source);

/* runs until fcv_loop_quit(); returns the exit code given there */
int fcv_loop_run(fcv_loop_t *loop);
/* the first call decides */
void fcv_loop_quit(fcv_loop_t *loop, int exit_code);

uint64_t fcv_now_ms(void);              /* CLOCK_MONOTONIC */

#endif /* _FCV_LOOP_H_INCLUDED_ */
