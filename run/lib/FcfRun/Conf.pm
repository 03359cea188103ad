package FcfRun::Conf;

# The configuration files of the system that make run starts.

use strict;
use warnings;

use Exporter qw(import);
use FcfRun qw(%set root kernel_files);
use FcfRun::Nginx qw(load_modules);

our @EXPORT_OK = qw(nginx_conf agent_conf cli_conf);


# Workers run as root because RUN_DIR may lie where nobody else can go; it
# listens on the loopback address only.
sub nginx_conf {
    my $load = load_modules();

    return <<"    EOC" =~ s/^ {4}//gmr;
    $load

    daemon off;
    user root;
    worker_processes $set{WORKERS};
    pcre_jit on;
    pid $set{RUN_DIR}/data/nginx/nginx.pid;
    error_log $set{RUN_DIR}/log/nginx-error.log notice;

    events {
        worker_connections 8192;
    }

    http {
        log_format fcfaas '\$remote_addr [\$time_iso8601] "\$request" '
                          '\$status \$body_bytes_sent \$request_time '
                          '\$fcfaas_request_id';
        access_log $set{RUN_DIR}/log/access.log fcfaas;
        client_body_temp_path $set{RUN_DIR}/data/nginx/body;
        proxy_temp_path $set{RUN_DIR}/data/nginx/proxy;
        fastcgi_temp_path $set{RUN_DIR}/data/nginx/fastcgi;
        uwsgi_temp_path $set{RUN_DIR}/data/nginx/uwsgi;
        scgi_temp_path $set{RUN_DIR}/data/nginx/scgi;

        fcfaas_etcd       http://127.0.0.1:$set{ETCD_PORT};
        fcfaas_redis      127.0.0.1:$set{REDIS_PORT};
        fcfaas_zone       fcfaas 8m;
        fcfaas_token_file $set{RUN_DIR}/token;

        upstream functions {
            fcfaas keepalive=256;
        }

        map \$http_upgrade \$fcfaas_connection {
            default upgrade;
            ""      "";
        }

        # as the client wrote it, with the port; HTTP/1.0 may have none
        map \$http_host \$fcfaas_host {
            default \$http_host;
            ""      \$server_addr:\$server_port;
        }

        server {
            listen 127.0.0.1:$set{GATEWAY_PORT} backlog=4096;
            client_max_body_size 64m;

            location /run/ {
                fcfaas;
                fcfaas_park_timeout $set{PARK_TIMEOUT};
                fcfaas_error_details on;

                proxy_pass          http://functions\$fcfaas_uri;
                proxy_http_version  1.1;
                proxy_buffer_size   16k;
                proxy_buffers       8 16k;
                proxy_set_header    Host \$fcfaas_host;
                proxy_set_header    Upgrade \$http_upgrade;
                proxy_set_header    Connection \$fcfaas_connection;
                proxy_set_header    X-Forwarded-For \$proxy_add_x_forwarded_for;
                proxy_set_header    X-Forwarded-Proto \$scheme;
                proxy_set_header    X-Forwarded-Host \$fcfaas_host;
                proxy_set_header    X-Request-Id \$fcfaas_request_id;
                add_header          X-Request-Id \$fcfaas_request_id always;
            }

            location = /fcfaas/status {
                fcfaas_status;
            }

            location = /fcfaas/metrics {
                fcfaas_metrics;
            }

            location /fcfaas/ {
                # images of functions, by digest: "fcfaas deploy" puts them
                # there, agents fetch them
                location ~ "^/fcfaas/store/([0-9a-f]{64}\\.img)\$" {
                    alias                  $set{RUN_DIR}/store/\$1;
                    dav_methods            PUT DELETE;
                    create_full_put_path   on;
                    client_max_body_size   2g;

                    limit_except GET {
                        auth_basic            "fcfaas store";
                        auth_basic_user_file  $set{RUN_DIR}/store.users;
                    }
                }

                # the page, and what it asks nodes
                location = /fcfaas/ {
                    return 302 /fcfaas/ui/;
                }

                location /fcfaas/ui/ {
                    alias      @{[ root() ]}/ui/;
                    types      { text/html html; text/css css;
                                 text/javascript js; image/svg+xml svg; }
                    add_header Content-Security-Policy "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" always;
                    add_header X-Content-Type-Options nosniff always;
                    add_header Referrer-Policy no-referrer always;
                    add_header Cache-Control no-cache always;
                }

                location = /fcfaas/nodes {
                    fcfaas_nodes;
                }

                location ~ "^/fcfaas/nodes/(?<fcfaas_node_id>[a-z0-9._-]+)(?<fcfaas_node_path>/(?:instances|failures|functions/[a-z0-9._-]+/lines))\$" {
                    fcfaas_node \$fcfaas_node_id;
                    proxy_pass  http://\$fcfaas_node_admin\$fcfaas_node_path\$is_args\$args;
                    proxy_set_header Cookie "";
                    proxy_set_header Authorization "";
                    proxy_connect_timeout 2s;
                    proxy_read_timeout 6s;
                }
            }
        }
    }
    EOC
}


# of fcfaas, the command
sub cli_conf {
    return <<"    EOC" =~ s/^ {4}//gmr;
    etcd = http://127.0.0.1:$set{ETCD_PORT}
    redis = 127.0.0.1:$set{REDIS_PORT}
    gateway = http://127.0.0.1:$set{GATEWAY_PORT}/run
    store = http://127.0.0.1:$set{GATEWAY_PORT}/fcfaas/store
    store_token_file = $set{RUN_DIR}/store.token
    functions = $set{RUN_DIR}/functions
    runtimes = @{[ root() ]}/build/vm/runtimes
    EOC
}


# agent_conf($vmm, $vmm_args)
sub agent_conf {
    my ($vmm, $vmm_args) = @_;
    my $vm = root() . '/build/vm';
    my ($kernel, $initrd) = kernel_files();
    my $more = join "\n    ", split /;/, $set{AGENT_MORE};

    return <<"    EOC" =~ s/^ {4}//gmr;
    node_id = $set{NODE_ID}
    etcd = http://127.0.0.1:$set{ETCD_PORT}
    redis = 127.0.0.1:$set{REDIS_PORT}
    token_file = $set{RUN_DIR}/token
    advertise = 127.0.0.1
    allow = 127.0.0.1/32
    admin = 127.0.0.1:$set{ADMIN_PORT}

    state_dir = $set{RUN_DIR}/data/agent
    run_dir = $set{RUN_DIR}/data/vms
    functions = $set{RUN_DIR}/functions
    runtimes = $vm/runtimes
    kernel = $kernel
    initrd = $initrd
    vmm = $vmm
    vmm_args = $vmm_args

    bridge = $set{BRIDGE}
    bridge_address = $set{BRIDGE_ADDRESS}
    tap_prefix = $set{TAP_PREFIX}
    egress = $set{EGRESS}
    proxy =
    proxy_socket = $set{RUN_DIR}/data/proxy.sock
    proxy_user = $set{PROXY_USER}
    port_first = $set{VM_PORT_FIRST}
    port_last = $set{VM_PORT_LAST}
    max_vms = $set{MAX_VMS}
    memory_reserve_mb = 256
    snapshots = $set{SNAPSHOTS}
    adopt = no
    $more
    EOC
}

1;
