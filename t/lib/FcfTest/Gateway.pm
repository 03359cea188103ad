package FcfTest::Gateway;

# A gateway with all that it talks to: etcd, Redis, and an nginx that plays
# the agent.
#
#   my $g = FcfTest::Gateway->start(
#       workers  => 2,              # of the gateway
#       location => 'fcfaas_park_timeout 1s;',  # in "location /run/<id>"
#       http     => '...', server => '...',
#       agent    => '...',          # in the agent's server {}, before the rest
#       agents   => 2,              # how many ports it listens on
#       park_timeout => '10s', zone => '1m',
#       redis    => [...], etcd => [...],       # options of their start
#       etcd_url => $url,           # where nginx finds it, if not at its own
#   );
#   # also: main, events, env, log_level, connections (as for FcfTest::Nginx)
#   $g->nginx; $g->etcd; $g->redis; $g->agent;
#   $g->port; $g->agent_port; $g->agent_port(1);
#   $g->get('/run/hello/x', %options_of_http_get);
#   $g->send('/run/hello');         # a FcfTest::Http that goes on
#   $g->send_on('/run/hello');      # over the last such one's connection
#   $g->status;                     # fcfaas_status, decoded
#   $g->parked;                     # how many wait
#   $g->wait_quiet;                 # until nothing is counted any more: nobody
#                                   # waits, none is in an instance, and
#                                   # nothing is held for them
#   $g->wait_known('instances', 2, $timeout);   # until each worker knows of
#                                   # so many; or 'specs', 'functions'
#   $g->spec(...);                  # $etcd's; waits until it is known
#   $g->instance(...);              # $etcd's, on the agent's port
#   $g->warm('hello', port => $p);  # the same, waits until it is known
#   $g->ready('hello');             # waits until all workers serve it: asks
#                                   # until it answered 200 twenty times;
#                                   # how often it was asked
#   $g->seen($timeout);             # until all workers have seen what is in
#                                   # etcd; when that was
#   FcfTest::Gateway::saved($path); # what a state file has: "specs instances"
#   FcfTest::Gateway::balancer('fcfaas_park_limit 1;');     # the text of a
#                                   # location /balancer/, where requests wait
#                                   # in the balancer; wants a cache "c"
#   $g->stop;                       # ok(): its error.log is clean
#
# The agent answers "<request line>|<function>|<token>|<connection>\n" for any
# path, so that a test sees what was sent, and over which connection.

use strict;
use warnings;

use Test::More ();
use Time::HiRes ();


sub start {
    my ($class, %opt) = @_;
    my $self = bless { agents => 1, workers => 1, %opt }, $class;

    $self->{etcd} = FcfTest::Etcd->start(@{ $opt{etcd} // [] });
    $self->{redis} = FcfTest::Redis->start(@{ $opt{redis} // [] });
    $self->_start_agent;

    FcfTest::spew($self->token_file, "secret\n");

    $self->{nginx} = FcfTest::Nginx->start(name => 'gateway',
        workers => $self->{workers}, http => $self->_http,
        server  => $self->_server,
        map { exists $opt{$_} ? ($_ => $opt{$_}) : () }
            qw(main events env log_level connections));

    return $self;
}


sub _start_agent {
    my ($self) = @_;
    my @ports = map { FcfTest::free_port() } 1 .. $self->{agents};
    my ($first, @more) = @ports;
    my $listen = join "\n", map { "listen 127.0.0.1:$_;" } @more;

    $self->{ports} = \@ports;
    $self->{agent} = FcfTest::Nginx->start(name => 'agent', module => 0,
        port => $first, http => 'keepalive_requests 1000000;',
        server => <<"        EOC");
            $listen
            @{[ $self->{agent} // '' ]}

            location / {
                set \$sent "\$http_x_fcfaas_function|\$http_x_fcfaas_token";
                return 200 "\$request|\$sent|\$connection\\n";
            }
        EOC
}


sub token_file { FcfTest::tmpdir() . '/token' }


sub _http {
    my ($self) = @_;
    my ($etcd, $redis) = ($self->{etcd_url} // $self->{etcd}->endpoint,
        $self->{redis}->addr);
    my $token = $self->token_file;

    return <<"    EOC" . ($self->{http} // '');
        fcfaas_etcd $etcd;
        fcfaas_redis $redis;
        fcfaas_zone fcfaas @{[ $self->{zone} // '1m' ]};
        fcfaas_token_file $token;

        upstream functions {
            fcfaas keepalive=64;
        }
    EOC
}


sub _server {
    my ($self) = @_;
    my $timeout = $self->{park_timeout} // '10s';

    return <<"    EOC" . ($self->{server} // '');
        location ~ ^/run/(?<function_id>[^/]+) {
            fcfaas \$function_id;
            fcfaas_park_timeout $timeout;
            @{[ $self->{location} // '' ]}

            proxy_pass http://functions\$fcfaas_uri;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }

        location = /status {
            fcfaas_status;
        }
    EOC
}


sub nginx { $_[0]{nginx} }
sub etcd  { $_[0]{etcd} }
sub redis { $_[0]{redis} }
sub agent { $_[0]{agent} }
sub port  { $_[0]{nginx}->port }
sub agent_port { $_[0]{ports}[$_[1] // 0] }


sub get {
    my ($self, $path, %opt) = @_;
    return FcfTest::http_get($self->port, $path, %opt);
}

sub send {
    my ($self, $path, %opt) = @_;
    return FcfTest::http_send($self->port, $path, %opt);
}

# over the connection of the last one that was sent by this, which is kept
sub send_on {
    my ($self, $path, %opt) = @_;
    my $last = $self->{sent_on};

    return $self->{sent_on} = $self->send($path, keepalive => 1,
        $last ? (sock => $last->sock) : (), %opt);
}

sub status { FcfTest::json_decode($_[0]->get('/status')->{body}) }

# the workers tell the zone once in a while, so wait for what you expect
sub parked { $_[0]->status->{parked} }

sub wait_parked {
    my ($self, $n, $timeout) = @_;
    FcfTest::wait_for(sub { $self->parked == $n }, $timeout // 20,
        "$n parked requests");
}


sub wait_quiet {
    my ($self, $timeout) = @_;
    my %left;

    eval {
        FcfTest::wait_for(sub {
            my $s = $self->status;
            my $zone = $s->{zone};
            %left = (waiting => $zone->{waiting},
                (map { $_ => $zone->{$_}{used} } 'ledgers', 'waits'));

            for my $worker (@{ $s->{workers} }) {
                $left{$_} += $worker->{$_} for qw(parked parked_bytes busy);
            }

            !grep { $_ } values %left;
        }, $timeout // 5, 'nothing to be counted');
    } or die join(', ', map { "$_: $left{$_}" } sort keys %left) . ": $@";
}


# none before all of them are there, also those that have just been started:
# others that are about to end may still be there
sub _all_workers {
    my ($self) = @_;
    my @workers = @{ $self->status->{workers} };
    my %there = map { $_->{pid} => 1 } @workers;

    return () if grep { !$there{$_} } $self->{nginx}->workers;
    return @workers >= $self->{workers} ? @workers : ();
}

sub wait_known {
    my ($self, $what, $n, $timeout) = @_;

    FcfTest::wait_for(sub {
        my @workers = $self->_all_workers;
        @workers && @workers == grep { $_->{$what} == $n } @workers;
    }, $timeout // 5, "$n $what in each worker");
}


sub spec {
    my ($self, @spec) = @_;

    $self->{etcd}->spec(@spec);
    $self->wait_known('specs', scalar $self->{etcd}->keys('/specs/'));
}

sub instance {
    my ($self, $function_id, %opt) = @_;
    return $self->{etcd}->instance($function_id, port => $self->agent_port,
        %opt);
}

sub warm {
    my ($self, @instance) = @_;

    $self->instance(@instance);
    $self->wait_known('instances', scalar $self->{etcd}->keys('/functions/'));
}


sub ready {
    my ($self, $function_id) = @_;
    my ($good, $asked) = (0, 0);

    FcfTest::wait_for(sub {
        $asked++;
        $good = $self->get("/run/$function_id")->{status} == 200
            ? $good + 1 : 0;
        $good >= 20;
    }, 10, "$function_id to be served");

    return $asked;
}


# of a state file's head: how many specs and instances
sub saved {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '0 0';
    read($fh, my $head, 144) == 144 or return '0 0';
    return join ' ', unpack 'x40 LL', $head;
}


# one that a cache may answer waits in the balancer
sub balancer {
    my ($more) = (@_, '');

    return <<"    EOC";
    location ~ ^/balancer/(?<f_b>[^/]+) {
        fcfaas \$f_b;
        fcfaas_park_timeout 60s;
        $more
        proxy_cache c;
        proxy_cache_methods GET HEAD POST;
        proxy_cache_key \$request_id;
        proxy_pass http://functions\$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
    EOC
}


sub seen {
    my ($self, $timeout) = @_;

    my $revision = $self->{etcd}->put('/specs/mark', '{}');
    FcfTest::wait_for(sub {
        my @workers = $self->_all_workers;
        @workers && @workers == grep { $_->{etcd}{revision} >= $revision }
            @workers;
    }, $timeout // 30, 'the workers to see the spec');
    return Time::HiRes::time();
}


sub stop {
    my ($self) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->{nginx}->stop;
    return $self;
}

1;
