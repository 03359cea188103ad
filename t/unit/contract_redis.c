/* fcf_redis.h on libuv, against a small server of our own on a unix socket
 * that says it is a master and hangs up. */

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "agent/base/loop.h"
#include "client/fcf_redis.h"
#include "t/unit/tap.h"

#define SHA   "$40\r\n0123456789012345678901234567890123456789\r\n"
#define ROLE  "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"

static uv_loop_t     uv;
static fcf_loop_t    loop;
static fcf_redis_t  *redis;
static char          addr[80];
static int          *accepted;          /* shared with the server */
static int          *surplus;           /* likewise: what it sends too much */
static int           answers, canceled;


/* the handshake, and the end instead of an answer to anything after it */

static void
serve_one(int fd)
{
    char     buf[65536], *p;
    size_t   len;
    ssize_t  n;

    struct pollfd  idle = { .fd = fd, .events = POLLIN };

    len = 0;

    while (len < sizeof(buf) - 1
           && (n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
    {
        len += (size_t) n;
        buf[len] = '\0';

        if (strstr(buf, "\r\nROLE\r\n") != NULL) {
            for (p = buf; (p = strstr(p, "\r\nLOAD\r\n")) != NULL; p++) {
                dprintf(fd, SHA);
            }

            dprintf(fd, ROLE "%s", *surplus == 1 ? ":1\r\n:2\r\n" : "");

            if (*surplus >= 2 && read(fd, buf, sizeof(buf)) > 0) {
                dprintf(fd, "+PONG\r\n%s", *surplus == 2 ? ":1\r\n" : "");
                poll(&idle, 1, 50);
                dprintf(fd, ":2\r\n");
                poll(&idle, 1, 2000);
            }

            return;
        }
    }
}


static pid_t
serve(void)
{
    int                 fd, c;
    pid_t               pid;
    struct sockaddr_un  sun;

    snprintf(addr, sizeof(addr), "unix:/tmp/fcf-redis-test-%d",
             (int) getpid());
    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    memcpy(sun.sun_path, addr + 5, strlen(addr + 5));

    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    accepted = mmap(NULL, 2 * sizeof(int), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (fd < 0 || accepted == MAP_FAILED
        || bind(fd, (struct sockaddr *) &sun, sizeof(sun)) != 0
        || listen(fd, 64) != 0)
    {
        abort();
    }

    surplus = accepted + 1;
    pid = fork();

    if (pid != 0) {
        close(fd);
        return pid;
    }

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);

    for ( ;; ) {
        c = accept(fd, NULL, NULL);
        __sync_fetch_and_add(accepted, 1);
        serve_one(c);
        close(c);
    }
}


static void
on_stop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}


static void
run_for(uint64_t ms)
{
    uv_timer_t  timer;

    uv_timer_init(&uv, &timer);
    uv_timer_start(&timer, on_stop, ms, 0);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *) &timer, NULL);
    uv_run(&uv, UV_RUN_NOWAIT);
}


static void
on_reply(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    (void) arg;
    (void) reply;

    answers++;
    canceled += (err != NULL && err->code == FCF_E_CANCELED);
}


/* frees the client inside a callback, with other commands behind it */

static void
on_reply_free(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    on_reply(arg, reply, err);
    fcf_redis_free(redis);
    redis = NULL;
}


static void
on_refused(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    fcf_redis_stat_t  stat;

    on_reply(arg, reply, err);
    fcf_redis_stat(redis, &stat);
    is_str(stat.addr, arg, "the address tried last is told");
    ok(err != NULL && strstr(err->msg, arg) != NULL,
       "and blamed: %s", err ? err->msg : "");

    if (answers == 1) {
        (void) !fcf_redis_command(redis, 0, 1, (const char *[]) { "PING" },
                                  NULL, on_refused, arg);
    }
}


static void
test_blame(void)
{
    const char        *addrs[] = { "unix:/nowhere/1", "unix:/nowhere/2" };
    fcf_redis_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.addrs = addrs;
    conf.naddrs = 2;

    answers = 0;
    redis = fcf_redis_new(&loop, &conf, NULL);
    (void) !fcf_redis_command(redis, 0, 1, (const char *[]) { "PING" }, NULL,
                              on_refused, (void *) addrs[1]);
    run_for(20);
    is_int(answers, 2, "both commands failed");
    fcf_redis_free(redis);
    run_for(1);
}


/* answers to nothing, which hiredis takes for a broken promise of ours: with
 * the handshake's, with another one, alone */

static void
test_surplus(fcf_redis_conf_t *conf)
{
    const char  *ping[] = { "PING" };

    for (*surplus = 1; *surplus <= 3; (*surplus)++) {
        answers = 0;
        *accepted = 0;
        redis = fcf_redis_new(&loop, conf, NULL);
        (void) !fcf_redis_command(redis, 0, 1, ping, NULL, on_reply, NULL);
        run_for(400);
        is_int(answers, 1, "surplus answers (%d): ours came", *surplus);
        ok(*accepted >= 2, "and another connection was made");
        fcf_redis_free(redis);
        run_for(1);
    }

    *surplus = 0;
}


int
main(void)
{
    pid_t              pid;
    const char        *ping[] = { "PING" }, *addrs[] = { addr };
    fcf_redis_conf_t   conf;

    pid = serve();
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&uv);
    fca_loop_init(&loop, &uv, NULL);

    test_blame();
    answers = 0;

    memset(&conf, 0, sizeof(conf));
    conf.addrs = addrs;
    conf.naddrs = 1;

    test_surplus(&conf);
    answers = 0;
    *accepted = 0;

    redis = fcf_redis_new(&loop, &conf, NULL);
    is_int(fcf_redis_command(redis, 0, 1, ping, NULL, on_reply, NULL), 0,
           "a command before there is a connection");
    is_int(answers, 0, "no answer inside the call");
    run_for(1500);
    is_int(answers, 1, "answered once");
    ok(*accepted >= 3, "connected again (%d)", *accepted);
    ok(*accepted <= 12, "but not in a storm (%d)", *accepted);

    answers = 0;
    (void) !fcf_redis_command(redis, 0, 1, ping, NULL, on_reply_free, NULL);
    (void) !fcf_redis_command(redis, 0, 1, ping, NULL, on_reply, NULL);
    (void) !fcf_redis_command(redis, 0, 1, ping, NULL, on_reply, NULL);
    is_int(answers, 0, "no answer inside the call");
    run_for(3000);
    is_int(answers, 3, "freed inside a callback: each hears once");
    ok(canceled >= 1, "those behind it that it was freed");
    is_int(uv_loop_close(&uv), 0, "nothing is left in the loop");

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unlink(addr + 5);

    return tap_done();
}
