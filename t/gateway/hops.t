# Requests that go from instance to instance: once to one that failed them,
# and not for longer than the park timeout.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Select;
use IO::Socket::INET;
use Test::More;

my $busy = free_port();
my $cut = 0;

my $g = FcfTest::Gateway->start(park_timeout => '2s', agent => <<"EOC", server => <<'EOS');
    listen 127.0.0.1:$busy;

    location = /missing { return 404; }

    location ~ ^ {
        if (\$server_port = $busy) {
            add_header X-Fcfaas-Unsent busy always;
            return 503;
        }

        return 200 "\$request\\n";
    }
EOC
    location ~ ^/next/(?<f_next>[^/]+) {
        fcfaas $f_next;
        proxy_pass http://functions$fcfaas_uri;
        proxy_next_upstream error timeout http_404;
        add_header X-Attempts $fcfaas_attempts always;
    }
    location ~ ^/try/(?<f_try>[^/]+) {
        fcfaas $f_try;
        fcfaas_park_timeout 2s;
        proxy_pass http://functions$fcfaas_uri;
        proxy_read_timeout 1s;
        add_header X-Attempts $fcfaas_attempts always;
    }
EOS

sub timed {
    my ($path, %opt) = @_;
    my $start = now();
    my $r = $g->send($path, %opt)->response(20);
    return ($r, now() - $start);
}

# busy for ever
$g->spec('busy');
$g->etcd->instance('busy', worker => "b-$_", port => $busy) for 1 .. 3;
$g->wait_known('instances', 3);

for my $how ([], [method => 'POST', body => 'x' x 100000]) {
    my ($r, $took) = timed('/try/busy/x', @$how);
    is($r->{status}, 504, 'busy for ever: 504');
    is($r->{headers}{'x-fcfaas-error'}, 'park_timeout', 'with the reason');
    cmp_ok($took, '>', 1.5, sprintf 'not before its time (%.1f s)', $took);
    cmp_ok($took, '<', 6, sprintf 'not long after (%.1f s)', $took);
    cmp_ok($r->{headers}{'x-attempts'}, '<', 300, 'attempts are bounded');
}

# refused and nowhere to go
$g->spec('refused', max_instances => 1);
$g->etcd->instance('refused', worker => 'r-1', port => free_port());
$g->wait_known('instances', 4);
my ($r, $took) = timed('/try/refused/x');
cmp_ok($r->{status}, '>=', 503, "refused for ever: $r->{status}");
cmp_ok($took, '<', 6, sprintf 'in time (%.1f s)', $took);

# Blackholed, more of them than there are seconds: there is always another one
# to try, each takes a second, and none of that is waiting in a queue.  The
# kernel drops who comes to a listener whose own queue is full.
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
    or die "listen: $!";
my @fill = map {
    IO::Socket::INET->new(PeerAddr => '127.0.0.1', Blocking => 0,
        PeerPort => $full->sockport)
} 1 .. 4;

$g->spec('hole');
$g->etcd->instance('hole', worker => "h-$_", port => $full->sockport)
    for 1 .. 9;
$g->wait_known('instances', 13);

for my $how ([], [method => 'POST', body => 'x']) {
    ($r, $took) = timed('/try/hole/x', @$how);
    is($r->{status}, 504, 'blackholed: 504');
    cmp_ok($r->{headers}{'x-attempts'}, '<=', 3, 'it goes on for 2 s, no more');
}

$g->etcd->no_instance('hole', "h-$_") for 1 .. 9;
close $_ for $full, @fill;
$g->wait_known('instances', 4);

# instances that cut the connection, each once
my %count;
my @listen = map {
    IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die $!
} 1 .. 3;
my $pid = fork // die "fork: $!";

if ($pid == 0) {
    my $select = IO::Select->new(@listen);
    my @silent;

    while (1) {
        for my $l ($select->can_read) {
            my $c = $l->accept or next;
            sysread $c, my $head, 65536;

            # the third is silent for ever
            push @silent, $c if $l == $listen[2];
        }
    }
}

$g->spec('cut');
$g->etcd->instance('cut', worker => "c-$_", port => $listen[$_]->sockport)
    for 0, 1;
$g->wait_known('instances', 6);
($r, $took) = timed('/try/cut/x');
is($r->{status}, 502, 'cut by both: 502');
is($r->{headers}{'x-attempts'}, 2, 'each was tried once');
($r, $took) = timed('/try/cut/x', method => 'POST', body => 'x');
is($r->{status}, 502, 'POST: 502');
is($r->{headers}{'x-attempts'}, 1, 'and tried once');

$g->spec('alone');
$g->etcd->instance('alone', worker => 'a-1', port => $listen[0]->sockport);
$g->wait_known('instances', 7);
($r, $took) = timed('/try/alone/x');
is($r->{status}, 502, 'cut by the only one: 502');
is($r->{headers}{'x-attempts'}, 1, 'which was tried once');

$g->spec('silent');
$g->etcd->instance('silent', worker => 's-1', port => $listen[2]->sockport);
$g->wait_known('instances', 8);

for my $how ([], [method => 'POST', body => 'x' x 10]) {
    ($r, $took) = timed('/try/silent/x', @$how);
    is($r->{status}, 504, 'silence: 504');
    is($r->{headers}{'x-fcfaas-error'}, 'timeout', 'in JSON');
    is($r->{headers}{'x-attempts'}, 1, 'tried once');
    cmp_ok($took, '<', 3, sprintf 'in time (%.1f s)', $took);
}

# a 404 that shall go to the next one: that ends too
$g->spec('next');
$g->instance('next', worker => 'n-1');
$g->wait_known('instances', 9);
($r, $took) = timed('/next/next/missing');
cmp_ok($r->{status}, '>=', 400, "http_404: $r->{status}");
cmp_ok($r->{headers}{'x-attempts'}, '<=', 3, 'and ends');

kill 'KILL', $pid;
waitpid $pid, 0;
$g->stop;
done_testing;
