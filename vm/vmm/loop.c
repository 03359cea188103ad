#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vm/vmm/loop.h"


int
fcv_loop_init(fcv_loop_t *loop, fcf_err_t *err)
{
    memset(loop, 0, sizeof(fcv_loop_t));

    loop->epfd = epoll_create1(EPOLL_CLOEXEC);

    if (loop->epfd == -1) {
        return fcf_err_sys(err, errno, "epoll_create1");
    }

    return 0;
}


void
fcv_loop_done(fcv_loop_t *loop)
{
    if (loop->epfd != -1) {
        (void) close(loop->epfd);
        loop->epfd = -1;
    }
}


int
fcv_loop_add(fcv_loop_t *loop, fcv_source_t *source, uint32_t events,
    fcf_err_t *err)
{
    struct epoll_event  ev;

    ev.events = events;
    ev.data.ptr = source;

    if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, source->fd, &ev) == -1) {
        return fcf_err_sys(err, errno, "epoll_ctl add %d", source->fd);
    }

    return 0;
}


void
fcv_loop_mod(fcv_loop_t *loop, fcv_source_t *source, uint32_t events)
{
    struct epoll_event  ev;

    ev.events = events;
    ev.data.ptr = source;

    (void) epoll_ctl(loop->epfd, EPOLL_CTL_MOD, source->fd, &ev);
}


void
fcv_loop_del(fcv_loop_t *loop, fcv_source_t *source)
{
    int  i;

    (void) epoll_ctl(loop->epfd, EPOLL_CTL_DEL, source->fd, NULL);

    for (i = 0; i < loop->nready; i++) {
        if (loop->ready[i].data.ptr == source) {
            loop->ready[i].data.ptr = NULL;
        }
    }
}


int
fcv_loop_run(fcv_loop_t *loop)
{
    int            i, n, timeout;
    fcv_source_t  *source;

    while (!loop->quit) {
        timeout = loop->tick ? loop->tick(loop->tick_arg) : -1;

        if (loop->quit) {
            break;
        }

        n = epoll_wait(loop->epfd, loop->ready, FCV_LOOP_BATCH, timeout);

        if (n == -1) {
            if (errno == EINTR) {
                continue;
            }

            return 1;
        }

        loop->nready = n;

        for (i = 0; i < n && !loop->quit; i++) {
            source = loop->ready[i].data.ptr;

            if (source) {
                source->handler(source->arg, loop->ready[i].events);
            }
        }

        loop->nready = 0;
    }

    return loop->exit_code;
}


void
fcv_loop_quit(fcv_loop_t *loop, int exit_code)
{
    if (!loop->quit) {
        loop->quit = 1;
        loop->exit_code = exit_code;
    }
}


uint64_t
fcv_now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}
