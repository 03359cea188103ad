/* A sync of "/f/" and "/s/" on the fake loop and scripted answers, and words
 * for what it is told and tells.  Static, as tap.h is: checks count in the
 * program that includes it. */

#ifndef _FCT_FAKE_SYNC_H_INCLUDED_
#define _FCT_FAKE_SYNC_H_INCLUDED_

#include <stdlib.h>

#include "contract/fcf_base64.h"
#include "contract/fcf_buf.h"
#include "client/fcf_sync.h"
#include "t/unit/fake_http.h"
#include "t/unit/fake_loop.h"
#include "t/unit/tap.h"

#define RANGE   "/v3/kv/range"
#define WATCH   "/v3/watch"

/* bodies of requests for the first prefix */
#define LIST    "{\"key\":\"L2Yv\",\"range_end\":\"L2Yw\",\"limit\":\"1000\"}"
#define RESUME  "{\"key\":\"L2Yv\",\"limit\":\"1\",\"keys_only\":true}"

static fcf_loop_t  *loop;
static fcf_etcd_t  *etcd;
static fcf_sync_t  *sync_;
static fcf_buf_t    seen;               /* what the handler was told */
static unsigned     told;               /* single changes since then */


static void
note(const char *what, const char *key, size_t len)
{
    if (fcf_buf_addf(&seen, "%s%.*s ", what, (int) len, key) != 0) {
        abort();
    }
}


/* of which prefix */
static const char *const  prefixes[] = { "/f/", "/s/" };


static void
on_begin(void *arg, size_t prefix)
{
    (void) arg;
    note("begin", prefixes[prefix], 3);
}


static void
on_end(void *arg, size_t prefix)
{
    (void) arg;
    note("end", prefixes[prefix], 3);
}


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


__attribute__((unused))
static void
saw(const char *want, const char *what)
{
    is_str(seen.data ? seen.data : "", want, "%s", what);
    fcf_buf_reset(&seen);
    told = 0;
}


/* JSON of a key-value */

__attribute__((unused))
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


__attribute__((unused))
static void
answer(const char *cluster, int revision, int term, const char *kvs, int more)
{
    char  body[4096];

    snprintf(body, sizeof(body), "{\"header\":{\"cluster_id\":\"%s\","
             "\"revision\":\"%d\",\"raft_term\":\"%d\"},\"kvs\":[%s]%s}",
             cluster, revision, term, kvs, more ? ",\"more\":true" : "");

    ok(fake_http_answer(RANGE, 200, body), "a range was asked for");
    fake_loop_advance(loop, 0);
}


__attribute__((unused))
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

__attribute__((unused))
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


__attribute__((unused))
static void
start(void)
{
    static const char *const  endpoints[] = { "http://127.0.0.1:2379" };
    fcf_etcd_conf_t           conf;

    memset(&conf, 0, sizeof(conf));
    conf.endpoints = endpoints;
    conf.nendpoints = 1;

    loop = fake_loop_new();
    fcf_buf_init(&seen, 1024 * 1024);
    etcd = fcf_etcd_new(loop, &conf, NULL);
    sync_ = fcf_sync_new(etcd, prefixes, 2, &handler, NULL, NULL);
}


__attribute__((unused))
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

__attribute__((unused))
static void
start_live(void)
{
    start();
    fake_loop_settle(loop);
    answer("1", 10, 2, kv("/f/a", 5), 0);
    answer("1", 11, 2, "", 0);
    created(1, 11);
    created(2, 11);
    saw("begin/f/ +/f/a end/f/ begin/s/ end/s/ LIVE ", "a list, and live");
}

#endif /* _FCT_FAKE_SYNC_H_INCLUDED_ */
