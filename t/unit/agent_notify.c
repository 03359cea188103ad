#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "agent/base/loop.h"
#include "agent/base/notify.h"
#include "t/unit/tap.h"

static uv_loop_t   uv;
static fcf_loop_t  loop;


/* the manager's end, in the abstract namespace */
static int
manager(void)
{
    int                 fd;
    char                name[64];
    socklen_t           len;
    struct sockaddr_un  addr;

    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    memset(&addr, 0, sizeof(addr));
    addr.sun_family = AF_UNIX;
    len = sizeof(addr);

    /* autobind: five hex digits of the kernel's choice */
    if (fd < 0 || bind(fd, (struct sockaddr *) &addr, sizeof(sa_family_t)) != 0
        || getsockname(fd, (struct sockaddr *) &addr, &len) != 0)
    {
        return -1;
    }

    snprintf(name, sizeof(name), "@%.5s", addr.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);

    return fd;
}


/* the newest message that came, "" if none */
static const char *
told(int fd, unsigned *n)
{
    ssize_t      r;
    static char  buf[512];

    buf[0] = '\0';

    for (*n = 0; (r = recv(fd, buf, sizeof(buf) - 1, 0)) >= 0; (*n)++) {
        buf[r] = '\0';
    }

    return buf;
}


static void
test_full(void)
{
    int           fd, i;
    unsigned      n;
    uv_timer_t    hold;
    fca_notify_t  notify;

    fd = manager();
    is_int(fca_notify_init(&notify, &loop, NULL), 0, "a manager listens");

    alarm(20);          /* ends a test that blocks */

    for (i = 0; i < 5000; i++) {
        fca_notify_status(&notify, "status %d", i);
    }

    ok(1, "a manager that stands still blocks nothing");

    fca_notify_ready(&notify);
    told(fd, &n);
    ok(n > 0 && n < 5000, "what it did not take is dropped: %u came", n);

    /* the loop's own timers hold nothing alive */
    uv_timer_init(&uv, &hold);
    uv_timer_start(&hold, (uv_timer_cb) (void *) uv_stop, 20000, 0);

    do {
        uv_run(&uv, UV_RUN_ONCE);
    } while (strcmp(told(fd, &n), "READY=1") != 0);

    ok(1, "but READY comes as soon as it is taken");
    alarm(0);

    fca_notify_stopping(&notify);
    is_str(told(fd, &n), "STOPPING=1", "stopping");

    fca_notify_free(&notify);
    fca_notify_status(&notify, "x");
    told(fd, &n);
    is_int(n, 0, "nothing after the end");

    uv_close((uv_handle_t *) &hold, NULL);
    close(fd);
}


static void
test_refused(void)
{
    fcf_err_t     err;
    fca_notify_t  notify;

    unsetenv("NOTIFY_SOCKET");
    is_int(fca_notify_init(&notify, &loop, &err), 0, "no manager");
    fca_notify_ready(&notify);
    fca_notify_free(&notify);

    setenv("NOTIFY_SOCKET", "relative", 1);
    is_int(fca_notify_init(&notify, &loop, &err), -1, "a bad name");
    is_str(err.msg, "NOTIFY_SOCKET=\"relative\" is not a socket's name",
           "is told");

    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    is_int(fca_notify_init(&notify, &loop, &err), -1, "nobody there");
    ok(strstr(err.msg, "/nowhere/at/all") != NULL, "is told: %s", err.msg);
}


int
main(void)
{
    uv_loop_init(&uv);
    fca_loop_init(&loop, &uv, NULL);

    test_full();
    test_refused();

    uv_run(&uv, UV_RUN_NOWAIT);
    uv_loop_close(&uv);

    return tap_done();
}
