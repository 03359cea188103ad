#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "vm/vmm/loop.h"
#include "vm/vmm/schema.h"
#include "vm/vmm/serial.h"


/* Standard output belongs to others as well and cannot be made non-blocking;
 * but a pipe that polls writable takes PIPE_BUF bytes. */
static int
writable(int fd)
{
    struct pollfd  p;

    p.fd = fd;
    p.events = POLLOUT;

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}


/* Of the token bucket that came with PUT /serial; NULL: as much as there is.
 * Both backends have one console. */
static size_t
within_rate(const json_t *bucket, size_t len)
{
    double    size, refill;
    uint64_t  now;

    static double         left, burst;
    static uint64_t       since;
    static const json_t  *of;

    size = (double) fcv_int(bucket, "size");
    refill = (double) fcv_int(bucket, "refill_time");

    if (size <= 0 || refill <= 0) {
        return len;
    }

    now = fcv_now_ms();

    if (of != bucket) {
        of = bucket;
        since = now;
        left = size;
        burst = (double) fcv_int(bucket, "one_time_burst");
    }

    left += (double) (now - since) * size / refill;
    left = left > size ? size : left;
    since = now;

    len = (double) len > left + burst ? (size_t) (left + burst) : len;
    left -= (double) len;

    if (left < 0) {
        burst += left;
        left = 0;
    }

    return len;
}


void
fcv_serial_write(const fcv_model_t *model, const void *data, size_t len)
{
    int          fd;
    size_t       part;
    ssize_t      n;
    const char  *p;

    len = within_rate(json_object_get(model->serial, "rate_limiter"), len);
    fd = model->serial_fd != -1 ? model->serial_fd : STDOUT_FILENO;

    for (p = data; len; p += n, len -= (size_t) n) {
        part = len < PIPE_BUF ? len : PIPE_BUF;

        if (fd == STDOUT_FILENO && !writable(fd)) {
            return;
        }

        n = write(fd, p, part);

        if (n <= 0) {
            return;
        }
    }
}
