/* fcf_redis.h with thousands of commands: how many are on the connection at
 * once, and how many fail in a turn of the loop.  The server is this program,
 * the loop a fake one. */

#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "client/fcf_redis_private.h"
#include "t/unit/fake_loop.h"
#include "t/unit/tap.h"

#define N     2000
#define SHA   "$40\r\n0123456789012345678901234567890123456789\r\n"
#define ROLE  "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"

static fcf_loop_t   *loop;
static fcf_redis_t  *redis;
static char          path[64], addr[80];
static int           listener, client, server;
static unsigned      answered, failed, more;
static int           inside;


static void
on_reply(void *arg, const redisReply *reply, const fcf_err_t *err)
{
    (void) arg;
    (void) reply;

    answered += (err == NULL);
    failed += (err != NULL);

    if (inside) {
        ok(0, "a callback inside a call");
    }

    /* who fails asks again at once, as long as there is more */

    if (err != NULL && more) {
        more--;
        inside = 1;
        (void) !fcf_redis_command(redis, 0, 1, (const char *[]) { "PING" },
                                  NULL, on_reply, NULL);
        inside = 0;
    }
}


static void
start(unsigned n, unsigned timeout_ms)
{
    inside = 1;

    while (n--) {
        (void) !fcf_redis_command(redis, timeout_ms, 1,
                                  (const char *[]) { "PING" }, NULL, on_reply,
                                  NULL);
    }

    inside = 0;
}


static void
open_client(void)
{
    fcf_redis_conf_t   conf;
    const char        *addrs[] = { addr };

    memset(&conf, 0, sizeof(conf));
    conf.addrs = addrs;
    conf.naddrs = 1;

    answered = 0;
    failed = 0;
    more = 0;
    redis = fcf_redis_new(loop, &conf, NULL);
}


static void
listen_on(void)
{
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    memcpy(sun.sun_path, path, strlen(path));

    listener = socket(AF_UNIX, SOCK_STREAM, 0);

    if (listener < 0
        || bind(listener, (struct sockaddr *) &sun, sizeof(sun)) != 0
        || listen(listener, 8) != 0)
    {
        abort();
    }
}


/* what the client has sent: how often the word is in it */

static unsigned
heard(const char *word)
{
    char      buf[65536], *p;
    ssize_t   n;
    unsigned  found;

    found = 0;

    while (fake_loop_ready(loop, client, FCF_WRITE)) { /* void */ }

    while ((n = recv(server, buf, sizeof(buf) - 1, MSG_DONTWAIT)) > 0) {
        buf[n] = '\0';

        for (p = buf; (p = strstr(p, word)) != NULL; p++) {
            found++;
        }
    }

    return found;
}


static void
say(const char *text, unsigned times)
{
    while (times--) {
        if (send(server, text, strlen(text), 0) < 0) {
            abort();
        }
    }
}


/* until the client is told that it speaks to the master */

static void
shake_hands(void)
{
    client = dup(0);
    close(client);
    fake_loop_advance(loop, 0);

    server = accept(listener, NULL, NULL);

    if (server < 0) {
        abort();
    }

    is_int(heard("ROLE"), 1, "the client is here");
    say(SHA, FCF_REDIS_SCRIPTS);
    say(ROLE, 1);
    (void) fake_loop_ready(loop, client, FCF_READ);
}


/* turns of the loop until nothing fails any more: returns the most in one */

static unsigned
fail_in_turns(void)
{
    unsigned  before, most, turns;

    most = 0;

    for (turns = 0; turns < 10 * N; turns++) {
        before = failed;
        fake_loop_advance(loop, 0);

        if (failed == before && turns > 2) {
            break;
        }

        most = failed - before > most ? failed - before : most;
    }

    return most;
}


static void
close_client(const char *what)
{
    fcf_redis_free(redis);
    is_int(fake_loop_free(loop), 0, "%s: nothing is left in the loop", what);
    loop = fake_loop_new();
}


static void
test_no_server(void)
{
    open_client();
    start(N, 0);
    more = N;

    is_int(fail_in_turns(), FCF_REDIS_TURN, "no server: so many fail a turn");
    is_int(failed, 2 * N, "all of them, and those that were begun then");

    start(N, 0);
    is_int(fail_in_turns(), FCF_REDIS_TURN,
           "begun while there is none: likewise");
    is_int(failed, 3 * N, "all of them");
    close_client("no server");
}


static void
test_sent(void)
{
    listen_on();
    open_client();
    start(N, 0);
    shake_hands();

    is_int(heard("PING"), FCF_REDIS_SENT_MAX, "so many are sent");
    say("+PONG\r\n", 100);
    (void) fake_loop_ready(loop, client, FCF_READ);
    is_int(answered, 100, "answers come");
    is_int(heard("PING"), 100, "and as many more are sent");

    /* the server ends */

    close(listener);
    unlink(path);
    close(server);
    (void) fake_loop_ready(loop, client, FCF_READ);
    is_int(failed, 0, "the connection ends: no callback inside of hiredis");
    is_int(fail_in_turns(), FCF_REDIS_TURN, "so many fail a turn");
    is_int(failed, N - 100, "all of them");
    close_client("a server that ends");
}


static void
test_comes_back(void)
{
    open_client();
    start(N, 0);

    fake_loop_advance(loop, 0);
    fake_loop_advance(loop, 0);
    ok(failed > 0 && failed <= 2 * FCF_REDIS_TURN, "some have failed (%u)",
       failed);

    /* as if no turn came until the next attempt */

    listen_on();
    redis->loop->timer_stop(redis->defer_timer);
    redis->loop->timer_set(redis->connect_timer, 0);
    shake_hands();

    is_int(fail_in_turns(), 0, "no other fails when it is back");

    while (heard("PING") != 0) {
        say("+PONG\r\n", FCF_REDIS_SENT_MAX);

        if (answered + FCF_REDIS_SENT_MAX > N - failed) {
            break;
        }

        (void) fake_loop_ready(loop, client, FCF_READ);
    }

    ok(answered > N / 2, "they are answered (%u)", answered);

    close(listener);
    close(server);
    unlink(path);
    close_client("a server that comes back");
}


static void
test_late(void)
{
    listen_on();
    open_client();
    start(N, 100);
    shake_hands();
    is_int(heard("PING"), FCF_REDIS_SENT_MAX, "so many are sent");

    close(listener);
    unlink(path);
    fake_loop_advance(loop, 100);
    ok(fail_in_turns() <= 2 * FCF_REDIS_TURN,
       "no answer in time: so many fail a turn");
    is_int(failed, N, "all of them");

    close(server);
    close_client("a server that says nothing");
}


/* deadlines do not come in the order in which commands were begun */

static void
test_late_behind(void)
{
    listen_on();
    open_client();
    start(FCF_REDIS_SENT_MAX, 60000);
    shake_hands();
    is_int(heard("PING"), FCF_REDIS_SENT_MAX, "so many are sent");

    start(FCF_REDIS_TURN, 100);
    start(1, 60000);
    start(10, 100);
    fake_loop_advance(loop, 100);
    (void) fail_in_turns();
    is_int(failed, FCF_REDIS_TURN + 10,
           "also those behind one that has time left");

    close(listener);
    unlink(path);
    close(server);
    close_client("late ones behind another");
}


int
main(void)
{
    snprintf(path, sizeof(path), "/tmp/fcf-redis-many-%d", (int) getpid());
    snprintf(addr, sizeof(addr), "unix:%s", path);
    loop = fake_loop_new();

    test_no_server();
    test_sent();
    test_comes_back();
    test_late();
    test_late_behind();

    (void) fake_loop_free(loop);

    return tap_done();
}
