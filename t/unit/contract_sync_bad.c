/* The sync and an etcd that is not what it was, or none at all. */

#include "t/unit/fake_sync.h"


static void
test_distrust(void)
{
    uint64_t  from;

    start_live();
    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_settle(loop);
    saw("STALE ", "cut off");
    answer("2", 1, 2, "", 0);

    from = loop->now(loop);

    while (fake_http_pending() != 0 || loop->now(loop) < from + 14000) {
        if (fake_http_body(RANGE) != NULL) {
            fake_http_answer(RANGE, 200, "{\"header\":{\"cluster_id\":\"2\","
                             "\"revision\":\"1\"}}");
            continue;
        }

        fake_loop_advance(loop, 100);
    }

    saw("", "another cluster, and empty: not believed for 14 s");

    /* nor by a look now and another when it was away in between */

    while (fake_http_body(RANGE) == NULL) {
        fake_loop_advance(loop, 100);
    }

    fake_http_fail(RANGE, FCF_E_UNAVAILABLE, 0);
    from = loop->now(loop);

    while (loop->now(loop) < from + 14000) {
        if (!fake_http_answer(RANGE, 200, "{\"header\":{\"cluster_id\":"
                              "\"2\",\"revision\":\"1\"}}"))
        {
            fake_loop_advance(loop, 100);
        }
    }

    saw("", "away in between: the time begins anew");

    while (fake_http_body(WATCH) == NULL && loop->now(loop) < from + 60000) {
        if (!fake_http_answer(RANGE, 200, "{\"header\":{\"cluster_id\":\"2\","
                              "\"revision\":\"1\"}}"))
        {
            fake_loop_advance(loop, 100);
        }
    }

    ok(loop->now(loop) - from <= 18000, "after 15 s it is");
    saw("begin/f/ end/f/ begin/s/ end/s/ ", "and nothing exists");

    /* one with something in it is believed at once */

    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_advance(loop, 200);
    answer("3", 7, 2, kv("/f/n", 2), 0);
    answer("3", 7, 2, kv("/f/n", 2), 0);
    answer("3", 7, 2, "", 0);
    saw("begin/f/ +/f/n end/f/ begin/s/ end/s/ ",
        "another cluster with keys: at once");
    stop();
}


/* the stream ends inside a line */

static void
test_tail(void)
{
    int              i;
    char            *piece;
    fcf_etcd_stat_t  stat;

    start_live();
    fake_http_data(WATCH, "{\"result\":{\"header\":{\"revision\":\"12\"},"
                   "\"watch_id\":\"1\",\"events\":[{\"kv\":{\"key\":");
    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_settle(loop);
    saw("STALE ", "cut in the middle of a message");
    fcf_etcd_stat(etcd, &stat);
    is_int(stat.healthy, 0, "is a failure of the endpoint");
    is_str(fake_http_body(RANGE), RESUME, "and the watch goes on");
    answer("1", 12, 2, "", 0);
    created(1, 12);
    created(2, 12);
    saw("LIVE ", "live");

    /* a line of more than is kept would come again for ever */

    piece = malloc(1024 * 1024 + 1);
    memset(piece, 'x', 1024 * 1024);
    piece[1024 * 1024] = '\0';

    for (i = 0; i < 64 && fake_http_data(WATCH, piece); i++) {
        fake_loop_settle(loop);
    }

    free(piece);
    ok(i < 64, "what is kept is bounded");
    fake_http_fail(WATCH, FCF_E_LIMIT, 0);
    fake_loop_advance(loop, 100);
    saw("STALE ", "a message too large");
    is_str(fake_http_body(RANGE), LIST, "is not asked for again: listed");
    stop();

    /* one that is not understood */

    start_live();
    fake_http_data(WATCH, "{\"result\":{\"watch_id\":\"x\"}}\n");
    fake_loop_settle(loop);
    saw("STALE ", "a message not understood");
    is_str(fake_http_body(RANGE), LIST, "neither");
    stop();
}


static void
test_twice(void)
{
    unsigned  n;

    start_live();
    fake_loop_advance(loop, 2000);
    n = fake_http_started(RANGE);
    created(2, 11);
    fake_loop_advance(loop, 2000);
    is_int(fake_http_started(RANGE), n, "created twice: still one probe");
    stop();
}


/* a probe's answer overtakes what the stream brought before an election */

static void
test_election(void)
{
    start_live();
    fake_loop_advance(loop, 2000);
    answer("1", 12, 3, "", 0);
    fake_http_data(WATCH, "{\"result\":{\"header\":{\"cluster_id\":\"1\","
                   "\"revision\":\"12\",\"raft_term\":\"2\"},"
                   "\"watch_id\":\"1\",\"events\":[{\"kv\":{\"key\":"
                   "\"L2YvYg==\",\"mod_revision\":\"12\"}}]}}\n");
    fake_loop_settle(loop);
    saw("+/f/b ", "an event of the term before is one all the same");
    stop();
}


/* answers that an etcd does not give */

static void
test_headless(void)
{
    uint64_t  from;

    start();
    fake_loop_settle(loop);
    from = loop->now(loop);

    while (loop->now(loop) < from + 20000) {
        if (!fake_http_answer(RANGE, 200, "{}")) {
            fake_loop_advance(loop, 100);
        }
    }

    saw("", "an empty object is no empty etcd");
    ok(fake_http_started(RANGE) < 60, "and not asked in a hurry");
    stop();

    start_live();
    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    from = loop->now(loop);

    while (loop->now(loop) < from + 40000) {
        if (!fake_http_answer(RANGE, 200, "{}")) {
            fake_loop_advance(loop, 100);
        }
    }

    saw("STALE ", "nor later");
    stop();
}


int
main(void)
{
    test_distrust();
    test_tail();
    test_twice();
    test_election();
    test_headless();

    return tap_done();
}
