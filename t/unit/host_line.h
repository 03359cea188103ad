/* Lines of commands on standard input, for the programs that tests drive. */

#ifndef _HOST_LINE_H_INCLUDED_
#define _HOST_LINE_H_INCLUDED_

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include "agent/base/clock.h"
#include "agent/wire/wire.h"

typedef struct {
    uv_poll_t    poll;
    char         line[4096];
    size_t       len;
    void       (*obey)(const char *text);
} host_line_t;


static void
host_line_ready(uv_poll_t *poll, int status, int events)
{
    char         *lf;
    ssize_t       n;
    host_line_t  *in = poll->data;

    (void) status;
    (void) events;

    n = read(STDIN_FILENO, in->line + in->len, sizeof(in->line) - in->len - 1);

    if (n <= 0) {
        uv_poll_stop(poll);
        uv_stop(poll->loop);
        return;
    }

    in->len += (size_t) n;
    in->line[in->len] = '\0';

    while ((lf = strchr(in->line, '\n')) != NULL) {
        *lf = '\0';
        in->obey(in->line);
        in->len -= (size_t) (lf + 1 - in->line);
        memmove(in->line, lf + 1, in->len + 1);
    }

    if (in->len == sizeof(in->line) - 1) {
        in->len = 0;
    }
}


static void
host_line_start(host_line_t *in, uv_loop_t *uv, void (*obey)(const char *))
{
    memset(in, 0, sizeof(*in));
    in->obey = obey;
    in->poll.data = in;
    uv_poll_init(uv, &in->poll, STDIN_FILENO);
    uv_poll_start(&in->poll, UV_READABLE, host_line_ready);
}


static void
host_print_stat(const fca_route_stat_t *stat)
{
    printf("stat inflight=%u requests=%" PRIu64 " refused=%u timeouts=%u "
           "drained=%" PRIu64 " idle_ms=%" PRIu64 "\n",
           atomic_load(&stat->inflight), atomic_load(&stat->requests),
           atomic_load(&stat->refused), atomic_load(&stat->timeouts),
           atomic_load(&stat->drained),
           fca_monotonic_ms() - atomic_load(&stat->last_ms));
}

#endif /* _HOST_LINE_H_INCLUDED_ */
