/* What systemd wants to hear (sd_notify(3)); nothing happens without it. */

#ifndef _FCA_NOTIFY_H_INCLUDED_
#define _FCA_NOTIFY_H_INCLUDED_

#include "contract/fcf_loop.h"

typedef struct {
    fcf_loop_t   *loop;
    fcf_timer_t  *timer;                /* feeds the watchdog */
    uint64_t      interval;             /* ms; 0: no watchdog */
} fca_notify_t;

int fca_notify_init(fca_notify_t *notify, fcf_loop_t *loop, fcf_err_t *err)
    fcf_must_check;
void fca_notify_free(fca_notify_t *notify);

void fca_notify_ready(void);
void fca_notify_stopping(void);
void fca_notify_status(const char *fmt, ...) fcf_printf_like(1, 2);

#endif /* _FCA_NOTIFY_H_INCLUDED_ */
