# A secret that is typed: asked for by its name, never seen, and the terminal
# is as it was afterwards, however it ends.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use POSIX ();
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $cli = FcfTest::Cli->new(conf => { etcd => $etcd->endpoint });

$cli->ok('env', 'f', 'set', 'A=1');

sub echoes {
    my ($tty) = @_;
    my $modes = POSIX::Termios->new;

    $modes->getattr(fileno $tty) // die "tcgetattr: $!";
    return $modes->getlflag & POSIX::ECHO() ? 1 : 0;
}

# $act is done once the command has asked
sub typed {
    my ($act, @args) = @_;
    my ($asked, $unseen, $kept) = (0);
    my $r = $cli->on_terminal({ on => sub {
        my ($said, $pid, $tty) = @_;
        $kept //= do { open my $fh, '+<&', $tty or die $!; $fh };
        return if $asked || $said !~ /: \z/;
        $asked = 1;
        $unseen = !echoes($tty);
        $act->($tty, $pid);
    } }, @args);

    ok($asked, 'it asks');
    ok($unseen, 'what is typed is not shown');
    is(echoes($kept), 1, 'what comes after it is');
    return $r;
}

sub secrets {
    my ($last) = map { $_->[1] } sort { $b->[0] <=> $a->[0] }
        map { [m{(\d+)$}, $etcd->get_json($_)] } $etcd->keys('/secrets/f/');
    return $last->{secrets};
}

subtest 'a line' => sub {
    my $r = typed(sub { syswrite $_[0], "horse battery\n" },
        'secret', 'set', 'f', 'KEY');
    is($r->{status}, 0, 'is taken') or diag($r->{said});
    like($r->{said}, qr/KEY/, 'is asked for by its name');
    unlike($r->{said}, qr/horse/, 'and seen by nobody');
    is_deeply(secrets(), { KEY => 'horse battery' }, 'without its newline');
};

subtest 'one that is mistyped and mended' => sub {
    my $r = typed(sub { syswrite $_[0], "horsf\x7fe\n" },
        'secret', 'set', 'f', 'KEY');
    is($r->{status}, 0, 'is taken') or diag($r->{said});
    is_deeply(secrets(), { KEY => 'horse' }, 'as it was meant');
};

subtest 'no newline, but an end' => sub {
    my $r = typed(sub { syswrite $_[0], "mule\x04\x04" },
        'secret', 'set', 'f', 'KEY');
    is($r->{status}, 0, 'is taken') or diag($r->{said});
    is_deeply(secrets(), { KEY => 'mule' }, 'too');
};

subtest 'Ctrl-C' => sub {
    my $r = typed(sub { syswrite $_[0], "goat\x03" },
        'secret', 'set', 'f', 'KEY');
    isnt($r->{status}, 0, 'ends it');
    is_deeply(secrets(), { KEY => 'mule' }, 'and nothing is changed');
};

# whether it waits already or is about to
subtest 'SIGTERM' => sub {
    for (1 .. 20) {
        my $r = typed(sub { kill 'TERM', $_[1] }, 'secret', 'set', 'f', 'KEY');
        isnt($r->{status}, 0, 'ends it');
    }
    is_deeply(secrets(), { KEY => 'mule' }, 'and nothing is changed');
};

subtest 'nothing but an end' => sub {
    my $r = typed(sub { syswrite $_[0], "\x04" }, 'secret', 'set', 'f', 'KEY');
    is($r->{status}, 2, 'is refused');
    like($r->{said}, qr/^fcfaas: KEY: its value is empty; .*\n\z/m, 'by its name');
};

done_testing();
