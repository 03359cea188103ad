#include <stdlib.h>

#include "client/fcf_watch.h"
#include "t/unit/tap.h"


/* "/a" and "x" are L2E= and eA== */

static const char  stream[] =
    "{\"result\":{\"header\":{\"cluster_id\":\"14841639068965178418\","
        "\"revision\":\"6\",\"raft_term\":\"2\"},\"watch_id\":\"1\","
        "\"created\":true}}\n"
    "{\"result\":{\"header\":{\"cluster_id\":\"14841639068965178418\","
        "\"revision\":\"8\"},\"watch_id\":\"1\",\"events\":["
        "{\"kv\":{\"key\":\"L2E=\",\"create_revision\":\"7\","
            "\"mod_revision\":\"7\",\"version\":\"1\",\"value\":\"eA==\","
            "\"lease\":\"77\"}},"
        "{\"type\":\"DELETE\",\"kv\":{\"key\":\"L2E=\","
            "\"mod_revision\":\"8\"}}]}}\r\n"
    "\n"
    "{\"result\":{\"header\":{\"revision\":\"9\"},\"watch_id\":\"1\"}}\n"
    "{\"result\":{\"header\":{\"revision\":\"9\"},\"watch_id\":\"2\","
        "\"created\":true,\"canceled\":true,\"cancel_reason\":"
        "\"rpc error: code = PermissionDenied\"}}\n"
    "{\"result\":{\"header\":{\"cluster_id\":\"1\"},\"watch_id\":\"1\","
        "\"canceled\":true,\"compact_revision\":\"12\"}}\n"
    "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":"
        "\"etcdserver: no leader\",\"http_status\":\"Service Unavailable\"}}";

static const char  want[] =
    "created 1 rev 6 cluster 14841639068965178418 term 2|"
    "events 1 put /a=x@7 lease 77, del /a=@8|"
    "progress 1 rev 9|"
    "canceled 2 auth|"
    "canceled 1 compacted 12|"
    "error unavailable etcdserver: no leader|";


static void
tell(fcf_buf_t *out, const fcf_watch_msg_t *msg)
{
    int              rc;
    size_t           i;
    const fcf_kv_t  *kv;

    rc = 0;

    switch (msg->kind) {

    case FCF_WATCH_CREATED:
        rc = fcf_buf_addf(out, "created %d rev %d cluster %llu term %d|",
                          (int) msg->watch_id, (int) msg->header.revision,
                          (unsigned long long) msg->header.cluster_id,
                          (int) msg->header.raft_term);
        break;

    case FCF_WATCH_PROGRESS:
        rc = fcf_buf_addf(out, "progress %d rev %d|", (int) msg->watch_id,
                          (int) msg->header.revision);
        break;

    case FCF_WATCH_CANCELED:

        if (msg->compact_revision != 0) {
            rc = fcf_buf_addf(out, "canceled %d compacted %d|",
                              (int) msg->watch_id,
                              (int) msg->compact_revision);
            break;
        }

        rc = fcf_buf_addf(out, "canceled %d %s|", (int) msg->watch_id,
                          fcf_code_name(msg->err.code));
        break;

    case FCF_WATCH_ERROR:
        rc = fcf_buf_addf(out, "error %s %s|", fcf_code_name(msg->err.code),
                          msg->err.msg);
        break;

    case FCF_WATCH_EVENTS:
        rc = fcf_buf_addf(out, "events %d", (int) msg->watch_id);

        for (i = 0; i < msg->events.n && rc == 0; i++) {
            kv = &msg->events.kvs[i];
            rc = fcf_buf_addf(out, "%s %s %.*s=%.*s@%d", i ? "," : "",
                              msg->events.deleted[i] ? "del" : "put",
                              (int) kv->key_len, kv->key,
                              (int) kv->value_len, kv->value,
                              (int) kv->mod_revision);

            if (kv->lease != 0 && rc == 0) {
                rc = fcf_buf_addf(out, " lease %d", (int) kv->lease);
            }
        }

        if (rc == 0) {
            rc = fcf_buf_add(out, "|", 1);
        }

        break;
    }

    if (rc != 0) {
        abort();
    }
}


static void
drain(fcf_watch_t *watch, int last, fcf_buf_t *out)
{
    int               rc;
    fcf_err_t         err;
    fcf_watch_msg_t   msg;

    while ((rc = fcf_watch_next(watch, last, &msg, &err)) == 1) {
        tell(out, &msg);
        fcf_watch_msg_free(&msg);
    }

    if (rc < 0 && fcf_buf_addf(out, "bad: %s|", err.msg) != 0) {
        abort();
    }
}


/* feeds text in pieces of "size" bytes, each one exactly allocated, and asks
 * after each, or (greedy 0) only at the end */

static void
feed(const char *text, size_t size, int greedy, fcf_buf_t *out)
{
    char         *piece;
    size_t        n, left;
    fcf_watch_t   watch;

    fcf_watch_init(&watch);
    fcf_buf_reset(out);
    left = strlen(text);

    while (left != 0) {
        n = size < left ? size : left;
        piece = malloc(n);
        memcpy(piece, text, n);

        if (fcf_watch_feed(&watch, piece, n) != 0) {
            abort();
        }

        free(piece);
        text += n;
        left -= n;

        if (greedy) {
            drain(&watch, 0, out);
        }
    }

    drain(&watch, 1, out);
    fcf_watch_free(&watch);
}


static void
test_chunking(void)
{
    size_t      size, same;
    fcf_buf_t   out;

    fcf_buf_init(&out, 65536);

    feed(stream, sizeof(stream), 1, &out);
    is_str(out.data, want, "the stream in one piece");

    same = 0;

    for (size = 1; size < sizeof(stream); size++) {
        feed(stream, size, 1, &out);
        same += strcmp(out.data, want) == 0;
        feed(stream, size, 0, &out);
        same += strcmp(out.data, want) == 0;
    }

    is_int(same, 2 * (sizeof(stream) - 1), "and in pieces of every size");
    fcf_buf_free(&out);
}


/* a line of n events of one revision */

static void
line_of(fcf_buf_t *line, const char *before, unsigned n, const char *after)
{
    unsigned  i;

    fcf_buf_reset(line);

    if (fcf_buf_addf(line, "%s", before) != 0) {
        abort();
    }

    for (i = 0; i < n; i++) {
        if (fcf_buf_addf(line, "%s{\"kv\" : {\"key\":\"eA==\",\"x\":[\"}\\\"]\"],"
                         "\"mod_revision\":\"%u\"} }", i ? " , " : "", i + 1)
            != 0)
        {
            abort();
        }
    }

    if (fcf_buf_addf(line, "%s", after) != 0) {
        abort();
    }
}


/* the messages that come of it, as "events+" each, "+" if more may come;
 * -1: not understood.  All events must be there, in order */

static int
pieces(const fcf_buf_t *line, fcf_buf_t *out, size_t *events)
{
    int              rc;
    size_t           i;
    fcf_err_t        err;
    fcf_watch_t      watch;
    fcf_watch_msg_t  msg;

    fcf_watch_init(&watch);
    watch.at_least = 1;
    fcf_buf_reset(out);
    *events = 0;

    if (fcf_watch_feed(&watch, line->data, line->len) != 0) {
        abort();
    }

    while ((rc = fcf_watch_next(&watch, 0, &msg, &err)) == 1) {

        for (i = 0; i < msg.events.n; i++) {
            *events += (msg.events.kvs[i].mod_revision
                        == (int64_t) *events + 1);
        }

        if (fcf_buf_addf(out, "%d:%zu%s ", (int) msg.watch_id, msg.events.n,
                         msg.partial ? "+" : "")
            != 0)
        {
            abort();
        }

        fcf_watch_msg_free(&msg);

        /* what comes meanwhile moves what is left */

        if (fcf_watch_feed(&watch, "\n", 1) != 0) {
            abort();
        }
    }

    fcf_watch_free(&watch);

    return rc;
}


/* a whole piece of watch 3's, as pieces() writes it */
#define WHOLE          "3:" NUMBER(FCF_WATCH_PIECE)
#define NUMBER(piece)  NUMBER_TEXT(piece)
#define NUMBER_TEXT(n) #n

static void
test_cut(void)
{
    size_t     n;
    fcf_buf_t  line, out;

    static const char  head[] = "{\"result\":{\"header\":{\"revision\":\"9\"},"
                                "\"watch_id\":\"3\",\"events\":[";
    static const char  fragment[] =
        "{\"result\":{\"header\":{\"revision\":\"9\"},"
        "\"watch_id\":\"3\",\"fragment\":true,\"events\":[";

    fcf_buf_init(&line, 1 << 20);
    fcf_buf_init(&out, 65536);

    line_of(&line, head, 3 * FCF_WATCH_PIECE + 8, "]}}\n");
    is_int(pieces(&line, &out, &n), 0, "a long line");
    is_str(out.data, WHOLE "+ " WHOLE "+ " WHOLE "+ 3:8 ", "comes in pieces");
    is_int(n, 3 * FCF_WATCH_PIECE + 8, "with all its events");

    line_of(&line, head, FCF_WATCH_PIECE, "],\"new\":\"field\"}}\r\n");
    is_int(pieces(&line, &out, &n), 0, "what follows the events");
    is_str(out.data, WHOLE " ", "is of no interest");

    line_of(&line, fragment, FCF_WATCH_PIECE + 1, "]}}\n");
    is_int(pieces(&line, &out, &n), 0, "a fragment of etcd's");
    is_str(out.data, WHOLE "+ 3:1+ ", "has no end of its own");

    line_of(&line, "{\"result\":{\"events\":[", 100,
            "],\"header\":{\"revision\":\"9\"},\"watch_id\":\"3\"}}\n");
    is_int(pieces(&line, &out, &n), 0, "where the head comes last");
    is_str(out.data, "3:100 ", "it is read as one");

    line_of(&line, head, FCF_WATCH_PIECE + 1, ",7]}}\n");
    is_int(pieces(&line, &out, &n), -1, "a bad event");
    is_str(out.data, WHOLE "+ ", "is met when it is its turn");

    line_of(&line, head, 3, "\n");
    is_int(pieces(&line, &out, &n), -1, "no end of the list");
    line_of(&line, head, 3, "}\n");
    is_int(pieces(&line, &out, &n), -1, "another end of it");

    fcf_buf_free(&line);
    fcf_buf_free(&out);
}


static void
test_bad(void)
{
    size_t      i;
    fcf_buf_t   out;

    static const struct {
        const char  *text, *want;
    } cases[] = {
        { "", "" },
        { "\n\r\n \n", "" },
        { "Not Found\n", "bad: etcd watch: not a JSON object: Not Found|" },
        { "{}\n", "bad: etcd watch: neither result nor error: {}|" },
        { "[1]\n", "bad: etcd watch: not a JSON object: [1]|" },
        { "{\"result\":7}\n",
          "bad: etcd watch: neither result nor error: {\"result\":7}|" },
        { "{\"result\":{\"events\":[{\"kv\":{\"key\":\"%\"}}]}}\n",
          "bad: etcd: malformed key at index 0|" },
        { "{\"result\":{\"events\":[7]}}\n",
          "bad: etcd: malformed key at index 0|" },
        { "{\"result\":{\"events\":7}}\n",
          "bad: etcd: keys are not a list|" },
        { "{\"result\":{\"events\":[{\"kv\":{\"key\":\"\","
          "\"mod_revision\":\"x\"}}]}}\n",
          "bad: etcd: malformed key at index 0|" },
        { "{\"result\":{\"watch_id\":\"99999999999999999999\"}}\n",
          "bad: etcd watch: bad number|" },
        { "{\"result\":{}}", "progress 0 rev 0|" },
        { "{\"result\":{}",
          "bad: etcd watch: not a JSON object: {\"result\":{}|" },
        { "{\"error\":\"plain\",\"message\":\"plain\",\"code\":2}\n",
          "error refused plain|" }
    };

    fcf_buf_init(&out, 65536);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        feed(cases[i].text, 4096, 1, &out);
        is_str(out.data ? out.data : "", cases[i].want, "bad stream %zu", i);
    }

    fcf_buf_free(&out);
}


static void
test_full(void)
{
    int           rc;
    char         *piece;
    size_t        n;
    fcf_err_t     err;
    fcf_watch_t   watch;
    fcf_watch_msg_t  msg;

    piece = malloc(65536);
    memset(piece, ' ', 65536);
    piece[65535] = '\n';

    fcf_watch_init(&watch);
    n = 0;

    do {
        rc = fcf_watch_feed(&watch, piece, 65536);
        n += (rc == 0);
    } while (rc == 0);

    is_int(rc, -FCF_E_LIMIT, "it does not grow for ever");
    is_int(n, FCF_WATCH_MAX / 65536, "but to its maximum");
    is_int(fcf_watch_next(&watch, 0, &msg, &err), 0, "what it holds is read");
    is_int(fcf_watch_feed(&watch, piece, 65536), 0, "and makes room");
    fcf_watch_free(&watch);
    free(piece);
}


int
main(void)
{
    test_chunking();
    test_cut();
    test_bad();
    test_full();

    return tap_done();
}
