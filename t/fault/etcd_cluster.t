# Three real members of one etcd cluster: whichever dies, or stands still, the
# copy goes on; without a quorum it is stale, and says so once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use FcfTest;
use Probe;
use Test::More;

my @names = qw(m1 m2 m3);
my %peer = map { $_ => 'http://127.0.0.1:' . free_port() } @names;
my %port = map { $_ => free_port() } @names;
my %proc;

sub url { "http://127.0.0.1:$port{$_[0]}" }

sub member {
    my ($name) = @_;
    $proc{$name} = FcfTest::Proc->spawn(name => $name, show => 3,
        argv => ['etcd', '--name', $name, '--data-dir', tmpdir() . "/$name",
            '--listen-client-urls', url($name), '--advertise-client-urls',
            url($name), '--listen-peer-urls', $peer{$name},
            '--initial-advertise-peer-urls', $peer{$name},
            '--initial-cluster', join(',', map { "$_=$peer{$_}" } @names),
            '--heartbeat-interval', 50, '--election-timeout', 500]);
}

sub etcd { FcfTest::Etcd->attach(port => $port{$_[0]}) }

sub quorum {
    my ($name) = @_;
    wait_for(sub { eval { etcd($name)->put('/specs/quorum', 1) } }, 30,
        "$name to have a leader");
}

sub current { my ($p) = @_; $p->stat->{endpoint} }

sub name_of { my ($url) = @_; return (grep { url($_) eq $url } @names)[0] }

sub lines { my ($p, $re) = @_; grep { /$re/ } split /\n/, slurp($p->proc->log) }

# what is put at another member is seen, without a list
my $n = 0;

sub goes_on {
    my ($p, $at, $what) = @_;
    $n++;
    wait_for(sub { eval { etcd($at)->put('/specs/now', $n) } }, 20, 'a put');
    ok(eval { wait_for(sub { ($p->view->{'/specs/now'} // 0) == $n }, 15,
        $what) }, $what) or diag($@, slurp($p->proc->log));
    is($p->stat->{lists}, 1, 'without another list');
}


member($_) for @names;
quorum('m1');
my $p = Probe->new((map { ('--etcd', url($_)) } @names), '--prefix',
    '/specs/', '--prefix', '/functions/');
$p->state_becomes('live', 10);
is(name_of(current($p)), 'm1', 'the first is used');

$proc{m1}->stop('KILL');
quorum('m2');
$p->state_becomes('live', 15, 'it is killed: live again');
goes_on($p, 'm3', 'another one is used');
isnt(name_of(current($p)), 'm1', 'as said');
member('m1');
quorum('m1');

my $at = name_of(current($p));
$proc{$at}->pause;
my ($other) = grep { $_ ne $at } @names;
quorum($other);
goes_on($p, $other, "$at stands still: what is put elsewhere is seen");
isnt(name_of(current($p)), $at, 'by another one');
$proc{$at}->resume;
quorum($at);

# no quorum: the one that is used is alone
$at = name_of(current($p));
my @others = grep { $_ ne $at } @names;
$p->state_becomes('live', 10);
$proc{$_}->pause for @others;
$p->state_becomes('stale', 20, 'two of three stand still: stale');
like($p->ask('put /specs/x 1', 20), qr/^(?:timeout|unavailable): /,
    'a put fails');
my $tries = $p->stat->{reconnects};
wait_for(sub { $p->stat->{reconnects} > $tries + 3 }, 30, 'more tries');
cmp_ok(scalar(grep { /^state stale/ } split /\n/, $p->proc->output), '<=', 3,
    'said once each time');
$proc{$_}->resume for @others;
quorum($_) for @names;
$p->state_becomes('live', 20, 'they go on: live');
goes_on($p, $others[0], 'and current');

# moving on is a matter of course when all is well
cmp_ok(scalar(lines($p, qr/^2 etcd sync: /)), '<', 12, 'few lines of a log');
$p->quit;
$_->stop('KILL') for values %proc;

done_testing();
