#include "t/unit/fake_sync.h"


static void
test_list(void)
{
    fcf_sync_stat_t  stat;

    start();
    is_int(fake_http_pending(), 0, "nothing is asked before new() returns");
    fake_loop_settle(loop);

    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2Yv\",\"range_end\":\"L2Yw\",\"limit\":\"1000\"}",
           "the first page of the first prefix");
    answer("1", 10, 2, kv("/f/a", 5), 1);
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2YvYQA=\",\"range_end\":\"L2Yw\",\"limit\":\"1000\","
           "\"revision\":\"10\"}",
           "the second begins after the last key, at the same revision");
    answer("1", 12, 2, kv("/f/b", 5), 0);
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L3Mv\",\"range_end\":\"L3Mw\",\"limit\":\"1000\"}",
           "then the second prefix, as it is by then");
    saw("begin/f/ +/f/a +/f/b end/f/ ", "told as it comes");
    is_int(fcf_sync_revision(sync_, 0), 10, "the first is known");
    is_int(fcf_sync_revision(sync_, 1), 0, "the second is not");
    answer("1", 12, 2, kv("/s/a", 5), 0);
    saw("begin/s/ +/s/a end/s/ ", "to the end");

    is_str(fake_http_body(WATCH),
           "{\"create_request\":{\"key\":\"L2Yv\",\"range_end\":\"L2Yw\","
           "\"start_revision\":\"11\",\"watch_id\":\"1\",\"fragment\":true}}\n"
           "{\"create_request\":{\"key\":\"L3Mv\",\"range_end\":\"L3Mw\","
           "\"start_revision\":\"13\",\"watch_id\":\"2\",\"fragment\":true}}\n",
           "watched from the next revision of each, in one stream");
    is_str(fake_http_header(WATCH, "Grpc-Metadata-hasleader"), "true",
           "which a member without a leader refuses");

    created(1, 12);
    saw("", "not live before all watches are");
    created(2, 12);
    saw("LIVE ", "then live");

    fcf_sync_stat(sync_, &stat);
    is_int(stat.revision, 12, "stat: revision");
    is_int(stat.lists, 1, "stat: lists");
    stop();
}


static void
test_bounded(void)
{
    unsigned  turns;

    start_live();
    events(1, 12, 600);
    is_int(told, 0, "nothing inside the HTTP callback");
    fake_loop_advance(loop, 0);
    is_int(told, FCF_SYNC_TURN - 1, "a turn's worth in a turn");
    turns = fake_loop_settle(loop);
    is_int(told, 600, "all in the end");
    ok(turns >= 2, "over several turns");
    saw(seen.data, "(seen)");

    /* cut in the middle of a transaction: it comes again, whole */

    events(1, 13, 300);
    fake_loop_advance(loop, 0);
    fake_loop_advance(loop, 1999);
    fake_loop_advance(loop, 1);
    is_int(told, 300, "(delivered)");
    events(1, 16, 300);
    fake_loop_advance(loop, 0);
    ok(told < 600, "half a transaction");
    fake_http_fail(RANGE, FCF_E_TIMEOUT, 0);
    fcf_buf_reset(&seen);
    fake_loop_settle(loop);
    answer("1", 20, 2, "", 0);
    ok(strstr(fake_http_body(WATCH), "\"start_revision\":\"16\"") != NULL,
       "the first watch resumes before it");
    ok(strstr(fake_http_body(WATCH), "\"start_revision\":\"12\"") != NULL,
       "the second where that was");
    created(1, 20);
    created(2, 20);

    /* so is one that etcd itself sends in parts */

    fake_http_data(WATCH, "{\"result\":{\"header\":{\"revision\":\"17\"},"
                   "\"watch_id\":\"1\",\"fragment\":true,\"events\":["
                   "{\"kv\":{\"key\":\"L2YvYQ==\",\"mod_revision\":\"17\"}}]}}\n");
    fcf_buf_reset(&seen);
    fake_loop_settle(loop);
    saw("+/f/a ", "a part of a transaction");
    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_settle(loop);
    fake_loop_advance(loop, FCF_SYNC_BACKOFF_MAX_MS);
    answer("1", 20, 2, "", 0);
    ok(strstr(fake_http_body(WATCH), "\"start_revision\":\"17\"") != NULL,
       "and all of it comes again");
    stop();
}


/* a page of "/f/0", ... that comes in pieces; bad: with a key that is none */

static void
long_page(int n, int bad)
{
    int        i, rc;
    char       key[64];
    fcf_buf_t  body;

    fcf_buf_init(&body, 1024 * 1024);
    rc = fcf_buf_addf(&body, "{\"header\":{\"cluster_id\":\"1\","
                      "\"revision\":\"10\",\"raft_term\":\"2\"},"
                      "\"kvs\":[");

    for (i = 0; i < n && rc == 0; i++) {
        snprintf(key, sizeof(key), "/f/%d", i);
        rc = fcf_buf_addf(&body, "%s%s", i ? "," : "",
                          i == bad ? "{\"key\":7}" : kv(key, 5));
    }

    if (rc != 0
        || fcf_buf_addf(&body, "],\"more\":true,\"count\":\"4000\"}") != 0)
    {
        abort();
    }

    ok(fake_http_answer(RANGE, 200, body.data), "a long page");
    fcf_buf_free(&body);
}


static void
test_long(void)
{
    start();
    fake_loop_settle(loop);
    long_page(1000, -1);
    is_int(told, 0, "nothing inside the HTTP callback");
    fake_loop_advance(loop, 0);
    ok(told > 0 && told <= FCF_SYNC_TURN, "a turn's worth in a turn");
    fake_loop_settle(loop);
    is_int(told, 1000, "all in the end");
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2YvOTk5AA==\",\"range_end\":\"L2Yw\","
           "\"limit\":\"1000\",\"revision\":\"10\"}",
           "the next page begins after the last key");

    fcf_buf_reset(&seen);
    told = 0;
    long_page(1000, 900);
    fake_loop_settle(loop);
    ok(told >= 800 && told < 900, "one that is malformed: up to there");
    fake_loop_advance(loop, 100);
    is_str(fake_http_body(RANGE), LIST, "then it is listed again");
    long_page(300, -1);
    fake_loop_advance(loop, 0);
    stop();
}


/* a page that takes too long is asked for again, smaller */

static void
test_slow(void)
{
    fcf_sync_stat_t  stat;

    start();
    fake_loop_settle(loop);
    answer("1", 10, 2, kv("/f/a", 5), 1);
    fake_http_fail(RANGE, FCF_E_TIMEOUT, 0);
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2YvYQA=\",\"range_end\":\"L2Yw\",\"limit\":\"500\","
           "\"revision\":\"10\"}", "half of the same page");
    fake_http_fail(RANGE, FCF_E_TIMEOUT, 0);
    ok(strstr(fake_http_body(RANGE), "\"limit\":\"250\"") != NULL, "less");
    answer("1", 10, 2, kv("/f/b", 5), 1);
    ok(strstr(fake_http_body(RANGE), "\"limit\":\"250\"") != NULL,
       "so are the next");
    fcf_sync_stat(sync_, &stat);
    is_int(stat.reconnects, 0, "without beginning again");
    fake_http_fail(RANGE, FCF_E_TIMEOUT, 0);
    fake_loop_settle(loop);
    is_str(fake_http_body(RANGE), LIST, "in the end it does");
    stop();
}


static void
test_cut(void)
{
    unsigned  n;

    start_live();
    events(1, 12, 1);
    fake_loop_settle(loop);
    saw("+/f/0 ", "an event");

    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_settle(loop);
    saw("STALE ", "cut off");
    answer("1", 13, 2, "", 0);
    ok(strstr(fake_http_body(WATCH), "\"start_revision\":\"13\"") != NULL,
       "goes on after the last revision");
    created(1, 13);
    created(2, 13);
    saw("LIVE ", "live again without a list");

    /* the tail without a newline is read */

    fake_http_data(WATCH, "{\"error\":{\"grpc_code\":14,\"message\":"
                   "\"etcdserver: no leader\"}}");
    fake_loop_settle(loop);
    saw("", "half a line says nothing");
    fake_http_answer(WATCH, 200, "");
    fake_loop_settle(loop);
    saw("STALE ", "but at the end it does");

    /* attempts while it is away */

    n = fake_http_started(RANGE);

    while (loop->now(loop) < 60000) {
        if (!fake_http_fail(RANGE, FCF_E_UNAVAILABLE, 111)) {
            fake_loop_advance(loop, 10);
        }
    }

    n = fake_http_started(RANGE) - n;
    ok(n >= 25, "asked again at least every 2 s (%u)", n);
    ok(n <= 80, "and no oftener than every second or so (%u)", n);
    stop();
}


static void
test_relist(void)
{
    start_live();
    fake_http_data(WATCH, "{\"result\":{\"header\":{\"cluster_id\":\"1\"},"
                   "\"watch_id\":\"1\",\"canceled\":true,"
                   "\"compact_revision\":\"40\"}}\n");
    fake_loop_settle(loop);
    saw("STALE ", "compacted");
    answer("1", 50, 2, kv("/f/z", 45), 0);
    answer("1", 50, 2, "", 0);
    saw("begin/f/ +/f/z end/f/ begin/s/ end/s/ ", "is listed again");

    /* a watch on the future is told by its header only */

    created(1, 49);
    saw("", "stale already");
    fake_loop_advance(loop, 50);
    answer("1", 49, 2, "", 1);
    saw("", "a revision from the future is listed again");
    answer("1", 49, 2, kv("/s/y", 1), 0);
    saw("begin/f/ end/f/ begin/s/ +/s/y end/s/ ", "as it is");
    created(1, 49);
    created(2, 49);
    saw("LIVE ", "live");

    /* asked before it is watched */

    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_advance(loop, 100);
    saw("STALE ", "cut off");
    answer("1", 48, 2, "", 0);
    is_int(fake_http_started(WATCH), 3, "older: not watched");
    answer("1", 48, 2, kv("/f/x", 1), 0);
    answer("1", 48, 2, "", 0);
    saw("begin/f/ +/f/x end/f/ begin/s/ end/s/ ", "but listed");
    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_advance(loop, 200);
    answer("1", 60, 1, "", 0);
    ok(fake_http_pending() == 1 && fake_http_body(WATCH) == NULL,
       "a lower raft term: listed, not watched");
    stop();
}


static void
test_probe(void)
{
    unsigned  n;

    start_live();
    n = fake_http_started(RANGE);
    fake_loop_advance(loop, 1999);
    is_int(fake_http_started(RANGE), n, "no probe before 2 s");
    fake_loop_advance(loop, 1);
    is_int(fake_http_started(RANGE), n + 1, "a probe");
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2Yv\",\"limit\":\"1\",\"keys_only\":true}",
           "of one key, linearizable");
    answer("1", 12, 2, "", 0);
    fake_loop_advance(loop, 2000);
    is_int(fake_http_started(RANGE), n + 2, "and again");
    fake_http_fail(RANGE, FCF_E_TIMEOUT, 0);
    saw("STALE ", "without an answer the silent stream is given up");
    is_int(fake_http_body(WATCH) != NULL, 0, "and closed");
    fake_loop_settle(loop);
    answer("1", 12, 2, "", 0);

    /* a stream that does not begin */

    n = fake_http_started(WATCH);
    fake_loop_advance(loop, 2000);
    fake_loop_advance(loop, 100);
    answer("1", 12, 2, "", 0);
    is_int(fake_http_started(WATCH), n + 1, "no answer to a watch: again");
    stop();
}


static void
test_free(void)
{
    int         n;
    fcf_err_t   err;

    start();
    stop();

    start();
    fake_loop_settle(loop);
    stop();

    start_live();
    events(1, 12, 600);
    fake_loop_advance(loop, 0);
    stop();

    start_live();
    fake_loop_advance(loop, 2000);
    stop();

    /* out of memory, at each place */

    start();

    for (n = 0; n < 2; n++) {
        fake_loop_fail_after(loop, n);
        ok(fcf_sync_new(etcd, prefixes, 1, &handler, NULL, &err) == NULL,
           "refused when timer %d cannot be made", n);
        is_int(err.code, FCF_E_NOMEM, "and said");
    }

    fake_loop_fail_after(loop, -1);
    ok(fcf_sync_new(etcd, prefixes, 0, &handler, NULL, &err) == NULL,
       "no prefix is refused");
    stop();
}


int
main(void)
{
    test_list();
    test_bounded();
    test_long();
    test_slow();
    test_cut();
    test_relist();
    test_probe();
    test_free();

    return tap_done();
}
