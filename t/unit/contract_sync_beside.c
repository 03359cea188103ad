/* A long list, and the watch of what was listed before it. */

#include "t/unit/fake_sync.h"

#define SPECS   "{\"key\":\"L3Mv\",\"range_end\":\"L3Mw\",\"limit\":\"1000\"}"


/* of both prefixes, one after the other, as in an open stream's body */

static const char *
watch(const char *f, const char *s)
{
    static char  text[512];
    size_t       n;

    n = 0;
    text[0] = '\0';

    if (f != NULL) {
        n = (size_t) snprintf(text, sizeof(text), "{\"create_request\":"
                "{\"key\":\"L2Yv\",\"range_end\":\"L2Yw\","
                "\"start_revision\":\"%s\",\"watch_id\":\"1\","
                "\"fragment\":true}}\n", f);
    }

    if (s != NULL) {
        snprintf(text + n, sizeof(text) - n, "{\"create_request\":"
                "{\"key\":\"L3Mv\",\"range_end\":\"L3Mw\","
                "\"start_revision\":\"%s\",\"watch_id\":\"2\","
                "\"fragment\":true}}\n", s);
    }

    return text;
}


/* "/f/" is listed, "/s/" has more than a page */

static void
start_beside(void)
{
    start();
    fake_loop_settle(loop);
    answer("1", 10, 2, kv("/f/a", 5), 0);
    is_int(fake_http_started(WATCH), 0, "no watch before there is need");
    answer("1", 12, 2, kv("/s/a", 5), 1);
    is_str(fake_http_body(WATCH), watch("11", NULL),
           "what was listed is watched, from its next revision");
    created(1, 12);
    saw("begin/f/ +/f/a end/f/ begin/s/ +/s/a ", "the list goes on");
}


static void
test_beside(void)
{
    fcf_sync_stat_t  stat;

    start_beside();
    events(1, 13, 1);
    fake_loop_settle(loop);
    saw("+/f/0 ", "a change is told within the list");
    is_int(fcf_sync_revision(sync_, 0), 13, "and counts");
    fake_loop_advance(loop, 10000);
    ok(fake_http_body(WATCH) != NULL, "the watch stays, however long it takes");
    is_int(fake_http_started(RANGE), 3, "without a probe");

    answer("1", 14, 2, kv("/s/b", 5), 0);
    saw("+/s/b end/s/ ", "then the list ends");
    is_str(fake_http_body(WATCH), watch("14", "13"),
           "and all is watched, each from its next revision");
    is_int(fake_http_started(WATCH), 2, "in another stream");
    is_int(fake_http_pending(), 1, "the first is closed");
    created(1, 14);
    created(2, 14);
    saw("LIVE ", "live");
    fcf_sync_stat(sync_, &stat);
    is_int(stat.lists, 1, "one list");
    is_int(stat.reconnects, 0, "without a fault");
    stop();
}


/* what is told in many turns: their time is not etcd's silence */

static void
test_slow(void)
{
    int              i;
    char             key[64];
    fcf_buf_t        body;
    fcf_sync_stat_t  stat;

    start();
    fake_loop_settle(loop);
    answer("1", 10, 2, kv("/f/a", 5), 0);

    fcf_buf_init(&body, 1024 * 1024);

    for (i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "/s/%d", i);

        if (fcf_buf_addf(&body, "%s%s", i ? "," : "{\"header\":{"
                         "\"cluster_id\":\"1\",\"revision\":\"10\","
                         "\"raft_term\":\"2\"},\"more\":true,\"kvs\":[",
                         kv(key, 5)) != 0)
        {
            abort();
        }
    }

    if (fcf_buf_addf(&body, "]}") != 0) {
        abort();
    }

    fake_loop_advance(loop, 5000);
    fcf_sync_stat(sync_, &stat);
    is_int(stat.idle_ms, 5000, "etcd keeps a list waiting");
    ok(fake_http_answer(RANGE, 200, body.data), "then there is a page of it");
    fcf_buf_free(&body);

    for (i = 0; fake_http_body(RANGE) == NULL && i < 100; i++) {
        fake_loop_stall(loop, 1500);
        fake_loop_advance(loop, 0);
    }

    ok(i > 2, "which takes some turns");
    fcf_sync_stat(sync_, &stat);
    is_int(stat.idle_ms, 0, "etcd has answered all that it was asked for");
    fake_loop_advance(loop, 1500);
    fcf_sync_stat(sync_, &stat);
    is_int(stat.idle_ms, 1500, "the next page it has not");
    fcf_buf_reset(&seen);
    stop();
}


/* half a transaction was told when the streams changed: all comes again */

static void
test_halves(void)
{
    start_beside();
    events(1, 15, 300);
    fake_loop_advance(loop, 0);
    is_int(told, FCF_SYNC_TURN / 2 - 1, "half a turn's worth for changes");
    answer("1", 14, 2, kv("/s/b", 5), 0);
    is_int(told, FCF_SYNC_TURN, "and for the list the other");
    is_str(fake_http_body(WATCH), watch("15", "13"), "what was half told");
    created(1, 15);
    created(2, 15);
    fcf_buf_reset(&seen);
    told = 0;
    events(1, 15, 300);
    fake_loop_settle(loop);
    is_int(told, 300, "comes again");
    stop();
}


/* the watch ends, the list goes on */

static void
test_lost(void)
{
    int  i;

    start_beside();
    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_settle(loop);
    saw("", "the watch is cut");
    is_int(fake_http_started(WATCH), 2, "and asked for again");
    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_advance(loop, 0);
    is_int(fake_http_started(WATCH), 2, "the second time");
    fake_loop_advance(loop, FCF_SYNC_BACKOFF_MAX_MS);
    is_int(fake_http_started(WATCH), 3, "after a while");
    is_str(fake_http_body(WATCH), watch("11", NULL), "where it was");

    /* silent: no connection, say */

    for (i = 0; i < 50 && fake_http_started(WATCH) == 3; i++) {
        fake_loop_advance(loop, 100);
    }

    is_int(fake_http_started(WATCH), 4, "no answer: another one");
    created(1, 12);
    events(1, 13, 1);
    fake_loop_settle(loop);
    saw("+/f/0 ", "and the next one is heard");

    fake_http_data(WATCH, "{\"error\":{\"grpc_code\":14,\"message\":"
                   "\"etcdserver: no leader\"}}\n");
    fake_loop_settle(loop);
    saw("", "no leader");
    answer("1", 14, 2, kv("/s/b", 5), 1);
    answer("1", 14, 2, kv("/s/c", 5), 0);
    saw("+/s/b +/s/c end/s/ ", "none of which the list is lost by");
    is_str(fake_http_body(WATCH), watch("14", "13"), "nor a change");
    stop();
}


static void
test_compacted(void)
{
    /* what the watch asks for */

    start_beside();
    fake_http_data(WATCH, "{\"result\":{\"header\":{\"cluster_id\":\"1\"},"
                   "\"watch_id\":\"1\",\"canceled\":true,"
                   "\"compact_revision\":\"40\"}}\n");
    fake_loop_settle(loop);
    answer("1", 50, 2, kv("/s/b", 5), 0);
    saw("+/s/b end/s/ ", "the list ends");
    is_str(fake_http_body(RANGE), LIST, "the first prefix is listed again");
    answer("1", 51, 2, kv("/f/c", 45), 1);
    saw("begin/f/ +/f/c ", "of more than a page");
    is_str(fake_http_body(WATCH), watch(NULL, "13"),
           "beside it the second is watched");
    answer("1", 51, 2, "", 0);
    saw("end/f/ ", "to the end");
    is_str(fake_http_body(WATCH), watch("52", "13"), "then both");
    stop();

    /* what the list asks for */

    start_beside();
    ok(fake_http_answer(RANGE, 400, "{\"error\":\"etcdserver: mvcc: required "
                        "revision has been compacted\",\"code\":11,"
                        "\"message\":\"etcdserver: mvcc: required revision "
                        "has been compacted\"}"), "the page is gone");
    fake_loop_settle(loop);
    is_str(fake_http_body(RANGE), RESUME, "can the first be gone on with?");
    answer("1", 50, 2, "", 0);
    is_str(fake_http_body(RANGE), SPECS, "the second is listed again, as it is");
    answer("1", 50, 2, kv("/s/z", 45), 1);
    saw("begin/s/ +/s/z ", "from its beginning");
    is_str(fake_http_body(WATCH), watch("11", NULL),
           "the first goes on where it was");
    answer("1", 50, 2, "", 0);
    saw("end/s/ ", "to the end");
    is_str(fake_http_body(WATCH), watch("11", "51"), "then both");
    stop();
}


/* another etcd in the middle of it */

static void
test_another(void)
{
    start_beside();
    answer("2", 14, 2, kv("/s/b", 5), 0);
    saw("", "a page of another cluster is not told");
    is_str(fake_http_body(RANGE), LIST, "all is listed again");
    answer("2", 14, 2, "", 0);
    saw("", "empty: not believed yet");
    answer("2", 15, 2, kv("/s/x", 5), 1);
    saw("begin/f/ end/f/ begin/s/ +/s/x ", "but once there is a key");
    is_int(fake_http_started(WATCH), 1, "and not watched before");
    answer("2", 16, 2, kv("/s/y", 5), 1);
    is_str(fake_http_body(WATCH), watch("15", NULL), "then it is");
    stop();

    start_beside();
    fake_http_data(WATCH, "{\"result\":{\"header\":{\"cluster_id\":\"2\","
                   "\"revision\":\"13\"},\"watch_id\":\"1\",\"events\":[{"
                   "\"kv\":{\"key\":\"L2YvYg==\",\"mod_revision\":\"13\"}}]}}"
                   "\n");
    fake_loop_settle(loop);
    saw("", "nor is a change there");
    is_str(fake_http_body(RANGE), LIST, "all is listed again");
    stop();

    /* restored older: the first page of the next list tells */

    start();
    fake_loop_settle(loop);
    answer("1", 10, 2, kv("/f/a", 5), 0);
    answer("1", 9, 2, kv("/s/a", 5), 0);
    saw("begin/f/ +/f/a end/f/ ", "older than what was listed");
    is_str(fake_http_body(RANGE), LIST, "all is listed again");
    answer("1", 9, 2, kv("/f/b", 5), 0);
    answer("1", 9, 2, "", 0);
    saw("begin/f/ +/f/b end/f/ begin/s/ end/s/ ", "as it is");
    is_str(fake_http_body(WATCH), watch("10", "10"), "and watched from there");
    stop();

    /* and a watch that is created there */

    start();
    fake_loop_settle(loop);
    answer("1", 10, 2, kv("/f/a", 5), 0);
    answer("1", 12, 2, kv("/s/a", 5), 1);
    created(1, 9);
    is_str(fake_http_body(RANGE), LIST, "a watch on the future: listed again");
    stop();
}


/* the second endpoint, once the first has failed: of list and watch alike */

static void
test_moved(void)
{
    start_beside();
    fake_http_fail(RANGE, FCF_E_UNAVAILABLE, 111);
    fake_loop_settle(loop);
    is_str(fake_http_body(RANGE), RESUME, "etcd is away: asked again");
    ok(fake_http_body(WATCH) == NULL, "without the watch of before");
    answer("1", 12, 2, "", 0);
    is_str(fake_http_body(RANGE), SPECS, "only what was not listed yet is");
    answer("1", 12, 2, kv("/s/a", 5), 1);
    saw("begin/s/ +/s/a ", "from its beginning");
    is_str(fake_http_body(WATCH), watch("11", NULL), "beside the watch");
    stop();
}


int
main(void)
{
    test_beside();
    test_slow();
    test_halves();
    test_lost();
    test_compacted();
    test_another();
    test_moved();

    return tap_done();
}
