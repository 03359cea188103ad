/* A proxy of ours comes to its end with its agent's connection.  One that does
 * not, since it stands still, say, is killed; the loop goes on meanwhile. */

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/route/route_int.h"

#define FCA_END_MS     2000             /* then it is killed */
#define FCA_END_KILLS  2                /* then it is left */

struct fca_ending_s {
    uv_poll_t       poll;
    uv_timer_t      timer;
    unsigned        handles;
    int             pidfd;
    unsigned        kills;
    fca_child_t    *child;              /* NULL: none of ours, or reaped */
    void          (*ended)(void *arg);
    void           *arg;
};

typedef struct fca_ending_s  fca_ending_t;

static void
ending_closed(uv_handle_t *handle)
{
    fca_ending_t  *e = handle->data;
    void         (*ended)(void *arg) = e->ended;
    void          *arg = e->arg;

    if (--e->handles > 0) {
        return;
    }

    close(e->pidfd);
    free(e);

    if (ended) {
        ended(arg);
    }
}

static void
ending_over(fca_ending_t *e)
{
    if (e->child) {
        fca_child_forget(e->child);
        e->child = NULL;
    }

    uv_close((uv_handle_t *) &e->poll, ending_closed);
    uv_close((uv_handle_t *) &e->timer, ending_closed);
}

/* the process is no more */
static void
ending_seen(uv_poll_t *poll, int status, int events)
{
    (void) status;
    (void) events;
    ending_over(poll->data);
}

static void
ending_kill(uv_timer_t *timer)
{
    fca_ending_t  *e = timer->data;

    if (e->kills++ == FCA_END_KILLS) {
        fca_log(FCF_LOG_ERROR, NULL, "the proxy does not end");
        ending_over(e);
        return;
    }

    (void) syscall(SYS_pidfd_send_signal, e->pidfd, SIGKILL, NULL, 0);
    uv_timer_start(timer, ending_kill, FCA_END_MS, 0);
}

int
fca_ending_start(fca_routes_t *routes, int now)
{
    int            fd;
    fca_ending_t  *e;

    fd = routes->pidfd;
    routes->pidfd = -1;

    if (fd == -1 && routes->child) {
        fd = (int) syscall(SYS_pidfd_open, fca_child_pid(routes), 0);
    }

    if (fd == -1) {
        return 0;
    }

    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        (void) syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
        close(fd);
        return 0;
    }

    e->pidfd = fd;
    e->ended = routes->conf.ended;
    e->arg = routes->conf.arg;
    e->handles = 2;
    e->poll.data = e->timer.data = e;
    fca_child_hand_over(routes, &e->child);

    uv_timer_init(routes->conf.uv, &e->timer);
    uv_poll_init(routes->conf.uv, &e->poll, fd);
    uv_poll_start(&e->poll, UV_READABLE, ending_seen);
    uv_timer_start(&e->timer, ending_kill, now ? 0 : FCA_END_MS, 0);

    return e->ended != NULL;
}
