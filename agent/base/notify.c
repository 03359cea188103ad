#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "agent/base/notify.h"

#define FCA_NOTIFY_AGAIN_MS  100


/* 0, or -1 if the socket takes nothing now */
static int
fca_notify_send(fca_notify_t *notify, const char *text)
{
    if (notify->loop == NULL || notify->fd < 0) {
        return 0;
    }

    if (send(notify->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
    {
        return 0;
    }

    return errno == EAGAIN || errno == ENOBUFS ? -1 : 0;
}

/* "/path", or "@name" in the abstract namespace */
static int
fca_notify_connect(const char *path, fcf_err_t *err)
{
    int                 fd, save;
    size_t              len;
    socklen_t           size;
    struct sockaddr_un  addr;

    len = strlen(path);

    if ((path[0] != '/' && path[0] != '@') || len < 2
        || len >= sizeof(addr.sun_path))
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "NOTIFY_SOCKET=\"%s\" is not a socket's name",
                           path);
    }

    memset(&addr, 0, sizeof(addr));
    addr.sun_family = AF_UNIX;
    memcpy(addr.sun_path, path, len);
    size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len);

    if (path[0] == '@') {
        addr.sun_path[0] = '\0';
    }

    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "socket for NOTIFY_SOCKET");
    }

    if (connect(fd, (struct sockaddr *) &addr, size) != 0) {
        save = errno;
        close(fd);
        return fcf_err_sys(err, save, "connect to NOTIFY_SOCKET=\"%s\"",
                           path);
    }

    return fd;
}

static void
fca_notify_watchdog(void *arg)
{
    fca_notify_t  *notify = arg;

    fca_notify_send(notify, "WATCHDOG=1");
    notify->loop->timer_set(notify->watchdog, notify->interval);
}

static void
fca_notify_again(void *arg)
{
    fca_notify_ready(arg);
}

/* half of the watchdog's time in ms, 0 if it is not for this process */
static uint64_t
fca_notify_interval(void)
{
    char        *end;
    uint64_t     usec;
    const char  *value;

    value = getenv("WATCHDOG_PID");
    if (value != NULL && strtol(value, NULL, 10) != (long) getpid()) {
        return 0;
    }

    value = getenv("WATCHDOG_USEC");
    if (value == NULL) {
        return 0;
    }

    errno = 0;
    usec = strtoull(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || usec == 0) {
        return 0;
    }

    return usec / 2000 ? usec / 2000 : 1;
}

int
fca_notify_init(fca_notify_t *notify, fcf_loop_t *loop, fcf_err_t *err)
{
    const char  *path;

    memset(notify, 0, sizeof(*notify));
    notify->loop = loop;
    notify->fd = -1;

    path = getenv("NOTIFY_SOCKET");
    if (path == NULL || *path == '\0') {
        return 0;
    }

    notify->fd = fca_notify_connect(path, err);
    if (notify->fd < 0) {
        return -1;
    }

    notify->again = loop->timer_new(loop, fca_notify_again, notify);
    notify->interval = fca_notify_interval();

    if (notify->interval) {
        notify->watchdog = loop->timer_new(loop, fca_notify_watchdog, notify);
    }

    if (notify->again == NULL || (notify->interval && !notify->watchdog)) {
        fca_notify_free(notify);
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for the watchdog");
    }

    if (notify->watchdog) {
        loop->timer_set(notify->watchdog, 0);
    }

    return 0;
}

void
fca_notify_free(fca_notify_t *notify)
{
    if (notify->loop == NULL) {
        return;
    }

    if (notify->watchdog) {
        notify->loop->timer_free(notify->watchdog);
    }

    if (notify->again) {
        notify->loop->timer_free(notify->again);
    }

    if (notify->fd >= 0) {
        close(notify->fd);
    }

    memset(notify, 0, sizeof(*notify));
    notify->fd = -1;
}

void
fca_notify_ready(fca_notify_t *notify)
{
    if (fca_notify_send(notify, "READY=1") != 0) {
        notify->loop->timer_set(notify->again, FCA_NOTIFY_AGAIN_MS);
    }
}

void
fca_notify_stopping(fca_notify_t *notify)
{
    fca_notify_send(notify, "STOPPING=1");
}

void
fca_notify_status(fca_notify_t *notify, const char *fmt, ...)
{
    int      n;
    char     text[256];
    va_list  args;

    n = snprintf(text, sizeof(text), "STATUS=");

    va_start(args, fmt);
    vsnprintf(text + n, sizeof(text) - (size_t) n, fmt, args);
    va_end(args);

    fca_notify_send(notify, text);
}
