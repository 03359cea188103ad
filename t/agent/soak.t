#!/usr/bin/perl

# Very many VM starts, while VMMs, the proxy and the agent are killed in
# whatever state they are in, and the agent restarted: afterwards nothing is
# left that no live VM owns, and when the node is emptied nothing at all.  Every
# other function has snapshots, of which some go wrong.
#
# FCF_SOAK says how many starts (make soak: 10000); FCF_SEED repeats a run.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

use constant FUNCTIONS => 16;

my $starts = $ENV{FCF_SOAK} // 300;
my $seed = $ENV{FCF_SEED} // int rand 1e6;
srand $seed;
diag("FCF_SEED=$seed");

AgentHost::begin('soak');

for my $n (1 .. FUNCTIONS) {
    image("f$n", boot_ms => int rand 150,
        $n % 8 == 0 ? (fail => 'panic') : $n % 8 == 1 ? (fail => 'start') : (),
        $n % 8 == 2 ? (exit_after => 1) : (),
        $n == 5 ? (clone => 'ends') : $n == 13 ? (clone => 'refuses') : ());
    $etcd->spec("f$n", idle_timeout_s => 1, boot_timeout_s => 3,
        snapshot => $n % 2 ? JSON::PP::true : JSON::PP::false);
}

my %set = settings('a', adopt => 'yes', log_level => 'info', max_boots => 16,
    snapshots => 'yes', with_admin());
my $agent = FcfTest::Service->start(name => 'agent', restart_ms => 0,
    argv => [build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
        map { "--$_=$set{$_}" } sort keys %set]);
$agent->ready(30);

my ($asked, %did) = (0);

sub did { $did{$_[0]}++ }

# how many VMs were ever started: numbers are never reused, but each life of
# the agent begins another thousand
sub started_vms { scalar grep { /"msg":"job taken/ } split /\n/, $agent->output }

my @acts = (
    (sub {
        return if $redis->jobs > 20;
        job('f' . (1 + int rand FUNCTIONS), 'req-' . ++$asked) for 1 .. 4;
    }) x 30,
    (sub { my @p = vmms('a'); kill 'KILL', $p[rand @p] if @p; did('vmm') }) x 6,
    (sub {      # a request, here and there
        my ($key) = (instances('f' . (3 + int rand 4)))[0] or return;
        my $i = $etcd->get_json($key) or return;
        my ($f) = $key =~ m{/(f\d+)/};
        eval { http_send($i->{proxy_port}, '/', headers => {
            'X-Fcfaas-Function' => $f, 'X-Fcfaas-Token' => 'sesame' }) };
        did('request');
    }) x 3,
    sub { $agent->kill('KILL') and did('agent killed') },
    sub { $agent->pid and $agent->restart and did('agent restarted') },
    sub { my @p = proxies(); kill 'KILL', @p if @p; did('proxy') },
);

# what became of snapshots; 1: each at least once
my %of = (snapshots => qr/"snapshot of version 1 made/,
    restored => qr/"registered after \d+ ms, of a snapshot/,
    'not restored' => qr/"not restored, in state/);

sub snapshots {
    my $text = $agent->output;
    $did{$_} = () = $text =~ /$of{$_}/g for keys %of;
    return !grep { !$did{$_} } keys %of;
}

# what is not at rest; those started ahead are
sub left {
    my $ahead = eval { metric('vmms_ahead') } // return "agent: $@";
    my %n = (jobs => scalar(() = $redis->jobs), taken => scalar taken('a'),
        VMMs => vmms('a') - $ahead, directories => vm_dirs('a') - $ahead);
    return join ', ', (map { "$n{$_} $_" } grep { $n{$_} } sort keys %n),
        grep { m{/(?:slots|instances)/} } $etcd->keys('/functions/');
}

my ($known, $looked) = (0, now());

until ($known >= $starts && (snapshots() || $known > 20 * $starts)) {
    $acts[rand @acts]->();
    select undef, undef, undef, rand 0.03;

    if (now() - $looked > 1) {
        ($known, $looked) = (started_vms(), now());
    }

    $agent->alive or die "the service manager ended\n";
}

diag(join ', ', "$known starts", map { "$_: $did{$_}" } sort keys %did);
cmp_ok($did{$_} // 0, '>', 0, "$_, in the midst of it") for 'vmm',
    'agent killed', 'agent restarted', 'proxy', 'snapshots', 'restored',
    'not restored';

# it comes to rest by itself, under an agent that is left alone
wait_for(sub { $agent->pid }, 10, 'an agent');
wait_for(sub { !left() }, 120, sub {
    'all to be done, idle and gone; left: ' . left() . "; the agent's last "
        . "words:\n" . join "\n", (split /\n/, $agent->output)[-60 .. -1]
});
pass('left alone it comes to rest: no process and no directory but of those '
    . 'ahead, no slot, no key');

ok(!glob("$dir/state-a/snapshots/.new-*"), 'no half of a snapshot');
$etcd->del("/specs/f$_") for 1 .. FUNCTIONS;
wait_for(sub { !glob "$dir/state-a/snapshots/*" }, 20, 'snapshots to go');
pass('a snapshot goes with its function');

my $drain = FcfTest::Proc->spawn(name => 'drain', argv => [build_dir()
    . '/agent/fcfaas-agent', 'drain', '--wait', '--conf=/dev/null',
    "--state_dir=$dir/state-a"]);
is($drain->wait(60), 0, 'the node is emptied') or diag($drain->output);
ok($agent->stop, 'and the agent told to end');

is(taps('a'), 0, 'no TAP');
unlike($ns->run('ip', '-o', 'link'), qr/br-a:/, 'no bridge');
unlike($ns->run('nft', 'list', 'ruleset'), qr/br-a"/, 'no rule');
is(scalar(vmms('a')), 0, 'no VMM');
wait_for(sub { !proxies() }, 10, 'the proxy to end');
unlike($ns->run('ss', '-Hltn'), qr/:3[0-2]\d\d\d\s/, 'no port');
is_deeply([sort map { m{([^/]+)$} } glob "$dir/state-a/*"],
    [qw(counter images leases lock runtimes snapshots vms)],
    'nothing in state_dir');
is_deeply([glob "$dir/state-a/images/*"], [], 'nor in its directories');
is_deeply([map { m{([^/]+)$} } glob "$dir/run-a/*"], ['lock'],
    'nothing in run_dir');
# failures stand under leases of their own, which end by themselves
wait_for(sub { !$etcd->keys('/') }, 40, 'no key');
is_deeply([grep { m{taken} } @{ $redis->cli('KEYS', '*') }], [],
    'no job is taken');
unlike($agent->output, qr/Sanitizer|runtime error|is not possible in state/,
    'no fault');

done_testing();
