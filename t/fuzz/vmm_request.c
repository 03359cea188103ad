/*
 * What a driver may say to the VMM stand-in: bytes on its API socket, in any
 * pieces.  Every answer is one of Firecracker's forms, whatever the pieces
 * were; nothing is left open.  Backend and files are none: open() gives an
 * empty file in memory.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "t/fuzz/values.h"
#include "vm/vmm/http_conn.h"

#define ANSWERS_MAX  (512 * 1024)
#define BYTES_MAX    600                /* of an input that comes byte by byte */

static fcv_loop_t    loop;
static fcv_api_t     api;
static fcv_http_t   *http;
static char          path[64];
static int           inside;            /* open() is ours */

int __real_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...);
int __real_unlink(const char *name);
int __wrap_unlink(const char *name);


int
__wrap_open(const char *name, int flags, ...)
{
    if (!inside) {
        return __real_open(name, flags, 0600);
    }

    if (strstr(name, "none")) {
        errno = ENOENT;
        return -1;
    }

    return memfd_create("file", MFD_CLOEXEC);
}


int
__wrap_unlink(const char *name)
{
    return inside ? 0 : __real_unlink(name);
}


static int
fine(fcf_err_t *err)
{
    (void) err;

    return 0;
}


static int
fine_too(int n, fcf_err_t *err)
{
    (void) n;
    (void) err;

    return 0;
}


static int
fine_load(int fd, int resume, fcf_err_t *err)
{
    (void) fd;
    (void) resume;
    (void) err;

    return 0;
}


static const fcv_backend_t  backend = {
    .name = "none", .start = fine, .pause = fine_too, .save = fine_too,
    .load = fine_load, .ctrl_alt_del = fine
};


static void
set_up(void)
{
    int                 fd;
    fcf_err_t           err;
    struct sockaddr_un  addr = { .sun_family = AF_UNIX };

    snprintf(path, sizeof(path), "/tmp/fcfaas-fuzz-%d.sock", (int) getpid());
    FCT_HOLDS(fcv_loop_init(&loop, &err) == 0);
    http = fcv_http_open(&loop, &api, path, &err);
    FCT_HOLDS(http != NULL);

    /* the socket has its name while it is bound only: nothing is left over */

    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(addr.sun_path, path, sizeof(path));
    FCT_HOLDS(connect(fd, (struct sockaddr *) &addr, sizeof(addr)) == 0);
    (void) close(fd);
    http->source.handler(http, EPOLLIN);
    fcv_http_conn_close(&http->conns[0]);
    (void) unlink(path);
}


/* the other end of a connection to the stand-in */
static int
connected(void)
{
    int  ends[2];

    FCT_HOLDS(socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0,
                         ends) == 0);
    fcv_http_conn_open(http, &http->conns[0], ends[0]);

    return ends[1];
}


static size_t
take(int fd, char *out, size_t len)
{
    ssize_t  n;

    while ((n = recv(fd, out + len, ANSWERS_MAX - len, 0)) > 0) {
        len += (size_t) n;
        FCT_HOLDS(len < ANSWERS_MAX);
    }

    return len;
}


/* as the loop does, until nothing is to be read or answered */
static size_t
turn(int fd, char *out, size_t len)
{
    int               there;
    fcv_http_conn_t  *conn = &http->conns[0];

    for ( ;; ) {
        len = take(fd, out, len);

        if (api.what) {
            fcv_api_done(&api, NULL);
            continue;
        }

        if (conn->source.fd == -1) {
            return take(fd, out, len);
        }

        if (conn->events & EPOLLOUT) {
            conn->source.handler(conn, EPOLLOUT);
            continue;
        }

        there = 0;
        (void) ioctl(conn->source.fd, FIONREAD, &there);

        if (there == 0 || !(conn->events & EPOLLIN)) {
            return len;
        }

        conn->source.handler(conn, EPOLLIN);
    }
}


/* all answers to these bytes, into out */
static void
answers(const uint8_t *data, size_t size, fct_cut_e cut, char *out,
    size_t *len)
{
    int            fd;
    size_t         n;
    ssize_t        sent;
    fcf_err_t      err;
    fct_cutter_t   cutter;

    memset(&api.model, 0, sizeof(api.model));
    FCT_HOLDS(fcv_model_init(&api.model, &err) == 0);
    api.backend = &backend;
    api.id = "vm-1";
    api.minor = FCV_MINOR;
    api.memory_fd = -1;
    api.state = FCV_NOT_STARTED;
    api.what = NULL;
    api.configured = api.loading = api.broken = 0;

    *len = 0;
    fd = connected();
    cutter = fct_cutter(cut, data, size);
    inside = 1;

    while (size) {
        n = fct_piece(&cutter, size);
        sent = send(fd, data, n, MSG_NOSIGNAL);
        *len = turn(fd, out, *len);

        if (sent == -1) {
            break;
        }

        data += sent;
        size -= (size_t) sent;
    }

    /* what no request came of is given up with the connection */

    (void) shutdown(fd, SHUT_WR);

    if (http->conns[0].source.fd != -1
        && (http->conns[0].events & EPOLLIN))
    {
        http->conns[0].source.handler(&http->conns[0], EPOLLIN);
    }

    *len = turn(fd, out, *len);
    inside = 0;
    FCT_HOLDS(http->conns[0].source.fd == -1);
    (void) close(fd);
    FCT_HOLDS(api.memory_fd == -1);
    fcv_model_done(&api.model);
}


/* one answer after the other, and nothing besides; how many bytes of p it is */
static size_t
check_answer(const char *p, size_t left)
{
    int           status;
    size_t        head, body;
    json_t       *json;
    const char   *end, *length;

    end = memmem(p, left, "\r\n\r\n", 4);
    FCT_HOLDS(end != NULL);
    head = (size_t) (end - p) + 4;
    FCT_HOLDS(sscanf(p, "HTTP/1.1 %3d ", &status) == 1);
    FCT_HOLDS(status == 100 || status == 200 || status == 204
              || status == 400);
    FCT_HOLDS(status == 100 || memmem(p, head, "Server: Firecracker API", 23));

    length = memmem(p, head, "Content-Length: ", 16);
    body = length ? strtoul(length + 16, NULL, 10) : 0;
    FCT_HOLDS((length != NULL) == (status == 200 || status == 400));
    FCT_HOLDS(head + body <= left);

    if (length) {
        json = json_loadb(p + head, body, JSON_REJECT_DUPLICATES, NULL);
        FCT_HOLDS(json != NULL);
        FCT_HOLDS(status == 200
                  || json_is_string(json_object_get(json, "fault_message"))
                  || json_is_string(json_object_get(json, "error")));
        json_decref(json);
    }

    return head + body;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int      cut;
    size_t   i, len, other_len;

    static char  whole[ANSWERS_MAX], other[ANSWERS_MAX];

    if (http == NULL) {
        set_up();
    }

    answers(data, size, FCT_WHOLE, whole, &len);

    for (i = 0; i < len; i += check_answer(whole + i, len - i)) {
        /* next */
    }

    for (cut = FCT_BYTES; cut < FCT_NCUTS; cut++) {
        if (cut == FCT_BYTES && size > BYTES_MAX) {
            continue;
        }

        answers(data, size, (fct_cut_e) cut, other, &other_len);
        FCT_HOLDS(other_len == len && memcmp(whole, other, len) == 0);
    }

    return 0;
}
