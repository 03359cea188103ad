# fcfaas deploy, its shares, and rollback under load: no request is lost, each
# one that is sent after the command has ended is answered by the version that
# it told of, and shares are what was said.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $s = FcfTest::System->start(vmm => 'instant')->up(120);
my $cli = $s->cli;
my $dir = tmpdir() . '/mine';

sub source { FcfTest::Cli::function($dir, "# $_[0]") }

# each answer says who gave it
$s->tell_versions;
$cli->ok('deploy', source('one'));
$s->signal('nginx', 'HUP');
wait_for(sub { $s->get('/run/mine')->{headers}{'x-version'} }, 20,
    'the gateway to tell versions');

my $load = FcfTest::Load->start(port => $s->port, path => '/run/mine',
    interval_ms => 2, header => 'X-Version');
my @steps;      # [what, when the command had ended, version => percent]

# as long as it takes to see enough of it
sub enough {
    my ($n) = @_;
    my $until = now() + $n * 0.002;
    wait_for(sub { now() > $until }, $n * 0.002 + 10, 'requests');
}

sub step {
    my ($what, $shares, @args) = @_;
    my $began = now();
    $cli->ok(@args);
    push @steps, { what => $what, began => $began, ended => now(),
        shares => $shares };
    enough(keys %$shares > 1 ? 2000 : 300);
}

enough(300);
step('deploy', { 2 => 100 }, 'deploy', source('two'));
step('a tenth', { 2 => 90, 3 => 10 }, 'deploy', source('three'), '--percent', 10);
step('half', { 2 => 50, 3 => 50 }, 'deploy', $dir, '--percent', 50);
step('all', { 3 => 100 }, 'deploy', $dir);
step('rollback', { 2 => 100 }, 'rollback', 'mine');
step('to a number', { 1 => 100 }, 'rollback', 'mine', 1);
# until the first one of it is ready those that are there serve
step('without a wait', { 1 => 0, 4 => 100 }, 'deploy', source('four'),
    '--no-wait');
step('an environment', { 5 => 100 }, 'env', 'mine', 'set', 'A=b');

my $n = $load->end;
is_deeply($n->{status}, { 200 => $n->{sent} }, "no request of $n->{sent} lost")
    or diag(FcfTest::json_encode({ %$n, said => undef }));

my @said = sort { $a->[0] <=> $b->[0] } @{ $n->{said} };
is(scalar(grep { $_->[1] < $steps[0]{began} && $_->[2] != 1 } @said), 0,
    'the first version, before all');

for my $i (0 .. $#steps) {
    my $step = $steps[$i];
    my $until = $i < $#steps ? $steps[$i + 1]{began} : now();
    my @of = grep { $_->[0] > $step->{ended} && $_->[1] < $until } @said;
    my %by;
    $by{$_->[2] // ''}++ for @of;
    my @others = grep { !exists $step->{shares}{$_} } keys %by;

    cmp_ok(scalar @of, '>', 50, "$step->{what}: requests after it");
    is("@others", '', "$step->{what}: none is answered by another version")
        or diag(explain(\%by), join "\n", map { join ' ', $_->[0]
            - $step->{ended}, $_->[1] - $_->[0], $_->[2] }
            grep { !exists $step->{shares}{$_->[2]} } @of);

    # four standard deviations
    for my $version (sort keys %{ $step->{shares} }) {
        my $p = $step->{shares}{$version} / 100;
        next if $p == 0 || $p == 1;
        my $share = ($by{$version} // 0) / (@of || 1);
        my $bound = 4 * sqrt($p * (1 - $p) / (@of || 1));
        ok(abs($share - $p) <= $bound, "$step->{what}: version $version gets "
            . "its $step->{shares}{$version} %")
            or diag("$share of " . @of . ", +- $bound");
    }
}

is($s->make('stop'), 0, 'make stop');
is_deeply([$s->leftovers], [], 'nothing is left');

done_testing;
