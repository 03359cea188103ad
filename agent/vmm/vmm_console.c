/* What comes out of a VM: the guest's serial console, and the VMM's own
 * output.  Each is a FIFO in the VM's directory, read into a ring. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/vmm/vmm_int.h"
#include "contract/fcf_text.h"

/* read per turn of the loop: one noisy guest must not hold up the others */
#define PIPE_CHUNK    4096
#define PIPE_CHUNKS   4
#define PIPE_HOLDS    65536
#define OUTPUT_LINES  3


void
fca_vmm_pipes_init(fca_vmm_t *vmm)
{
    vmm->console.fd = -1;
    vmm->console.ring.max = FCA_CONSOLE_MAX;
    vmm->output.fd = -1;
    vmm->output.ring.max = FCA_OUTPUT_MAX;
}


/* both ends: without a writer of our own a FIFO whose VMM has not opened it,
 * or is gone, reads as end of file for ever */
int
fca_vmm_fifo_open(int dirfd, const char *name, fcf_err_t *err)
{
    int  fd;

    fd = openat(dirfd, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? fcf_err_sys(err, errno, "opening %s", name) : fd;
}


/* 0: nothing more at the moment */
static int
pipe_read(fca_vmm_t *vmm, fca_pipe_t *pipe)
{
    char     buf[PIPE_CHUNK];
    ssize_t  n;

    n = read(pipe->fd, buf, sizeof(buf));

    if (n <= 0) {
        return 0;
    }

    if (pipe == &vmm->console && vmm->said != NULL) {
        vmm->said(vmm->arg, FCA_STREAM_CONSOLE, buf, (size_t) n, 0);
    }

    fca_ring_add(&pipe->ring, buf, (size_t) n);

    return 1;
}


static void
pipe_drain(fca_vmm_t *vmm, fca_pipe_t *pipe, int chunks)
{
    while (chunks-- > 0 && pipe_read(vmm, pipe)) {
        /* bounded */
    }
}


static void
console_readable(uv_poll_t *poll, int status, int events)
{
    fca_vmm_t  *vmm = poll->data;

    (void) status;
    (void) events;

    pipe_drain(vmm, &vmm->console, PIPE_CHUNKS);
}


static void
output_readable(uv_poll_t *poll, int status, int events)
{
    fca_vmm_t  *vmm = poll->data;

    (void) status;
    (void) events;

    pipe_drain(vmm, &vmm->output, PIPE_CHUNKS);
}


static int
pipe_watch(fca_vmm_t *vmm, fca_pipe_t *pipe, uv_poll_cb readable,
    fcf_err_t *err)
{
    int  rc;

    rc = uv_poll_init(vmm->conf->uv, &pipe->poll, pipe->fd);

    if (rc == 0) {
        fca_vmm_handle_add(vmm, (uv_handle_t *) &pipe->poll);
        rc = uv_poll_start(&pipe->poll, UV_READABLE, readable);
    }

    return rc != 0 ? fcf_err_sys(err, -rc, "watching the VM's output") : 0;
}


int
fca_vmm_pipes_watch(fca_vmm_t *vmm, fcf_err_t *err)
{
    return pipe_watch(vmm, &vmm->console, console_readable, err) != 0
           || pipe_watch(vmm, &vmm->output, output_readable, err) != 0
           ? -1 : 0;
}


static void
pipe_close(fca_vmm_t *vmm, fca_pipe_t *pipe)
{
    if (pipe->fd < 0) {
        return;
    }

    pipe_drain(vmm, pipe, PIPE_HOLDS / PIPE_CHUNK);

    if (pipe->poll.data != NULL) {
        fca_vmm_handle_close((uv_handle_t *) &pipe->poll);
    }

    close(pipe->fd);
    pipe->fd = -1;
}


void
fca_vmm_pipes_close(fca_vmm_t *vmm)
{
    pipe_close(vmm, &vmm->console);
    pipe_close(vmm, &vmm->output);
}


void
fca_vmm_pipes_free(fca_vmm_t *vmm)
{
    fca_ring_free(&vmm->console.ring);
    fca_ring_free(&vmm->output.ring);
}


size_t
fca_vmm_console_tail(const fca_vmm_t *vmm, char *buf, size_t size)
{
    return fca_ring_tail(&vmm->console.ring, buf, size);
}


uint64_t
fca_vmm_console_seen(const fca_vmm_t *vmm)
{
    return vmm->console.ring.seen;
}


/* the last size - 1 bytes of text, from the start of a line if one fits */
static size_t
last_lines(char *buf, size_t size, const char *text, size_t n)
{
    const char  *start, *nl;

    start = text;

    if (n >= size) {
        start = text + n - (size - 1);
        nl = memchr(start, '\n', size - 1);

        if (nl != NULL) {
            start = nl + 1;
        }
    }

    n = (size_t) (text + n - start);
    memcpy(buf, start, n);
    buf[n] = '\0';

    return n;
}


/* Colours that are left out make it shorter, escapes longer: twice as much is
 * looked at, and the last lines count. */
size_t
fca_vmm_console(const fca_vmm_t *vmm, char *buf, size_t size)
{
    char    *raw, *text;
    size_t   n;

    if (size == 0) {
        return 0;
    }

    buf[0] = '\0';
    n = fca_ring_kept(&vmm->console.ring);
    n = n < size * 2 ? n : size * 2;

    raw = malloc(n + 1);
    text = malloc(n * FCF_TEXT_GROWS + 1);

    if (raw == NULL || text == NULL) {
        n = 0;

    } else {
        n = fca_ring_tail(&vmm->console.ring, raw, n);
        n = fcf_text_clean(text, n * FCF_TEXT_GROWS + 1, raw, n,
                           FCF_TEXT_LINES);

        while (n > 0 && text[n - 1] == '\n') {
            n--;
        }

        n = last_lines(buf, size, text, n);
    }

    free(raw);
    free(text);

    return n;
}


/* Firecracker's last line is always its exit code, so that one says little:
 * the ones before it do. */
void
fca_vmm_last_words(const fca_vmm_t *vmm, char *buf, size_t size)
{
    char    raw[FCF_ERR_MSG_MAX];
    size_t  n, at;
    int     lines;

    n = fca_ring_tail(&vmm->output.ring, raw, sizeof(raw));

    while (n > 0 && (raw[n - 1] == '\n' || raw[n - 1] == '\r')) {
        n--;
    }

    lines = 0;

    for (at = n; at > 0; at--) {
        if (raw[at - 1] == '\n' && ++lines == OUTPUT_LINES) {
            break;
        }
    }

    fcf_text_clean(buf, size, raw + at, n - at, 0);
}
