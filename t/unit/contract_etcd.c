#include <errno.h>
#include <stdlib.h>

#include "contract/fcf_buf.h"
#include "client/fcf_etcd.h"
#include "t/unit/fake_http.h"
#include "t/unit/fake_loop.h"
#include "t/unit/tap.h"

#define AUTH    "/v3/auth/authenticate"
#define OK      "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"5\"}}"

static fcf_loop_t  *loop;
static fcf_etcd_t  *etcd;
static fcf_buf_t    seen;


static void
done(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    if (fcf_buf_addf(&seen, "%s:%s ", (const char *) arg,
                     err ? fcf_code_name(err->code)
                         : reply->succeeded ? "succeeded" : "ok")
        != 0)
    {
        abort();
    }
}


static void
saw(const char *want, const char *what)
{
    is_str(seen.data ? seen.data : "", want, "%s", what);
    fcf_buf_reset(&seen);
}


static void
start(const char *user)
{
    static const char *const  endpoints[] = {
        "http://127.0.0.1:1", "http://127.0.0.1:2"
    };
    fcf_etcd_conf_t           conf;

    memset(&conf, 0, sizeof(conf));
    conf.endpoints = endpoints;
    conf.nendpoints = 2;
    conf.user = user;
    conf.password = user ? "s\"cret" : NULL;

    loop = fake_loop_new();
    fcf_buf_init(&seen, 65536);
    etcd = fcf_etcd_new(loop, &conf, NULL);
}


static void
stop(void)
{
    fcf_etcd_free(etcd);
    is_int(fake_http_pending(), 0, "nothing under way");
    is_int(fake_loop_free(loop), 0, "nothing left in the loop");
    fcf_buf_free(&seen);
}


static fcf_etcd_call_t *
txn(const char *tag)
{
    fcf_etcd_op_t   put;
    fcf_etcd_op_t   list;
    fcf_etcd_cmp_t  cmp[5];

    memset(cmp, 0, sizeof(cmp));
    memset(&put, 0, sizeof(put));

    cmp[0].what = FCF_CMP_ABSENT;
    cmp[0].key = "a";
    cmp[1].what = FCF_CMP_PRESENT;
    cmp[1].key = "b";
    cmp[2].what = FCF_CMP_LEASE_IS;
    cmp[2].key = "c";
    cmp[2].number = 9;
    cmp[3].what = FCF_CMP_VALUE_IS;
    cmp[3].key = "d";
    cmp[3].value = "v";
    cmp[3].value_len = 1;
    cmp[4].what = FCF_CMP_NONE_BELOW;
    cmp[4].key = "e";

    memset(&list, 0, sizeof(list));
    list.op = FCF_OP_LIST;
    list.key = "e";

    put.op = FCF_OP_PUT;
    put.key = "a";
    put.value = "v";
    put.value_len = 1;
    put.lease = 9;

    return fcf_etcd_txn(etcd, cmp, 5, &put, 1, &list, 1, done, (void *) tag);
}


static void
test_bodies(void)
{
    start(NULL);
    txn("t");
    is_str(fake_http_body("/v3/kv/txn"),
           "{\"compare\":["
           "{\"key\":\"YQ==\",\"target\":\"CREATE\",\"result\":\"EQUAL\","
           "\"create_revision\":\"0\"},"
           "{\"key\":\"Yg==\",\"target\":\"CREATE\",\"result\":\"GREATER\","
           "\"create_revision\":\"0\"},"
           "{\"key\":\"Yw==\",\"target\":\"LEASE\",\"result\":\"EQUAL\","
           "\"lease\":\"9\"},"
           "{\"key\":\"ZA==\",\"target\":\"VALUE\",\"result\":\"EQUAL\","
           "\"value\":\"dg==\"},"
           "{\"key\":\"ZQ==\",\"range_end\":\"Zg==\","
           "\"target\":\"CREATE\",\"result\":\"EQUAL\","
           "\"create_revision\":\"0\"}],"
           "\"success\":[{\"request_put\":{\"key\":\"YQ==\","
           "\"value\":\"dg==\",\"lease\":\"9\"}}],"
           "\"failure\":[{\"request_range\":{\"key\":\"ZQ==\","
           "\"range_end\":\"Zg==\",\"limit\":\"500\"}}]}",
           "a transaction");
    fake_http_answer("/v3/kv/txn", 200, "{\"header\":{},\"succeeded\":true}");
    saw("t:succeeded ", "succeeded");

    fcf_etcd_delete(etcd, "k", done, (void *) "d");
    is_str(fake_http_body("/v3/kv/deleterange"), "{\"key\":\"aw==\"}",
           "a delete");
    fcf_etcd_lease_grant(etcd, 10, done, (void *) "g");
    is_str(fake_http_body("/v3/lease/grant"), "{\"TTL\":\"10\"}", "a grant");
    saw("", "no callback before an answer");
    stop();
}


static void
test_failover(void)
{
    fcf_etcd_stat_t  stat;

    start(NULL);
    fcf_etcd_put(etcd, "k", "v", 1, 0, done, (void *) "p");
    fake_http_fail("1:1/v3/kv/put", FCF_E_UNAVAILABLE, ECONNREFUSED);
    saw("", "a put is not failed by one endpoint");
    ok(fake_http_answer("1:2/v3/kv/put", 200, OK), "the other is asked");
    saw("p:ok ", "and answers");
    fcf_etcd_stat(etcd, &stat);
    is_str(stat.endpoint, "http://127.0.0.1:2", "it is the current one now");
    is_int(stat.failovers, 1, "counted");

    fcf_etcd_get(etcd, "k", done, (void *) "g");
    fake_http_answer("1:2/v3/kv/range", 503,
                     "{\"error\":\"etcdserver: no leader\","
                     "\"message\":\"etcdserver: no leader\",\"code\":14}");
    ok(fake_http_fail("1:1/v3/kv/range", FCF_E_TIMEOUT, 0),
       "503 is a failure of the endpoint");
    saw("g:timeout ", "when all fail the caller hears the last reason");

    /* a lost answer to a transaction means "maybe done" */

    txn("t1");
    fake_http_fail("/v3/kv/txn", FCF_E_UNAVAILABLE, 0);
    saw("t1:unavailable ", "a transaction whose answer is lost is not sent "
        "twice");
    txn("t2");
    fake_http_fail("/v3/kv/txn", FCF_E_UNAVAILABLE, ECONNREFUSED);
    ok(fake_http_answer("/v3/kv/txn", 200, OK),
       "but one that was never sent is");
    saw("t2:ok ", "and done");
    stop();
}


/* something else than an etcd on one of the endpoints */

static void
test_foreign(void)
{
    start(NULL);
    fcf_etcd_get(etcd, "k", done, (void *) "a");
    fake_http_answer("1:1/v3/kv/range", 200, "<html>");
    saw("a:protocol ", "not etcd's answer");
    fcf_etcd_get(etcd, "k", done, (void *) "b");
    ok(fake_http_answer("1:2/v3/kv/range", 200, OK),
       "the other endpoint is asked from now on");
    fcf_etcd_get(etcd, "k", done, (void *) "c");
    fake_http_answer("1:2/v3/kv/range", 500, "<html>");
    ok(fake_http_answer("1:1/v3/kv/range", 200, OK),
       "a proxy's own 500 is a failure of the endpoint");
    saw("b:ok c:ok ", "answered");
    stop();
}


static void
test_list(void)
{
    char  prefix[2 * FCF_KEY_MAX];

    memset(prefix, 'p', sizeof(prefix) - 1);
    prefix[sizeof(prefix) - 1] = '\0';

    start(NULL);
    ok(fcf_etcd_list(etcd, prefix, done, (void *) "l") != NULL,
       "a prefix longer than any key");
    saw("", "is not refused inside the call");
    fake_loop_settle(loop);
    saw("l:invalid ", "but at the next turn");

    /* pages of two clusters are no list */

    fcf_etcd_list(etcd, "p", done, (void *) "l");
    fake_http_answer("1:1/v3/kv/range", 200, "{\"header\":{\"cluster_id\":"
                     "\"1\",\"revision\":\"5\"},\"kvs\":[{\"key\":"
                     "\"cGE=\"}],\"more\":true}");
    fake_http_answer("1:1/v3/kv/range", 200, "{\"header\":{\"cluster_id\":"
                     "\"2\",\"revision\":\"9\"},\"kvs\":[{\"key\":"
                     "\"cGI=\"}]}");
    saw("l:unavailable ", "another cluster in the middle of a list");
    stop();
}


static void
test_answers(void)
{
    size_t  i;

    static const struct {
        long         status;
        const char  *body, *want;
    } cases[] = {
        { 200, OK, "x:ok " },
        { 200, "", "x:protocol " },
        { 200, "[]", "x:protocol " },
        { 200, "{\"header\":{\"revision\":\"x\"}}", "x:protocol " },
        { 200, "{\"kvs\":[{\"key\":\"***\"}]}", "x:protocol " },
        { 200, "{\"kvs\":7}", "x:protocol " },
        { 404, "Not Found", "x:refused " },
        { 404, "{\"error\":\"x\",\"message\":\"lease not found\",\"code\":5}",
          "x:not_found " },
        { 400, "CommonName of client sending a request", "x:refused " },
        { 403, "{\"error\":\"x\",\"message\":\"denied\",\"code\":7}",
          "x:auth " },
        { 401, "", "x:auth " }
    };

    start(NULL);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fcf_etcd_get(etcd, "k", done, (void *) "x");
        fake_http_answer("/v3/kv/range", cases[i].status, cases[i].body);
        saw(cases[i].want, cases[i].body);
    }

    fcf_etcd_lease_revoke(etcd, 1, done, (void *) "r");
    fake_http_answer("/v3/lease/revoke", 404, cases[7].body);
    saw("r:ok ", "a lease already gone is revoked");
    stop();
}


static void
keys_seen(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    int     rc;
    size_t  i;

    (void) arg;

    rc = err ? fcf_buf_addf(&seen, "%s ", fcf_code_name(err->code))
             : fcf_buf_addf(&seen, "ttl %d ", (int) reply->ttl);

    for (i = 0; rc == 0 && err == NULL && i < reply->nkvs; i++) {
        rc = fcf_buf_addf(&seen, "%s ", reply->kvs[i].key);
    }

    if (rc != 0) {
        abort();
    }
}


static void
test_lease_keys(void)
{
    size_t  i;

    static const struct {
        const char  *body, *want;
    } cases[] = {
        { "{\"header\":{},\"ID\":\"7\",\"TTL\":\"9\",\"grantedTTL\":\"10\","
          "\"keys\":[\"L2E=\",\"L2I=\"]}", "ttl 9 /a /b " },
        { "{\"header\":{},\"ID\":\"7\",\"TTL\":\"9\"}", "ttl 9 " },
        { "{\"header\":{},\"ID\":\"7\",\"TTL\":\"-1\"}", "ttl -1 " },
        { "{\"header\":{},\"TTL\":\"9\",\"keys\":[7]}", "protocol " },
        { "{\"header\":{},\"TTL\":\"9\",\"keys\":[\"*\"]}", "protocol " },
        { "{\"header\":{},\"TTL\":\"9\",\"keys\":{}}", "protocol " }
    };

    start(NULL);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fcf_etcd_lease_keys(etcd, 7, keys_seen, NULL);
        is_str(fake_http_body("/v3/lease/timetolive"),
               "{\"ID\":\"7\",\"keys\":true}", "the keys are asked for");
        fake_http_answer("/v3/lease/timetolive", 200, cases[i].body);
        saw(cases[i].want, cases[i].body);
    }

    stop();
}


static void
test_auth(void)
{
    start("gate");
    fcf_etcd_get(etcd, "k", done, (void *) "a");
    fcf_etcd_get(etcd, "k", done, (void *) "b");
    is_str(fake_http_body(AUTH),
           "{\"name\":\"gate\",\"password\":\"s\\\"cret\"}", "one token first");
    is_int(fake_http_pending(), 1, "for both");
    fake_http_answer(AUTH, 200, "{\"header\":{},\"token\":\"T.1\"}");
    is_int(fake_http_pending(), 2, "then both are sent");
    is_str(fake_http_header("/v3/kv/range", "Authorization"), "T.1",
           "with it");
    fake_http_answer("/v3/kv/range", 200, OK);
    saw("a:ok ", "answered");

    fake_http_answer("/v3/kv/range", 401, "{\"error\":\"x\","
                     "\"message\":\"invalid auth token\",\"code\":16}");
    saw("", "a refused token is not the caller's affair");
    fake_http_answer(AUTH, 200, "{\"token\":\"T.2\"}");
    is_str(fake_http_header("/v3/kv/range", "Authorization"), "T.2",
           "a new one is taken");
    fake_http_answer("/v3/kv/range", 401, "{\"error\":\"x\","
                     "\"message\":\"invalid auth token\",\"code\":16}");
    saw("b:auth ", "but once");

    fcf_etcd_get(etcd, "k", done, (void *) "c");
    fake_http_fail(AUTH, FCF_E_UNAVAILABLE, ECONNREFUSED);
    fake_http_answer(AUTH, 400, "{\"error\":\"x\",\"message\":\"etcdserver: "
                     "authentication failed, invalid user ID or password\","
                     "\"code\":3}");
    saw("", "not from inside another's callback");
    fake_loop_settle(loop);
    saw("c:auth ", "a wrong password fails what waited for it");
    stop();
}


static void
cancel_other(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    fcf_etcd_call_t  **other;

    other = arg;
    fcf_etcd_cancel(*other);
    done((void *) "first", reply, err);
}


static void
test_ends(void)
{
    size_t             i;
    fcf_err_t          err;
    fcf_etcd_call_t   *call;

    static const char *const  bad[] = {
        "127.0.0.1:2379", "http://127.0.0.1", "http://localhost:2379",
        "ftp://127.0.0.1:1", "http://127.0.0.1:0", "http://127.0.0.1:65536",
        "http://127.0.0.1:1x", "http://127.0.0.1:1/",
        "http://::1:1", "http://[127.0.0.1]:1", ""
    };

    start(NULL);
    call = fcf_etcd_get(etcd, "k", done, (void *) "a");
    fcf_etcd_cancel(call);
    is_int(fake_http_pending(), 0, "a cancelled call is gone");

    fcf_etcd_get(etcd, "k1", cancel_other, &call);
    call = fcf_etcd_get(etcd, "k2", done, (void *) "second");
    fcf_etcd_get(etcd, "k3", done, (void *) "third");
    fcf_etcd_free(etcd);
    saw("first:canceled third:canceled ",
        "freed: each hears of it once, but who was cancelled meanwhile");
    is_int(fake_loop_free(loop), 0, "nothing left");
    fcf_buf_free(&seen);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(fcf_etcd_endpoint_check(bad[i], &err), -1, "bad endpoint %s",
               bad[i]);
    }

    is_int(fcf_etcd_endpoint_check("https://[::1]:2379", &err), 0,
           "a good endpoint");
}


int
main(void)
{
    test_bodies();
    test_failover();
    test_foreign();
    test_list();
    test_answers();
    test_lease_keys();
    test_auth();
    test_ends();

    return tap_done();
}
