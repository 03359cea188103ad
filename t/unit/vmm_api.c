/* The stand-in's calls before the start: what is accepted, what is refused and
 * how; and what older versions had not. */

#include "t/unit/vmm_api.h"

static const fct_case_t  before[] = {
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
    { "GET", "/mmds", "", 400, "GET /mmds: not supported" },
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

    /* a balloon: one that takes nothing */
    { "GET", "/balloon", "", 400, "there is no balloon" },
    { "PATCH", "/balloon/statistics", "{\"stats_polling_interval_s\":0}", 400,
      "there is no balloon" },
    { "PUT", "/balloon", "{\"amount_mib\":5,\"deflate_on_oom\":true}", 400,
      "amount_mib: not supported by the stand-in" },
    { "PUT", "/balloon", "{\"amount_mib\":0,\"deflate_on_oom\":true,"
      "\"stats_polling_interval_s\":1}", 400,
      "stats_polling_interval_s: not supported by the stand-in" },
    { "PUT", "/balloon", "{\"amount_mib\":0,\"deflate_on_oom\":true}", 204,
      NULL },
    { "GET", "/balloon", "", 200, "\"amount_mib\":0" },
    { "PATCH", "/balloon/statistics", "{\"stats_polling_interval_s\":3}", 400,
      "not supported by the stand-in" },

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


/* as an older version; nothing else is put by these */
static const fct_case_t  older[] = {
    { "GET", "/", "", 200, "\"vmm_version\":\"1.13.0\"" },
    { "GET", "/version", "", 200, "{\"firecracker_version\":\"1.13.0\"}" },
    { "PUT", "/serial", "{}", 400,
      "Invalid request method and/or path: PUT /serial." },
    { NULL, NULL, NULL, 0, NULL }
};

static const fct_case_t  old[] = {
    { "GET", "/version", "", 200, "{\"firecracker_version\":\"1.15.0\"}" },
    { "PUT", "/serial", "{}", 204, NULL },
    { "PUT", "/serial", "{\"rate_limiter\":{\"size\":1,\"refill_time\":1}}",
      400, "unknown field `rate_limiter`, expected one of `serial_out_path`."
    },
    { NULL, NULL, NULL, 0, NULL }
};


int
main(void)
{
    fct_set_up();
    fct_check_all(older, 13);
    fct_check_all(old, 15);
    fct_check_all(before, FCV_MINOR);
    fct_tear_down();

    return tap_done();
}
