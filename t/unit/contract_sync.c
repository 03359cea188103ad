#include <stdlib.h>

#include "contract/fcf_base64.h"
#include "contract/fcf_buf.h"
#include "contract/fcf_sync.h"
#include "t/unit/fake_http.h"
#include "t/unit/fake_loop.h"
#include "t/unit/tap.h"

#define RANGE  "/v3/kv/range"
#define WATCH  "/v3/watch"

static fcf_loop_t  *loop;
static fcf_etcd_t  *etcd;
static fcf_sync_t  *sync_;
static fcf_buf_t    seen;               /* what the handler was told */
static unsigned     told;               /* single changes since the last look */


static void
note(const char *what, const char *key, size_t len)
{
    if (fcf_buf_addf(&seen, "%s%.*s ", what, (int) len, key) != 0) {
        abort();
    }
}


static void on_begin(void *arg) { (void) arg; note("begin", "", 0); }
static void on_end(void *arg) { (void) arg; note("end", "", 0); }


static void
on_put(void *arg, const fcf_kv_t *kv)
{
    (void) arg;
    told++;
    note("+", kv->key, kv->key_len);
}


static void
on_del(void *arg, const char *key, size_t len)
{
    (void) arg;
    told++;
    note("-", key, len);
}


static void
on_state(void *arg, fcf_sync_state_e state, const char *why)
{
    static const char  *names[] = { "STARTING", "LIVE", "STALE" };

    (void) arg;
    (void) why;
    note(names[state], "", 0);
}


static const fcf_sync_handler_t  handler = {
    on_begin, on_put, on_del, on_end, on_state
};


static void
saw(const char *want, const char *what)
{
    is_str(seen.data ? seen.data : "", want, "%s", what);
    fcf_buf_reset(&seen);
    told = 0;
}


/* JSON of a kv or an event */

static const char *
kv(const char *key, int64_t revision)
{
    static char  text[8][256];
    static int   at;
    char         coded[128];

    at = (at + 1) % 8;
    fcf_base64_encode(coded, key, strlen(key));
    snprintf(text[at], sizeof(text[at]),
             "{\"key\":\"%s\",\"mod_revision\":\"%lld\"}", coded,
             (long long) revision);

    return text[at];
}


static void
answer(const char *cluster, int revision, int term, const char *kvs, int more)
{
    char  body[4096];

    snprintf(body, sizeof(body), "{\"header\":{\"cluster_id\":\"%s\","
             "\"revision\":\"%d\",\"raft_term\":\"%d\"},\"kvs\":[%s]%s}",
             cluster, revision, term, kvs, more ? ",\"more\":true" : "");

    ok(fake_http_answer(RANGE, 200, body), "a range was asked for");
}


static void
created(int id, int revision)
{
    char  line[256];

    snprintf(line, sizeof(line), "{\"result\":{\"header\":{\"cluster_id\":"
             "\"1\",\"revision\":\"%d\",\"raft_term\":\"2\"},"
             "\"watch_id\":\"%d\",\"created\":true}}\n", revision, id);

    fake_http_data(WATCH, line);
    fake_loop_settle(loop);
}


/* n events of one transaction */

static void
events(int id, int revision, int n)
{
    int        i, rc;
    char       key[64];
    fcf_buf_t  line;

    fcf_buf_init(&line, 1024 * 1024);
    rc = fcf_buf_addf(&line, "{\"result\":{\"header\":{\"revision\":\"%d\"},"
                      "\"watch_id\":\"%d\",\"events\":[", revision, id);

    for (i = 0; i < n && rc == 0; i++) {
        snprintf(key, sizeof(key), "/f/%d", i);
        rc = fcf_buf_addf(&line, "%s{\"kv\":%s}", i ? "," : "",
                          kv(key, revision));
    }

    if (rc != 0 || fcf_buf_addf(&line, "]}}\n") != 0) {
        abort();
    }

    fake_http_data(WATCH, line.data);
    fcf_buf_free(&line);
}


static void
start(void)
{
    static const char *const  endpoints[] = { "http://127.0.0.1:2379" };
    static const char *const  prefixes[] = { "/f/", "/s/" };
    fcf_etcd_conf_t           conf;

    memset(&conf, 0, sizeof(conf));
    conf.endpoints = endpoints;
    conf.nendpoints = 1;

    loop = fake_loop_new();
    fcf_buf_init(&seen, 1024 * 1024);
    etcd = fcf_etcd_new(loop, &conf, NULL);
    sync_ = fcf_sync_new(etcd, prefixes, 2, &handler, NULL, NULL);
}


static void
stop(void)
{
    fcf_buf_reset(&seen);
    fcf_sync_free(sync_);
    is_int(seen.len, 0, "freed without a word");
    is_int(fake_http_pending(), 0, "and with nothing under way");
    fcf_etcd_free(etcd);
    is_int(fake_loop_free(loop), 0, "no timer is left");
    fcf_buf_free(&seen);
}


/* listed at revision 10 of cluster 1, both watches created, live */

static void
start_live(void)
{
    start();
    fake_loop_settle(loop);
    answer("1", 10, 2, kv("/f/a", 5), 0);
    answer("1", 11, 2, "", 0);
    created(1, 11);
    created(2, 11);
    saw("begin +/f/a end LIVE ", "a list, and live");
}


static void
test_list(void)
{
    fcf_sync_stat_t  stat;

    start();
    is_int(fake_http_pending(), 0, "nothing is asked before new() returns");
    fake_loop_settle(loop);

    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2Yv\",\"range_end\":\"L2Yw\",\"limit\":\"500\"}",
           "the first page of the first prefix");
    answer("1", 10, 2, kv("/f/a", 5), 1);
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2YvYQA=\",\"range_end\":\"L2Yw\",\"limit\":\"500\","
           "\"revision\":\"10\"}",
           "the second begins after the last key, at the same revision");
    answer("1", 12, 2, kv("/f/b", 5), 0);
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L3Mv\",\"range_end\":\"L3Mw\",\"limit\":\"500\","
           "\"revision\":\"10\"}", "then the second prefix, there too");
    saw("begin +/f/a +/f/b ", "told as it comes");
    answer("1", 12, 2, kv("/s/a", 5), 0);
    saw("+/s/a end ", "to the end");

    is_str(fake_http_body(WATCH),
           "{\"create_request\":{\"key\":\"L2Yv\",\"range_end\":\"L2Yw\","
           "\"start_revision\":\"11\",\"watch_id\":\"1\"}}\n"
           "{\"create_request\":{\"key\":\"L3Mv\",\"range_end\":\"L3Mw\","
           "\"start_revision\":\"11\",\"watch_id\":\"2\"}}\n",
           "watched from the next revision, in one stream");
    is_str(fake_http_header(WATCH, "Grpc-Metadata-hasleader"), "true",
           "which a member without a leader refuses");

    created(1, 12);
    saw("", "not live before all watches are");
    created(2, 12);
    saw("LIVE ", "then live");

    fcf_sync_stat(sync_, &stat);
    is_int(stat.revision, 10, "stat: revision");
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
    ok(strstr(fake_http_body(WATCH), "\"start_revision\":\"11\"") != NULL,
       "the second where that was");
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
    saw("begin +/f/z end ", "is listed again");

    /* a watch on the future is told by its header only */

    created(1, 49);
    saw("", "stale already");
    fake_loop_advance(loop, 50);
    answer("1", 49, 2, "", 1);
    saw("", "a revision from the future is listed again");
    answer("1", 49, 2, kv("/s/y", 1), 0);
    saw("begin +/s/y end ", "as it is");
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
    saw("begin +/f/x end ", "but listed");
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
    saw("begin end ", "and nothing exists");

    /* one with something in it is believed at once */

    fake_http_fail(WATCH, FCF_E_UNAVAILABLE, 0);
    fake_loop_advance(loop, 200);
    answer("3", 7, 2, kv("/f/n", 2), 0);
    answer("3", 7, 2, kv("/f/n", 2), 0);
    answer("3", 7, 2, "", 0);
    saw("begin +/f/n end ", "another cluster with keys: at once");
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
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2Yv\",\"limit\":\"1\",\"keys_only\":true}",
           "and the watch goes on");
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
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2Yv\",\"range_end\":\"L2Yw\",\"limit\":\"500\"}",
           "is not asked for again: listed");
    stop();

    /* one that is not understood */

    start_live();
    fake_http_data(WATCH, "{\"result\":{\"watch_id\":\"x\"}}\n");
    fake_loop_settle(loop);
    saw("STALE ", "a message not understood");
    is_str(fake_http_body(RANGE),
           "{\"key\":\"L2Yv\",\"range_end\":\"L2Yw\",\"limit\":\"500\"}",
           "neither");
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


static void
test_free(void)
{
    int         n;
    fcf_err_t   err;

    static const char *const  prefixes[] = { "/f/" };

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
    test_cut();
    test_relist();
    test_probe();
    test_distrust();
    test_tail();
    test_twice();
    test_headless();
    test_free();

    return tap_done();
}
