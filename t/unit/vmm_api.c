/* The stand-in's calls: what is accepted, what is refused and how, before and
 * after the start. */

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t/unit/tap.h"
#include "vm/vmm/api.h"
#include "vm/vmm/snapshot.h"

typedef struct {
    const char  *method, *path, *body;
    int          status;
    const char  *want;                  /* in the answer */
} case_t;

static char         dir[] = "/tmp/vmm_api.XXXXXX";
static fcv_api_t    api;
static fcv_reply_t  later_reply;
static int          later_runs, refuse_start;

#define DRIVE(id, rest)  "{\"drive_id\":\"" id "\",\"is_root_device\":" rest
#define FILE_A           ",\"path_on_host\":\"@a\"}"
#define MACHINE          "/machine-config"
#define X64              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256             X64 X64 X64 X64
#define X1024            X256 X256 X256 X256
#define SNAP             "{\"snapshot_path\":\"@s\",\"mem_file_path\":\"@m\""
#define JSON_ERROR       "An error occurred when deserializing the json body "\
                         "of a request: "

static const case_t  before[] = {
    { "GET", "/", "", 200, "{\"id\":\"vm-1\",\"state\":\"Not started\","
      "\"vmm_version\":\"1.16.0\",\"app_name\":\"Firecracker\"}" },
    { "GET", "/version", "", 200, "{\"firecracker_version\":\"1.16.0\"}" },
    { "GET", "/vm/config", "", 200, "\"machine-config\":{\"vcpu_count\":1,"
      "\"mem_size_mib\":128,\"smt\":false,\"track_dirty_pages\":false,"
      "\"huge_pages\":\"None\"}" },
    { "GET", "/vm/config", "", 200, "\"boot-source\":{\"kernel_image_path\":"
      "\"\",\"initrd_path\":null}" },

    /* paths and methods */
    { "GET", "/nothing", "", 400,
      "Invalid request method and/or path: GET /nothing." },
    { "DELETE", "/drives/a", "", 400, "DELETE /drives/a" },
    { "POST", "/actions", "{}", 400,
      "Invalid request method and/or path: POST /actions." },
    { "PUT", "/actions/more", "{}", 400, "PUT /actions/more" },
    { "PUT", "/drives/a/b", "{}", 400, "PUT /drives/a/b" },
    { "PUT", "/snapshot/create", "{}", 400,
      JSON_ERROR "missing field `snapshot_path`." },
    { "PUT", "/snapshot/create", "{\"snapshot_path\":\"s\"}", 400,
      JSON_ERROR "missing field `mem_file_path`." },
    { "PUT", "/snapshot/create", SNAP ",\"snapshot_type\":\"zz\"}", 400,
      "unknown variant `zz`" },
    { "PUT", "/snapshot/create", SNAP ",\"version\":\"1\"}", 400,
      "unknown field `version`" },
    { "PUT", "/snapshot/create", SNAP "}", 400, "before starting" },
    { "PUT", "/snapshot/load", "{}", 400, "missing field `snapshot_path`" },
    { "PUT", "/snapshot/load", "{\"snapshot_path\":\"s\"}", 400,
      "one of `mem_file_path` and `mem_backend` must be given" },
    { "PUT", "/snapshot/load", SNAP ",\"mem_backend\":{\"backend_path\":"
      "\"m\",\"backend_type\":\"File\"}}", 400, "only one of" },
    { "PUT", "/snapshot/load", "{\"snapshot_path\":\"s\",\"mem_backend\":{"
      "\"backend_path\":\"m\",\"backend_type\":\"zz\"}}", 400,
      "unknown variant `zz`" },
    { "PUT", "/snapshot/load", SNAP ",\"network_overrides\":{}}", 400,
      "expected a sequence" },
    { "PUT", "/snapshot/load", SNAP ",\"network_overrides\":[{\"iface_id\":"
      "\"a\"}]}", 400, "missing field `host_dev_name`" },
    { "PUT", "/snapshot/more", "{}", 400, "/snapshot/more: not supported" },
    { "GET", "/balloon", "", 400, "GET /balloon: not supported" },
    { "PUT", "/mmds", "{}", 400, "PUT /mmds: not supported" },
    { "PUT", "/vsock", "{}", 400, "PUT /vsock: not supported" },
    { "PUT", "/pmem/a", "{}", 400, "PUT /pmem/a: not supported" },
    { "PUT", "/cpu-config", "{}", 400, "PUT /cpu-config: not supported" },
    { "PUT", "/hotplug/memory", "{}", 400, "not supported" },
    { "PATCH", "/vm", "{}", 400, JSON_ERROR "missing field `state`." },
    { "PATCH", "/vm", "{\"state\":\"paused\"}", 400,
      "unknown variant `paused`, expected one of `Paused`, `Resumed`" },
    { "PATCH", "/vm", "{\"state\":\"Paused\"}", 400, "before starting" },
    { "PUT", "/vm", "{\"state\":\"Paused\"}", 400, "PUT /vm: not supported" },
    { "PATCH", "/drives/a", "{}", 400, "missing field `drive_id`" },
    { "PATCH", "/drives/a", "{\"drive_id\":\"a\"}", 400, "before starting" },
    { "PATCH", "/network-interfaces/a", "{\"iface_id\":\"a\"}", 400,
      "before starting" },
    { "PATCH", MACHINE, "{}", 400, "Empty PATCH request." },
    { "PATCH", MACHINE, "", 400, "Empty PATCH request." },
    { "GET", "/version?x", "", 400,
      "Invalid request method and/or path: GET /version?x." },
    { "PUT", MACHINE "?x", "{\"vcpu_count\":1,\"mem_size_mib\":64}", 400,
      "PUT /machine-config?x" },
    { "GET", "/version", "{}", 400, "GET request cannot have a body." },
    { "PUT", MACHINE, "", 400, "Empty PUT request." },

    /* bodies */
    { "PUT", MACHINE, "{", 400, JSON_ERROR },
    { "PUT", MACHINE, "[]", 400, JSON_ERROR "expected an object." },
    { "PUT", MACHINE, "{} x", 400, JSON_ERROR },
    { "PUT", MACHINE, "{\"vcpu_count\":1,\"vcpu_count\":1}", 400,
      "duplicate" },
    { "PUT", MACHINE, "{\"vcpu_count\":1}", 400,
      JSON_ERROR "missing field `mem_size_mib`." },
    { "PUT", MACHINE, "{\"vcpu_count\":1,\"mem_size_mib\":64,\"cores\":2}",
      400, JSON_ERROR "unknown field `cores`, expected one of `vcpu_count`, "
      "`mem_size_mib`, `smt`, `cpu_template`, `track_dirty_pages`, "
      "`huge_pages`." },
    { "PUT", MACHINE, "{\"vcpu_count\":\"2\",\"mem_size_mib\":64}", 400,
      "field `vcpu_count`: invalid type: \\\"2\\\", expected an integer." },
    { "PUT", MACHINE, "{\"vcpu_count\":null,\"mem_size_mib\":64}", 400,
      "field `vcpu_count`: invalid type: null" },
    { "PUT", MACHINE, "{\"vcpu_count\":1.5,\"mem_size_mib\":64}", 400,
      "field `vcpu_count`: invalid type: 1.5" },
    { "PUT", MACHINE, "{\"vcpu_count\":300,\"mem_size_mib\":64}", 400,
      "field `vcpu_count`: invalid value: 300, expected 0 to 255." },
    { "PUT", MACHINE, "{\"vcpu_count\":1,\"mem_size_mib\":-1}", 400,
      "field `mem_size_mib`: invalid value: -1" },
    { "PUT", MACHINE, "{\"vcpu_count\":1,\"mem_size_mib\":1,\"smt\":1}", 400,
      "field `smt`: invalid type: 1, expected a boolean." },
    { "PUT", MACHINE,
      "{\"vcpu_count\":1,\"mem_size_mib\":1,\"huge_pages\":\"4M\"}", 400,
      "field `huge_pages`: unknown variant `4M`, expected one of `None`, "
      "`Transparent`, `2M`." },

    /* machine-config */
    { "PUT", MACHINE, "{\"vcpu_count\":0,\"mem_size_mib\":64}", 400,
      "Machine config error: vcpu_count 0: " },
    { "PUT", MACHINE, "{\"vcpu_count\":33,\"mem_size_mib\":64}", 400,
      "Machine config error: vcpu_count 33: " },
    { "PUT", MACHINE, "{\"vcpu_count\":3,\"mem_size_mib\":64,\"smt\":true}",
      400, "vcpu_count 3: " },
    { "PUT", MACHINE, "{\"vcpu_count\":1,\"mem_size_mib\":0}", 400,
      "Machine config error: mem_size_mib 0: " },
    { "PUT", MACHINE,
      "{\"vcpu_count\":1,\"mem_size_mib\":3,\"huge_pages\":\"2M\"}", 400,
      "mem_size_mib 3: " },
    { "PUT", MACHINE,
      "{\"vcpu_count\":1,\"mem_size_mib\":1,\"cpu_template\":\"T2\"}", 400,
      "cpu_template T2: not supported by the stand-in" },
    { "GET", MACHINE, "", 200, "\"vcpu_count\":1,\"mem_size_mib\":128" },
    { "PUT", MACHINE, "{\"vcpu_count\":32,\"mem_size_mib\":256,"
      "\"cpu_template\":null}", 204, NULL },
    { "GET", MACHINE, "", 200, "\"vcpu_count\":32,\"mem_size_mib\":256" },

    { "PATCH", MACHINE, "{\"cores\":2}", 400, "unknown field `cores`" },
    { "PATCH", MACHINE, "{\"vcpu_count\":33}", 400,
      "Machine config error: vcpu_count 33: " },
    { "PATCH", MACHINE, "{\"mem_size_mib\":192}", 204, NULL },
    { "GET", MACHINE, "", 200, "\"vcpu_count\":32,\"mem_size_mib\":192" },
    { "PATCH", MACHINE, "{\"mem_size_mib\":256,\"vcpu_count\":null}", 204,
      NULL },
    { "GET", MACHINE, "", 200, "\"vcpu_count\":32,\"mem_size_mib\":256" },

    /* boot-source; nothing starts without it */
    { "PUT", "/actions", "{\"action_type\":\"InstanceStart\"}", 400,
      "Start microvm error: Cannot start microvm without kernel "
      "configuration." },
    { "PUT", "/boot-source", "{}", 400,
      "missing field `kernel_image_path`." },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@none\"}", 400,
      "Boot source error: The kernel file cannot be opened: @none: No such "
      "file or directory" },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@\"}", 400,
      "@: not a regular file" },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\","
      "\"initrd_path\":\"@none\"}", 400, "Boot source error: The initrd file "
      "cannot be opened: @none: No such file or directory" },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\","
      "\"boot_args\":\"quiet \\u00e9\"}", 400, "Boot source error: The "
      "kernel command line is invalid: byte 6 of boot_args is not printable" },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\","
      "\"boot_args\":\"a\\nb\"}", 400, "byte 1 of boot_args is not" },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\","
      "\"boot_args\":\"" X1024 X1024 "\"}", 400,
      "boot_args has 2048 bytes, at most 2047 are taken" },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\","
      "\"initrd_path\":7}", 400, "field `initrd_path`: invalid type: 7, "
      "expected a string." },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\","
      "\"initrd_path\":\"@a\",\"boot_args\":\"quiet\"}", 204, NULL },
    { "GET", "/vm/config", "", 200, "\"boot-source\":{\"kernel_image_path\":"
      "\"@a\",\"initrd_path\":\"@a\",\"boot_args\":\"quiet\"}" },

    /* drives */
    { "PUT", "/drives", DRIVE("a", "false") FILE_A, 400,
      "drive_id: The ID cannot be empty." },
    { "PUT", "/drives/a-b", DRIVE("a-b", "false") FILE_A, 400,
      "drive_id a-b: API Resource IDs can only contain alphanumeric "
      "characters and underscores." },
    { "PUT", "/drives/a", DRIVE("b", "false") FILE_A, 400,
      "drive_id: The id from the path [a] does not match the id from the "
      "body [b]!" },
    { "PUT", "/drives/a", "{\"drive_id\":\"a\"}", 400,
      "missing field `is_root_device`." },
    { "PUT", "/drives/a", DRIVE("a", "false") "}", 400,
      "Drive config error: a: path_on_host is missing." },
    { "PUT", "/drives/a", DRIVE("a", "false")
      ",\"socket\":\"/x\"}", 400, "socket /x: vhost-user is not supported" },
    { "PUT", "/drives/a", DRIVE("a", "false")
      ",\"path_on_host\":\"@none\"}", 400, "Drive config error: a: Unable to "
      "open the backing file: @none: No such file or directory" },
    { "PUT", "/drives/a", DRIVE("a", "false")
      ",\"cache_type\":\"Fast\"" FILE_A, 400,
      "field `cache_type`: unknown variant `Fast`" },
    { "PUT", "/drives/a", DRIVE("a", "false")
      ",\"rate_limiter\":{\"ops\":{\"size\":1}}" FILE_A, 400,
      "missing field `refill_time`." },
    { "PUT", "/drives/a", DRIVE("a", "false")
      ",\"is_read_only\":true" FILE_A, 204, NULL },
    { "PUT", "/drives/b", DRIVE("b", "false")
      ",\"rate_limiter\":{\"ops\":{\"size\":1,\"refill_time\":2}}" FILE_A,
      204, NULL },
    { "GET", "/vm/config", "", 200, "\"drives\":[{\"drive_id\":\"a\","
      "\"partuuid\":null,\"is_root_device\":false,\"cache_type\":\"Unsafe\","
      "\"is_read_only\":true,\"path_on_host\":\"@a\",\"rate_limiter\":null,"
      "\"io_engine\":\"Sync\",\"socket\":null},{\"drive_id\":\"b\"" },
    { "PUT", "/drives/c", DRIVE("c", "true") FILE_A, 204, NULL },
    { "GET", "/vm/config", "", 200, "\"drives\":[{\"drive_id\":\"c\"" },
    { "PUT", "/drives/a", DRIVE("a", "true") FILE_A, 400,
      "Drive config error: a: A root block device already exists: c." },
    { "PUT", "/drives/c", DRIVE("c", "false") FILE_A, 204, NULL },
    { "PUT", "/drives/b", DRIVE("b", "true") FILE_A, 204, NULL },
    { "GET", "/vm/config", "", 200, "\"drives\":[{\"drive_id\":\"b\"" },

    /* network-interfaces */
    { "PUT", "/network-interfaces/n", "{\"iface_id\":\"n\"}", 400,
      "missing field `host_dev_name`." },
    { "PUT", "/network-interfaces/n", "{\"iface_id\":\"m\","
      "\"host_dev_name\":\"x\"}", 400, "iface_id: The id from the path [n] "
      "does not match the id from the body [m]!" },
    { "PUT", "/network-interfaces/n", "{\"iface_id\":\"n\","
      "\"host_dev_name\":\"v-no-such-tap\"}", 400, "Network config error: n: "
      "Could not create the network device: Open tap device failed: "
      "host_dev_name \\\"v-no-such-tap\\\": No such device" },
    { "PUT", "/network-interfaces/n", "{\"iface_id\":\"n\","
      "\"host_dev_name\":\"a-name-that-is-too-long\"}", 400,
      "an interface name has 1 to 15 characters" },
    { "PUT", "/network-interfaces/n", "{\"iface_id\":\"n\","
      "\"host_dev_name\":\"x\",\"guest_mac\":\"06:00:ac:10:00\"}", 400,
      "n: guest_mac \\\"06:00:ac:10:00\\\" is not a MAC address." },
    { "PUT", "/network-interfaces/n", "{\"iface_id\":\"n\","
      "\"host_dev_name\":\"x\",\"mtu\":67}", 400,
      "field `mtu`: invalid value: 67, expected 68 to 65535." },

    /* serial */
    { "PUT", "/serial", "{\"path\":\"x\"}", 400, "unknown field `path`" },
    { "PUT", "/serial", "{\"serial_out_path\":7}", 400, "invalid type: 7" },
    { "PUT", "/serial", "{\"serial_out_path\":null}", 204, NULL },
    { "PUT", "/serial", "{\"rate_limiter\":{\"bandwidth\":{}}}", 400,
      "unknown field `bandwidth`" },
    { "PUT", "/serial", "{\"rate_limiter\":{\"size\":1}}", 400,
      "missing field `refill_time`" },
    { "PUT", "/serial", "{\"serial_out_path\":\"@console\",\"rate_limiter\":"
      "{\"size\":65536,\"refill_time\":1000}}", 204, NULL },
    /* the path is looked at when the machine starts */
    { "PUT", "/serial", "{\"serial_out_path\":\"@none/x\"}", 204, NULL },
    { "PUT", "/actions", "{\"action_type\":\"InstanceStart\"}", 400,
      "Serial error: serial_out_path @none/x: No such file or directory" },
    { "PUT", "/serial", "{\"serial_out_path\":\"@console\"}", 204, NULL },

    /* so are an initrd and what fits beside the boot_args */
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\",\"initrd_path\":"
      "\"@empty\"}", 204, NULL },
    { "PUT", "/actions", "{\"action_type\":\"InstanceStart\"}", 400,
      "initrd_path @empty: the file is empty." },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\",\"boot_args\":\""
      X1024 X256 X256 X256 X64 X64 X64 "\"}", 204, NULL },
    { "PUT", "/actions", "{\"action_type\":\"InstanceStart\"}", 400,
      "Invalid command line: boot_args has 1984 bytes" },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\",\"boot_args\":\""
      X1024 X256 X256 X256 X64 "\"}", 204, NULL },

    /* entropy */
    { "PUT", "/entropy", "{\"x\":1}", 400, "unknown field `x`" },
    { "PUT", "/entropy", "", 400, "Empty PUT request." },
    { "PUT", "/entropy", "{\"rate_limiter\":{\"bandwidth\":{\"size\":1}}}",
      400, "missing field `refill_time`" },
    { "PUT", "/entropy", "{\"rate_limiter\":{\"bandwidth\":{\"size\":1000,"
      "\"refill_time\":100}}}", 204, NULL },
    { "PUT", "/entropy", "{}", 204, NULL },
    { "GET", "/vm/config", "", 200, "\"entropy\":{\"rate_limiter\":null}" },

    /* logger: may be put again; metrics: once */
    { "PUT", "/logger", "{}", 204, NULL },
    { "PUT", "/logger", "{\"log_path\":\"@log\",\"level\":\"zz\"}", 400,
      "unknown variant `zz`" },
    { "PUT", "/logger", "{\"log_path\":\"@none/x\"}", 400,
      "Logger error: @none/x: No such file or directory" },
    { "PUT", "/logger", "{\"log_path\":\"@log\",\"level\":\"warn\","
      "\"show_level\":true}", 204, NULL },
    { "PUT", "/logger", "{\"log_path\":\"@log\",\"level\":\"Warning\"}", 204,
      NULL },
    { "PUT", "/metrics", "{}", 400, "missing field `metrics_path`" },
    { "PUT", "/metrics", "{\"metrics_path\":\"@none/x\"}", 400,
      "Metrics error: @none/x: No such file or directory" },
    { "PUT", "/metrics", "{\"metrics_path\":\"@metrics\"}", 204, NULL },
    { "PUT", "/metrics", "{\"metrics_path\":\"@metrics\"}", 400,
      "Metrics error: " },

    /* actions */
    { "PUT", "/actions", "{\"action_type\":\"SendCtrlAltDel\"}", 400,
      "The requested operation is not supported before starting the "
      "microVM." },
    { "PUT", "/actions", "{\"action_type\":\"Explode\"}", 400,
      "field `action_type`: unknown variant `Explode`, expected one of "
      "`FlushMetrics`, `InstanceStart`, `SendCtrlAltDel`." },
    { NULL, NULL, NULL, 0, NULL }
};

#define POST_BOOT  "The requested operation is not supported after starting "\
                   "the microVM."

static const case_t  after[] = {
    { "PUT", MACHINE, "{\"vcpu_count\":1,\"mem_size_mib\":64}", 400,
      POST_BOOT },
    { "PUT", MACHINE, "{\"vcpu_count\":1}", 400, "missing field" },
    { "PUT", "/boot-source", "{\"kernel_image_path\":\"@a\"}", 400,
      POST_BOOT },
    { "PUT", "/drives/a", DRIVE("a", "false") FILE_A, 400, POST_BOOT },
    { "PUT", "/network-interfaces/n", "{\"iface_id\":\"n\","
      "\"host_dev_name\":\"x\"}", 400, POST_BOOT },
    { "PUT", "/serial", "{}", 400, POST_BOOT },
    { "PUT", "/actions", "{\"action_type\":\"InstanceStart\"}", 400,
      POST_BOOT },
    { "PUT", "/actions", "{\"action_type\":\"FlushMetrics\"}", 204, NULL },
    { "PATCH", MACHINE, "{\"mem_size_mib\":64}", 400, POST_BOOT },
    { "PUT", "/entropy", "{}", 400, POST_BOOT },
    { "PUT", "/logger", "{}", 400, POST_BOOT },
    { "PUT", "/metrics", "{\"metrics_path\":\"@m\"}", 400, POST_BOOT },
    { "PUT", "/actions", "{\"action_type\":\"SendCtrlAltDel\"}", 204, NULL },
    { "GET", "/", "", 200, "\"state\":\"Running\"" },
    { "GET", "/vm/config", "", 200, "\"vcpu_count\":32" },
    { NULL, NULL, NULL, 0, NULL }
};


/* as an older version; nothing else is put by these */
static const case_t  older[] = {
    { "GET", "/", "", 200, "\"vmm_version\":\"1.13.0\"" },
    { "GET", "/version", "", 200, "{\"firecracker_version\":\"1.13.0\"}" },
    { "PUT", "/serial", "{}", 400,
      "Invalid request method and/or path: PUT /serial." },
    { NULL, NULL, NULL, 0, NULL }
};

static const case_t  old[] = {
    { "GET", "/version", "", 200, "{\"firecracker_version\":\"1.15.0\"}" },
    { "PUT", "/serial", "{}", 204, NULL },
    { "PUT", "/serial", "{\"rate_limiter\":{\"size\":1,\"refill_time\":1}}",
      400, "unknown field `rate_limiter`, expected one of `serial_out_path`."
    },
    { NULL, NULL, NULL, 0, NULL }
};


static int
fake_start(fcf_err_t *err)
{
    return refuse_start ? fcf_err_set(err, FCF_E_REFUSED, "not today") : 0;
}


static int
fake_ctrl_alt_del(fcf_err_t *err)
{
    (void) err;

    return 0;
}


static int
fake_pause(int paused, fcf_err_t *err)
{
    (void) paused;
    (void) err;

    return 0;
}


static int
fake_save(int memory_fd, fcf_err_t *err)
{
    (void) memory_fd;
    (void) err;

    return 0;
}


static const fcv_backend_t  fake = {
    .name = "fake", .start = fake_start, .ctrl_alt_del = fake_ctrl_alt_del,
    .pause = fake_pause, .save = fake_save
};


static void
later(void *arg, fcv_reply_t *reply)
{
    (void) arg;

    later_runs++;
    later_reply = *reply;
}


/* "@" stands for the directory and a slash; the caller frees */
static char *
expand(const char *text)
{
    char        *out;
    size_t       n;
    const char  *p;

    n = 1;

    for (p = text; *p; p++) {
        n += *p == '@' ? sizeof(dir) : 1;
    }

    out = malloc(n);
    n = 0;

    for (p = text; *p; p++) {

        if (*p == '@') {
            memcpy(out + n, dir, sizeof(dir) - 1);
            n += sizeof(dir) - 1;
            out[n++] = '/';

        } else {
            out[n++] = *p;
        }
    }

    out[n] = '\0';

    return out;
}


static void
check(const case_t *c)
{
    char         *body, *want, *got;
    fcv_reply_t   reply;

    body = expand(c->body);
    want = c->want ? expand(c->want) : NULL;

    fcv_api_request(&api, c->method, c->path, body, strlen(body), &reply);

    got = reply.body ? json_dumps(reply.body, JSON_COMPACT) : NULL;

    ok(reply.status == c->status
       && (want ? got && strstr(got, want) : got == NULL)
       && (c->status != 400
           || (json_object_size(reply.body) == 1
               && json_object_get(reply.body, "fault_message"))),
       "%s %s %.60s: %d", c->method, c->path, c->body, c->status);

    if (reply.status != c->status || (want && (!got || !strstr(got, want)))) {
        printf("#   got %d %s\n#  want %d %s\n", reply.status,
               got ? got : "", c->status, want ? want : "");
    }

    json_decref(reply.body);
    free(body);
    free(want);
    free(got);
}


static void
check_all(const case_t *c, int minor)
{
    api.minor = minor;

    for ( /* void */ ; c->method; c++) {
        check(c);
    }
}


static void
put(const char *path, const char *body, fcv_reply_t *reply)
{
    fcv_api_request(&api, "PUT", path, body, strlen(body), reply);
}


static void
test_start(void)
{
    fcf_err_t     err;
    fcv_reply_t   reply;
    const char   *start = "{\"action_type\":\"InstanceStart\"}";

    refuse_start = 1;
    put("/actions", start, &reply);
    is_int(reply.status, 400, "a backend can refuse at once");
    is_str(json_string_value(json_object_get(reply.body, "fault_message")),
           "Start microvm error: not today", "in its words");
    json_decref(reply.body);

    refuse_start = 0;
    put("/actions", start, &reply);
    is_int(reply.status, FCV_LATER, "else the answer comes later");

    put("/actions", start, &reply);
    is_int(reply.status, 400, "a second start is refused meanwhile");
    json_decref(reply.body);

    put("/serial", "{}", &reply);
    is_int(reply.status, 400, "and so is a PUT");
    json_decref(reply.body);

    (void) fcf_err_set(&err, FCF_E_REFUSED, "QEMU says no");
    fcv_api_done(&api, &err);

    is_int(later_runs, 1, "the answer has come");
    is_int(later_reply.status, 400, "a start can fail later");
    is_str(json_string_value(json_object_get(later_reply.body,
                                             "fault_message")),
           "Start microvm error: QEMU says no", "in its words");
    json_decref(later_reply.body);

    put("/actions", start, &reply);
    is_int(reply.status, FCV_LATER, "and may be tried again");

    fcv_api_done(&api, NULL);
    is_int(later_reply.status, 204, "then it runs");
}


static void
patch(const char *state, fcv_reply_t *reply)
{
    char  body[64];

    snprintf(body, sizeof(body), "{\"state\":\"%s\"}", state);
    fcv_api_request(&api, "PATCH", "/vm", body, strlen(body), reply);
}


static void
damage(const char *path)
{
    int   fd;
    char  byte;

    fd = open(path, O_RDWR|O_CLOEXEC);

    if (fd == -1 || pread(fd, &byte, 1, 100) != 1) {
        perror(path);
        exit(1);
    }

    byte ^= 1;
    (void) !pwrite(fd, &byte, 1, 100);
    (void) close(fd);
}


static void
test_pause(void)
{
    fcf_err_t     err;
    fcv_reply_t   reply;

    patch("Resumed", &reply);
    is_int(reply.status, 204, "it is");
    patch("Paused", &reply);
    is_int(reply.status, FCV_LATER, "paused later");
    patch("Resumed", &reply);
    is_int(reply.status, 400, "one call at a time");
    json_decref(reply.body);
    (void) fcf_err_set(&err, FCF_E_REFUSED, "no");
    fcv_api_done(&api, &err);
    is_int(later_reply.status, 400, "it can fail");
    json_decref(later_reply.body);
    check(&(case_t) { "GET", "/", "", 200, "\"state\":\"Running\"" });
    check(&(case_t) { "PUT", "/snapshot/create", SNAP "}", 400,
                      "is not paused" });

    patch("Paused", &reply);
    fcv_api_done(&api, NULL);
    is_int(later_reply.status, 204, "or not");
    check(&(case_t) { "GET", "/", "", 200, "\"state\":\"Paused\"" });
    patch("Paused", &reply);
    is_int(reply.status, 204, "twice is once");
}


static void
test_snapshot(void)
{
    char         *body;
    fcf_err_t     err;
    json_t       *state;
    fcv_reply_t   reply;

    check(&(case_t) { "PUT", "/snapshot/create", "{\"snapshot_path\":"
                      "\"@none/s\",\"mem_file_path\":\"@m\"}", 400,
                      "none/s: No such file" });
    check(&(case_t) { "PUT", "/snapshot/create", "{\"snapshot_path\":\"@s\","
                      "\"mem_file_path\":\"@none/m\"}", 400,
                      "none/m: No such file" });

    body = expand(SNAP "}");
    put("/snapshot/create", body, &reply);
    is_int(reply.status, FCV_LATER, "a snapshot is made");
    fcv_api_done(&api, NULL);
    is_int(later_reply.status, 204, "and done");
    free(body);

    body = expand("@s");
    state = fcv_snapshot_read(body, "fake", FCV_MINOR, &err);
    ok(state != NULL, "its state is read");
    json_decref(state);
    ok(fcv_snapshot_read(body, "other", FCV_MINOR, &err) == NULL
       && strstr(err.msg, "of the backend fake, this is other"),
       "by no other backend");
    ok(fcv_snapshot_read(body, "fake", 13, &err) == NULL
       && strstr(err.msg, "of version 1.16, this is 1.13"),
       "by no other version");
    damage(body);
    ok(fcv_snapshot_read(body, "fake", FCV_MINOR, &err) == NULL
       && strstr(err.msg, "CRC64 validation failed"), "nor damaged");
    ok(truncate(body, 10) == 0
       && fcv_snapshot_read(body, "fake", FCV_MINOR, &err) == NULL
       && strstr(err.msg, "it is cut"), "nor cut");
    free(body);

    check(&(case_t) { "PUT", "/snapshot/load", SNAP "}", 400,
                      "after starting" });
}


static void
make_file(const char *name, const char *text)
{
    int   fd;
    char  path[64];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY|O_CREAT|O_CLOEXEC, 0600);

    if (fd == -1 || write(fd, text, strlen(text)) == -1 || close(fd) == -1) {
        perror(path);
        exit(1);
    }
}


static void
remove_file(const char *name)
{
    char  path[64];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void) unlink(path);
}


int
main(void)
{
    fcf_err_t  err;

    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 1;
    }

    make_file("a", "x");
    make_file("empty", "");

    is_int(fcv_model_init(&api.model, &err), 0, "model");
    api.backend = &fake;
    api.memory_fd = -1;
    api.id = "vm-1";
    api.later = later;

    check_all(older, 13);
    check_all(old, 15);
    check_all(before, FCV_MINOR);
    test_start();
    check_all(after, FCV_MINOR);
    test_pause();
    test_snapshot();

    fcv_model_done(&api.model);

    remove_file("a");
    remove_file("empty");
    remove_file("console");
    remove_file("log");
    remove_file("metrics");
    remove_file("s");
    remove_file("m");
    (void) rmdir(dir);

    return tap_done();
}
