# What bench/warm has nginx configured to: the gateway, plain nginx beside it,
# and the upstream of both.  %opt is what its command line says, %port where
# each listens; PORT is left for the caller to put in.

package WarmConf;

use strict;
use warnings;

my $proxy = <<'EOC';
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
EOC

# of the n-th instance of the i-th function; one alone is where the reference
# is
sub address {
    my ($opt, $n, $i) = @_;

    return $opt->{instances} > 1
        ? sprintf '127.1.%d.%d', $n / 250, 1 + $n % 250
        : $opt->{active} > 1 && $i
        ? sprintf '127.2.%d.%d', $i / 250, 1 + $i % 250
        : '127.0.0.1';
}

sub upstream {
    return <<"    EOC";
        server {
            listen PORT backlog=4096;
            location = /stub { stub_status; }
            location / { return 200 "ok\\n"; }
        }
    EOC
}

sub reference {
    my ($opt, $port) = @_;

    my $servers = join "\n", map {
        "server @{[ address($opt, $_, 0) ]}:$port->{upstream};"
    } 0 .. $opt->{instances} - 1;

    my @each = $opt->{active} > 1 && $opt->{instances} == 1
        ? 1 .. $opt->{active} : ();
    my $upstreams = join "\n", map {
        "upstream plain-$_ { "
        . "server @{[ address($opt, 0, $_) ]}:$port->{upstream}; "
        . "keepalive $opt->{connections}; keepalive_requests 1000000000; }"
    } @each;
    my $locations = join "\n", map {
        "location = /run/active-$_ { proxy_pass http://plain-$_/; $proxy }"
    } @each;

    $locations = "location /run/active-1 { proxy_pass http://functions/; "
        . "$proxy }" if $opt->{static};

    return <<"    EOC";
        $upstreams
        upstream functions {
            $servers
            keepalive $opt->{keepalive}; keepalive_requests 1000000000;
        }
        server {
            listen 127.0.0.1:PORT backlog=4096;
            $locations
            @{[ $opt->{static} ? '' : _by_name() ]}
        }
    EOC
}

sub _by_name {
    return <<"    EOC";
        location ~ ^/run/(?<function_id>[^/]+)/?(?<rest>.*) {
            proxy_pass http://functions/\$rest;
            $proxy
        }
    EOC
}

sub gateway {
    my ($opt, $port) = @_;

    my $keep = $opt->{nginx}
        ? "fcfaas; keepalive $opt->{keepalive}; "
            . 'keepalive_requests 1000000000;'
        : "fcfaas keepalive=$opt->{keepalive} keepalive_requests=1000000000;";

    my ($location, $id) = $opt->{regex}
        ? ('~ ^/run/(?<function_id>[^/]+)', ' $function_id') : ('/run/', '');

    return <<"    EOC";
        fcfaas_etcd http://127.0.0.1:$port->{etcd};
        fcfaas_redis 127.0.0.1:$port->{redis};
        upstream functions { $keep }
        server {
            listen 127.0.0.1:PORT backlog=4096;
            location = /status { fcfaas_status; }
            location $location {
                fcfaas$id;
                proxy_pass http://functions\$fcfaas_uri;
                $proxy
            }
        }
    EOC
}

1;
