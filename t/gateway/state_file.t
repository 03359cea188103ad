# fcfaas_state_file: with etcd away new workers, and a new nginx, know what
# those before them knew.  A file that is not whole is as good as none.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $dir = tmpdir() . '/state';
mkdir $dir or die $!;
chmod 0777, $dir;
my $file = "$dir/registry";
my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '20s',
    http => "fcfaas_state_file $file interval=1s;");

sub holds { FcfTest::Gateway::saved($file) }

sub becomes {
    my ($want, $what) = @_;
    ok(eval { wait_for(sub { holds() eq $want }, 15, $what) }, $what)
        or diag(holds());
}

sub start_again {
    $g->nginx->start_again;
}

sub served {
    my ($what, $n) = @_;
    my @bad = grep { $_->{status} != 200 }
        map { $g->get('/run/warm') } 1 .. $n // 20;
    is(scalar @bad, 0, $what) or diag($bad[0]{body});
}

$g->spec($_) for qw(warm cold);
$g->instance('warm', worker => "n1-$_", port => $g->agent_port) for 1 .. 2;
$g->ready('warm');
becomes('2 2', 'what is known is written');
is((stat $file)[2] & 07777, 0600, 'for nginx alone');
is_deeply([glob "$dir/*"], [$file], 'and nothing beside it');

subtest 'etcd is away' => sub {
    $g->etcd->stop('KILL');
    $g->nginx->reload;
    served('a reload: warm is warm');
    my $r = $g->get('/run/cold');
    is("$r->{status} " . json_decode($r->{body})->{error},
        '503 etcd_unavailable', 'cold waits, and is told why');
    $r = $g->get('/run/nobody');
    is($r->{status}, 503, 'what is not known may be there all the same');

    $g->nginx->stop;
    start_again();
    served('nginx started anew: warm is warm');
    is(scalar($g->nginx->logged(qr/knows 2 functions and 2 instances/)), 2,
        'said once each time');
};

subtest 'etcd comes back' => sub {
    $g->etcd->start_again;
    # the file knows that much: what is not listed yet cannot be seen to go
    wait_for(sub { !grep { $_->{etcd}{state} ne 'live' }
        @{ $g->status->{workers} } }, 15, 'the list');
    $g->wait_known('specs', 2, 15);
    $g->etcd->del('/specs/cold');
    $g->etcd->no_instance('warm', 'n1-2');
    becomes('1 1', 'what went is gone');
    is($g->get('/run/cold')->{status}, 404, 'from the answers too');
    served('and what is there is served');

    # an instance that the file knows and etcd does not, with a dead port
    $g->instance('warm', worker => 'n1-3', port => free_port());
    becomes('1 2', 'one more');
    $g->nginx->stop;
    $g->etcd->lose_instance('warm', 'n1-3');
    start_again();
    served('one that is gone meanwhile costs nobody his answer');
    $g->wait_known('instances', 1, 15);
    becomes('1 1', 'it is forgotten');
};

subtest 'written at the end' => sub {
    my @old = $g->nginx->workers;
    $g->nginx->config(http => $g->_http =~ s/interval=1s/interval=30s/r)
        ->reload;
    # they write, too, when they end
    wait_for(sub { !grep { kill 0, $_ } @old }, 20, 'the old workers to end');
    $g->wait_known('instances', 1, 15);
    # a new one does soon after its start, which may have been before this
    $g->spec('soon');
    wait_for(sub { holds() eq '2 1' }, 45, 'a time that it writes');
    $g->spec('late');
    $g->wait_known('specs', 3, 15);
    isnt(holds(), '3 1', 'not yet');
    $g->nginx->stop;
    is(holds(), '3 1', 'it is once nginx ends');
    $g->nginx->config(http => $g->_http);
    start_again();
    $g->etcd->del('/specs/soon');
    becomes('2 1', 'and goes on as before');
};

# what is no good is refused in one line, and is no reason not to start
sub refused {
    my ($what, $bytes, $re) = @_;
    $g->nginx->stop;
    my $whole = slurp($file);
    spew($file, ref $bytes ? $bytes->($whole) : $bytes);
    my $lines = () = $g->nginx->logged(qr/is not used: it/);
    start_again();
    $g->wait_known('specs', 2, 15);
    served("$what: it starts, and serves by etcd", 3);
    my @now = $g->nginx->logged(qr/is not used: it/);
    is(scalar @now, $lines + 1, "$what: one line");
    like($now[-1], $re, "$what: what it is");
    becomes('2 1', "$what: a good one takes its place");
}

subtest 'no good' => sub {
    refused('truncated', sub { substr $_[0], 0, length($_[0]) - 1 },
        qr/has \d+ bytes instead of/);
    refused('empty', '', qr/none of this program's/);
    refused('foreign', 'x' x 1000, qr/none of this program's/);
    refused('damaged', sub { my $t = shift; substr($t, -20, 1) ^= "\1"; $t },
        qr/damaged: its checksum/);
    refused('of another layout', sub { my $t = shift;
        substr($t, 8, 1) = "\x63"; $t }, qr/layout 99, and this is \d/);

    $g->nginx->stop;
    $g->nginx->config(http => 'fcfaas_prefix other;' . $g->_http);
    start_again();
    ok(eval { wait_for(sub { $g->nginx->logged(
        qr/is for the prefix "", and this is "other"/) }, 10, 'a line') },
        'of another prefix');
    $g->nginx->stop;
    $g->nginx->config(http => $g->_http);
    unlink $file;
    start_again();
    $g->ready('warm');
    becomes('2 1', 'written again');
};

subtest 'it cannot be written' => sub {
    plan skip_all => 'needs root' if $> != 0;
    my $small = tmpdir() . '/small';
    mkdir $small;
    system('mount', '-t', 'tmpfs', '-o', 'size=64k,mode=0777', 'tmpfs', $small)
        == 0 or plan skip_all => 'no tmpfs';
    my $ok = eval {
        $g->nginx->stop;
        $g->nginx->config(http => $g->_http =~ s{\Q$file\E}{$small/registry}r);
        start_again();
        wait_for(sub { -e "$small/registry" }, 10, 'the file');
        my $before = slurp("$small/registry");
        {
            no autodie;
            open my $fh, '>', "$small/fill" or die $!;
            $fh->autoflush(1);
            1 while syswrite $fh, 'x' x 4096;
        }
        my $said = sub { () = $g->nginx->logged(qr/cannot be written/) };
        $g->spec('another');
        wait_for(sub { $said->() }, 10, 'it to be said');
        $g->spec("more$_") for 1 .. 3;
        is(slurp("$small/registry"), $before, 'disk full: the old one stays');
        is_deeply([sort map { s{.*/}{}r } glob "$small/*"],
            [qw(fill registry)], 'and nothing half');
        my $from = now();
        wait_for(sub { now() > $from + 3 }, 5, 'some more tries');
        is(scalar($said->()), 1, 'said once');
        unlink "$small/fill";
        wait_for(sub { slurp("$small/registry") ne $before }, 10,
            'it to be written');
        pass('with room it is written');
        wait_for(sub { $g->nginx->logged(qr/is written again/) }, 10,
            'it to be said');
        served('nobody noticed', 3);
        $g->nginx->stop;
        1;
    };
    my $why = $@;
    system('umount', $small);
    ok($ok, 'all of it') or diag($why);
};

for (['fcfaas_state_file a; fcfaas_state_file b;', qr/is duplicate/],
    ['fcfaas_state_file a interval=0;', qr/interval=0.*a second or more/],
    ['fcfaas_state_file a every=5s;', qr/every=5s/],
    ['fcfaas_state_file;', qr/fcfaas_state_file/])
{
    my ($ok, $out) = FcfTest::Nginx->check("%%MODULE%%\nerror_log stderr;\n"
        . "pid nginx.pid;\nevents { }\nhttp { $_->[0] }");
    ok(!$ok, "bad: $_->[0]");
    like($out, $_->[1], "bad: $_->[0]: what is said");
}

done_testing();
