#include <string.h>
#include "agent/base/log.h"
#include "agent/host.h"

#define FCA_IDLE_TAPS_MAX  64

void
fca_host_net(fca_net_conf_t *out, const fca_conf_t *conf)
{
    *out = (fca_net_conf_t) {
        .bridge = conf->bridge, .tap_prefix = conf->tap_prefix,
        .node_id = conf->node_id, .address = conf->bridge_address,
        .prefix_len = conf->bridge_prefix_len, .egress = conf->egress,
        .pool_max = (unsigned) conf->max_vms < FCA_IDLE_TAPS_MAX
                    ? (unsigned) conf->max_vms : FCA_IDLE_TAPS_MAX,
        .most = (unsigned) conf->max_vms,
        .egress_allow = conf->egress_allow,
        .negress_allow = conf->negress_allow,
        .connections = (unsigned) conf->egress_connections,
    };
}

void
fca_host_vmm(fca_vmm_conf_t *out, const fca_conf_t *conf, uv_loop_t *uv)
{
    *out = (fca_vmm_conf_t) {
        .uv = uv, .binary = conf->vmm, .extra_args = conf->vmm_args.items,
        .run_dir = conf->run_dir, .kernel = conf->kernel,
        .initrd = *conf->initrd ? conf->initrd : NULL,
        .kernel_args = conf->kernel_args,
        .overhead_mb = (unsigned) conf->vmm_overhead_mb,
        .answer_ms = (unsigned) conf->vmm_answer_ms,
        .rates = {
            .serial_kb = (unsigned) conf->serial_kb,
            .drive_mb = (unsigned) conf->drive_mb,
            .drive_ops = (unsigned) conf->drive_ops,
            .net_mb = (unsigned) conf->net_mb,
        },
    };
}

void
fca_host_bounds(fca_bounds_t *out, const fca_cgroups_t *cgroups)
{
    fca_bounds_init(out);
    fca_bounds_host(out, "/proc");
    fca_cgroups_bounds(cgroups, out);
}

void
fca_host_routes(fca_routes_conf_t *out, const fca_conf_t *conf,
    fcf_loop_t *loop, uv_loop_t *uv)
{
    *out = (fca_routes_conf_t) {
        .loop = loop, .uv = uv, .socket = conf->proxy_socket,
        .program = *conf->proxy ? conf->proxy : NULL,
        .user = conf->proxy_user, .uid = conf->proxy_uid,
        .node_id = conf->node_id,
        .log_level = fca_log_level_name(conf->log_level),
        .threads = (unsigned) conf->proxy_threads,
        .keep = conf->adopt, .address = fca_conf_listen_on(conf),
        .token = conf->token, .token_len = conf->token ? strlen(conf->token)
                                                       : 0,
        .allow = conf->allow, .nallow = conf->nallow,
    };
}

void
fca_host_etcd(fcf_etcd_conf_t *out, const fca_conf_t *conf)
{
    *out = (fcf_etcd_conf_t) {
        .endpoints = conf->etcd.items, .nendpoints = conf->etcd.n,
        .user = *conf->etcd_user ? conf->etcd_user : NULL,
        .password = conf->etcd_password,
        .ca = *conf->etcd_ca ? conf->etcd_ca : NULL,
        .cert = *conf->etcd_cert ? conf->etcd_cert : NULL,
        .key = *conf->etcd_key ? conf->etcd_key : NULL,
    };
}

void
fca_host_redis(fcf_redis_conf_t *out, const fca_conf_t *conf)
{
    *out = (fcf_redis_conf_t) {
        .addrs = conf->redis.items, .naddrs = conf->redis.n,
        .db = conf->redis_db,
        .user = *conf->redis_user ? conf->redis_user : NULL,
        .password = conf->redis_password,
    };
}
