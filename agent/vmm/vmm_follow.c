/*
 * What the function prints: followed over the guest's control port, from the
 * oldest that the guest keeps on, into the ring of its console.  The guest is
 * hostile: a frame is bounded, as is what is read in a second, and the rest is
 * lost where it was printed, and counted there.
 *
 * The time is told first: a guest has it from its configuration, which was
 * written before the boot, and is behind by as much as that took.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/clock.h"
#include "agent/vmm/vmm_int.h"
#include "contract/fcf_base64.h"
#include "contract/fcf_buf.h"
#include "vm/guest.h"

#define FOLLOW_ASK       128            /* both frames */
#define FOLLOW_PAUSE_MS  250
#define FOLLOW_PIECE     262144         /* bytes between two pauses */

static void follow_timer(uv_timer_t *timer);

struct fca_follow_s {
    uv_tcp_t       tcp;
    uv_timer_t     timer;
    uv_connect_t   connect;
    uv_write_t     write;
    unsigned       nhandles;            /* not yet closed */
    fca_vmm_t     *vmm;                 /* NULL: cancelled */
    size_t         taken;               /* since the last pause */
    fcf_buf_t      in;
    char           ask[FOLLOW_ASK];
};

/* one loop, which reads into it and looks at it at once */
static char  follow_room[65536];


static void
follow_closed(uv_handle_t *handle)
{
    fca_follow_t  *follow = handle->data;

    if (--follow->nhandles == 0) {
        fcf_buf_free(&follow->in);
        free(follow);
    }
}


/* its end is looked for no further than it may be: a guest may print nothing
 * but beginnings */
size_t
fca_mark_len(const char *data, size_t len)
{
    size_t       n;
    const char  *end;

    if (len == 0 || *data != FCV_MARK_BEGIN) {
        return 0;
    }

    n = len < FCF_REQUEST_ID_MAX + 2 ? len : FCF_REQUEST_ID_MAX + 2;
    end = memchr(data, FCV_MARK_END, n);
    n = end ? (size_t) (end - data) + 1 : 0;

    return n > 2 && fcf_request_id_valid(data + 1, n - 2) ? n : 0;
}


/* without the marks that say whose a line is; returns the length */
static size_t
without_marks(char *out, const char *data, size_t len)
{
    size_t  n, mark;

    for (n = 0; len > 0; ) {

        mark = fca_mark_len(data, len);

        if (mark == 0) {
            out[n++] = *data;
            mark = 1;
        }

        data += mark;
        len -= mark;
    }

    return n;
}


static void
say_frame(fca_follow_t *follow, const char *stream, char *data, size_t len,
    uint64_t dropped)
{
    fca_vmm_t  *vmm = follow->vmm;

    if (vmm->said != NULL) {
        vmm->said(vmm->arg, stream != NULL && strcmp(stream, "stderr") == 0
                            ? FCA_STREAM_ERR : FCA_STREAM_OUT,
                  data, len, dropped);
    }

    fca_ring_add(&vmm->console.ring, data, without_marks(data, data, len));
}


/* 0: a frame that may be; what it says is added to the ring */
static int
take_frame(fca_follow_t *follow, const char *text, size_t len)
{
    int          n;
    char        *data, lost[64];
    size_t       size;
    json_t      *json;
    json_int_t   dropped;
    const char  *base64;

    json = json_loadb(text, len, 0, NULL);
    if (json == NULL) {
        return -1;
    }

    dropped = json_integer_value(json_object_get(json, "dropped"));

    if (dropped > 0) {
        n = snprintf(lost, sizeof(lost), "[%lld bytes more were printed]\n",
                     (long long) dropped);
        fca_ring_add(&follow->vmm->console.ring, lost, (size_t) n);
    }

    base64 = json_string_value(json_object_get(json, "data"));
    size = base64 ? strlen(base64) : 0;
    data = size ? malloc(fcf_base64_decoded_max(size) + 1) : NULL;
    n = 0;

    if (data == NULL) {
        size = 0;

    } else if ((n = fcf_base64_decode(data, &size, base64, size)) != 0) {
        size = 0;
    }

    if (dropped > 0 || size > 0) {
        say_frame(follow, json_string_value(json_object_get(json, "stream")),
                  data, size, dropped > 0 ? (uint64_t) dropped : 0);
    }

    free(data);
    json_decref(json);

    return n;
}


/* -1: what comes is none of what was asked for */
static int
take_bytes(fca_follow_t *follow, const char *data, size_t len)
{
    size_t  n;

    if (fcf_buf_add(&follow->in, data, len) != 0) {
        return -1;
    }

    while (follow->in.len >= FCA_CONTROL_HEAD) {
        n = fca_control_length(follow->in.data);

        if (n == 0 || n > FCV_FRAME_MAX) {
            return -1;
        }

        if (follow->in.len < FCA_CONTROL_HEAD + n) {
            return 0;
        }

        if (take_frame(follow, follow->in.data + FCA_CONTROL_HEAD, n) != 0) {
            return -1;
        }

        fcf_buf_consume(&follow->in, FCA_CONTROL_HEAD + n);
    }

    if (follow->in.len == 0) {
        fcf_buf_free(&follow->in);
    }

    return 0;
}


/* what came before the VM's end, and was not read yet */
static void
take_rest(fca_follow_t *follow)
{
    int         fd;
    ssize_t     n;
    size_t      most;
    uv_os_fd_t  os_fd;

    if (uv_fileno((uv_handle_t *) &follow->tcp, &os_fd) != 0) {
        return;
    }

    fd = os_fd;

    for (most = FOLLOW_PIECE; most > 0; most -= (size_t) n) {
        n = recv(fd, follow_room, most < sizeof(follow_room)
                                  ? most : sizeof(follow_room), MSG_DONTWAIT);

        if (n <= 0 || take_bytes(follow, follow_room, (size_t) n) != 0) {
            return;
        }
    }
}


void
fca_follow_cancel(fca_follow_t *follow)
{
    take_rest(follow);

    follow->vmm->follow = NULL;
    follow->vmm = NULL;

    uv_close((uv_handle_t *) &follow->tcp, follow_closed);
    uv_close((uv_handle_t *) &follow->timer, follow_closed);
}


static void
follow_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void) handle;
    (void) suggested;

    *buf = uv_buf_init(follow_room, sizeof(follow_room));
}


static void
follow_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    fca_follow_t  *follow = stream->data;

    if (n == 0) {
        return;
    }

    if (n < 0 || take_bytes(follow, buf->base, (size_t) n) != 0) {
        uv_read_stop(stream);       /* no more of it; its end is the VM's */
        return;
    }

    follow->taken += (size_t) n;

    if (follow->taken >= FOLLOW_PIECE) {
        follow->taken = 0;
        uv_read_stop(stream);
        uv_timer_start(&follow->timer, follow_timer, FOLLOW_PAUSE_MS, 0);
    }
}


static void
follow_written(uv_write_t *write, int status)
{
    (void) write;
    (void) status;
}


static void
follow_connected(uv_connect_t *connect, int status)
{
    char            time[64];
    size_t          n;
    uv_buf_t        buf;
    fca_follow_t   *follow = connect->data;

    if (follow->vmm == NULL) {
        return;
    }

    snprintf(time, sizeof(time), "{\"op\":\"time\",\"ms\":%lld}",
             (long long) fca_unix_ms());
    n = fca_control_frame(follow->ask, time);
    n += fca_control_frame(follow->ask + n, "{\"op\":\"logs\"}");
    buf = uv_buf_init(follow->ask, (unsigned) n);

    if (status != 0
        || uv_write(&follow->write, (uv_stream_t *) &follow->tcp, &buf, 1,
                    follow_written) != 0
        || uv_read_start((uv_stream_t *) &follow->tcp, follow_alloc,
                         follow_read) != 0)
    {
        fca_follow_cancel(follow);
    }
}


static void
follow_timer(uv_timer_t *timer)
{
    fca_follow_t  *follow = timer->data;

    (void) uv_read_start((uv_stream_t *) &follow->tcp, follow_alloc,
                         follow_read);
}


static fca_follow_t *
follow_new(fca_vmm_t *vmm)
{
    fca_follow_t  *follow;

    follow = calloc(1, sizeof(*follow));
    if (follow == NULL) {
        return NULL;
    }

    follow->tcp.data = follow;
    follow->timer.data = follow;
    follow->connect.data = follow;
    follow->vmm = vmm;
    fcf_buf_init(&follow->in, FCA_CONTROL_HEAD + FCV_FRAME_MAX
                              + sizeof(follow_room));

    if (uv_tcp_init_ex(vmm->conf->uv, &follow->tcp, AF_INET) != 0) {
        free(follow);
        return NULL;
    }

    uv_timer_init(vmm->conf->uv, &follow->timer);
    follow->nhandles = 2;

    return follow;
}


/* Without it the function is as well, only that nobody sees what it prints. */
void
fca_vmm_follow(fca_vmm_t *vmm)
{
    fca_follow_t  *follow;

    if (vmm->working || vmm->pidfd < 0 || !vmm->has_nic
        || vmm->follow != NULL)
    {
        return;
    }

    follow = follow_new(vmm);
    if (follow == NULL) {
        return;
    }

    vmm->follow = follow;

    if (fca_control_connect(&follow->tcp, &follow->connect, &vmm->nic,
                            follow_connected)
        != 0)
    {
        fca_follow_cancel(follow);
    }
}
