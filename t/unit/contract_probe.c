/*
 * What the tests in t/fault drive: the contract's clients on libuv, told what
 * to do by lines on standard input, telling what happens by lines on standard
 * output.
 *
 *   contract_probe [--etcd URL]... [--user U --password P] [--prefix P]...
 *       [--redis ADDR]... [--redis-user U] [--redis-password P] [--db N]
 *
 *   out: begin PREFIX | put KEY VALUE | del KEY | end PREFIX
 *        state NAME: WHY
 *        reply TAG ok ... | reply TAG CODE: MESSAGE
 *   in:  TAG get KEY | put KEY VALUE [LEASE] | delete KEY | list PREFIX
 *        TAG claim KEY VALUE LEASE   (put if absent, else get)
 *        TAG grant TTL | keepalive LEASE | revoke LEASE | stat
 *        TAG redis ARG... | block TIMEOUT_MS ARG... | script NAME NKEYS ARG...
 *        TAG free-redis | free-sync | quit
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <curl/curl.h>

#include "agent/base/loop.h"
#include "client/fcf_sync.h"
#include "t/unit/probe_redis.h"

#define ARGS_MAX    32
#define LINE_MAX_   65536

typedef struct {
    const char        *list[FCF_ETCD_ENDPOINTS_MAX];
    size_t             n;
} list_t;


static uv_loop_t      uv;
static fcf_loop_t     loop;
static fcf_etcd_t    *etcd;
static fcf_sync_t    *syncer;
static list_t         prefixes;
static uv_pipe_t      input;
static char           line[LINE_MAX_];
static size_t         line_len;


static void
on_log(fcf_log_e level, const char *msg)
{
    if (level > FCF_LOG_DEBUG) {
        fprintf(stderr, "%d %s\n", (int) level, msg);
    }
}


static void
on_begin(void *arg, size_t prefix)
{
    (void) arg;
    printf("begin %s\n", prefixes.list[prefix]);
}


static void
on_put(void *arg, const fcf_kv_t *kv)
{
    (void) arg;
    printf("put %s %s\n", kv->key, kv->value);
}


static void
on_del(void *arg, const char *key, size_t len)
{
    (void) arg;
    printf("del %.*s\n", (int) len, key);
}


static void
on_end(void *arg, size_t prefix)
{
    (void) arg;
    printf("end %s\n", prefixes.list[prefix]);
}


static void
on_state(void *arg, fcf_sync_state_e state, const char *why)
{
    (void) arg;
    printf("state %s: %s\n", fcf_sync_state_name(state), why);
}


static void
on_etcd(void *arg, const fcf_etcd_reply_t *reply, const fcf_err_t *err)
{
    char    *tag;
    size_t   i;

    tag = arg;

    if (err != NULL) {
        printf("reply %s %s: %s\n", tag, fcf_code_name(err->code), err->msg);
        free(tag);
        return;
    }

    printf("reply %s ok revision=%" PRId64 " count=%" PRId64 " succeeded=%d"
           " lease=%" PRId64 " ttl=%" PRId64, tag, reply->revision,
           reply->count, reply->succeeded, reply->lease, reply->ttl);

    for (i = 0; i < reply->nkvs; i++) {
        printf(" %s=%s", reply->kvs[i].key, reply->kvs[i].value);
    }

    printf("\n");
    free(tag);
}


static void
do_stat(char *tag)
{
    fcf_sync_stat_t   sync_stat;
    fcf_etcd_stat_t   etcd_stat;
    fcf_redis_stat_t  redis_stat;

    printf("reply %s ok", tag);

    if (syncer != NULL) {
        fcf_sync_stat(syncer, &sync_stat);
        printf(" state=%d revision=%" PRId64 " lists=%" PRIu64
               " reconnects=%" PRIu64 " events=%" PRIu64,
               (int) sync_stat.state, sync_stat.revision, sync_stat.lists,
               sync_stat.reconnects, sync_stat.events);
    }

    if (etcd != NULL) {
        fcf_etcd_stat(etcd, &etcd_stat);
        printf(" endpoint=%s healthy=%d failovers=%" PRIu64,
               etcd_stat.endpoint, etcd_stat.healthy, etcd_stat.failovers);
    }

    if (redis != NULL) {
        fcf_redis_stat(redis, &redis_stat);
        printf(" redis=%s connected=%d redis_reconnects=%" PRIu64,
               redis_stat.addr, redis_stat.connected, redis_stat.reconnects);
    }

    printf("\n");
    free(tag);
}


static void
do_claim(char *tag, char **argv)
{
    fcf_etcd_op_t   put, get;
    fcf_etcd_cmp_t  absent;

    memset(&put, 0, sizeof(put));
    memset(&get, 0, sizeof(get));
    memset(&absent, 0, sizeof(absent));

    absent.what = FCF_CMP_ABSENT;
    absent.key = argv[1];

    put.op = FCF_OP_PUT;
    put.key = argv[1];
    put.value = argv[2];
    put.value_len = strlen(argv[2]);
    put.lease = strtoll(argv[3], NULL, 10);

    get.op = FCF_OP_GET;
    get.key = argv[1];

    (void) fcf_etcd_txn(etcd, &absent, 1, &put, 1, &get, 1, on_etcd, tag);
}


static int
do_etcd(char *tag, int argc, char **argv)
{
    int64_t  number;

    number = strtoll(argv[argc - 1], NULL, 10);

    if (strcmp(argv[0], "get") == 0) {
        (void) fcf_etcd_get(etcd, argv[1], on_etcd, tag);

    } else if (strcmp(argv[0], "put") == 0) {
        (void) fcf_etcd_put(etcd, argv[1], argv[2], strlen(argv[2]),
                            argc > 3 ? number : 0, on_etcd, tag);

    } else if (strcmp(argv[0], "delete") == 0) {
        (void) fcf_etcd_delete(etcd, argv[1], on_etcd, tag);

    } else if (strcmp(argv[0], "list") == 0) {
        (void) fcf_etcd_list(etcd, argv[1], on_etcd, tag);

    } else if (strcmp(argv[0], "claim") == 0) {
        do_claim(tag, argv);

    } else if (strcmp(argv[0], "grant") == 0) {
        (void) fcf_etcd_lease_grant(etcd, (unsigned) number, on_etcd, tag);

    } else if (strcmp(argv[0], "keepalive") == 0) {
        (void) fcf_etcd_lease_keepalive(etcd, number, on_etcd, tag);

    } else if (strcmp(argv[0], "revoke") == 0) {
        (void) fcf_etcd_lease_revoke(etcd, number, on_etcd, tag);

    } else {
        return 0;
    }

    return 1;
}


static void
do_line(char *text)
{
    int    argc;
    char  *argv[ARGS_MAX], *tag, *save;

    save = NULL;
    tag = strtok_r(text, " ", &save);

    for (argc = 0; argc < ARGS_MAX; argc++) {
        argv[argc] = strtok_r(NULL, " ", &save);

        if (argv[argc] == NULL) {
            break;
        }
    }

    if (tag == NULL || argc == 0) {
        return;
    }

    tag = strdup(tag);

    if (do_etcd(tag, argc, argv) || do_redis(tag, argc, argv)) {
        return;
    }

    if (strcmp(argv[0], "stat") == 0) {
        do_stat(tag);
        return;
    }

    if (strcmp(argv[0], "free-redis") == 0) {
        fcf_redis_free(redis);
        redis = NULL;

    } else if (strcmp(argv[0], "free-sync") == 0) {
        fcf_sync_free(syncer);
        syncer = NULL;

    } else if (strcmp(argv[0], "quit") == 0) {
        uv_close((uv_handle_t *) &input, NULL);
    }

    printf("reply %s ok\n", tag);
    free(tag);
}


static void
on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void) handle;
    (void) size;

    *buf = uv_buf_init(line + line_len,
                       (unsigned) (sizeof(line) - line_len - 1));
}


static void
on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    char  *end;

    (void) buf;

    if (n < 0) {
        uv_close((uv_handle_t *) stream, NULL);
        return;
    }

    line_len += (size_t) n;
    line[line_len] = '\0';

    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        do_line(line);

        line_len -= (size_t) (end + 1 - line);
        memmove(line, end + 1, line_len + 1);
    }
}


/* where an option's value goes: the one, or behind the others */
typedef struct {
    const char        *name, **value;
    list_t            *list;
} option_t;


static void
take_options(int argc, char **argv, const option_t *options)
{
    int              i;
    const option_t  *o;

    for (i = 1; i + 1 < argc; i += 2) {

        for (o = options; o->name && strcmp(o->name, argv[i]) != 0; o++) {
            continue;
        }

        if (o->list) {
            o->list->list[o->list->n++] = argv[i + 1];

        } else if (o->value) {
            *o->value = argv[i + 1];
        }
    }
}


static void
start(int argc, char **argv)
{
    list_t              endpoints, addrs;
    fcf_err_t           err;
    const char         *db = "0";
    fcf_etcd_conf_t     conf;
    fcf_redis_conf_t    rconf;
    const option_t      options[] = {
        { "--etcd", NULL, &endpoints }, { "--prefix", NULL, &prefixes },
        { "--redis", NULL, &addrs }, { "--user", &conf.user, NULL },
        { "--password", &conf.password, NULL }, { "--ca", &conf.ca, NULL },
        { "--cert", &conf.cert, NULL }, { "--key", &conf.key, NULL },
        { "--redis-user", &rconf.user, NULL },
        { "--redis-password", &rconf.password, NULL }, { "--db", &db, NULL },
        { NULL, NULL, NULL }
    };

    static const fcf_sync_handler_t  handler = {
        on_begin, on_put, on_del, on_end, on_state
    };

    memset(&endpoints, 0, sizeof(endpoints));
    memset(&addrs, 0, sizeof(addrs));
    memset(&conf, 0, sizeof(conf));
    memset(&rconf, 0, sizeof(rconf));
    take_options(argc, argv, options);

    rconf.db = (int) strtol(db, NULL, 10);
    conf.endpoints = endpoints.list;
    conf.nendpoints = endpoints.n;
    rconf.addrs = addrs.list;
    rconf.naddrs = addrs.n;

    if (endpoints.n != 0) {
        etcd = fcf_etcd_new(&loop, &conf, &err);

        if (etcd == NULL) {
            printf("fatal %s\n", err.msg);
        }
    }

    if (etcd != NULL && prefixes.n != 0) {
        syncer = fcf_sync_new(etcd, prefixes.list, prefixes.n, &handler, NULL,
                              &err);
    }

    if (addrs.n != 0) {
        redis = fcf_redis_new(&loop, &rconf, &err);

        if (redis == NULL) {
            printf("fatal %s\n", err.msg);
        }
    }
}


int
main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    curl_global_init(CURL_GLOBAL_DEFAULT);

    uv_loop_init(&uv);
    fca_loop_init(&loop, &uv, on_log);

    uv_pipe_init(&uv, &input, 0);
    uv_pipe_open(&input, STDIN_FILENO);
    uv_read_start((uv_stream_t *) &input, on_alloc, on_input);

    start(argc, argv);
    printf("ready\n");

    uv_run(&uv, UV_RUN_DEFAULT);

    fcf_sync_free(syncer);
    fcf_etcd_free(etcd);
    fcf_redis_free(redis);

    uv_run(&uv, UV_RUN_DEFAULT);

    if (uv_loop_close(&uv) != 0) {
        printf("fatal: the loop has handles left\n");
        return 1;
    }

    curl_global_cleanup();

    return 0;
}
