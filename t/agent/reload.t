#!/usr/bin/perl

# SIGHUP: settings that can be changed are, those that cannot are named, and a
# file that is wrong changes nothing.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('reload');
image('hello');

my $conf = "$dir/agent.conf";
my %set = settings('a', log_level => 'info');

sub write_conf {
    my (%more) = @_;
    my %all = (%set, %more);
    spew($conf, join '', map { "$_ = $all{$_}\n" } sort keys %all);
}

write_conf();
my $agent = FcfTest::Proc->spawn(name => 'agent', grace => 40,
    argv => [build_dir() . '/agent/fcfaas-agent', "--conf=$conf",
        '--max_boots=7']);
$agent->line_matching(qr/"msg":"ready: /, 20);
job('hello', 'req-1');
my ($key, $i) = instance('hello');

sub status {
    my ($token) = @_;
    return http_get($i->{proxy_port}, '/', headers => {
        'X-Fcfaas-Function' => 'hello', 'X-Fcfaas-Token' => $token })->{status};
}

# what it says between SIGHUP and the last word
sub reread {
    my ($last) = @_;
    my $from = length $agent->output;
    $agent->kill('HUP');
    $agent->line_matching($last, 10);
    return substr $agent->output, $from;
}

is(status('sesame'), 200, 'it serves');

subtest 'what can be changed' => sub {
    spew("$dir/token", "open\n");
    spew("$dir/token2", "other\n");
    write_conf(log_level => 'debug', max_vms => 1);
    my $said = reread(qr/token_file: taken/);
    like($said, qr/"msg":"$_: taken"/, "$_ is") for qw(log_level max_vms);
    wait_for(sub { status('open') == 200 }, 5, 'the token in the same file');
    is(status('sesame'), 403, 'the old one is refused');
    wait_for(sub { $agent->output =~ /"level":"debug"/ }, 10, 'debug lines');

    image('second');
    job('second', 'req-2');
    is(call('hello', $i->{proxy_port}, 'X-Fcfaas-Token' => 'open')->{status},
        200, 'served on');
    is(scalar(instances('second')), 0, 'no more than max_vms');
    write_conf(log_level => 'info', token_file => "$dir/token2");
    $said = reread(qr/token_file: taken/);
    ok((instance('second'))[0], 'and as many as it allows again');
    wait_for(sub { status('other') == 200 }, 5, 'the token of another file');

    # while another comes into use there are two
    spew("$dir/token2", "other\r\nnext\nthird\n");
    reread(qr/token_file: taken/);
    wait_for(sub { status('next') == 200 }, 5, 'the second line');
    is(status('other'), 200, 'and the first is good still');
    is(status($_), 403, "'$_' is not") for 'third', 'othe', 'nex', 'othernext';
    spew("$dir/token2", "next\nother\n");
    reread(qr/token_file: taken/);
    spew("$dir/token2", "next\n");
    reread(qr/token_file: taken/);
    wait_for(sub { status('other') == 403 }, 5, 'one line again');
    is(status('next'), 200, 'that one');
    spew("$dir/token2", "other\n");
    reread(qr/token_file: taken/);
    wait_for(sub { status('other') == 200 }, 5, 'as it was');

    write_conf(token_file => "$dir/token2", allow => '192.0.2.0/24');
    reread(qr/allow: taken/);
    wait_for(sub { status('other') == 0 }, 5, 'connections to be closed, '
        . 'as from another network');
    write_conf(token_file => "$dir/token2");
    reread(qr/allow: taken/);
    wait_for(sub { status('other') == 200 }, 5, 'all of them again');
};

subtest 'what cannot' => sub {
    write_conf(token_file => "$dir/token2", node_id => 'b', max_boots => 3,
        bridge => 'br-b');
    reread(qr/bridge: changes when/);
    like($agent->output, qr/"msg":"$_: changes when the agent is started again/,
        "$_ is named") for qw(node_id bridge);
    unlike($agent->output, qr/max_boots/, 'an option goes before the file');
    ok($etcd->get('/workers/a'), 'the node is the same');
};

subtest 'a file that is wrong' => sub {
    spew($conf, "max_vms = none\n");
    my $said = reread(qr/settings not taken/);
    like($said, qr{settings not taken: \S+agent\.conf:1: max_vms = \\"none\\"},
        'is named, by its line');
    write_conf(token_file => "$dir/nowhere");
    like(reread(qr/settings not taken/), qr{token_file = .*nowhere},
        'a token that is not there');
    unlink $conf;
    like(reread(qr/settings not taken/), qr{agent\.conf: No such file},
        'no file');
    is(status('other'), 200, 'and it serves on');
};

# One that comes together with a child's was lost now and then, which nobody
# would see but he who waits for the end.
subtest 'signals that come with others' => sub {
    write_conf();
    reread(qr/token_file: taken/);
    my ($proxy) = $agent->output =~ /the proxy, process (\d+), is there/;
    my $last = qr/reading the settings again/;
    my $n = 0;

    for (1 .. 60) {
        kill 'STOP', $proxy;
        $agent->kill('CONT');
        eval { reread($last); 1 } and $n++;
        kill 'CONT', $proxy;
    }

    is($n, 60, 'each is heard');
    my ($blocked) = slurp("/proc/$proxy/status") =~ /^SigBlk:\s*(\w+)/m;
    is(hex($blocked) & ~(1 << 14 | 1 << 1 | 1), 0,
        'a child has none blocked but what it reads itself');
};

ok($agent->stop, 'it ends');
is($agent->wait(0), 0, 'well');
unlike($agent->output, qr/Sanitizer|runtime error/, 'no memory fault');

done_testing();
