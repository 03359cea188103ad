#!/usr/bin/perl

# Hosts of their own, each in a network namespace, on one LAN: three etcd, a
# Redis, two gateways, two nodes (instant backend).  One node is cut off and
# comes back, an etcd dies, while both gateways are asked all the time.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use POSIX ();
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $functions = 10;
my $dir = tmpdir();
my %ns;                                 # a host's name => its namespace
my %ip = (etcd1 => '10.50.0.11', etcd2 => '10.50.0.12', etcd3 => '10.50.0.13',
    redis => '10.50.0.20', gw1 => '10.50.0.31', gw2 => '10.50.0.32',
    node1 => '10.50.0.41', node2 => '10.50.0.42', lan => '10.50.0.1');
my @etcd = map { "http://$ip{$_}:2379" } qw(etcd1 etcd2 etcd3);
my (%etcd, %node, %gateway, %cable);

# --- the hosts

sub hosts {
    $ns{$_} = FcfTest::Netns->new($_) for sort keys %ip;
    my $lan = $ns{lan};
    $lan->run(qw(ip link add lan0 type bridge));
    $lan->run(qw(ip addr add), "$ip{lan}/24", qw(dev lan0));
    $lan->run(qw(ip link set lan0 up));

    for my $host (grep { $_ ne 'lan' } sort keys %ip) {
        my ($here, $there) = $lan->veth($ns{$host}, '10.51.0.1/32',
            "$ip{$host}/24");
        $lan->run('ip', 'addr', 'flush', 'dev', $here);
        $lan->run('ip', 'link', 'set', $here, 'master', 'lan0');
        $cable{$host} = $here;
    }
}

sub etcd_member {
    my ($name) = @_;
    my $peer = "http://$ip{$name}:2380";
    return FcfTest::Proc->spawn(name => $name, netns => $ns{$name}, show => 5,
        argv => ['etcd', '--name', $name, '--data-dir', "$dir/$name.data",
            '--listen-client-urls', "http://$ip{$name}:2379",
            '--advertise-client-urls', "http://$ip{$name}:2379",
            '--listen-peer-urls', $peer, '--initial-advertise-peer-urls',
            $peer, '--initial-cluster', join(',', map {
                "$_=http://$ip{$_}:2380" } qw(etcd1 etcd2 etcd3)),
            '--heartbeat-interval', 100, '--election-timeout', 1000]);
}

sub node {
    my ($name) = @_;
    my $build = build_dir();
    my $node = FcfTest::Proc->spawn(name => $name, netns => $ns{$name},
        grace => 40, argv => ["$build/agent/fcfaas-agent", '--conf=/dev/null',
            "--node_id=$name", '--etcd=' . join(',', @etcd),
            "--redis=$ip{redis}:6379", "--advertise=$ip{$name}",
            "--token_file=$dir/token", "--state_dir=$dir/$name",
            "--run_dir=$dir/run-$name",
            "--functions=$dir/functions", "--runtimes=$dir/runtimes",
            "--kernel=$dir/vmlinux", "--initrd=$dir/initrd",
            "--vmm=$build/vm/vmm/fcfaas-vmm", '--vmm_args=--backend instant',
            '--max_boots=1', '--proxy_user=61234', '--log_level=debug']);
    $node->line_matching(qr/"msg":"ready: /, 60);
    return $node;
}

sub gateway {
    my ($name) = @_;
    my $etcd = join ' ', @etcd;
    return FcfTest::Nginx->start(name => $name, netns => $ns{$name},
        listen => $ip{$name}, port => 8080, workers => 2, http => <<"    EOH",
        fcfaas_etcd $etcd;
        fcfaas_redis $ip{redis}:6379;
        fcfaas_zone fcfaas 1m;
        fcfaas_token_file $dir/token;
        upstream functions { fcfaas; keepalive 64; }
    EOH
        server => <<'    EOS');
        location ~ ^/run/(?<function_id>[^/]+) {
            fcfaas $function_id;
            fcfaas_park_timeout 40s;
            proxy_pass http://functions$fcfaas_uri;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
        location = /status { fcfaas_status; }
    EOS
}

sub call {
    my ($gw, $function) = @_;
    return FcfTest::Http->send(host => $ip{$gw}, port => 8080,
        netns => $ns{lan}, path => "/run/$function");
}

# --- what there is

sub store { FcfTest::Etcd->attach(listen => $ip{$_[0]}, port => 2379,
    netns => $ns{lan}) }

# function => [worker_id ...] of the instances in etcd
sub instances {
    my ($etcd) = @_;
    my %at;
    m{^/functions/([^/]+)/instances/(.+)} and push @{$at{$1}}, $2
        for $etcd->keys('/functions/');
    return %at;
}

sub vmms {
    my ($name) = @_;
    return grep { (readlink("/proc/$_/cwd") // '') =~ m{^\Q$dir\E/$name/} }
        map { m{/proc/(\d+)$} } glob '/proc/[0-9]*';
}

# Every function through both gateways, over and over, one of each at a time,
# until told to end; prints what was not 200.
sub load_begin {
    pipe my $read, my $write or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    return ($pid, $read) if $pid;

    close $read;
    my ($sent, $stop, @bad) = (0, 0);
    local $SIG{TERM} = sub { $stop = 1 };
    until ($stop) {
        my @q = map { my $gw = $_; map { [$gw, "f$_", call($gw, "f$_")] }
            1 .. $functions } qw(gw1 gw2);
        $sent += @q;
        for (@q) {
            my $r = eval { $_->[2]->response(60) }
                // { status => 0, body => $@ };
            push @bad, "$_->[0] $_->[1]: $r->{status} $r->{body}"
                if $r->{status} != 200;
        }
    }
    print $write json_encode({ sent => $sent, bad => \@bad });
    close $write;
    POSIX::_exit(0);
}

sub load_end {
    my ($pid, $read) = @_;
    kill 'TERM', $pid;
    my $text = do { local $/; <$read> };
    waitpid $pid, 0;
    return json_decode($text);
}

# --- the test

hosts();
mkdir "$dir/$_" for qw(functions runtimes);
spew("$dir/$_", 'x') for qw(vmlinux initrd);
spew("$dir/runtimes/base.img", "\0" x 4096);
spew("$dir/token", "sesame\n");
spew("$dir/functions/f$_.img", "fcfaas-instant\nboot_ms=200\n\n" . "\0" x 4096)
    for 1 .. $functions;

$etcd{$_} = etcd_member($_) for qw(etcd1 etcd2 etcd3);
my $etcd = store('etcd1');
wait_for(sub { eval { $etcd->put('/test', 1) } }, 30, 'etcd to have a leader');
FcfTest::Redis->start(netns => $ns{redis}, listen => $ip{redis},
    port => 6379);
$etcd->spec("f$_", memory_mb => 128, max_instances => 1) for 1 .. $functions;
$node{$_} = node($_) for qw(node1 node2);
$gateway{$_} = gateway($_) for qw(gw1 gw2);

subtest 'cold, through two gateways' => sub {
    my @q = map { call($_ % 2 ? 'gw1' : 'gw2', "f$_") } 1 .. $functions;
    is(scalar(grep { $_->response(60)->{status} == 200 } @q), $functions,
        'all are served');
    my %at = instances($etcd);
    my %on;
    $on{$_}++ for map { /^(node\d)-/ } map { @$_ } values %at;
    is(scalar(grep { @$_ == 1 } values %at), $functions,
        'one instance of each');
    cmp_ok($on{$_} // 0, '>=', 2, "$_ has " . ($on{$_} // 0) . ' of them')
        for qw(node1 node2);
};

my @load = load_begin();

subtest 'a node is cut off' => sub {
    $ns{lan}->run('ip', 'link', 'set', $cable{node1}, 'down');
    wait_for(sub {
        my %at = instances($etcd);
        !grep { /^node1-/ } map { @$_ } values %at;
    }, 40, 'its instances to vanish');
    pass('its instances vanish by their lease');
    wait_for(sub {
        my %at = instances($etcd);
        keys %at == $functions;
    }, 60, 'the other node to serve all');
    pass('the other node serves all');
    ok(!grep({ $_ eq '/workers/node1' } $etcd->keys('/workers/')),
        'it is no worker any more');
};

subtest 'it comes back' => sub {
    $ns{lan}->run('ip', 'link', 'set', $cable{node1}, 'up');
    wait_for(sub { grep { $_ eq '/workers/node1' } $etcd->keys('/workers/') },
        60, 'it to be a worker again');
    wait_for(sub {
        my %at = instances($etcd);
        my %mine = map { $_ => 1 } grep { /^node1-/ } map { @$_ } values %at;
        keys %at == $functions && !grep({ @$_ != 1 } values %at)
            && vmms('node1') == keys %mine;
    }, 60, 'what others serve by now to be ended');
    pass('no function has two instances, and no VM is left over');
};

subtest 'an etcd dies' => sub {
    my ($leader) = grep { store($_)->call('/v3/maintenance/status', {})
        ->{leader} eq store($_)->call('/v3/maintenance/status', {})
        ->{header}{member_id} } qw(etcd1 etcd2 etcd3);
    ok($leader, 'there is a leader') or return;
    $etcd{$leader}->stop('KILL');
    my ($other) = grep { $_ ne $leader } qw(etcd1 etcd2 etcd3);
    $etcd = store($other);
    wait_for(sub { eval { $etcd->put('/test', 2) } }, 30, 'another leader');
    wait_for(sub { (() = instances($etcd)) == 2 * $functions }, 60,
        'all functions to be there');
    pass('all functions are there');
};

my $load = load_end(@load);
cmp_ok($load->{sent}, '>', 2 * $functions, "$load->{sent} requests meanwhile");
is_deeply($load->{bad}, [], 'none was lost');

subtest 'the end' => sub {
    $node{$_}->stop for qw(node1 node2);
    is(scalar(vmms($_)), 0, "$_: no VM is left") for qw(node1 node2);
    is_deeply([grep { m{/(instances|slots)/} } $etcd->keys('/functions/')], [],
        'no key is left');
    is_deeply([$etcd->keys('/workers/')], [], 'no worker');
    unlike($ns{$_}->run('ip', '-o', 'link'), qr/fctap|fc-bridge/,
        "$_: no device is left") for qw(node1 node2);
    $gateway{$_}->stop for qw(gw1 gw2);
};

done_testing();
