/*
 * Every path and method of Firecracker's API (1.17's specification, in the
 * order it has them), as a table: those that the stand-in has take what is
 * right and refuse all that is wrong, by name; those that it has not say so;
 * and so does every other method on each of these paths.  In no version, and
 * in no state, is there another answer.
 */

#include "t/unit/vmm_api.h"

typedef enum { GET, ANY, BEFORE, RUNNING, PAUSED, ACTION, ABSENT } when_e;

typedef struct {
    const char  *name;
    char         type;                  /* s, i, b, o, l; e: of some words */
    int          required;
    const char  *good;                  /* NULL: left out of what is right */
} field_t;

typedef struct {
    const char  *method, *path;
    when_e       when;
    int          status;                /* to what is right */
    field_t      fields[12];
} call_t;

#define LIMITER(name)  { name, 'o', 0, "{\"ops\":{\"size\":1,"              \
                                      "\"refill_time\":2}}" }
#define MACHINE_FIELDS(required)                                            \
    { { "vcpu_count", 'i', required, "2" },                                 \
      { "mem_size_mib", 'i', required, "64" },                              \
      { "smt", 'b', 0, "false" },                                           \
      { "cpu_template", 'e', 0, "\"None\"" },                               \
      { "track_dirty_pages", 'b', 0, "true" },                              \
      { "huge_pages", 'e', 0, "\"None\"" } }

static const call_t  calls[] = {
    { "GET", "/", GET, 200, { { NULL, 0, 0, NULL } } },
    { "PUT", "/actions", ACTION, 204,
      { { "action_type", 'e', 1, "\"FlushMetrics\"" } } },
    { "PUT", "/balloon", BEFORE, 204, { { "amount_mib", 'i', 1, "0" },
      { "deflate_on_oom", 'b', 1, "true" },
      { "stats_polling_interval_s", 'i', 0, "0" },
      { "free_page_hinting", 'b', 0, "false" },
      { "free_page_reporting", 'b', 0, "false" } } },
    { "GET", "/balloon", GET, 200, { { NULL, 0, 0, NULL } } },
    { "PATCH", "/balloon", RUNNING, 204, { { "amount_mib", 'i', 1, "0" } } },
    /* off */
    { "GET", "/balloon/statistics", GET, 400, { { NULL, 0, 0, NULL } } },
    { "PATCH", "/balloon/statistics", ANY, 204,
      { { "stats_polling_interval_s", 'i', 1, "0" } } },
    { "PATCH", "/balloon/hinting/start", ABSENT, 400,
      { { "acknowledge_on_stop", 'b', 0, "true" } } },
    { "GET", "/balloon/hinting/status", ABSENT, 400,
      { { NULL, 0, 0, NULL } } },
    { "PATCH", "/balloon/hinting/stop", ABSENT, 400,
      { { NULL, 0, 0, NULL } } },
    { "PUT", "/boot-source", BEFORE, 204,
      { { "kernel_image_path", 's', 1, "\"@a\"" },
        { "initrd_path", 's', 0, "\"@a\"" },
        { "boot_args", 's', 0, "\"quiet\"" } } },
    { "PUT", "/cpu-config", ABSENT, 400, { { NULL, 0, 0, NULL } } },
    { "PUT", "/drives/d", BEFORE, 204,
      { { "drive_id", 's', 1, "\"d\"" }, { "partuuid", 's', 0, "\"0-1\"" },
        { "is_root_device", 'b', 1, "false" },
        { "cache_type", 'e', 0, "\"Unsafe\"" },
        { "is_read_only", 'b', 0, "true" },
        { "path_on_host", 's', 0, "\"@a\"" }, LIMITER("rate_limiter"),
        { "io_engine", 'e', 0, "\"Sync\"" }, { "socket", 's', 0, NULL } } },
    { "PATCH", "/drives/d", RUNNING, 204,
      { { "drive_id", 's', 1, "\"d\"" }, { "path_on_host", 's', 0, "\"@a\"" },
        LIMITER("rate_limiter") } },
    { "PUT", "/pmem/p", ABSENT, 400, { { "id", 's', 1, "\"p\"" },
      { "path_on_host", 's', 1, "\"@a\"" } } },
    { "PATCH", "/pmem/p", ABSENT, 400, { { "id", 's', 1, "\"p\"" } } },
    { "PUT", "/logger", BEFORE, 204,
      { { "log_path", 's', 0, "\"@log\"" }, { "level", 's', 0, "\"Info\"" },
        { "show_level", 'b', 0, "true" },
        { "show_log_origin", 'b', 0, "false" },
        { "module", 's', 0, "\"api_server\"" } } },
    { "GET", "/machine-config", GET, 200, { { NULL, 0, 0, NULL } } },
    { "PUT", "/machine-config", BEFORE, 204, MACHINE_FIELDS(1) },
    { "PATCH", "/machine-config", BEFORE, 204, MACHINE_FIELDS(0) },
    { "PUT", "/metrics", BEFORE, 204,
      { { "metrics_path", 's', 1, "\"@metrics\"" },
        { "emit_id", 'b', 0, "true" } } },
    { "PUT", "/mmds", ABSENT, 400, { { NULL, 0, 0, NULL } } },
    { "PATCH", "/mmds", ABSENT, 400, { { NULL, 0, 0, NULL } } },
    { "GET", "/mmds", ABSENT, 400, { { NULL, 0, 0, NULL } } },
    { "PUT", "/mmds/config", ABSENT, 400,
      { { "network_interfaces", 'l', 1, "[]" } } },
    { "PUT", "/entropy", BEFORE, 204, { LIMITER("rate_limiter") } },
    { "PUT", "/serial", BEFORE, 204,
      { { "serial_out_path", 's', 0, "\"@console\"" },
        { "rate_limiter", 'o', 0, "{\"size\":1,\"refill_time\":2}" } } },
    { "PUT", "/hotplug/memory", ABSENT, 400,
      { { "total_size_mib", 'i', 0, "1024" } } },
    { "PATCH", "/hotplug/memory", ABSENT, 400,
      { { "requested_size_mib", 'i', 0, "0" } } },
    { "GET", "/hotplug/memory", ABSENT, 400, { { NULL, 0, 0, NULL } } },
    /* there is no such TAP here, which is the last that is looked at */
    { "PUT", "/network-interfaces/n", BEFORE, 400,
      { { "iface_id", 's', 1, "\"n\"" },
        { "host_dev_name", 's', 1, "\"v-no-such-tap\"" },
        { "guest_mac", 's', 0, "\"06:00:ac:10:00:02\"" },
        { "mtu", 'i', 0, "1500" }, LIMITER("rx_rate_limiter"),
        LIMITER("tx_rate_limiter") } },
    { "PATCH", "/network-interfaces/n", RUNNING, 400,
      { { "iface_id", 's', 1, "\"n\"" }, LIMITER("rx_rate_limiter"),
        LIMITER("tx_rate_limiter") } },
    { "PUT", "/snapshot/create", PAUSED, 204,
      { { "snapshot_path", 's', 1, "\"@s\"" },
        { "mem_file_path", 's', 1, "\"@m\"" },
        { "snapshot_type", 'e', 0, "\"Full\"" } } },
    /* after the other calls have configured it: too late */
    { "PUT", "/snapshot/load", BEFORE, 400,
      { { "snapshot_path", 's', 1, "\"@s\"" },
        { "mem_file_path", 's', 0, NULL },
        { "mem_backend", 'o', 0, "{\"backend_type\":\"File\","
          "\"backend_path\":\"@m\"}" },
        { "enable_diff_snapshots", 'b', 0, "false" },
        { "track_dirty_pages", 'b', 0, "false" },
        { "resume_vm", 'b', 0, "true" },
        { "network_overrides", 'l', 0, "[]" },
        { "clock_realtime", 'b', 0, "true" } } },
    { "GET", "/version", GET, 200, { { NULL, 0, 0, NULL } } },
    { "PATCH", "/vm", PAUSED, 204, { { "state", 'e', 1, "\"Paused\"" } } },
    { "GET", "/vm/config", GET, 200, { { NULL, 0, 0, NULL } } },
    { "PUT", "/vsock", ABSENT, 400, { { "guest_cid", 'i', 1, "3" },
      { "uds_path", 's', 1, "\"@v\"" } } }
};

#define NCALLS  (sizeof(calls) / sizeof(calls[0]))

static int  bad;                        /* of the call at hand */


/* the answer is this status, with these words in its fault_message if it is
 * 400; a call that is worked on succeeds */
static void
expect(const char *method, const char *path, const char *body, int status,
    const char *word1, const char *word2)
{
    char         *text;
    const char   *fault;
    fcv_reply_t   reply;

    text = fct_expand(body);
    fcv_api_request(&fct_api, method, path, text, strlen(text), &reply);

    if (reply.status == FCV_LATER) {
        fcv_api_done(&fct_api, NULL);
        reply = fct_later_reply;
    }

    fault = json_string_value(json_object_get(reply.body, "fault_message"));

    if (reply.status != status || (status == 400) != (fault != NULL)
        || (fault && json_object_size(reply.body) != 1)
        || (fault && word1 && strstr(fault, word1) == NULL)
        || (fault && word2 && strstr(fault, word2) == NULL))
    {
        bad++;
        printf("# %s %s %.200s: %d %s, not %d %s %s\n", method, path, body,
               reply.status, fault ? fault : "", status, word1 ? word1 : "",
               word2 ? word2 : "");
    }

    json_decref(reply.body);
    free(text);
}


/* What is right, but for one field: its value is another, or NULL: it is left
 * out; "+": there is one more, of that name. */
static void
make_body(const call_t *call, const field_t *other, const char *value,
    char *out, size_t size)
{
    size_t          n;
    const char     *good;
    const field_t  *f;

    n = (size_t) snprintf(out, size, "{");

    for (f = call->fields; f->name; f++) {
        good = f == other ? value : f->good;

        if (good) {
            n += (size_t) snprintf(out + n, size - n, "%s\"%s\":%s",
                                   n > 1 ? "," : "", f->name, good);
        }
    }

    if (other == NULL && value) {
        n += (size_t) snprintf(out + n, size - n, "%s\"%s\":1",
                               n > 1 ? "," : "", value);
    }

    snprintf(out + n, size - n, "}");
}


static void
wrong_types(const call_t *call, const field_t *f)
{
    size_t  i;
    char    body[1024], name[64];

    static const struct {
        char         type;
        const char  *value;
    } values[] = {
        { 's', "\"zz\"" }, { 'i', "7" }, { 'i', "-1" }, { 'b', "true" },
        { 'o', "{\"zz\":1}" }, { 'l', "[7]" }, { 'f', "1.5" },
        { 'n', "null" }, { 'i', "99999999999999999999" }
    };

    snprintf(name, sizeof(name), "`%s`", f->name);

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {

        /* null is as good as absent, but for a boolean that has a default;
         * what text is good for is the handler's to say */

        if ((values[i].type == 'n' && !f->required)
            || (values[i].type == 's' && f->type == 's'))
        {
            continue;
        }

        if (values[i].type == f->type
            && (f->type == 'b' || strcmp(values[i].value, "7") == 0))
        {
            continue;
        }

        make_body(call, f, values[i].value, body, sizeof(body));

        /* too large for any integer: no JSON of ours, so no field is named */

        expect(call->method, call->path, body, 400, "deserializing",
               strlen(values[i].value) < 20 ? name : NULL);
    }
}


static void
wrong_bodies(const call_t *call)
{
    char            body[1024];
    const field_t  *f;

    if (call->when == GET) {
        expect(call->method, call->path, "{}", 400,
               "GET request cannot have a body", NULL);
        return;
    }

    expect(call->method, call->path, "", 400, "Empty ", call->method);
    expect(call->method, call->path, "{", 400, "deserializing", NULL);
    expect(call->method, call->path, "[]", 400, "deserializing", "object");
    expect(call->method, call->path, "null", 400, "deserializing", NULL);
    make_body(call, NULL, "fcfaas", body, sizeof(body));
    expect(call->method, call->path, body, 400, "unknown field `fcfaas`",
           NULL);

    for (f = call->fields; f->name; f++) {
        make_body(call, NULL, f->name, body, sizeof(body));

        if (f->good) {
            expect(call->method, call->path, body, 400, "deserializing",
                   "duplicate");
        }

        if (f->required) {
            make_body(call, f, NULL, body, sizeof(body));
            expect(call->method, call->path, body, 400, "missing field",
                   f->name);
        }

        wrong_types(call, f);
    }
}


static void
good_body(const call_t *call, char *body, size_t size)
{
    make_body(call, NULL, NULL, body, size);

    if (call->when == GET) {
        body[0] = '\0';
    }
}


/* its own state: right; any other: refused as too early or too late */
static void
in_state(when_e state)
{
    char           body[1024];
    size_t         i;
    const call_t  *call;

    for (i = 0; i < NCALLS; i++) {
        call = &calls[i];
        bad = 0;

        if (call->when == ABSENT) {
            good_body(call, body, sizeof(body));
            expect(call->method, call->path, body, 400,
                   "not supported by the stand-in", call->path);
            expect(call->method, call->path, "", 400,
                   "not supported by the stand-in", call->path);

        } else {
            wrong_bodies(call);
            good_body(call, body, sizeof(body));

            if (call->when <= ANY || call->when == state
                || (call->when == ACTION && state != BEFORE)
                || (call->when == RUNNING && state == PAUSED)
                || (strcmp(call->path, "/vm") == 0 && state == RUNNING))
            {
                expect(call->method, call->path, body, call->status, NULL,
                       NULL);

            } else {
                expect(call->method, call->path, body, 400,
                       call->when == BEFORE ? "after starting"
                       : state == BEFORE ? "before starting" : "not paused",
                       NULL);
            }
        }

        is_int(bad, 0, "%s %s, %s", call->method, call->path,
               state == BEFORE ? "before the start"
               : state == RUNNING ? "while it runs" : "while it is paused");

        /* back to where it was */

        if (state == RUNNING && strcmp(call->path, "/vm") == 0) {
            expect("PATCH", "/vm", "{\"state\":\"Resumed\"}", 204, NULL,
                   NULL);
        }
    }
}


static void
other_methods(void)
{
    size_t        i, j, k;

    static const char *const  methods[] = { "GET", "PUT", "PATCH", "POST",
                                            "DELETE", "HEAD", "OPTIONS" };

    for (i = 0; i < NCALLS; i++) {
        bad = 0;

        for (j = 0; j < sizeof(methods) / sizeof(methods[0]); j++) {
            for (k = 0; k < NCALLS; k++) {
                if (strcmp(calls[k].path, calls[i].path) == 0
                    && strcmp(calls[k].method, methods[j]) == 0)
                {
                    break;
                }
            }

            if (k == NCALLS) {
                expect(methods[j], calls[i].path, "{}", 400, methods[j],
                       calls[i].path);
            }
        }

        is_int(bad, 0, "no other method on %s", calls[i].path);
    }
}


/* the path and the body name the same; no id is empty or odd */
static void
ids(void)
{
    bad = 0;
    expect("PUT", "/drives/x", "{\"drive_id\":\"d\",\"is_root_device\":false}",
           400, "does not match", "[x]");
    expect("PUT", "/drives/", "{\"drive_id\":\"\",\"is_root_device\":false}",
           400, "cannot be empty", NULL);
    expect("PUT", "/drives/a.b", "{\"drive_id\":\"a.b\","
           "\"is_root_device\":false}", 400, "alphanumeric", NULL);
    expect("PUT", "/network-interfaces/x", "{\"iface_id\":\"n\","
           "\"host_dev_name\":\"t\"}", 400, "does not match", "[x]");
    expect("PUT", "/network-interfaces", "{\"iface_id\":\"\","
           "\"host_dev_name\":\"t\"}", 400, "cannot be empty", NULL);
    is_int(bad, 0, "ids");
}


/* each call in each version: an answer of the same kinds, and what a version
 * had not is as if it were not there */
static void
versions(void)
{
    int     minor;
    char    body[1024];
    size_t  i;

    for (minor = 0; minor <= FCV_MINOR; minor++) {
        fct_api.minor = minor;
        bad = 0;

        for (i = 0; i < NCALLS; i++) {
            if (strcmp(calls[i].path, "/serial") == 0) {
                expect("PUT", "/serial", "{}", minor < 14 ? 400 : 204,
                       "Invalid request method", NULL);
                expect("PUT", "/serial", "{\"rate_limiter\":{\"size\":1,"
                       "\"refill_time\":2}}", minor < 16 ? 400 : 204,
                       minor < 14 ? "Invalid request method"
                                  : "unknown field `rate_limiter`", NULL);

            } else if (strcmp(calls[i].path, "/metrics") == 0) {
                expect("PUT", "/metrics", "{\"metrics_path\":\"@no/m\","
                       "\"emit_id\":true}", 400,
                       minor < 16 ? "unknown field `emit_id`" : "Metrics error",
                       NULL);

            } else if (strcmp(calls[i].path, "/snapshot/load") == 0) {
                expect("PUT", "/snapshot/load", "{\"snapshot_path\":\"@s\","
                       "\"mem_file_path\":\"@m\",\"network_overrides\":[]}",
                       400, minor < 12 ? "unknown field `network_overrides`"
                                       : "not allowed after", NULL);

            } else if (calls[i].when == GET || calls[i].status == 400) {
                good_body(&calls[i], body, sizeof(body));
                expect(calls[i].method, calls[i].path, body, calls[i].status,
                       NULL, NULL);
            }
        }

        is_int(bad, 0, "version 1.%d", minor);
    }
}


int
main(void)
{
    fct_set_up();

    other_methods();
    ids();
    in_state(BEFORE);
    versions();

    bad = 0;
    expect("PUT", "/actions", "{\"action_type\":\"InstanceStart\"}", 204, NULL,
           NULL);
    is_int(bad, 0, "it starts");
    in_state(RUNNING);

    bad = 0;
    expect("PATCH", "/vm", "{\"state\":\"Paused\"}", 204, NULL, NULL);
    is_int(bad, 0, "it is paused");
    in_state(PAUSED);
    other_methods();

    fct_tear_down();

    return tap_done();
}
