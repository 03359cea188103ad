/*
 * The function "echo": answers with what it was asked.  A request with a body
 * gets that body back; one without gets its request line and headers as text.
 * One process, one epoll loop.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "vm/functions/echo/conn.h"

#define BACKLOG  1024
#define EVENTS   64


static int
open_port(const char *text)
{
    int                  fd, on;
    char                *end;
    unsigned long        port;
    struct sockaddr_in   sin;

    errno = 0;
    port = strtoul(text, &end, 10);

    if (errno || end == text || *end || port == 0 || port > 65535) {
        fprintf(stderr, "echo: PORT is \"%s\", not a port\n", text);
        return -1;
    }

    on = 1;
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_ANY);
    sin.sin_port = htons((uint16_t) port);

    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd < 0
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) < 0
        || listen(fd, BACKLOG) < 0)
    {
        fprintf(stderr, "echo: port %lu: %s\n", port, strerror(errno));
        return -1;
    }

    return fd;
}


static void
run_conn(int epoll_fd, fcv_echo_t *echo, int op)
{
    struct epoll_event  ev;

    memset(&ev, 0, sizeof(ev));
    ev.events = fcv_echo_run(echo);
    ev.data.ptr = echo;

    if (ev.events == 0
        || epoll_ctl(epoll_fd, op, fcv_echo_fd(echo), &ev) < 0)
    {
        fcv_echo_free(echo);
    }
}


static void
accept_all(int epoll_fd, int listen_fd)
{
    int          fd, on;
    fcv_echo_t  *echo;

    for ( ;; ) {
        fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (fd < 0) {
            return;
        }

        on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        echo = fcv_echo_new(fd);

        if (echo == NULL) {
            close(fd);
            continue;
        }

        run_conn(epoll_fd, echo, EPOLL_CTL_ADD);
    }
}


static int
serve(int epoll_fd, int listen_fd)
{
    int                 i, n;
    struct epoll_event  events[EVENTS], ev;

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &ev) < 0) {
        return -1;
    }

    for ( ;; ) {
        n = epoll_wait(epoll_fd, events, EVENTS, -1);

        if (n < 0 && errno != EINTR) {
            return -1;
        }

        for (i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                accept_all(epoll_fd, listen_fd);
                continue;
            }

            run_conn(epoll_fd, events[i].data.ptr, EPOLL_CTL_MOD);
        }
    }
}


int
main(void)
{
    int             epoll_fd, listen_fd;
    const char     *port;
    struct sysinfo  info;

    port = getenv("PORT");
    listen_fd = open_port(port ? port : "");

    if (listen_fd < 0) {
        return 1;
    }

    if (sysinfo(&info) == 0) {
        fcv_echo_limit(info.totalram / 4 * info.mem_unit);
    }

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (epoll_fd < 0 || serve(epoll_fd, listen_fd) < 0) {
        fprintf(stderr, "echo: epoll: %s\n", strerror(errno));
        return 1;
    }

    return 0;
}
