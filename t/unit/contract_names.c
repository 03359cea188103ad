#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "contract/fcf_names.h"
#include "contract/fcf_script.h"
#include "t/unit/tap.h"

#define X63  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char  *id;
    int          valid;
} ids[] = {
    { "a", 1 }, { "7", 1 }, { "resize-image", 1 }, { "a.b_c-d", 1 },
    { "a--b", 1 }, { "a__b", 1 }, { X63 "y", 1 }, { X63 "yz", 0 },
    { "", 0 }, { "-a", 0 }, { "a-", 0 }, { ".a", 0 }, { "a.", 0 },
    { "a..b", 0 }, { "A", 0 }, { "aB", 0 }, { "a/b", 0 }, { "a b", 0 },
    { "\xc3\xa4", 0 }, { "a\nb", 0 }, { "_a", 0 }, { "a%2fb", 0 }
};

static const struct {
    const char  *prefix;
    int          valid;
} prefixes[] = {
    { "", 1 }, { "/site-a", 1 }, { "a:", 1 }, { "a b", 0 }, { "a{b", 0 },
    { "}", 0 }, { "a\n", 0 }, { "\x7f", 0 }, { "\xc3\xa4", 0 },
    { X63 "x", 1 }, { X63 "xx", 0 }
};

static const struct {
    const char  *key;
    fcf_key_e    kind;
    const char  *function_id, *name;
    int64_t      number;
} keys[] = {
    { "/specs/f", FCF_KEY_SPEC, "f", "", 0 },
    { "/specs/f/versions/12", FCF_KEY_SPEC_VERSION, "f", "", 12 },
    { "/secrets/f/3", FCF_KEY_SECRET, "f", "", 3 },
    { "/functions/f.g/instances/n1-4", FCF_KEY_INSTANCE, "f.g", "n1-4", 0 },
    { "/functions/f/slots/0", FCF_KEY_SLOT, "f", "", 0 },
    { "/functions/f/slots/99999", FCF_KEY_SLOT, "f", "", 99999 },
    { "/functions/f/failures/req-Ab.9", FCF_KEY_FAILURE, "f", "req-Ab.9", 0 },
    { "/workers/n1", FCF_KEY_WORKER, "", "n1", 0 },
    { "/runtimes/python3", FCF_KEY_RUNTIME, "", "python3", 0 },

    { "", FCF_KEY_OTHER, "", "", 0 },
    { "/", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/F", FCF_KEY_OTHER, "", "", 0 },
    { "/runtimes/", FCF_KEY_OTHER, "", "", 0 },
    { "/runtimes/P", FCF_KEY_OTHER, "", "", 0 },
    { "/runtimes/p/x", FCF_KEY_OTHER, "", "", 0 },
    { "/workers/n1/runtimes/p", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/f/", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/f/versions", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/f/versions/0", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f/slots/100000", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/f/versions/", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/f/versions/01", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/f/versions/-1", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/f/versions/1/x", FCF_KEY_OTHER, "", "", 0 },
    { "/specs/f/versions/9999999999999999999", FCF_KEY_OTHER, "", "", 0 },
    { "/secrets/f", FCF_KEY_OTHER, "", "", 0 },
    { "/secrets/f/", FCF_KEY_OTHER, "", "", 0 },
    { "/secrets/f/0", FCF_KEY_OTHER, "", "", 0 },
    { "/secrets/f/3/x", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f/slots/x", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f/slots/4294967296", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f/instances/", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f/instances/a/b", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f/instances/a b", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f/failures/" X63 "xx", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f..g/slots/0", FCF_KEY_OTHER, "", "", 0 },
    { "/functions/f/news/0", FCF_KEY_OTHER, "", "", 0 },
    { "/workers/n1/x", FCF_KEY_OTHER, "", "", 0 },
    { "/other", FCF_KEY_OTHER, "", "", 0 }
};


static void
test_keys(const char *prefix)
{
    char       key[FCF_KEY_MAX * 2], *copy;
    size_t     i, len;
    fcf_key_t  out;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        len = (size_t) snprintf(key, sizeof(key), "%s%s", prefix,
                                keys[i].key);

        /* exactly as many bytes as there are, for the sanitizer */

        copy = malloc(len ? len : 1);
        memcpy(copy, key, len);
        fcf_key_parse(&out, prefix, copy, len);
        free(copy);

        is_int(out.kind, keys[i].kind, "kind of \"%s\"", key);
        is_str(out.function_id, keys[i].function_id, "its function");
        is_str(out.name, keys[i].name, "its name");
        is_int(out.number, keys[i].number, "its number");
    }
}


static fcf_key_t
parse(const char *prefix, const char *key)
{
    fcf_key_t  out;

    fcf_key_parse(&out, prefix, key, strlen(key));

    return out;
}


static int
below(const char *key, const char *folder)
{
    return strncmp(key, folder, strlen(folder)) == 0;
}


static void
test_round_trips(const char *prefix)
{
    char       buf[FCF_KEY_MAX], end[FCF_KEY_MAX];
    fcf_key_t  out;

#define parsed(expr)  (out = parse(prefix, expr))

    is_int(parsed(fcf_key_spec(buf, prefix, X63 "y")).kind, FCF_KEY_SPEC,
           "spec");
    is_str(out.function_id, X63 "y", "longest function id");
    is_int(parsed(fcf_key_instance(buf, prefix, "f", "n1-18")).kind,
           FCF_KEY_INSTANCE, "instance");
    is_str(out.name, "n1-18", "its worker");
    is_int(parsed(fcf_key_slot(buf, prefix, "f", 7)).kind, FCF_KEY_SLOT,
           "slot");
    is_int(out.number, 7, "its number");
    is_int(parsed(fcf_key_failure(buf, prefix, "f", "req-1")).kind,
           FCF_KEY_FAILURE, "failure");
    is_str(out.name, "req-1", "its request");
    is_int(parsed(fcf_key_worker(buf, prefix, "n1")).kind, FCF_KEY_WORKER,
           "worker");
    is_str(out.name, "n1", "its node");
    is_int(parsed(fcf_key_runtime(buf, prefix, "p3")).kind, FCF_KEY_RUNTIME,
           "runtime");
    is_str(out.name, "p3", "its name");
    ok(below(fcf_key_runtime(buf, prefix, "p3"),
             fcf_key_runtimes(end, prefix)), "below /runtimes/");

    ok(below(fcf_key_slot(buf, prefix, "f", 7),
             fcf_key_functions(end, prefix)), "below /functions/");
    is_int(parsed(fcf_key_version(buf, prefix, X63 "y",
                                  123456789012345678)).number,
           123456789012345678, "a version's key is taken apart");
    ok(below(fcf_key_version(buf, prefix, "f", 3),
             fcf_key_versions(end, prefix, "f")),
       "it lies below the function's versions");
    ok(below(fcf_key_slot(buf, prefix, "f", 3),
             fcf_key_function(end, prefix, "f")),
       "a slot lies below the function");
    ok(!below(fcf_key_slot(buf, prefix, "f-g", 3),
              fcf_key_function(end, prefix, "f")),
       "and not below one whose name begins so");
    ok(below(fcf_key_spec(buf, prefix, "f"), fcf_key_specs(end, prefix)),
       "below /specs/");
    ok(below(fcf_key_worker(buf, prefix, "n"), fcf_key_workers(end, prefix)),
       "below /workers/");
}


static void
test_redis_names(void)
{
    char  buf[FCF_KEY_MAX];

    is_str(fcf_redis_queue(buf, ""), "queue:vm_provision", "queue");
    is_str(fcf_redis_queue(buf, "x:"), "x:queue:vm_provision", "with prefix");
    is_str(fcf_redis_taken(buf, "", "n1"), "{queue:vm_provision}:taken:n1",
           "taken");
    is_str(fcf_redis_taken(buf, "x:", "n1"),
           "{x:queue:vm_provision}:taken:n1", "hashes like the queue");
    is_str(fcf_redis_dead(buf, ""), "{queue:vm_provision}:dead", "dead");
    is_str(fcf_redis_nodes(buf, ""), "{queue:vm_provision}:nodes", "nodes");
    is_str(fcf_redis_pending(buf, "", "f"),
           "{queue:vm_provision}:pending:f", "pending");
}


/* as fcf_script.h names them */
static void
test_ask(void)
{
    size_t           i;
    fcf_ask_args_t   args;

    static const char *const  want[FCF_ASK_ARGS] = {
        "{pqueue:vm_provision}:pending:f", "pqueue:vm_provision",
        "{pqueue:vm_provision}:demand:f", "req-1", "{}", "g:7", "1", "2", "3",
        "4", "5", "6", "7", "8", "b1,b2", "o1"
    };

    fcf_ask_args(&args, &(fcf_ask_t) {
        .prefix = "p", .function_id = "f", .request_id = "req-1", .job = "{}",
        .asker = "g", .version = 7, .waiting = 1, .concurrency = 2, .least = 3,
        .max = 4, .live = 5, .ttl_ms = 6, .demand_ttl_ms = 7, .seen = 8,
        .boots = "b1,b2", .others = "o1"
    });

    for (i = 0; i < FCF_ASK_ARGS; i++) {
        is_str(args.argv[i], want[i], "argument %zu of ask", i);
    }
}


/* instead of the C library's: fails for good, is interrupted, or gives less
 * than was asked for */
static int     random_errno;
static int     random_interrupts;
static size_t  random_most = 256;


ssize_t
getrandom(void *buf, size_t n, unsigned flags)
{
    if (random_errno || random_interrupts) {
        errno = random_errno ? random_errno : EINTR;
        random_interrupts -= random_errno ? 0 : 1;
        return -1;
    }

    return syscall(SYS_getrandom, buf, n < random_most ? n : random_most,
                   flags);
}


static void
test_request_ids(const char *what)
{
    int   i, j, alike;
    char  made[20][FCF_REQUEST_ID_MAX + 1];

    alike = 0;

    for (i = 0; i < 20; i++) {
        fcf_request_id_new(made[i]);

        for (j = 0; j < i; j++) {
            alike += strcmp(made[i], made[j]) == 0;
        }
    }

    is_int(strspn(made[19] + 4, "0123456789abcdef"), 24, "%s: an id", what);
    is_int(alike, 0, "%s: no two are alike", what);
}


int
main(void)
{
    char       a[FCF_REQUEST_ID_MAX + 1], b[FCF_REQUEST_ID_MAX + 1];
    size_t     i;
    fcf_key_t  out;

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        is_int(fcf_id_valid(ids[i].id, strlen(ids[i].id)), ids[i].valid,
               "id %zu is %svalid", i, ids[i].valid ? "" : "not ");
    }

    is_int(fcf_id_valid("a\0b", 3), 0, "a NUL inside is not valid");

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        is_int(fcf_prefix_valid(prefixes[i].prefix,
                                strlen(prefixes[i].prefix)),
               prefixes[i].valid, "prefix %zu", i);
    }

    test_keys("");
    test_keys("/site-a");
    test_round_trips("");
    test_round_trips("/site-a");

    fcf_key_parse(&out, "/site-a", "/specs/f", 8);
    is_int(out.kind, FCF_KEY_OTHER, "without the prefix it is not ours");

    test_redis_names();
    test_ask();

    fcf_request_id_new(a);
    fcf_request_id_new(b);
    is_int(strlen(a), 28, "a request id has 28 characters");
    ok(strncmp(a, "req-", 4) == 0, "and begins as it should");
    ok(strspn(a + 4, "0123456789abcdef") == 24, "and is hex");
    ok(strcmp(a, b) != 0, "no two are alike");
    ok(fcf_request_id_valid(a, strlen(a)), "and valid");
    ok(!fcf_request_id_valid("", 0), "empty is not");
    ok(!fcf_request_id_valid("a/b", 3), "nor is a slash");

    random_interrupts = 3;
    test_request_ids("interrupted");
    is_int(random_interrupts, 0, "as often as that");
    random_most = 5;
    test_request_ids("in pieces");
    random_errno = EPERM;
    test_request_ids("without random numbers");

    return tap_done();
}
