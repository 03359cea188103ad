/*
 * What systemd wants to hear, by the protocol of sd_notify(3); nothing happens
 * without it.  libsystemd's own call may block while nobody reads the socket,
 * which a loop must not: here what the socket does not take is dropped, but
 * for READY, which is said again until it is taken.
 */

#ifndef _FCA_NOTIFY_H_INCLUDED_
#define _FCA_NOTIFY_H_INCLUDED_

#include "client/fcf_loop.h"

typedef struct {
    fcf_loop_t   *loop;
    int           fd;                   /* connected; -1: nobody listens */
    fcf_timer_t  *watchdog;             /* NULL: not asked for */
    uint64_t      interval;             /* ms */
    fcf_timer_t  *again;                /* READY was not taken yet */
} fca_notify_t;

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
int fca_notify_init(fca_notify_t *notify, fcf_loop_t *loop, fcf_err_t *err)
    fcf_must_check;
/* also of a zeroed one that was never initialised */
void fca_notify_free(fca_notify_t *notify);

void fca_notify_ready(fca_notify_t *notify);
void fca_notify_stopping(fca_notify_t *notify);
void fca_notify_status(fca_notify_t *notify, const char *fmt, ...)
    fcf_printf_like(2, 3);

#endif /* _FCA_NOTIFY_H_INCLUDED_ */
