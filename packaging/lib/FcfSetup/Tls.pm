package FcfSetup::Tls;

# TLS between machines, by nginx's own modules.  Text alone: nothing is read or
# written here.
#
#   front_conf(%of): all of the settings of fcfaas-front.service, an nginx of
#   its own (its stream module, Debian's libnginx-mod-stream):
#       ca, certificate, key   PEM files of this machine; the private key may
#                              be root's alone
#       run => '/run/fcfaas-front'   directory of its sockets
#       node => {...}          on a node: TLS for the ports of VMs, and for the
#                              admin listener
#           address            where gateways reach this node: "advertise" of
#                              the agent, which has "listen = 127.0.0.1"
#           first, last        the agent's port_first and port_last
#           admin              port of its admin listener; undef: none
#           roles => ['gateway', 'head']   whose certificates (OU=...) may
#                              come; undef: all that the CA signed
#       redis => [{...}]       where the agent or the gateway is given
#                              "unix:SOCKET" as address of a Redis with TLS
#           socket, address    of the former, and "10.0.0.1:6380" of the latter
#           name               that Redis' certificate has (DNS)
#       own_redis => {...}     TLS before a Redis of this machine's:
#           address, socket    where others reach it, and where it is
#       user                   of its workers; undef: nginx's own
#       workers => 'auto'      its processes: each takes some 28 MiB with all
#                              ports
#       module                 the file of the stream module
#
#   gateway_tls(%of): the directives of a gateway's locations with
#   "proxy_pass https://functions$fcfaas_uri" (instances) or
#   "https://$fcfaas_node_admin..." (nodes' admin listeners):
#       ca, certificate, key   PEM files of this machine
#       name => 'node.fcfaas'  that all nodes' certificates have (DNS)
#
# A port that no VM has is refused by the agent's end, behind TLS that is up
# already.  A gateway has sent its request by then, and may send it to another
# instance only if it hears that nobody has seen it: so such connections are
# given to "gone", which says so ("X-Fcfaas-Unsent"), each port by an upstream
# of its own, and does not keep them, since the port may be a VM's a moment
# later.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(front_conf gateway_tls);


sub front_conf {
    my (%of) = (run => '/run/fcfaas-front', workers => 'auto',
        module => '/usr/lib/nginx/modules/ngx_stream_module.so', @_);
    my ($node, $redis) = @of{qw(node redis)};
    my $user = defined $of{user} ? "user $of{user};\n" : '';

    # a socket for each port in every worker, and two for each request
    return <<"    EOC" =~ s/^ {4}//gmr
    # TLS between this machine and others, written by fcfaas-setup: settings of
    # fcfaas-front.service.
    ${user}load_module $of{module};
    daemon off;
    worker_processes $of{workers};
    pid $of{run}/front.pid;
    error_log stderr warn;

    events {
        worker_connections 32768;
    }
    EOC
        . _stream(($node ? (_upstreams(\%of), _ports(\%of), _admin(\%of)) : ()),
            $of{own_redis} ? _own_redis(\%of, $of{own_redis}) : (),
            map { _redis(\%of, $_) } @{ $redis // [] })
        . ($node ? _gone(\%of) : '');
}


sub gateway_tls {
    my (%of) = (name => 'node.fcfaas', @_);

    return <<"    EOC" =~ s/^ {4}//gmr;
    proxy_ssl_name                 $of{name};
    proxy_ssl_trusted_certificate  $of{ca};
    proxy_ssl_verify               on;
    proxy_ssl_verify_depth         2;
    proxy_ssl_certificate          $of{certificate};
    proxy_ssl_certificate_key      $of{key};
    proxy_ssl_protocols            TLSv1.3;
    EOC
}


sub _stream {
    my (@parts) = @_;
    return '' if !@parts;
    return "\nstream {\n" . join("\n", map { s/^(?=.)/    /gmr } @parts)
        . "}\n";
}


# One that was refused once is tried again by the next.
sub _upstreams {
    my ($of) = @_;
    my $node = $of->{node};
    my @roles = @{ $node->{roles} // [] };
    my $dn = @roles ? '(^|,)OU=(' . join('|', @roles) . ')(,|$)' : '.';

    return join '', <<"    EOC" =~ s/^ {4}//gmr,
    map \$ssl_client_s_dn \$fcfaas_port {
        "~$dn"  vm\$server_port;
        default  gone;
    }

    map \$ssl_client_s_dn \$fcfaas_admin {
        "~$dn"  admin;
        default  gone;
    }

    upstream gone {
        server unix:$of->{run}/gone.sock;
    }

    EOC
        map { "upstream vm$_ { server 127.0.0.1:$_ max_fails=0; "
            . "server unix:$of->{run}/gone.sock max_fails=0 backup; }\n" }
            $node->{first} .. $node->{last};
}


# What has to last is timed by gateways and by the proxy: here only a peer that
# is gone without a word ends a connection.
sub _ports {
    my ($of) = @_;
    my $node = $of->{node};

    return <<"    EOC" =~ s/^ {4}//gmr . _server_tls($of) . <<"    EOC" =~ s/^ {4}//gmr;
    server {
        listen $node->{address}:$node->{first}-$node->{last} ssl backlog=4096 so_keepalive=60s:15s:4;
    EOC

        proxy_pass \$fcfaas_port;
        proxy_connect_timeout 1s;
        proxy_timeout 7d;
        proxy_socket_keepalive on;
    }
    EOC
}


sub _admin {
    my ($of) = @_;
    my $node = $of->{node};
    return () if !defined $node->{admin};

    return <<"    EOC" =~ s/^ {4}//gmr . _server_tls($of) . <<"    EOC" =~ s/^ {4}//gmr;
    upstream admin {
        server 127.0.0.1:$node->{admin};
    }

    server {
        listen $node->{address}:$node->{admin} ssl so_keepalive=60s:15s:4;
    EOC

        proxy_pass \$fcfaas_admin;
        proxy_connect_timeout 2s;
        proxy_timeout 1h;
    }
    EOC
}


# A certificate whose machine may not come is one of the CA's all the same, so
# it hears that nobody is there; any other ends here.
sub _server_tls {
    my ($of) = @_;

    return <<"    EOC";

        ssl_certificate         $of->{certificate};
        ssl_certificate_key     $of->{key};
        ssl_client_certificate  $of->{ca};
        ssl_verify_client       on;
        ssl_verify_depth        2;
        ssl_protocols           TLSv1.3;
        ssl_handshake_timeout   5s;
    EOC
}


sub _own_redis {
    my ($of, $own) = @_;

    return <<"    EOC" =~ s/^ {4}//gmr . _server_tls($of) . <<"    EOC" =~ s/^ {4}//gmr;
    server {
        listen $own->{address} ssl so_keepalive=60s:15s:4;
    EOC

        proxy_pass unix:$own->{socket};
        proxy_connect_timeout 2s;
        proxy_timeout 1h;
    }
    EOC
}


sub _redis {
    my ($of, $redis) = @_;

    return <<"    EOC" =~ s/^ {4}//gmr;
    server {
        listen unix:$redis->{socket};

        proxy_pass $redis->{address};
        proxy_connect_timeout 2s;
        proxy_timeout 1h;
        proxy_socket_keepalive on;

        proxy_ssl on;
        proxy_ssl_name                 $redis->{name};
        proxy_ssl_trusted_certificate  $of->{ca};
        proxy_ssl_verify               on;
        proxy_ssl_verify_depth         2;
        proxy_ssl_certificate          $of->{certificate};
        proxy_ssl_certificate_key      $of->{key};
        proxy_ssl_protocols            TLSv1.3;
    }
    EOC
}


# nginx judges keepalive_timeout with the location: "return" stands in one
sub _gone {
    my ($of) = @_;

    return <<"    EOC" =~ s/^ {4}//gmr;

    http {
        access_log off;
        client_body_temp_path $of->{run}/body;
        proxy_temp_path $of->{run}/proxy;
        fastcgi_temp_path $of->{run}/fastcgi;
        uwsgi_temp_path $of->{run}/uwsgi;
        scgi_temp_path $of->{run}/scgi;

        server {
            listen unix:$of->{run}/gone.sock backlog=4096;

            location / {
                keepalive_timeout 0;
                client_max_body_size 0;
                add_header X-Fcfaas-Unsent gone always;
                return 503;
            }
        }
    }
    EOC
}

1;
