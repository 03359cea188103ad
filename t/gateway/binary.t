# Another nginx takes over (USR2, then WINCH and QUIT to the old one) under
# load: nothing is lost.  For a while there are two gateways, each with a zone
# of its own; who waits in the old one is served there.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $dir = tmpdir() . '/state';
mkdir $dir;
chmod 0777, $dir;
my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '30s',
    # for the other one, which gets no more of the environment
    main => 'env ASAN_OPTIONS; env LSAN_OPTIONS; env UBSAN_OPTIONS;',
    http => "fcfaas_state_file $dir/registry interval=1s;");
my $nginx = $g->nginx;
my $file = $nginx->dir . '/logs/nginx.pid';
my %masters;

END { kill 'KILL', grep { !is_gone($_) } keys %masters }

sub master { return (peek($file) || 0) + 0 }

$g->spec($_) for qw(hello cold);
$g->warm('hello');

# nginx minds USR2 only once it is nobody's child, and starts the other one by
# the name that it has
my ($program) = map { m{/} ? $_ : on_path($_) } FcfTest::Nginx::binary();
$nginx->stop;
$nginx->config(conf => $nginx->_conf =~ s/daemon off/daemon on/r);
{
    local %ENV = (%ENV, FcfTest::Nginx::_sanitizers());
    system($program, '-p', $nginx->dir . '/', '-c',
        $nginx->conf_file, '-e', $nginx->error_log) == 0 or die 'nginx';
}
my $old = wait_for(\&master, 10, 'the pid file');
$masters{$old} = 1;
$g->ready('hello');

my $load = FcfTest::Load->start(port => $g->port, path => '/run/hello/x',
    interval_ms => 5, again => 3);
my $waits = $g->send('/run/cold');
$g->wait_parked(1);

kill 'USR2', $old;
my $new = wait_for(sub { my $m = master(); $m != $old && $m }, 20,
    'another master');
$masters{$new} = 1;

my $children = sub { my ($m) = @_; map { $_ => 1 }
    split ' ', slurp("/proc/$m/task/$m/children") };
wait_for(sub { my %new = $children->($new);
    grep { $new{$_->{pid}} } @{ $g->status->{workers} } }, 20,
    'its workers to serve');

kill 'WINCH', $old;
my $only = 0;
wait_for(sub { my %new = $children->($new);
    $only = (grep { !$new{$_->{pid}} } @{ $g->status->{workers} })
        ? 0 : $only + 1;
    $only >= 10 }, 20, 'only the new ones to serve');
is($g->parked, 0, 'the new gateway knows nobody who waits in the old one');

my $there = $g->send('/run/cold');
$g->wait_parked(1);
$g->instance('cold', worker => 'n1-2');
is($_->response(20)->{status}, 200, 'who waits is served') for $waits, $there;

kill 'QUIT', $old;
ok(eval { wait_for(sub { is_gone($old) }, 20, 'it') }, 'the old one leaves');
is($g->get('/run/hello')->{status}, 200, 'the new one serves');

my $n = $load->end;
is($n->{lost}, 0, "nothing is lost of $n->{sent}") or diag(explain($n));
is_deeply([keys %{ $n->{status} }], [200], 'and nothing but 200');

kill 'QUIT', $new;
ok(eval { wait_for(sub { is_gone($new) }, 20, 'it') }, 'and so does that one');
is(join("\n", $nginx->complaints), '', 'nothing at alert');

done_testing;
