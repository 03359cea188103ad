#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "agent/base/signals.h"

struct fca_signals_s {
    uv_poll_t    poll;
    int          fd;
    void       (*got)(void *arg, int signo);
    void        *arg;
};

/* one at a time: whoever gets it may free this */
static void
fca_signals_ready(uv_poll_t *poll, int status, int events)
{
    fca_signals_t            *signals = poll->data;
    struct signalfd_siginfo   info;

    (void) status;
    (void) events;

    if (read(signals->fd, &info, sizeof(info)) == sizeof(info)) {
        signals->got(signals->arg, (int) info.ssi_signo);
    }
}

fca_signals_t *
fca_signals_new(uv_loop_t *uv, void (*got)(void *arg, int signo),
    void *arg, fcf_err_t *err)
{
    sigset_t        set;
    fca_signals_t  *signals;

    signals = calloc(1, sizeof(*signals));
    if (signals == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for signals");
        return NULL;
    }

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);

    signals->got = got;
    signals->arg = arg;
    signals->fd = sigprocmask(SIG_BLOCK, &set, NULL) == 0
                  ? signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC) : -1;

    if (signals->fd == -1) {
        fcf_err_sys(err, errno, "signals");
        free(signals);
        return NULL;
    }

    if (uv_poll_init(uv, &signals->poll, signals->fd) != 0) {
        fcf_err_set(err, FCF_E_SYSTEM, "signals cannot be watched");
        close(signals->fd);
        free(signals);
        return NULL;
    }

    signals->poll.data = signals;
    uv_poll_start(&signals->poll, UV_READABLE, fca_signals_ready);

    return signals;
}

static void
fca_signals_closed(uv_handle_t *handle)
{
    fca_signals_t  *signals = handle->data;

    close(signals->fd);
    free(signals);
}

void
fca_signals_free(fca_signals_t *signals)
{
    if (signals) {
        uv_close((uv_handle_t *) &signals->poll, fca_signals_closed);
    }
}
