#include <limits.h>
#include <poll.h>
#include <unistd.h>

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


void
fcv_serial_write(const fcv_model_t *model, const void *data, size_t len)
{
    int          fd;
    size_t       part;
    ssize_t      n;
    const char  *p;

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
