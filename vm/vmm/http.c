#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vm/vmm/http_conn.h"


/* fcv_api_t's later */
static void
http_later(void *arg, fcv_reply_t *reply)
{
    unsigned          i;
    fcv_http_t       *http;
    fcv_http_conn_t  *conn;

    http = arg;

    for (i = 0; i < FCV_HTTP_CONNS; i++) {
        conn = &http->conns[i];

        if (conn->source.fd != -1 && conn->waiting) {
            conn->waiting = 0;

            if (fcv_http_conn_answer(conn, reply->status, reply->body) != 0
                || fcv_http_conn_parse(conn) != 0
                || fcv_http_conn_flush(conn) != 0)
            {
                fcv_http_conn_close(conn);
            }

            return;
        }
    }

    json_decref(reply->body);
}


static void
http_accept(void *arg, uint32_t events)
{
    int          fd;
    unsigned     i;
    fcv_http_t  *http;

    static const char  full[] =
        "HTTP/1.1 503 Service Unavailable\r\nServer: Firecracker API\r\n"
        "Connection: close\r\nContent-Type: application/json\r\n"
        "Content-Length: 46\r\n\r\n"
        "{\"fault_message\":\"Too many open connections.\"}";

    (void) events;

    http = arg;

    fd = accept4(http->source.fd, NULL, NULL, SOCK_CLOEXEC|SOCK_NONBLOCK);

    if (fd == -1) {
        return;
    }

    for (i = 0; i < FCV_HTTP_CONNS; i++) {
        if (http->conns[i].source.fd == -1) {
            fcv_http_conn_open(http, &http->conns[i], fd);
            return;
        }
    }

    (void) send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL|MSG_DONTWAIT);
    (void) close(fd);
}


static int
http_listen(const char *path, fcf_err_t *err)
{
    int                 fd;
    struct sockaddr_un  addr;

    if (strlen(path) >= sizeof(addr.sun_path)) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s: a socket's path has at most %zu bytes", path,
                           sizeof(addr.sun_path) - 1);
    }

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return fcf_err_sys(err, errno, "socket");
    }

    memset(&addr, 0, sizeof(addr));
    addr.sun_family = AF_UNIX;
    memcpy(addr.sun_path, path, strlen(path));

    if (bind(fd, (struct sockaddr *) &addr, sizeof(addr)) == -1
        || listen(fd, FCV_HTTP_CONNS) == -1)
    {
        (void) fcf_err_sys(err, errno, "%s", path);
        (void) close(fd);
        return -1;
    }

    return fd;
}


fcv_http_t *
fcv_http_open(fcv_loop_t *loop, fcv_api_t *api, const char *path,
    fcf_err_t *err)
{
    unsigned     i;
    fcv_http_t  *http;

    http = calloc(1, sizeof(fcv_http_t));

    if (http == NULL) {
        (void) fcf_err_set(err, FCF_E_NOMEM, "out of memory");
        return NULL;
    }

    http->loop = loop;
    http->api = api;
    http->source.handler = http_accept;
    http->source.arg = http;
    http->source.fd = http_listen(path, err);

    for (i = 0; i < FCV_HTTP_CONNS; i++) {
        http->conns[i].source.fd = -1;
    }

    fcv_http_settings(&http->settings);

    api->later = http_later;
    api->later_arg = http;

    if (http->source.fd == -1) {
        free(http);
        return NULL;
    }

    if (fcv_loop_add(loop, &http->source, EPOLLIN, err) != 0) {
        (void) close(http->source.fd);
        free(http);
        return NULL;
    }

    return http;
}


void
fcv_http_close(fcv_http_t *http)
{
    unsigned  i;

    for (i = 0; i < FCV_HTTP_CONNS; i++) {
        if (http->conns[i].source.fd != -1) {
            (void) fcv_http_conn_flush(&http->conns[i]);
            fcv_http_conn_close(&http->conns[i]);
        }
    }

    fcv_loop_del(http->loop, &http->source);
    (void) close(http->source.fd);
    free(http);
}
