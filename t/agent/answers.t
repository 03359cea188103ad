#!/usr/bin/perl

# The VMM stand-in against answers.jsonl: what a real Firecracker 1.17-dev
# answered to the calls that the agent makes and to their like, wrong in every
# way; a fresh process for each case, a connection for each call.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Select;
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Test::More;

use constant DEADLINE => 60;

# Where the stand-in answers otherwise, and why.  What it refuses on purpose
# would hide a driver's mistake if it were taken.
my %otherwise = (
    'net: host_dev_name empty string' => 'the real one makes a TAP up',
    'net: extra segment' => 'a path that is none',
    'machine: cpu_template T2' => 'it has no templates',
    'boot: initrd directory' => 'a directory is no image',
    'drive: file dir' => 'a directory is no image',
    'boot: args newline' => 'no driver means it',
    'boot: args NUL' => 'no driver means it',
    'http: absolute URI' => 'no driver sends it',
    'http: absolute URI without path' => 'no driver sends it',
    'http: no slash' => 'no driver sends it',
);

my $ns = FcfTest::Netns->new('answers');
$ns->enter;
$ns->run(qw(ip tuntap add), $_, qw(mode tap)) for qw(tda tdb);

my $vmm = build_dir() . '/vm/vmm/fcfaas-vmm';
my $dir = tmpdir() . '/vm';
my (%same, %differs);

# an ELF for x86-64 that wants to lie at 16 MiB, and is as long
sub elf {
    return "\x7fELF\x02\x01\x01" . "\0" x 9
        . pack('S<S<L<Q<Q<Q<L<S<S<S<S<S<S<', 2, 62, 1, 0x1000000, 64, 0, 0,
            64, 56, 1, 0, 0, 0)
        . pack('L<L<Q<Q<Q<Q<Q<Q<', 1, 5, 0, 0x1000000, 0x1000000, 120,
            0x1000000, 4096);
}

sub lay {
    run('rm', '-rf', $dir);
    mkdir $_ or die "$_: $!" for $dir, "$dir/dir";
    spew("$dir/vmlinux", elf());
    spew("$dir/initrd", "\0" x 4096);
    spew("$dir/$_.img", "\0" x 1048576) for qw(a b);
    spew("$dir/empty.img", '');
    spew("$dir/odd.img", "\0" x 1000);
    spew("$dir/notelf", "text\n");
}

sub run { system(@_) == 0 or die "@_: $?" }

sub started {
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        chdir $dir or die "$dir: $!";
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec $vmm, '--api-sock', 'sock', '--backend', 'qemu' or die "exec: $!";
    }

    wait_for(sub { IO::Socket::UNIX->new(Peer => "$dir/sock") }, DEADLINE,
        'the API');
    return $pid;
}

sub request {
    my ($call) = @_;

    return $call->{raw} if defined $call->{raw};

    my $body = $call->{text};
    my $head = "$call->{method} $call->{path} HTTP/1.1\r\nHost: localhost\r\n";
    $head .= 'Content-Length: ' . length($body) . "\r\n" if defined $body;

    return "$head\r\n" . ($body // '');
}

sub status {
    my ($call) = @_;

    my $sock = IO::Socket::UNIX->new(Peer => "$dir/sock") or return 'refused';
    my $select = IO::Select->new($sock);
    my $got = '';

    $sock->syswrite(request($call));

    while ($got !~ /\r\n\r\n/) {
        $select->can_read(DEADLINE) or return 'nothing';
        $sock->sysread($got, 4096, length $got) or last;
    }

    return $got =~ m{\AHTTP/1\.1 (\d+) } ? $1 : 'closed';
}

# within so many seconds, if at all
sub ends {
    my ($pid, $seconds) = @_;
    my $end = now() + $seconds;

    while (1) {
        return 1 if waitpid($pid, WNOHANG) == $pid;
        return 0 if now() >= $end;
        select undef, undef, undef, 0.01;
    }
}


sub replay {
    my ($case) = @_;

    lay();
    my $pid = started();
    my $got = join ' ', map { status($_) } @{ $case->{calls} };
    my $alive = ends($pid, $case->{then} eq 'dead' ? 10 : 0) ? 0 : 1;

    if ($alive) {
        kill 9, $pid;
        waitpid $pid, 0;
    }

    return $got . ($alive ? ' alive' : ' dead');
}

for my $line (split /\n/, slurp('t/agent/answers.jsonl')) {
    my $case = json_decode($line);
    my $want = join ' ', @{ $case->{status} }, $case->{then};
    my $got = replay($case);

    if ($got eq $want) {
        $same{$case->{case}} = 1;
    } else {
        $differs{$case->{case}} = "$got, the real one: $want";
    }
}

cmp_ok(scalar keys %same, '>', 285, 'cases are answered alike');
is_deeply([sort keys %differs], [sort keys %otherwise],
    'and no other differs than is known');

for (grep { !$otherwise{$_} } sort keys %differs) {
    diag("$_: $differs{$_}");
}

done_testing();
