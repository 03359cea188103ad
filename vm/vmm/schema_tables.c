/* The tables of schema.h. */

#include <stdint.h>

#include "vm/vmm/schema.h"


static const char *const  cpu_templates[] = { "None", "C3", "T2", "T2S",
                                              "T2CL", "T2A", "V1N1", NULL };
static const char *const  huge_pages[] = { "None", "Transparent", "2M", NULL };
static const char *const  cache_types[] = { "Unsafe", "Writeback", NULL };
static const char *const  io_engines[] = { "Sync", "Async", NULL };
static const char *const  vm_states[] = { "Paused", "Resumed", NULL };
static const char *const  snapshot_types[] = { "Full", "Diff", NULL };
static const char *const  memory_backends[] = { "File", "Uffd", NULL };
static const char *const  actions[] = { "FlushMetrics", "InstanceStart",
                                        "SendCtrlAltDel", NULL };

static const fcv_field_t  token_bucket[] = {
    { .name = "size", .type = FCV_T_INT, .required = 1, .max = INT64_MAX },
    { .name = "one_time_burst", .type = FCV_T_INT, .max = INT64_MAX },
    { .name = "refill_time", .type = FCV_T_INT, .required = 1,
      .max = INT64_MAX },
    { .name = NULL }
};

static const fcv_field_t  rate_limiter[] = {
    { .name = "bandwidth", .type = FCV_T_OBJECT, .fields = token_bucket },
    { .name = "ops", .type = FCV_T_OBJECT, .fields = token_bucket },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_machine[] = {
    { .name = "vcpu_count", .type = FCV_T_INT, .required = 1, .max = 255 },
    { .name = "mem_size_mib", .type = FCV_T_INT, .required = 1,
      .max = INT64_MAX },
    { .name = "smt", .type = FCV_T_BOOL },
    { .name = "cpu_template", .type = FCV_T_ENUM, .names = cpu_templates,
      .hidden = 1 },
    { .name = "track_dirty_pages", .type = FCV_T_BOOL },
    { .name = "huge_pages", .type = FCV_T_ENUM, .names = huge_pages },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_machine_patch[] = {
    { .name = "vcpu_count", .type = FCV_T_INT, .max = 255, .hidden = 1 },
    { .name = "mem_size_mib", .type = FCV_T_INT, .max = INT64_MAX,
      .hidden = 1 },
    { .name = "smt", .type = FCV_T_BOOL, .hidden = 1 },
    { .name = "cpu_template", .type = FCV_T_ENUM, .names = cpu_templates,
      .hidden = 1 },
    { .name = "track_dirty_pages", .type = FCV_T_BOOL, .hidden = 1 },
    { .name = "huge_pages", .type = FCV_T_ENUM, .names = huge_pages,
      .hidden = 1 },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_boot[] = {
    { .name = "kernel_image_path", .type = FCV_T_STRING, .required = 1 },
    { .name = "initrd_path", .type = FCV_T_STRING },
    { .name = "boot_args", .type = FCV_T_STRING, .hidden = 1 },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_drive[] = {
    { .name = "drive_id", .type = FCV_T_STRING, .required = 1 },
    { .name = "partuuid", .type = FCV_T_STRING },
    { .name = "is_root_device", .type = FCV_T_BOOL, .required = 1 },
    { .name = "cache_type", .type = FCV_T_ENUM, .names = cache_types },
    { .name = "is_read_only", .type = FCV_T_BOOL, .nullable = 1 },
    { .name = "path_on_host", .type = FCV_T_STRING },
    { .name = "rate_limiter", .type = FCV_T_OBJECT, .fields = rate_limiter },
    { .name = "io_engine", .type = FCV_T_ENUM, .names = io_engines },
    { .name = "socket", .type = FCV_T_STRING },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_nic[] = {
    { .name = "iface_id", .type = FCV_T_STRING, .required = 1 },
    { .name = "host_dev_name", .type = FCV_T_STRING, .required = 1 },
    { .name = "guest_mac", .type = FCV_T_STRING },
    { .name = "rx_rate_limiter", .type = FCV_T_OBJECT,
      .fields = rate_limiter },
    { .name = "tx_rate_limiter", .type = FCV_T_OBJECT,
      .fields = rate_limiter },
    { .name = "mtu", .type = FCV_T_INT, .min = 68, .max = 65535,
      .hidden = 1 },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_serial[] = {
    { .name = "serial_out_path", .type = FCV_T_STRING },
    { .name = "rate_limiter", .type = FCV_T_OBJECT, .fields = token_bucket,
      .hidden = 1, .since = 16 },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_entropy[] = {
    { .name = "rate_limiter", .type = FCV_T_OBJECT, .fields = rate_limiter },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_balloon[] = {
    { .name = "amount_mib", .type = FCV_T_INT, .required = 1,
      .max = UINT32_MAX },
    { .name = "deflate_on_oom", .type = FCV_T_BOOL, .required = 1 },
    { .name = "stats_polling_interval_s", .type = FCV_T_INT,
      .max = UINT16_MAX },
    { .name = "free_page_hinting", .type = FCV_T_BOOL, .since = 14 },
    { .name = "free_page_reporting", .type = FCV_T_BOOL, .since = 14 },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_balloon_patch[] = {
    { .name = "amount_mib", .type = FCV_T_INT, .required = 1,
      .max = UINT32_MAX },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_balloon_stats[] = {
    { .name = "stats_polling_interval_s", .type = FCV_T_INT, .required = 1,
      .max = UINT16_MAX },
    { .name = NULL }
};

/* level: its names are taken in any case */
const fcv_field_t  fcv_schema_logger[] = {
    { .name = "log_path", .type = FCV_T_STRING },
    { .name = "level", .type = FCV_T_STRING },
    { .name = "show_level", .type = FCV_T_BOOL, .hidden = 1 },
    { .name = "show_log_origin", .type = FCV_T_BOOL, .hidden = 1 },
    { .name = "module", .type = FCV_T_STRING },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_metrics[] = {
    { .name = "metrics_path", .type = FCV_T_STRING, .required = 1 },
    { .name = "emit_id", .type = FCV_T_BOOL, .hidden = 1, .since = 16 },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_action[] = {
    { .name = "action_type", .type = FCV_T_ENUM, .required = 1,
      .names = actions },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_vm[] = {
    { .name = "state", .type = FCV_T_ENUM, .required = 1,
      .names = vm_states },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_drive_patch[] = {
    { .name = "drive_id", .type = FCV_T_STRING, .required = 1 },
    { .name = "path_on_host", .type = FCV_T_STRING, .hidden = 1 },
    { .name = "rate_limiter", .type = FCV_T_OBJECT, .fields = rate_limiter,
      .hidden = 1 },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_nic_patch[] = {
    { .name = "iface_id", .type = FCV_T_STRING, .required = 1 },
    { .name = "rx_rate_limiter", .type = FCV_T_OBJECT,
      .fields = rate_limiter, .hidden = 1 },
    { .name = "tx_rate_limiter", .type = FCV_T_OBJECT,
      .fields = rate_limiter, .hidden = 1 },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_create[] = {
    { .name = "snapshot_type", .type = FCV_T_ENUM, .names = snapshot_types },
    { .name = "snapshot_path", .type = FCV_T_STRING, .required = 1 },
    { .name = "mem_file_path", .type = FCV_T_STRING, .required = 1 },
    { .name = NULL }
};

static const fcv_field_t  memory_backend[] = {
    { .name = "backend_path", .type = FCV_T_STRING, .required = 1 },
    { .name = "backend_type", .type = FCV_T_ENUM, .required = 1,
      .names = memory_backends },
    { .name = NULL }
};

static const fcv_field_t  network_override[] = {
    { .name = "iface_id", .type = FCV_T_STRING, .required = 1 },
    { .name = "host_dev_name", .type = FCV_T_STRING, .required = 1 },
    { .name = NULL }
};

const fcv_field_t  fcv_schema_load[] = {
    { .name = "snapshot_path", .type = FCV_T_STRING, .required = 1 },
    { .name = "mem_file_path", .type = FCV_T_STRING, .hidden = 1 },
    { .name = "mem_backend", .type = FCV_T_OBJECT, .fields = memory_backend,
      .hidden = 1 },
    { .name = "enable_diff_snapshots", .type = FCV_T_BOOL, .hidden = 1 },
    { .name = "track_dirty_pages", .type = FCV_T_BOOL, .hidden = 1 },
    { .name = "resume_vm", .type = FCV_T_BOOL },
    { .name = "network_overrides", .type = FCV_T_LIST,
      .fields = network_override, .hidden = 1, .since = 12 },
    { .name = "clock_realtime", .type = FCV_T_BOOL, .hidden = 1,
      .since = 15 },
    { .name = NULL }
};
