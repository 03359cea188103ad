/* The admin listener over real sockets, in one loop with its clients. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/admin/admin.h"
#include "agent/base/loop.h"
#include "t/unit/tap.h"

static uv_loop_t           uv;
static fcf_loop_t          loop;
static struct sockaddr_in  addr;
static const char         *illness;
static size_t              metrics_len;
static char                asked[128];

static int
ill(void *arg, fcf_buf_t *out)
{
    (void) arg;
    return illness ? fcf_buf_addf(out, "%s\n", illness) : 0;
}

static int
metrics(void *arg, fcf_buf_t *out)
{
    int     rc = 0;
    size_t  i;

    (void) arg;

    for (i = 0; rc == 0 && i < metrics_len; i += 10) {
        rc = fcf_buf_add(out, "0123456789", 10);
    }

    return rc;
}

static int
instances(void *arg, fcf_buf_t *out)
{
    (void) arg;
    return fcf_buf_addf(out, "[]");
}

static int
failures(void *arg, fcf_buf_t *out)
{
    (void) arg;
    return fcf_buf_addf(out, "[{}]");
}

static int
output(void *arg, const char *function_id, fcf_buf_t *out)
{
    (void) arg;
    snprintf(asked, sizeof(asked), "%s", function_id);

    if (strcmp(function_id, "nobody") == 0) {
        return -FCF_E_NOT_FOUND;
    }

    return strcmp(function_id, "silent") == 0 ? 0 : fcf_buf_addf(out, "hi\n");
}

/* what of the query is heard of */
static int
lines(void *arg, const char *function_id,
    const char *(*value)(void *of, const char *name), void *of, fcf_buf_t *out)
{
    const char  *after;

    (void) arg;
    after = value(of, "after");
    snprintf(asked, sizeof(asked), "%s", function_id);

    return after && strcmp(after, "bad") == 0 ? -FCF_E_INVALID
           : fcf_buf_addf(out, "{\"after\":\"%s\"}\n", after ? after : "-");
}

static const fca_admin_handler_t  handler = {
    ill, metrics, instances, failures, output, lines, NULL
};

static int
connected(void)
{
    int  fd;

    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *) &addr, sizeof(addr)) != 0) {
        return -1;
    }

    return fd;
}

/* what the listener says to these bytes, until it closes or the size is
 * reached; the caller frees */
static char *
answer_to(const char *request, size_t *len)
{
    int      fd;
    char    *text, *p;
    ssize_t  n;
    size_t   size = FCA_ADMIN_MAX + 4096, sent = 0, all = strlen(request);

    fd = connected();
    text = p = calloc(1, size);

    while (p < text + size - 1) {
        if (sent < all) {
            n = send(fd, request + sent, all - sent,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
            sent += n > 0 ? (size_t) n : 0;
        }

        uv_run(&uv, UV_RUN_NOWAIT);

        n = recv(fd, p, text + size - 1 - p, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            break;
        }

        p += n > 0 ? n : 0;
    }

    close(fd);

    if (len) {
        *len = (size_t) (p - text);
    }

    return text;
}

/* status; *body if asked for, else freed */
static int
get_with(const char *method, const char *path, const char *headers,
    char *body, size_t size)
{
    int    status;
    char   request[512], *text, *end;

    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\n"
             "Connection: close\r\n%s\r\n", method, path, headers);

    text = answer_to(request, NULL);
    status = strncmp(text, "HTTP/1.1 ", 9) == 0 ? atoi(text + 9) : -1;
    end = strstr(text, "\r\n\r\n");
    snprintf(body, size, "%s", end ? end + 4 : "");
    free(text);

    return status;
}

static char  body[512];

#define get(path, headers) get_with("GET", path, headers, body, sizeof(body))

static fca_admin_t *
listener(const char *token)
{
    int          fd;
    socklen_t    len = sizeof(addr);
    fcf_err_t    err = { 0 };
    fca_admin_t *admin;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    /* a free port */
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *) &addr, len) != 0
        || getsockname(fd, (struct sockaddr *) &addr, &len) != 0)
    {
        return NULL;
    }

    close(fd);

    admin = fca_admin_new(&loop, &addr, token, &handler, &err);
    ok(admin != NULL, "it listens %s", admin ? "" : err.msg);

    return admin;
}

static void
test_paths(void)
{
    fcf_err_t     err = { 0 };
    fca_admin_t  *admin = listener(NULL);

    illness = NULL;
    metrics_len = 20;

    is_int(get("/healthz", ""), 200, "healthy");
    is_str(body, "ok\n", "and says so");
    is_int(get("/metrics", ""), 200, "metrics");
    is_str(body, "01234567890123456789", "whole");
    is_int(get("/instances", ""), 200, "instances");
    is_str(body, "[]", "as JSON");
    is_int(get("/failures", ""), 200, "failures");
    is_str(body, "[{}]", "as JSON");
    is_int(get("/functions/hello/output", ""), 200, "output");
    is_str(asked, "hello", "of the function named");
    is_str(body, "hi\n", "what it printed");
    is_int(get("/functions/silent/output", ""), 200, "nothing printed");
    is_str(body, "", "is an empty answer");
    is_int(get("/functions/nobody/output", ""), 404, "unknown function");
    is_int(get("/functions/hello/lines?after=7.1&x=", ""), 200, "lines");
    is_str(body, "{\"after\":\"7.1\"}\n", "by what the query says");
    is_int(get("/functions/hello/lines?after=bad", ""), 400, "a bad query");
    is_int(get("/functions/hello/line", ""), 404, "nothing else");

    illness = "no lease";
    is_int(get("/healthz", ""), 503, "ill");
    is_str(body, "no lease\n", "and why");

    is_int(get("/", ""), 404, "no such path");
    ok(strstr(body, "/metrics"), "the answer says what there is");
    asked[0] = '\0';
    is_int(get("/functions/../output", ""), 404, "no function's name");
    is_int(get("/functions/UPPER/output", ""), 404, "nor that");
    is_int(get("/functions/hello/output/x", ""), 404, "more behind it");
    is_int(get("/functions/hello", ""), 404, "less behind it");
    is_int(get("/functions//output", ""), 404, "an empty name");
    is_str(asked, "", "nobody was asked");

    is_int(get_with("HEAD", "/metrics", "", body, sizeof(body)), 200, "HEAD");
    is_str(body, "", "has no body");
    is_int(get_with("DELETE", "/metrics", "", body, sizeof(body)), 405,
           "DELETE is refused");
    is_int(get_with("POST", "/metrics", "Content-Length: 0\r\n", body,
                    sizeof(body)), 405, "POST is refused");

    ok(fca_admin_new(&loop, &addr, NULL, &handler, &err) == NULL,
       "a second one on the port is refused");
    is_int(err.code, FCF_E_EXISTS, "for that reason");

    fca_admin_free(admin);
}

static void
test_token(void)
{
    fca_admin_t  *admin = listener("sesame");

    illness = NULL;

    is_int(get("/metrics", ""), 401, "no token");
    is_int(get("/metrics", "Authorization: Bearer sesam\r\n"), 401, "short");
    is_int(get("/metrics", "Authorization: Bearer sesame1\r\n"), 401, "long");
    is_int(get("/metrics", "Authorization: Bearer \r\n"), 401, "empty");
    is_int(get("/metrics", "Authorization: Basic sesame\r\n"), 401, "Basic");
    is_int(get("/functions/hello/output", ""), 401, "output too");
    is_int(get("/nowhere", ""), 401, "nothing is told of what there is");
    is_int(get("/metrics", "Authorization: Bearer sesame\r\n"), 200, "right");
    is_int(get("/metrics", "authorization: bearer sesame\r\n"), 200,
           "names are not case sensitive");
    is_int(get("/healthz", ""), 200, "health needs none");

    illness = "no lease";
    is_int(get("/healthz", ""), 503, "also when ill");
    ok(!strstr(body, "lease"), "but why is not for everybody");
    is_int(get("/healthz", "Authorization: Bearer sesame\r\n"), 503, "ill");
    is_str(body, "no lease\n", "why is told to those who may know");

    fca_admin_free(admin);
}

static void
test_hard(void)
{
    int           fds[40], i;
    char         *text, *end;
    size_t        len;
    fca_admin_t  *admin = listener(NULL);

    illness = NULL;

    metrics_len = 4000000;
    text = answer_to("GET /metrics HTTP/1.1\r\nHost: x\r\n"
                     "Connection: close\r\n\r\n", &len);
    end = strstr(text, "\r\n\r\n");
    ok(end && text + len - (end + 4) == 4000000,
       "4 MB come whole through a socket's buffer");
    free(text);

    metrics_len = FCA_ADMIN_MAX + 1;
    is_int(get("/metrics", ""), 500, "longer than the longest");
    metrics_len = 20;

    text = answer_to("\x01\x02garbage\r\n\r\n", &len);
    ok(len == 0 || strncmp(text, "HTTP/1.1 400", 12) == 0, "garbage");
    free(text);

    text = answer_to("GET /metrics HTTP/1.1\r\nHost: x\r\n"
                     "Content-Length: 5\r\nConnection: close\r\n\r\nhello",
                     &len);
    ok(strstr(text, "01234567890123456789"), "a body is passed over");
    free(text);

    /* those who connect and say nothing do not stop the others for good */
    for (i = 0; i < 40; i++) {
        fds[i] = connected();
        uv_run(&uv, UV_RUN_NOWAIT);
    }

    for (i = 0; i < 40; i++) {
        close(fds[i]);
    }

    is_int(get("/metrics", ""), 200, "after 40 silent ones that left");

    fds[0] = connected();
    ok(send(fds[0], "GET /metr", 9, MSG_NOSIGNAL) == 9, "half a request");
    uv_run(&uv, UV_RUN_NOWAIT);
    is_int(get("/healthz", ""), 200, "others are answered meanwhile");

    fca_admin_free(admin);
    ok(recv(fds[0], body, sizeof(body), 0) <= 0, "the end cuts what is open");
    close(fds[0]);

    fca_admin_free(NULL);
}

static void
late(uv_timer_t *timer)
{
    (void) timer;
    printf("Bail out! no answer within a minute\n");
    exit(1);
}

int
main(void)
{
    int         turns;
    uv_timer_t  alive;

    uv_loop_init(&uv);
    fca_loop_init(&loop, &uv, NULL);

    /* the listener's handles alone keep no loop running */
    uv_timer_init(&uv, &alive);
    uv_timer_start(&alive, late, 60000, 0);

    test_paths();
    test_token();
    test_hard();
    uv_close((uv_handle_t *) &alive, NULL);

    for (turns = 0; turns < 10 && uv_loop_close(&uv) == UV_EBUSY; turns++) {
        uv_run(&uv, UV_RUN_NOWAIT);
    }

    ok(turns < 10, "nothing is left in the loop");

    return tap_done();
}
