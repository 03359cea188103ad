/* What QEMU says on its standard error. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vm/vmm/qemu_args.h"
#include "vm/vmm/qemu_int.h"


/* A line of QEMU's standard error, with its newline: the trace of the reset,
 * or words, which are kept for the refusal or passed on. */
static void
take_line(const char *line, size_t len)
{
    size_t  n;

    n = sizeof(FCV_QEMU_TRACE) - 1;

    if (len > n && memcmp(line, FCV_QEMU_TRACE, n) == 0) {
        fcv_qemu.reset = len >= n + 5 && memcmp(line + n, " 0xfe", 5) == 0;
        return;
    }

    if (fcv_qemu.state == QEMU_RUNNING) {
        (void) !write(STDERR_FILENO, line, len);

    } else if (fcv_qemu.last_words.len + len < FCV_WORDS_MAX
               && fcf_buf_add(&fcv_qemu.last_words, line, len) != 0)
    {
        fcf_buf_reset(&fcv_qemu.last_words);
    }
}


void
fcv_qemu_words(void *arg, uint32_t events)
{
    char     buf[1024], *nl;
    size_t   len;
    ssize_t  n;

    (void) arg;
    (void) events;

    n = read(fcv_qemu.words.fd, buf, sizeof(buf));

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        if (fcv_qemu.line.len) {
            take_line(fcv_qemu.line.data, fcv_qemu.line.len);
        }

        fcv_qemu_close_source(&fcv_qemu.words);
        return;
    }

    /* a line that does not fit is lost */

    if (fcf_buf_add(&fcv_qemu.line, buf, (size_t) n) != 0) {
        return;
    }

    while (fcv_qemu.line.len
           && (nl = memchr(fcv_qemu.line.data, '\n', fcv_qemu.line.len)) != NULL)
    {
        len = (size_t) (nl - fcv_qemu.line.data) + 1;
        take_line(fcv_qemu.line.data, len);
        fcf_buf_consume(&fcv_qemu.line, len);
    }
}


void
fcv_qemu_close_source(fcv_source_t *source)
{
    if (source->fd != -1) {
        fcv_loop_del(fcv_qemu.vm->loop, source);
        (void) close(source->fd);
        source->fd = -1;
    }
}
