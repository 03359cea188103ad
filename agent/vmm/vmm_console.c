#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/vmm/vmm_int.h"

/* read per turn of the loop: one noisy guest must not hold up the others */
#define CONSOLE_CHUNK   4096
#define CONSOLE_CHUNKS  4


static void
console_log(fca_console_t *c, const char *data, size_t len)
{
    ssize_t  n;

    if (c->log < 0) {
        return;
    }

    if (len > FCA_CONSOLE_FILE_MAX - c->logged) {
        len = FCA_CONSOLE_FILE_MAX - c->logged;
    }

    n = write(c->log, data, len);

    if (n > 0) {
        c->logged += (size_t) n;
    }

    if (n < 0 || c->logged == FCA_CONSOLE_FILE_MAX) {
        close(c->log);
        c->log = -1;
    }
}


static void
console_keep(fca_console_t *c, const char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        c->keep[c->len++ % sizeof(c->keep)] = data[i];
    }
}


/* 0: nothing more at the moment */
static int
console_read(fca_console_t *c)
{
    char     buf[CONSOLE_CHUNK];
    ssize_t  n;

    n = read(c->fd, buf, sizeof(buf));

    if (n <= 0) {
        return 0;
    }

    console_log(c, buf, (size_t) n);
    console_keep(c, buf, (size_t) n);

    return 1;
}


static void
console_readable(uv_poll_t *poll, int status, int events)
{
    int         i;
    fca_vmm_t  *vmm = poll->data;

    (void) status;
    (void) events;

    for (i = 0; i < CONSOLE_CHUNKS && console_read(&vmm->console); i++) {
        /* bounded */
    }
}


int
fca_vmm_console_open(fca_vmm_t *vmm, fcf_err_t *err)
{
    int             rc;
    char            path[FCA_VMM_PATH + 16];
    fca_console_t  *c = &vmm->console;

    /* both ends: without a writer of our own a FIFO whose VMM has not opened
     * it, or is gone, reads as end of file for ever */
    snprintf(path, sizeof(path), "%s/" FCA_VMM_CONSOLE, vmm->dir);

    c->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (c->fd < 0) {
        return fcf_err_sys(err, errno, "opening %s", path);
    }

    snprintf(path, sizeof(path), "%s/" FCA_VMM_LOG, vmm->dir);

    c->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                  0600);

    rc = uv_poll_init(vmm->conf->uv, &c->poll, c->fd);

    if (rc == 0) {
        fca_vmm_handle_add(vmm, (uv_handle_t *) &c->poll);
        rc = uv_poll_start(&c->poll, UV_READABLE, console_readable);
    }

    if (rc != 0) {
        return fcf_err_sys(err, -rc, "watching the console");
    }

    return 0;
}


void
fca_vmm_console_close(fca_vmm_t *vmm)
{
    int             i;
    fca_console_t  *c = &vmm->console;

    if (c->fd < 0) {
        return;
    }

    /* a FIFO holds 64 KiB */
    for (i = 0; i < 65536 / CONSOLE_CHUNK && console_read(c); i++) {
        /* bounded */
    }

    if (c->poll.data != NULL) {
        fca_vmm_handle_close((uv_handle_t *) &c->poll);
    }

    close(c->fd);
    c->fd = -1;

    if (c->log >= 0) {
        close(c->log);
        c->log = -1;
    }
}


/* Of the kept bytes those that print: lines, without control characters and
 * terminal sequences, other bytes as "?". */
size_t
fca_vmm_console(const fca_vmm_t *vmm, char *buf, size_t size)
{
    char                  text[FCA_CONSOLE_KEEP + 1], *p, *start;
    size_t                i, first, n;
    unsigned char         ch;
    const fca_console_t  *c = &vmm->console;

    if (size == 0) {
        return 0;
    }

    p = text;
    first = c->len > sizeof(c->keep) ? c->len - sizeof(c->keep) : 0;

    for (i = first; i < c->len; i++) {
        ch = (unsigned char) c->keep[i % sizeof(c->keep)];

        if (ch == 0x1b && i + 1 < c->len
            && c->keep[(i + 1) % sizeof(c->keep)] == '[')
        {
            /* ESC [ parameters, up to the letter that ends it */
            for (i += 2; i < c->len; i++) {
                ch = (unsigned char) c->keep[i % sizeof(c->keep)];
                if (ch >= 0x40 && ch <= 0x7e) {
                    break;
                }
            }

        } else if (ch == '\n' || ch == '\t' || (ch >= 0x20 && ch < 0x7f)) {
            *p++ = (char) ch;

        } else if (ch >= 0x80) {
            *p++ = '?';
        }
    }

    while (p > text && p[-1] == '\n') {
        p--;
    }

    *p = '\0';
    start = text;
    n = (size_t) (p - text);

    if (n >= size) {
        /* whole lines, if there is one that fits */
        start = p - (size - 1);
        p = strchr(start, '\n');

        if (p != NULL) {
            start = p + 1;
        }
    }

    n = strlen(start);
    memcpy(buf, start, n + 1);

    return n;
}
