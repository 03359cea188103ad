/* fcf_http.h on libuv, against a small server of our own on a unix socket. */

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <curl/curl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "agent/base/loop.h"
#include "contract/fcf_buf.h"
#include "client/fcf_http.h"
#include "t/unit/tap.h"

#define BIG  100000

static uv_loop_t         uv;
static fcf_loop_t        loop;
static fcf_http_t       *http;
static char              path[64];
static fcf_buf_t         seen;
static fcf_http_req_t   *other;
static uv_timer_t        watchdog;
static int              *vanished;      /* shared with the server */


/* one connection at a time per child; by the request's path */

static void
serve_one(int fd)
{
    char          req[4096], head[128];
    ssize_t       n;
    static char   big[BIG];

    while ((n = read(fd, req, sizeof(req) - 1)) > 0) {
        req[n] = '\0';

        if (strstr(req, "/hang") != NULL) {
            continue;
        }

        if (strstr(req, "/vanish") != NULL) {
            __sync_fetch_and_add(vanished, 1);
            return;
        }

        if (strstr(req, "/cut") != NULL) {
            dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            return;
        }

        if (strstr(req, "/big") != NULL) {
            memset(big, 'b', sizeof(big));
            n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n"
                         "Content-Length: %d\r\n\r\n", BIG);
            (void) !write(fd, head, (size_t) n);
            (void) !write(fd, big, sizeof(big));
            continue;
        }

        n = (ssize_t) strcspn(req, "\r");
        dprintf(fd, "HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%.*s",
                (int) n, (int) n, req);
    }
}


static pid_t
serve(void)
{
    int                 fd, c;
    pid_t               pid;
    struct sockaddr_un  addr;

    snprintf(path, sizeof(path), "/tmp/fcf-http-test-%d", (int) getpid());
    memset(&addr, 0, sizeof(addr));
    addr.sun_family = AF_UNIX;
    memcpy(addr.sun_path, path, strlen(path));

    fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *) &addr, sizeof(addr)) != 0
        || listen(fd, 64) != 0)
    {
        abort();
    }

    vanished = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (vanished == MAP_FAILED) {
        abort();
    }

    pid = fork();

    if (pid != 0) {
        close(fd);
        return pid;
    }

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);

    for ( ;; ) {
        c = accept(fd, NULL, NULL);

        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve_one(c);
            _exit(0);
        }

        close(c);
    }
}


static void
note(const char *text)
{
    if (fcf_buf_addf(&seen, "%s ", text) != 0) {
        abort();
    }
}


static void
done(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *err)
{
    char  text[512];

    snprintf(text, sizeof(text), "%s:%s:%ld:%.20s:%zu", (const char *) arg,
             err ? fcf_code_name(err->code) : "ok", status, body, len);
    note(text);
}


/* was it sent? */

static void
done_sent(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *err)
{
    char  text[128];

    (void) status;
    (void) body;
    (void) len;

    snprintf(text, sizeof(text), "%s:%s:%s", (const char *) arg,
             err ? fcf_code_name(err->code) : "ok",
             err && err->sys_errno ? "unsent" : "maybe");
    note(text);
}


static void
start_once(const char *what, unsigned ms)
{
    char             url[128];
    fcf_http_call_t  call;

    memset(&call, 0, sizeof(call));
    snprintf(url, sizeof(url), "http://localhost%s", what);
    call.method = "POST";
    call.url = url;
    call.unix_socket = path;
    call.timeout_ms = ms;
    call.once = 1;
    call.on_done = done_sent;
    call.arg = (void *) "once";

    (void) fcf_http_start(http, &call, NULL);
}


static fcf_http_req_t *
start(const char *method, const char *what, const char *tag, unsigned ms,
    fcf_http_data_pt on_data, fcf_http_done_pt on_done)
{
    char             url[128];
    fcf_http_call_t  call;

    memset(&call, 0, sizeof(call));
    snprintf(url, sizeof(url), "http://localhost%s", what);
    call.method = method;
    call.url = url;
    call.unix_socket = path;
    call.timeout_ms = ms;
    call.on_data = on_data;
    call.on_done = on_done;
    call.arg = (void *) tag;

    return fcf_http_start(http, &call, NULL);
}


static void
on_watchdog(uv_timer_t *timer)
{
    (void) timer;
    printf("Bail out! nothing came in 10 s: %s\n", seen.data);
    exit(1);
}


/* turns the loop until what was noted is that */

static void
until(const char *want, const char *what)
{
    uv_timer_start(&watchdog, on_watchdog, 10000, 0);

    while (seen.len < strlen(want)) {
        uv_run(&uv, UV_RUN_ONCE);
    }

    uv_timer_stop(&watchdog);
    is_str(seen.data, want, "%s", what);
    fcf_buf_reset(&seen);
}


static int
cancel_other(void *arg, const char *data, size_t len)
{
    (void) arg;
    (void) data;
    (void) len;

    if (other != NULL) {
        fcf_http_cancel(other);
        other = NULL;
        start("GET", "/in", "inside", 0, NULL, done);
        note("cancelled");
    }

    return 0;
}


static int
refuse(void *arg, const char *data, size_t len)
{
    (void) arg;
    (void) data;
    (void) len;

    return 1;
}


static int
cancel_self(void *arg, const char *data, size_t len)
{
    (void) arg;
    (void) data;
    (void) len;

    fcf_http_cancel(other);
    note("self");

    return 0;
}


static void
free_client(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *err)
{
    done(arg, status, body, len, err);
    fcf_http_cancel(other);
    fcf_http_free(http);
    note("freed");
}


/* a kept connection that ends instead of an answer: the request may have been
 * done, and libcurl would send it again */

static void
test_once(void)
{
    char  away[80];

    start("GET", "/a", "a", 0, NULL, done);
    until("a:ok:201:GET /a HTTP/1.1:15 ", "a connection is kept");
    start_once("/vanish", 0);
    until("once:unavailable:maybe ", "closed without an answer");
    is_int(*vanished, 1, "sent once");

    start("GET", "/a", "a", 0, NULL, done);
    until("a:ok:201:GET /a HTTP/1.1:15 ", "a connection is kept");
    start_once("/hang", 100);
    until("once:timeout:maybe ", "no answer on a kept connection");

    start("GET", "/a", "a", 0, NULL, done);
    until("a:ok:201:GET /a HTTP/1.1:15 ", "a connection is kept");
    snprintf(away, sizeof(away), "%s.away", path);
    is_int(rename(path, away), 0, "nobody listens any more");
    start_once("/vanish", 0);
    until("once:unavailable:maybe ", "closed, and no second connection");
    is_int(*vanished, 2, "sent once");
    start_once("/a", 0);
    until("once:unavailable:unsent ", "a first connection: never sent");
    is_int(rename(away, path), 0, "back");
}


int
main(void)
{
    pid_t  pid;

    pid = serve();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    uv_loop_init(&uv);
    uv_timer_init(&uv, &watchdog);
    fca_loop_init(&loop, &uv, NULL);
    fcf_buf_init(&seen, 65536);
    http = fcf_http_new(&loop, NULL);

    start("GET", "/a", "a", 0, NULL, done);
    is_int(seen.len, 0, "no callback before start returns");
    until("a:ok:201:GET /a HTTP/1.1:15 ", "a GET over a unix socket");
    start("PUT", "/p", "p", 0, NULL, done);
    until("p:ok:201:PUT /p HTTP/1.1:15 ", "a PUT without a body");

    start("GET", "/big", "big", 0, NULL, done);
    until("big:limit:0::0 ", "a reply over the maximum");
    start("GET", "/big", "big", 0, refuse, done);
    until("big:limit:0::0 ", "on_data ends the transfer");
    start("GET", "/hang", "h", 100, NULL, done);
    until("h:timeout:0::0 ", "no answer in time");
    start("GET", "/cut", "c", 0, NULL, done);
    until("c:unavailable:0::0 ", "cut in the middle of the body");

    test_once();

    other = start("GET", "/hang", "never", 0, NULL, done);
    start("GET", "/b", "b", 0, cancel_other, done);
    until("cancelled b:ok:201::0 inside:ok:201:GET /in HTTP/1.1:16 ",
          "one cancelled and one started inside on_data");

    other = start("GET", "/s", "never", 0, cancel_self, done);
    until("self ", "cancelled inside its own on_data");
    start("GET", "/d", "d", 0, NULL, done);
    until("d:ok:201:GET /d HTTP/1.1:15 ", "which nobody hears of");

    start("GET", "/hang", "h", 0, NULL, done);
    other = start("GET", "/e", "e", 0, NULL, free_client);
    until("e:ok:201:GET /e HTTP/1.1:15 freed h:canceled:0::0 ",
          "freed inside on_done: the others hear of it once");

    uv_close((uv_handle_t *) &watchdog, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    is_int(uv_loop_close(&uv), 0, "nothing is left in the loop");

    fcf_buf_free(&seen);
    curl_global_cleanup();
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unlink(path);

    return tap_done();
}
