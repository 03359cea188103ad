package FcfSetup::Conf;

# What fcfaas-setup writes: settings of etcd, Redis, the agent, nginx and the
# command.  No secret stands in them, but the digests in Redis' list of users.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter qw(import);

our @EXPORT_OK = qw(etcd_conf etcd_tls redis_user agent_conf site_conf
    head_site_conf cli_conf cli_tls);

my $etc = '/etc/fcfaas';
my $var = '/var/lib/fcfaas';
my $socket = '/run/fcfaas-redis/redis.sock';


sub etcd_conf {
    my ($port, $peer) = @_;

    return <<"    EOC" =~ s/^ {4}//gmr;
    # The etcd of fcfaas-etcd.service, written by fcfaas-setup.
    name: fcfaas
    data-dir: $var/etcd
    listen-client-urls: "http://127.0.0.1:$port"
    advertise-client-urls: "http://127.0.0.1:$port"
    listen-peer-urls: "http://127.0.0.1:$peer"
    initial-advertise-peer-urls: "http://127.0.0.1:$peer"
    initial-cluster: "fcfaas=http://127.0.0.1:$peer"
    # the JSON API: without a file it is on
    enable-grpc-gateway: true
    auto-compaction-mode: periodic
    auto-compaction-retention: 1h
    quota-backend-bytes: 2147483648
    EOC
}


# What stands in etcd.yml besides once others are to reach it; whoever is on
# this machine goes on without.  etcd reads key and certificate anew for each
# connection.
sub etcd_tls {
    my ($address) = @_;

    return <<"    EOC" =~ s/^ {4}//gmr;
    client-transport-security:
      client-cert-auth: true
      trusted-ca-file: $etc/tls/ca.crt
      cert-file: $etc/tls/etcd.pem
      key-file: $etc/tls/etcd.pem
    EOC
}


# By categories less what is dangerous: what a script calls counts, too.
sub redis_user {
    my ($user, $password) = @_;
    my $hash = sha256_hex($password);

    return "user $user on #$hash resetkeys ~queue:vm_provision "
        . '~{queue:vm_provision}:* resetchannels -@all +@list +@set +@hash '
        . '+@sortedset +@scripting +@connection -@dangerous +role +info '
        . "+del +exists +type +expire +pexpire +pexpireat +time\n";
}


# agent_conf(node_id => ..., etcd, redis, vmm, vmm_args, bridge_address,
# admin_port); of a machine that others reach, besides: address, and joined if
# its etcd is on another
sub agent_conf {
    my (%of) = @_;
    my $advertise = $of{address} // '127.0.0.1';
    my $listen = defined $of{address} ? "listen = 127.0.0.1\n" : '';
    my $tls = $of{joined} ? _agent_tls() : '';

    return <<"    EOC" =~ s/^ {4}//gmr;
    # The agent of this machine, written by fcfaas-setup.  All settings, with
    # their defaults: /usr/share/doc/fcfaas-agent/examples/agent.conf
    node_id = $of{node_id}

    etcd = $of{etcd}
    etcd_user = agent
    etcd_password_file = $etc/etcd-agent.password
    redis = unix:@{[$of{redis} // $socket]}
    redis_user = agent
    redis_password_file = $etc/redis-agent.password
    ${tls}
    advertise = $advertise
    ${listen}allow = 127.0.0.1/32
    token_file = $etc/token
    admin = 127.0.0.1:$of{admin_port}

    vmm = $of{vmm}
    vmm_args = $of{vmm_args}

    bridge_address = $of{bridge_address}
    egress = internet
    EOC
}


sub _agent_tls {
    return <<"    EOC" =~ s/^ {4}//gmr;

    etcd_ca = $etc/tls/ca.crt
    etcd_cert = $etc/tls/machine.pem
    etcd_key = $etc/tls/machine.pem
    store_ca = $etc/tls/ca.crt
    store_cert = $etc/tls/machine.pem
    store_key = $etc/tls/machine.pem
    EOC
}


# site_conf(etcd => ..., port => ...); of one among several machines, besides:
# address, and joined if its etcd, Redis (redis) and store are on another
sub site_conf {
    my (%of) = @_;
    my $scheme = defined $of{address} ? 'https' : 'http';
    my $listen = defined $of{address}
        ? "\n        listen  $of{address}:$of{port} backlog=4096;" : '';
    my $pem = "$etc/tls/machine.pem";
    my $etcd_tls = $of{joined}
        ? "\n                       ca=$etc/tls/ca.crt cert=$pem"
        . "\n                       key=$pem" : '';
    my $tls = defined $of{address}
        ? "\n        include  snippets/fcfaas-tls.conf;" : '';

    return <<"    EOC" =~ s/^ {4}//gmr
    # The gateway of fcfaas, written by fcfaas-setup.

    fcfaas_etcd        $of{etcd} user=gateway
                       password_file=$etc/etcd-gateway.password$etcd_tls;
    fcfaas_redis       unix:@{[$of{redis} // $socket]} user=gateway
                       password_file=$etc/redis-gateway.password;
    fcfaas_zone        fcfaas 8m;
    fcfaas_state_file  $var/gateway/registry;
    fcfaas_token_file  $etc/token;

    upstream functions {
        fcfaas keepalive=1024 keepalive_requests=1000000;
    }

    map \$http_upgrade \$fcfaas_connection {
        default  upgrade;
        ""       "";
    }

    map \$http_host \$fcfaas_host {
        default  \$http_host;
        ""       \$server_addr:\$server_port;
    }

    server {
        listen  127.0.0.1:$of{port} backlog=4096;$listen

        client_max_body_size  64m;$tls

        location /run/ {
            fcfaas;
            fcfaas_park_timeout  60s;

            proxy_pass           $scheme://functions\$fcfaas_uri;
            include              snippets/fcfaas.conf;
        }

        location = /fcfaas/status {
            allow  127.0.0.1;
            deny   all;

            fcfaas_status;
        }

        location = /fcfaas/metrics {
            allow  127.0.0.1;
            deny   all;

            fcfaas_metrics;
        }

        # the page, and what it asks nodes
        location /fcfaas/ {
            allow  127.0.0.1;
            deny   all;

    EOC
        . ($of{joined} ? '' : _store_conf()) . <<"    EOC" =~ s/^ {4}//gmr;
            location = /fcfaas/ {
                return  302 /fcfaas/ui/;
            }

            location /fcfaas/ui/ {
                alias       /usr/share/fcfaas/ui/;
                add_header  Content-Security-Policy "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" always;
                add_header  X-Content-Type-Options nosniff always;
                add_header  Referrer-Policy no-referrer always;
                add_header  Cache-Control no-cache always;
            }

            location = /fcfaas/nodes {
                fcfaas_nodes;
            }

            location ~ "^/fcfaas/nodes/(?<fcfaas_node_id>[a-z0-9._-]+)(?<fcfaas_node_path>/(?:instances|failures|functions/[a-z0-9._-]+/lines))\$" {
                fcfaas_node  \$fcfaas_node_id;
                proxy_pass   $scheme://\$fcfaas_node_admin\$fcfaas_node_path\$is_args\$args;
                proxy_set_header       Cookie "";
                # "Bearer <token>" where agents have admin_token_file
                proxy_set_header       Authorization "";
                proxy_connect_timeout  2s;
                proxy_read_timeout     6s;
            }
        }
    }
    EOC
}


sub _store_conf {
    return <<"    EOC" =~ s/^ {4}//gmr;
            location ~ "^/fcfaas/store/([0-9a-f]{64}\\.img)\$" {
                allow  127.0.0.1;
                deny   all;

                alias                  $var/store/\$1;
                dav_methods            PUT DELETE;
                create_full_put_path   on;
                client_max_body_size   2g;

                limit_except GET {
                    auth_basic            "fcfaas store";
                    auth_basic_user_file  $etc/store.users;
                }
            }

    EOC
}


# What other machines ask of the head: images, for which their certificate
# speaks, and certificates.
sub head_site_conf {
    my (%of) = @_;

    return <<"    EOC" =~ s/^ {4}//gmr;
    # The head of fcfaas' machines, written by fcfaas-setup.

    # who may have images without the store's token
    map "\$request_method \$ssl_client_verify \$remote_addr" \$fcfaas_realm {
        default                                "fcfaas store";
        "~^(?:GET|HEAD) SUCCESS "              off;
        "~^(?:GET|HEAD) \\w+ \Q$of{address}\E\$"  off;
    }

    server {
        listen  $of{address}:$of{port} ssl;

        ssl_certificate         $etc/tls/machine.pem;
        ssl_certificate_key     $etc/tls/machine.pem;
        ssl_client_certificate  $etc/tls/ca.crt;
        ssl_verify_client       optional;
        ssl_protocols           TLSv1.3;
        ssl_session_tickets     off;

        location ~ "^/fcfaas/store/(?<fcfaas_image>[0-9a-f]{64}\\.img)\$" {
            alias                  $var/store/\$fcfaas_image;
            dav_methods            PUT DELETE;
            create_full_put_path   on;
            client_max_body_size   2g;

            auth_basic             \$fcfaas_realm;
            auth_basic_user_file   $etc/store.users;
        }

        # by which a token's head is known
        location = /fcfaas/setup/ca {
            default_type  application/x-pem-file;
            alias         $etc/tls/ca.crt;
        }

        location ~ ^/fcfaas/setup/(?:join|renew)\$ {
            client_max_body_size  32k;

            proxy_pass            http://unix:/run/fcfaas-sign.sock;
            proxy_read_timeout    30s;
        }

        location / {
            return  404;
        }
    }
    EOC
}


# what the command needs to speak to the store and to nodes
sub cli_tls {
    return <<"    EOC" =~ s/^ {4}//gmr;
    store_ca = $etc/tls/ca.crt
    node_ca = $etc/tls/ca.crt
    node_cert = $etc/tls/machine.pem
    node_key = $etc/tls/machine.pem
    EOC
}


# of the command: root's, since the passwords are
sub cli_conf {
    my ($etcd, $gateway, $store) = @_;
    my $at = $store // "http://$gateway/fcfaas/store";
    my $tls = defined $store ? cli_tls() : '';

    return <<"    EOC" =~ s/^ {4}//gmr;
    # Settings of fcfaas, written by fcfaas-setup.
    etcd = $etcd
    etcd_user = deploy
    etcd_password_file = $etc/etcd-deploy.password
    redis = unix:$socket
    redis_user = deploy
    redis_password_file = $etc/redis-deploy.password
    gateway = http://$gateway/run
    store = $at
    ${tls}    store_token_file = $etc/store.token
    EOC
}

1;
