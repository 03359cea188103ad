#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/vmm/vmm_ask.h"
#include "agent/vmm/vmm_int.h"
#include "contract/fcf_buf.h"
#include "contract/fcf_text.h"
#include "vm/guest.h"

/* a lost SYN would cost a second */
#define ASK_FIRST_MS   30
#define ASK_MAX_MS     500
#define ASK_AGAIN_MS   5                /* after a refusal */

/* one try; it outlives the question until libuv has closed it */
typedef struct {
    uv_tcp_t       tcp;
    uv_connect_t   connect;
    uv_write_t     write;
    fca_ask_t     *ask;                 /* NULL: is nobody's any more */
} ask_try_t;

struct fca_ask_s {
    uv_loop_t       *uv;
    uv_timer_t       timer;             /* the next try, or the end */
    fca_ask_conf_t   conf;
    char             device[IFNAMSIZ];
    uint64_t         end;               /* of its time; loop ms */
    unsigned         patience;
    ask_try_t       *now;               /* NULL: between two tries */
    unsigned         sent:1;            /* the guest has heard it */
    int              last;              /* how the last try ended */
    fca_ask_pt       done;
    void            *arg;
    char            *frame;
    size_t           len;
    fcf_buf_t        in;
};

static char  ask_room[4096];            /* one read at a time */

static void ask_timer(uv_timer_t *timer);


static void
try_closed(uv_handle_t *handle)
{
    free(handle->data);
}


static void
ask_drop_try(fca_ask_t *ask)
{
    if (ask->now != NULL) {
        ask->now->ask = NULL;
        uv_close((uv_handle_t *) &ask->now->tcp, try_closed);
        ask->now = NULL;
    }
}


static void
ask_closed(uv_handle_t *handle)
{
    fca_ask_t  *ask = handle->data;

    fcf_buf_free(&ask->in);

    if (ask->frame != NULL) {
        explicit_bzero(ask->frame, ask->len);
    }

    free(ask->frame);
    free(ask);
}


void
fca_ask_cancel(fca_ask_t *ask)
{
    ask_drop_try(ask);
    uv_close((uv_handle_t *) &ask->timer, ask_closed);
}


static void
ask_done(fca_ask_t *ask, int said, const fcf_err_t *err)
{
    void        *arg = ask->arg;
    fca_ask_pt   done = ask->done;

    fca_ask_cancel(ask);
    done(arg, said, err);
}


/* What was heard is not said again: it may have been done. */
static void
try_ended(fca_ask_t *ask, int rc)
{
    fcf_err_t  err;

    ask_drop_try(ask);
    ask->last = rc;

    if (ask->sent) {
        fcf_err_set(&err, FCF_E_UNAVAILABLE, "control port: cut: %s",
                    uv_strerror(rc));
        ask_done(ask, 0, &err);
        return;
    }

    uv_timer_start(&ask->timer, ask_timer, ASK_AGAIN_MS, 0);
}


static const struct {
    const char  *name;
    int          flag;
} sayings[] = {
    { "reseeds", FCA_SAID_RESEEDS },
    { "again",   FCA_SAID_AGAIN },
    { "young",   FCA_SAID_YOUNG },
};

static void
take_answer(fca_ask_t *ask, const char *text, size_t len)
{
    int          said;
    char         words[FCF_ERR_MSG_MAX / 2];
    json_t      *reply;
    size_t       i;
    fcf_err_t    err;
    const char  *why;

    reply = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    said = 0;

    for (i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
        if (json_is_true(json_object_get(reply, sayings[i].name))) {
            said |= sayings[i].flag;
        }
    }

    if (json_is_true(json_object_get(reply, "ok"))) {
        json_decref(reply);
        ask_done(ask, said, NULL);
        return;
    }

    why = json_string_value(json_object_get(reply, "error"));
    fcf_text_clean(words, sizeof(words), why != NULL ? why : "no reason",
                   why != NULL ? strlen(why) : 9, 0);
    fcf_err_set(&err, FCF_E_REFUSED, "the guest: %s", words);
    json_decref(reply);
    ask_done(ask, said, &err);
}


static void
ask_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void) handle;
    (void) suggested;

    *buf = uv_buf_init(ask_room, sizeof(ask_room));
}


static void
ask_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    size_t      len;
    fcf_err_t   err;
    ask_try_t  *try = stream->data;
    fca_ask_t  *ask = try->ask;

    if (ask == NULL || n == 0) {
        return;
    }

    if (n < 0) {
        try_ended(ask, (int) n);
        return;
    }

    if (fcf_buf_add(&ask->in, buf->base, (size_t) n) != 0) {
        fcf_err_set(&err, FCF_E_PROTOCOL, "control port: an answer that is "
                    "too long");
        ask_done(ask, 0, &err);
        return;
    }

    if (ask->in.len < FCA_CONTROL_HEAD) {
        return;
    }

    len = fca_control_length(ask->in.data);

    if (len == 0 || len > FCV_FRAME_MAX) {
        fcf_err_set(&err, FCF_E_PROTOCOL, "control port: a frame of %zu "
                    "bytes", len);
        ask_done(ask, 0, &err);

    } else if (ask->in.len >= FCA_CONTROL_HEAD + len) {
        take_answer(ask, ask->in.data + FCA_CONTROL_HEAD, len);
    }
}


static void
ask_written(uv_write_t *write, int status)
{
    (void) write;
    (void) status;                      /* the read hears of it */
}


/* libuv's error; once, since nothing is asked twice */
static int
ask_frame(fca_ask_t *ask)
{
    char    *text;
    size_t   n;

    if (ask->frame != NULL) {
        return 0;
    }

    text = ask->conf.json(ask->arg);
    n = text != NULL ? strlen(text) : 0;
    ask->frame = text != NULL ? malloc(FCA_CONTROL_HEAD + n) : NULL;

    if (ask->frame != NULL) {
        ask->len = fca_control_frame(ask->frame, text);
    }

    if (text != NULL) {
        explicit_bzero(text, n);
        free(text);
    }

    return ask->frame != NULL ? 0 : UV_ENOMEM;
}


static void
ask_connected(uv_connect_t *connect, int status)
{
    uv_buf_t    buf;
    ask_try_t  *try = connect->data;
    fca_ask_t  *ask = try->ask;

    if (ask == NULL) {
        return;
    }

    if (status == 0) {
        status = ask_frame(ask);
    }

    buf = uv_buf_init(ask->frame, (unsigned) ask->len);

    if (status == 0) {
        status = uv_read_start((uv_stream_t *) &try->tcp, ask_alloc,
                               ask_read);
    }

    if (status == 0) {
        status = uv_write(&try->write, (uv_stream_t *) &try->tcp, &buf, 1,
                          ask_written);
    }

    if (status != 0) {
        try_ended(ask, status);
        return;
    }

    ask->sent = 1;
    uv_timer_start(&ask->timer, ask_timer,
                   ask->end > uv_now(ask->uv) ? ask->end - uv_now(ask->uv)
                                              : 0, 0);
}


/* A close is a reset: the guest may be about to be paused for a snapshot, and
 * no clone is to have a connection that nobody is at the other end of. */
static int
try_connect(fca_ask_t *ask, ask_try_t *try)
{
    int                  rc, fd;
    uv_os_fd_t           os_fd;
    struct linger        reset = { 1, 0 };
    struct sockaddr_in   sin;

    rc = uv_fileno((uv_handle_t *) &try->tcp, &os_fd);
    if (rc != 0) {
        return rc;
    }

    fd = os_fd;
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr = ask->conf.from;

    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ask->device,
                   (socklen_t) strlen(ask->device) + 1) != 0
        || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0
        || bind(fd, (const struct sockaddr *) &sin, sizeof(sin)) != 0)
    {
        return -errno;
    }

    sin.sin_addr = ask->conf.to;
    sin.sin_port = htons(FCV_CONTROL_PORT);

    return uv_tcp_connect(&try->connect, &try->tcp,
                          (const struct sockaddr *) &sin, ask_connected);
}


static void
ask_try(fca_ask_t *ask)
{
    int         rc;
    ask_try_t  *try;

    try = calloc(1, sizeof(*try));

    if (try == NULL || uv_tcp_init_ex(ask->uv, &try->tcp, AF_INET) != 0) {
        free(try);
        ask->last = UV_ENOMEM;
        uv_timer_start(&ask->timer, ask_timer, ASK_MAX_MS, 0);
        return;
    }

    try->ask = ask;
    try->tcp.data = try;
    try->connect.data = try;
    ask->now = try;
    rc = try_connect(ask, try);

    if (rc != 0) {
        try_ended(ask, rc);
        return;
    }

    uv_timer_start(&ask->timer, ask_timer, ask->patience, 0);
    ask->patience = ask->patience * 2 < ASK_MAX_MS ? ask->patience * 2
                                                   : ASK_MAX_MS;
}


/* also the end of a try that was not answered */
static void
ask_timer(uv_timer_t *timer)
{
    fcf_err_t   err;
    fca_ask_t  *ask = timer->data;

    if (uv_now(ask->uv) >= ask->end) {
        fcf_err_set(&err, FCF_E_TIMEOUT, "control port: no answer within %u "
                    "ms%s%s", ask->conf.timeout_ms,
                    ask->sent || ask->last == 0 ? "" : ": ",
                    ask->sent || ask->last == 0 ? ""
                                                : uv_strerror(ask->last));
        ask_done(ask, 0, &err);
        return;
    }

    ask_drop_try(ask);
    ask_try(ask);
}


fca_ask_t *
fca_ask_start(uv_loop_t *uv, const fca_ask_conf_t *conf, fca_ask_pt done,
    void *arg, fcf_err_t *err)
{
    fca_ask_t  *ask;

    ask = calloc(1, sizeof(*ask));

    if (ask == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "control port: out of memory");
        return NULL;
    }

    ask->uv = uv;
    ask->conf = *conf;
    memcpy(ask->device, conf->device, strnlen(conf->device, IFNAMSIZ - 1));
    ask->done = done;
    ask->arg = arg;
    ask->patience = ASK_FIRST_MS;
    fcf_buf_init(&ask->in, FCA_CONTROL_HEAD + FCV_FRAME_MAX
                           + sizeof(ask_room));

    uv_timer_init(uv, &ask->timer);
    ask->timer.data = ask;
    uv_update_time(uv);
    ask->end = uv_now(uv) + conf->timeout_ms;
    uv_timer_start(&ask->timer, ask_timer, 0, 0);

    return ask;
}
