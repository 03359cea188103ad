#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include "agent/notify.h"

static void
fca_notify_tick(void *arg)
{
    fca_notify_t  *notify = arg;

    sd_notify(0, "WATCHDOG=1");
    notify->loop->timer_set(notify->timer, notify->interval);
}

int
fca_notify_init(fca_notify_t *notify, fcf_loop_t *loop, fcf_err_t *err)
{
    uint64_t  usec;

    notify->loop = loop;
    notify->timer = NULL;
    notify->interval = 0;

    if (sd_watchdog_enabled(0, &usec) <= 0) {
        return 0;
    }

    notify->timer = loop->timer_new(loop, fca_notify_tick, notify);
    if (notify->timer == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for the watchdog");
    }

    notify->interval = usec / 2000 ? usec / 2000 : 1;
    loop->timer_set(notify->timer, 0);

    return 0;
}

void
fca_notify_free(fca_notify_t *notify)
{
    if (notify->timer) {
        notify->loop->timer_free(notify->timer);
        notify->timer = NULL;
    }
}

void
fca_notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void
fca_notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void
fca_notify_status(const char *fmt, ...)
{
    char     text[256];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    sd_notifyf(0, "STATUS=%s", text);
}
