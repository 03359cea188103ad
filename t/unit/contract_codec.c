#include <stdlib.h>
#include <jansson.h>

#include "contract/fcf_codec.h"
#include "t/unit/tap.h"

#define X100  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define HEX  "0123456789abcdef"
#define LONG_ID                                                             \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

typedef union {
    fcf_job_t       job;
    fcf_instance_t  instance;
    fcf_slot_t      slot;
    fcf_spec_t      spec;
    fcf_failure_t   failure;
    fcf_worker_t    worker;
    fcf_image_t     runtime;
} value_t;

typedef struct {
    const char  *name;
    size_t       size;
    int        (*decode)(value_t *out, const char *text, size_t len,
                         fcf_err_t *err);
    char      *(*encode)(const value_t *value);
} kind_t;


#define CODEC(kind)                                                         \
    static int                                                              \
    decode_##kind(value_t *out, const char *text, size_t len,               \
        fcf_err_t *err)                                                     \
    {                                                                       \
        return fcf_##kind##_decode(&out->kind, text, len, err);             \
    }                                                                       \
                                                                            \
    static char *                                                           \
    encode_##kind(const value_t *value)                                     \
    {                                                                       \
        return fcf_##kind##_encode(&value->kind);                           \
    }                                                                       \
                                                                            \
    static const kind_t  kind = {                                           \
        #kind, sizeof(fcf_##kind##_t), decode_##kind, encode_##kind         \
    };

CODEC(job)
CODEC(instance)
CODEC(slot)
CODEC(spec)
CODEC(failure)
CODEC(worker)

#define fcf_runtime_t  fcf_image_t
CODEC(runtime)


/* complaint NULL: good, and decode(encode(x)) is x */

static const struct {
    const kind_t  *kind;
    const char    *text;
    const char    *complaint;
} cases[] = {

    { &job, "{\"request_id\":\"req-1\",\"function_id\":\"resize-image\","
            "\"cpu\":1,\"memory_mb\":128}", NULL },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\"}", NULL },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"version\":0}",
      NULL },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"cpu\":32,"
            "\"memory_mb\":4194304,\"version\":9223372036854775807,"
            "\"attempt\":3,\"refused_by\":[\"n1\",\"n2\"],\"new\":{}}",
      NULL },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"refused_by\":[]}",
      NULL },
    { &job, "{\"function_id\":\"f\"}", "job: request_id: missing" },
    { &job, "{\"request_id\":\"r\"}", "job: function_id: missing" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"../f\"}",
      "job: function_id: bad value \"../f\"" },
    { &job, "{\"request_id\":\"r r\",\"function_id\":\"f\"}",
      "job: request_id: bad value \"r r\"" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"" LONG_ID "\"}",
      "job: function_id: 65 bytes, more than 64" },
    { &job, "{\"request_id\":1,\"function_id\":\"f\"}",
      "job: request_id: not a string" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"cpu\":0}",
      "job: cpu: 0 is not between 1 and 32" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"cpu\":33}",
      "job: cpu: 33 is not between 1 and 32" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"cpu\":\"1\"}",
      "job: cpu: not an integer" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"cpu\":1.5}",
      "job: cpu: not an integer" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"cpu\":null}",
      "job: cpu: not an integer" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"memory_mb\":-1}",
      "job: memory_mb: -1 is not between 1 and 4194304" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\","
            "\"refused_by\":\"n1\"}", "job: refused_by: not an array" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\","
            "\"refused_by\":[\"n1\",\"N2\"]}",
      "job: refused_by[1]: bad value \"N2\"" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\","
            "\"refused_by\":[7]}", "job: refused_by[0]: bad value \"\"" },
    { &job, "{\"request_id\":\"r\",\"function_id\":\"f\",\"cpu\":1,"
            "\"cpu\":2}", "job: not JSON at byte 49: duplicate object key "
            "near '\"cpu\"'" },
    { &job, "[]", "job: not a JSON object" },
    { &job, "7", "job: not JSON at byte 1: '[' or '{' expected near '7'" },
    { &job, "", "job: not JSON at byte 0: '[' or '{' expected near end of "
                "file" },
    { &job, "{", "job: not JSON at byte 1: string or '}' expected near end "
                 "of file" },

    { &instance, "{\"worker_ip\":\"10.0.0.5\",\"proxy_port\":30005,"
                 "\"internal_vm_ip\":\"172.16.0.2\"}", NULL },
    { &instance, "{\"worker_ip\":\"fe80::1\",\"proxy_port\":65535}", NULL },
    { &instance, "{\"worker_ip\":\"1.2.3.4\",\"proxy_port\":1,\"version\":3,"
                 "\"concurrency\":0,\"state\":\"draining\","
                 "\"started_ms\":1795417200123}", NULL },
    { &instance, "{\"proxy_port\":1}", "instance: worker_ip: missing" },
    { &instance, "{\"worker_ip\":\"1.2.3.4\"}",
      "instance: proxy_port: missing" },
    { &instance, "{\"worker_ip\":\"node1\",\"proxy_port\":1}",
      "instance: worker_ip: bad value \"node1\"" },
    { &instance, "{\"worker_ip\":\"1.2.3.4\",\"proxy_port\":0}",
      "instance: proxy_port: 0 is not between 1 and 65535" },
    { &instance, "{\"worker_ip\":\"1.2.3.4\",\"proxy_port\":65536}",
      "instance: proxy_port: 65536 is not between 1 and 65535" },
    { &instance, "{\"worker_ip\":\"1.2.3.4\",\"proxy_port\":1,"
                 "\"state\":\"odd\"}",
      "instance: state: unknown value \"odd\"" },
    { &instance, "{\"worker_ip\":\"1.2.3.4\",\"proxy_port\":1,"
                 "\"concurrency\":-1}",
      "instance: concurrency: -1 is not between 0 and 1000000" },

    { &slot, "{\"worker_id\":\"n1-1\",\"request_id\":\"req-1\","
             "\"version\":2}", NULL },
    { &slot, "{\"worker_id\":\"n1-1\"}", NULL },
    { &slot, "{}", "slot: worker_id: missing" },
    { &slot, "{\"worker_id\":\"a/b\"}",
      "slot: worker_id: bad value \"a/b\"" },

    { &spec, "{}", NULL },
    { &spec, "{\"version\":4,\"previous\":3,\"cpu\":2,\"memory_mb\":256,"
             "\"concurrency\":0,\"min_instances\":1,\"max_instances\":2,"
             "\"idle_timeout_s\":0,\"boot_timeout_s\":10,\"timeout_s\":5,"
             "\"port\":8080,\"runtime\":\"python3\",\"code\":{\"sha256\":\""
             HEX HEX HEX HEX "\",\"size\":12345,\"where\":["
             "\"http://10.0.0.1:8081/fcfaas/store\",\"https://[::1]:8443\","
             "\"http://10.0.0.2\"]}}", NULL },
    { &spec, "{\"min_instances\":11}",
      "spec: min_instances: 11 is more than max_instances 10" },
    { &spec, "{\"max_instances\":0}",
      "spec: max_instances: 0 is not between 1 and 100000" },
    { &spec, "{\"traffic\":[{\"version\":3,\"percent\":90,\"note\":\"x\"},"
      "{\"version\":4,\"percent\":10}]}", NULL },
    { &spec, "{\"traffic\":[]}", NULL },
    { &spec, "{\"traffic\":{}}", "spec: traffic: not an array" },
    { &spec, "{\"traffic\":[7]}", "spec: traffic[0]: not an object" },
    { &spec, "{\"traffic\":[{\"version\":3}]}",
      "spec: traffic[0]: percent: missing" },
    { &spec, "{\"traffic\":[{\"percent\":100}]}",
      "spec: traffic[0]: version: missing" },
    { &spec, "{\"traffic\":[{\"version\":3,\"percent\":101}]}",
      "spec: traffic[0]: percent: 101 is not between 0 and 100" },
    { &spec, "{\"traffic\":[{\"version\":3,\"percent\":50},"
      "{\"version\":3,\"percent\":50}]}",
      "spec: traffic[1]: version: 3 is there twice" },
    { &spec, "{\"traffic\":[{\"version\":3,\"percent\":90}]}",
      "spec: traffic: percents add up to 90, not to 100" },
    { &spec, "{\"snapshot\":true}", NULL },
    { &spec, "{\"secrets_generation\":7}", NULL },
    { &spec, "{\"secrets_generation\":-1}",
      "spec: secrets_generation: -1 is not between 0 and "
      "9223372036854775807" },
    { &spec, "{\"snapshot\":false}", NULL },
    { &spec, "{\"snapshot\":\"yes\"}",
      "spec: snapshot: neither true nor false" },
    { &spec, "{\"runtime\":\"../x\"}",
      "spec: runtime: bad value \"../x\"" },
    { &spec, "{\"code\":[]}", "spec: code: not an object" },
    { &spec, "{\"code\":{\"sha256\":\"abc\"}}",
      "spec: code: sha256: bad value \"abc\"" },
    { &spec, "{\"code\":{\"where\":\"http://10.0.0.1\"}}",
      "spec: code: where: not an array" },
    { &spec, "{\"code\":{\"where\":[7]}}",
      "spec: code: where[0]: bad value \"\"" },
    { &spec, "{\"code\":{\"where\":[\"http://10.0.0.1\",\"ftp://10.0.0.1\"]}}",
      "spec: code: where[1]: bad value \"ftp://10.0.0.1\"" },
    { &spec, "{\"code\":{\"where\":[\"http://store.example/a\"]}}",
      "spec: code: where[0]: bad value \"http://store.example/a\"" },
    { &spec, "{\"code\":{\"where\":[\"http://10.0.0.1:0/a\"]}}",
      "spec: code: where[0]: bad value \"http://10.0.0.1:0/a\"" },
    { &spec, "{\"code\":{\"where\":[\"http://10.0.0.1:65536\"]}}",
      "spec: code: where[0]: bad value \"http://10.0.0.1:65536\"" },
    { &spec, "{\"code\":{\"where\":[\"http://10.0.0.1:80x/a\"]}}",
      "spec: code: where[0]: bad value \"http://10.0.0.1:80x/a\"" },
    { &spec, "{\"code\":{\"where\":[\"http://u@10.0.0.1/a\"]}}",
      "spec: code: where[0]: bad value \"http://u@10.0.0.1/a\"" },
    { &spec, "{\"code\":{\"where\":[\"http://10.0.0.1/a b\"]}}",
      "spec: code: where[0]: bad value \"http://10.0.0.1/a b\"" },
    { &spec, "{\"code\":{\"where\":[\"http://10.0.0.1/a/\"]}}",
      "spec: code: where[0]: bad value \"http://10.0.0.1/a/\"" },
    { &spec, "{\"code\":{\"where\":[\"http://10.0.0.1/" X100 "\","
             "\"http://10.0.0.1/" X100 "\",\"http://10.0.0.1/" X100 "\"]}}",
      "spec: code: where: is longer than 255 bytes in all" },
    { &spec, "{\"code\":{\"size\":-1}}",
      "spec: code: size: -1 is not between 0 and 9223372036854775807" },
    { &spec, "{\"runtime\":\"python3\",\"runtime_image\":{\"sha256\":\""
             HEX HEX HEX HEX "\",\"size\":7,\"where\":[\"http://10.0.0.1/s\","
             "\"http://10.0.0.2/s\"]},\"code\":{\"size\":3}}", NULL },
    { &spec, "{\"runtime_image\":{}}", NULL },
    { &spec, "{\"runtime_image\":\"" HEX HEX HEX HEX "\"}",
      "spec: runtime_image: not an object" },
    { &spec, "{\"runtime_image\":{\"sha256\":\"" HEX HEX HEX "0123\"}}",
      "spec: runtime_image: sha256: bad value \"" HEX HEX HEX "0123\"" },
    { &spec, "{\"runtime_image\":{\"where\":[\"http://store\"]}}",
      "spec: runtime_image: where[0]: bad value \"http://store\"" },

    { &runtime, "{\"sha256\":\"" HEX HEX HEX HEX "\",\"size\":7,\"where\":"
                "[\"http://10.0.0.1/s\",\"https://[::1]:8443\"],"
                "\"deployed\":{\"at_ms\":1}}", NULL },
    { &runtime, "{\"sha256\":\"" HEX HEX HEX HEX "\"}", NULL },
    { &runtime, "{}", "runtime: sha256: missing" },
    { &runtime, "{\"sha256\":\"\"}", "runtime: sha256: bad value \"\"" },
    { &runtime, "{\"sha256\":\"" HEX "\"}",
      "runtime: sha256: bad value \"" HEX "\"" },
    { &runtime, "{\"sha256\":\"" HEX HEX HEX HEX "\",\"size\":-1}",
      "runtime: size: -1 is not between 0 and 9223372036854775807" },
    { &runtime, "[]", "runtime: not a JSON object" },

    { &failure, "{\"error\":\"no_image\",\"message\":\"no such file\","
                "\"node_id\":\"n1\",\"version\":1}", NULL },
    { &failure, "{\"error\":\"duplicate\"}", NULL },
    { &failure, "{\"error\":\"not_ready\",\"booting\":1}", NULL },
    { &failure, "{\"error\":\"not_ready\",\"booting\":true}",
      "failure: booting: not an integer" },
    { &failure, "{\"message\":\"x\"}", "failure: error: missing" },
    { &failure, "{\"error\":\"bad_luck\"}",
      "failure: error: unknown value \"bad_luck\"" },
    { &failure, "{\"error\":\"expired\",\"message\":[]}",
      "failure: message: not a string" },

    { &worker, "{\"address\":\"10.0.0.5\",\"admin\":\"10.0.0.5:9000\","
               "\"vmm_version\":\"1.16.0\",\"cpu\":8,\"memory_mb\":16384,\"cpu_free\":3,"
               "\"memory_mb_free\":1000,\"vms\":5,\"agent_version\":\"1.0\","
               "\"state\":\"draining\"}", NULL },
    { &worker, "{\"address\":\"::1\"}", NULL },
    { &worker, "{\"address\":\"::1\",\"admin\":\"[::1]:9000\"}", NULL },
    { &worker, "{\"address\":\"::1\",\"admin\":\"\"}", NULL },
    { &worker, "{\"address\":\"::1\",\"admin\":\"10.0.0.5:9/x?\"}",
      "worker: admin: bad value \"10.0.0.5:9/x?\"" },
    { &worker, "{\"address\":\"::1\",\"admin\":\"10.0.0.5:9 \"}",
      "worker: admin: bad value \"10.0.0.5:9 \"" },
    { &worker, "{\"address\":\"::1\",\"admin\":\"node:9\"}",
      "worker: admin: bad value \"node:9\"" },
    { &worker, "{}", "worker: address: missing" },
    { &worker, "{\"address\":\"\"}", "worker: address: bad value \"\"" },
    { &worker, "{\"address\":\"::1\",\"vms\":-1}",
      "worker: vms: -1 is not between 0 and 2147483647" }
};


static void
test_case(const kind_t *kind, const char *text, const char *complaint)
{
    int         rc;
    char       *copy, *again;
    size_t      len;
    value_t     value, twice;
    fcf_err_t   err;

    /* exactly as many bytes as there are, for the sanitizer */

    len = strlen(text);
    copy = malloc(len ? len : 1);
    memcpy(copy, text, len);

    memset(&value, 0xa5, sizeof(value));
    memset(&err, 0, sizeof(err));
    rc = kind->decode(&value, copy, len, &err);
    free(copy);

    if (complaint != NULL) {
        is_int(rc, -1, "%s refused: %.60s", kind->name, text);
        is_int(err.code, FCF_E_INVALID, "as invalid");
        is_str(err.msg, complaint, "in these words");
        return;
    }

    if (!ok(rc == 0, "%s taken: %.60s", kind->name, text)) {
        printf("# %s\n", err.msg);
        return;
    }

    again = kind->encode(&value);
    ok(strchr(again, '\n') == NULL, "encoded on one line");
    memset(&twice, 0x5a, sizeof(twice));
    is_int(kind->decode(&twice, again, strlen(again), &err), 0,
           "decoded again: %s", again);
    ok(memcmp(&value, &twice, kind->size) == 0, "to the same");
    free(again);
}


static void
test_defaults(void)
{
    fcf_job_t       j;
    fcf_spec_t      s, d;
    fcf_instance_t  i;

    (void) !fcf_job_decode(&j, "{\"request_id\":\"r\",\"function_id\":\"f\"}",
                           38, NULL);
    is_int(j.cpu, 1, "job: cpu");
    is_int(j.memory_mb, 128, "job: memory_mb");
    is_int(j.attempt, 1, "job: attempt");
    is_int(j.ours, 0, "job: of a foreign producer");

    (void) !fcf_spec_decode(&s, "{}", 2, NULL);
    fcf_spec_default(&d);
    ok(memcmp(&s, &d, sizeof(s)) == 0, "spec: {} is all defaults");
    is_int(s.concurrency, 32, "spec: concurrency");
    is_int(s.max_instances, 10, "spec: max_instances");
    is_int(s.idle_timeout_s, 300, "spec: idle_timeout_s");
    is_int(s.boot_timeout_s, 60, "spec: boot_timeout_s");
    is_int(s.port, 80, "spec: port");
    is_str(s.runtime, "base", "spec: runtime");

    (void) !fcf_instance_decode(&i, "{\"worker_ip\":\"1.2.3.4\","
                                "\"proxy_port\":80}", 39, NULL);
    is_int(i.concurrency, -1, "instance: concurrency");
    is_int(i.state, FCF_INSTANCE_READY, "instance: state");
}


static void
test_messages(void)
{
    int             i;
    char           *text;
    fcf_err_t       err;
    fcf_failure_t   in, out;

    static const char  others[] = "{\"error\":\"boot_failed\",\"message\":"
        "\"a\\n[alert] b\\u001b\"}";

    memset(&in, 0, sizeof(in));
    in.error = FCF_FAILURE_BOOT_FAILED;
    strncpy(in.message, "a\xff" "b\xc3\xa4" "\xe2\x82" "c\x01\xed\xa0\x80",
            sizeof(in.message) - 1);

    text = fcf_failure_encode(&in);
    is_int(fcf_failure_decode(&out, text, strlen(text), &err), 0,
           "a message that is not UTF-8 is encoded");
    is_str(out.message, "a\\xffb\xc3\xa4\\xe2\\x82" "c\\x01\\xed\\xa0\\x80",
           "bad bytes and controls are escaped");
    free(text);

    is_int(fcf_failure_decode(&out, others, strlen(others), &err), 0,
           "a message that somebody else made is decoded");
    is_str(out.message, "a\\n[alert] b\\x1b", "to one line without controls");

    /* not even terminated; the last character does not fit */

    memset(in.message, 'x', sizeof(in.message));
    memcpy(in.message + sizeof(in.message) - 2, "\xc3\xa4", 2);
    text = fcf_failure_encode(&in);
    is_int(fcf_failure_decode(&out, text, strlen(text), &err), 0,
           "an over-long message is encoded");
    is_int(strlen(out.message), FCF_FAILURE_MESSAGE_MAX - 2,
           "cut before half a character");
    free(text);

    for (i = 0; i < FCF_FAILURE_N; i++) {
        memset(&in, 0, sizeof(in));
        in.error = (fcf_failure_e) i;
        text = fcf_failure_encode(&in);
        is_int(fcf_failure_decode(&out, text, strlen(text), &err), 0,
               "failure %s", fcf_failure_name(in.error));
        is_int(out.error, i, "comes back");
        free(text);
    }
}


static void
test_limits(void)
{
    char        *text;
    size_t       i, n;
    fcf_err_t    err;
    fcf_job_t    in, out;

    memset(&in, 0, sizeof(in));
    memset(in.request_id, 'r', FCF_REQUEST_ID_MAX);
    memset(in.function_id, 'f', FCF_ID_MAX);
    in.cpu = 1;
    in.memory_mb = 1;
    in.attempt = 1;
    in.nrefused = FCF_REFUSED_MAX;

    for (i = 0; i < FCF_REFUSED_MAX; i++) {
        memset(in.refused_by[i], 'n', FCF_ID_MAX);
    }

    text = fcf_job_encode(&in);
    is_int(fcf_job_decode(&out, text, strlen(text), &err), 0,
           "the largest job");
    ok(memcmp(&in, &out, sizeof(in)) == 0, "comes back");
    ok(strlen(text) < FCF_VALUE_MAX, "and is a value");
    free(text);

    n = FCF_VALUE_MAX + 1;
    text = malloc(n);
    memset(text, ' ', n);
    text[0] = '{';
    text[n - 1] = '}';
    is_int(fcf_job_decode(&out, text, n, &err), -1, "too many bytes");
    is_str(err.msg, "job: 65537 bytes, more than 65536", "are refused");
    free(text);
}


/* jansson's allocations, of which the one after "allowed" more fails */

static int  allowed = -1;


static void *
failing_malloc(size_t size)
{
    if (allowed == 0) {
        return NULL;
    }

    if (allowed > 0) {
        allowed--;
    }

    return malloc(size);
}


/* each allocation of an encoder failed in turn: NULL and no leak, or the whole
 * text.  (jansson 2.14's parser has asserts on its own failed allocations.) */

static void
test_out_of_memory(const kind_t *kind, const char *text)
{
    int      n;
    char    *whole, *again;
    value_t  value;

    (void) !kind->decode(&value, text, strlen(text), NULL);
    whole = kind->encode(&value);
    again = NULL;

    for (n = 0; n < 1000 && again == NULL; n++) {
        allowed = n;
        again = kind->encode(&value);
        allowed = -1;
    }

    ok(n > 3, "%s: each of %d allocations failed in turn", kind->name, n);
    is_str(again, whole, "and then the whole text");
    free(again);
    free(whole);
}


int
main(void)
{
    size_t  i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_case(cases[i].kind, cases[i].text, cases[i].complaint);
    }

    test_defaults();
    test_messages();
    test_limits();

    json_set_alloc_funcs(failing_malloc, free);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].complaint == NULL) {
            test_out_of_memory(cases[i].kind, cases[i].text);
        }
    }

    return tap_done();
}
