#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vmm/vmm_int.h"
#include "vm/guest.h"

struct fca_control_s {
    uv_tcp_t          tcp;
    uv_timer_t        timer;
    uv_connect_t      connect;
    uv_write_t        write;
    unsigned          nhandles;         /* not yet closed */
    fca_control_t   **slot;             /* the owner's pointer to this */
    size_t            len;
    char              frame[128];
    char              reply[64];        /* read and not looked at */
};


static void
control_closed(uv_handle_t *handle)
{
    fca_control_t  *control = handle->data;

    if (--control->nhandles == 0) {
        free(control);
    }
}


void
fca_control_cancel(fca_control_t *control)
{
    if (control->slot == NULL) {
        return;
    }

    *control->slot = NULL;
    control->slot = NULL;

    uv_close((uv_handle_t *) &control->tcp, control_closed);
    uv_close((uv_handle_t *) &control->timer, control_closed);
}


static void
control_timeout(uv_timer_t *timer)
{
    fca_control_cancel(timer->data);
}


static void
control_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    fca_control_t  *control = handle->data;

    (void) suggested;

    *buf = uv_buf_init(control->reply, sizeof(control->reply));
}


/* Whether the guest says yes or no, what counts is whether it ends. */
static void
control_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void) buf;

    if (n != 0) {
        fca_control_cancel(stream->data);
    }
}


static void
control_written(uv_write_t *write, int status)
{
    fca_control_t  *control = write->data;

    if (status != 0 && control->slot != NULL) {
        fca_control_cancel(control);
    }
}


static void
control_connected(uv_connect_t *connect, int status)
{
    uv_buf_t        buf;
    fca_control_t  *control = connect->data;

    if (control->slot == NULL) {
        return;
    }

    buf = uv_buf_init(control->frame, (unsigned) control->len);
    control->write.data = control;

    /* the answer is waited for: a close before it may overtake the frame */
    if (status != 0
        || uv_read_start((uv_stream_t *) &control->tcp, control_alloc,
                         control_read) != 0
        || uv_write(&control->write, (uv_stream_t *) &control->tcp, &buf, 1,
                    control_written) != 0)
    {
        fca_control_cancel(control);
    }
}


size_t
fca_control_frame(char *frame, const char *text)
{
    size_t    len;
    uint32_t  head;

    len = strlen(text);
    head = htonl((uint32_t) len);

    memcpy(frame, &head, FCA_CONTROL_HEAD);
    memcpy(frame + FCA_CONTROL_HEAD, text, len);

    return FCA_CONTROL_HEAD + len;
}


size_t
fca_control_length(const char *frame)
{
    uint32_t  head;

    memcpy(&head, frame, FCA_CONTROL_HEAD);

    return ntohl(head);
}


int
fca_control_connect(uv_tcp_t *tcp, uv_connect_t *connect,
    const fca_nic_t *nic, uv_connect_cb connected)
{
    uv_os_fd_t          fd;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(FCV_CONTROL_PORT);
    sin.sin_addr = nic->address;

    if (uv_fileno((uv_handle_t *) tcp, &fd) != 0
        || fca_nic_bind(nic, fd, NULL) != 0
        || uv_tcp_connect(connect, tcp, (const struct sockaddr *) &sin,
                          connected) != 0)
    {
        return -1;
    }

    return 0;
}


void
fca_control_stop(uv_loop_t *uv, const fca_nic_t *nic, unsigned timeout_ms,
    fca_control_t **slot)
{
    char            stop[64];
    fca_control_t  *control;

    control = calloc(1, sizeof(*control));
    if (control == NULL) {
        return;
    }

    snprintf(stop, sizeof(stop), "{\"op\":\"stop\",\"timeout_ms\":%u}",
             timeout_ms);
    control->len = fca_control_frame(control->frame, stop);

    control->tcp.data = control;
    control->timer.data = control;
    control->connect.data = control;

    if (uv_tcp_init_ex(uv, &control->tcp, AF_INET) != 0) {
        free(control);
        return;
    }

    uv_timer_init(uv, &control->timer);
    control->nhandles = 2;
    control->slot = slot;
    *slot = control;

    uv_timer_start(&control->timer, control_timeout, timeout_ms, 0);

    if (fca_control_connect(&control->tcp, &control->connect, nic,
                            control_connected)
        != 0)
    {
        fca_control_cancel(control);
    }
}
