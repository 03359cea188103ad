#!/usr/bin/perl

# The agent's VMM driver (agent/vmm*.c) on a real bridge with the stand-in VMM,
# instant backend, in a network namespace of its own.

use strict;
use warnings;

use lib 't/lib';
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use LineHost;
use Test::More;
use Time::HiRes qw(time);

LineHost::own_netns();

my $build = $ENV{FCF_BUILD} || 'build/asan';
my $vmm = "$build/vm/vmm/fcfaas-vmm";
my $dir = tempdir(CLEANUP => 1);
my $state = "$dir/state";

use constant DEADLINE => 20;

mkdir $state or die;

sub file {
    my ($name, $content) = @_;

    open(my $f, '>', "$dir/$name") or die "$dir/$name: $!";
    print $f $content;
    truncate $f, 4096;
    close $f;

    return "$dir/$name";
}

sub slurp {
    my ($name) = @_;

    open(my $f, '<', $name) or return '';
    local $/;

    return <$f> // '';
}

sub image { return file(shift, "fcfaas-instant\n" . join('', map "$_\n", @_)); }

my $kernel = file('vmlinux', 'none');

sub start {
    my ($kernel_path, @vmm) = @_;

    @vmm = ($vmm, '--backend', 'instant') if !@vmm;

    my $self = LineHost->start('vmm_host', $state, $kernel_path || $kernel,
                               '-', @vmm);
    $self->line;

    return $self;
}

# what is said about a VM, up to a word; all words seen, and the rest of each
sub until_word {
    my ($self, $id, $word) = @_;

    for ( ;; ) {
        my $line = $self->line;
        die "vmm_host ended" if $line eq 'end of output';

        my ($what, $who, $rest) = split / /, $line, 3;

        $self->{seen}{$who}{$what} = $rest // '';
        $self->{order}{$who} .= "$what ";

        return if $who eq $id && $what eq $word;
    }
}

sub finish { $_[0]->finish(undef, qr/^(exited|console|gone) /) }

sub http {
    my ($addr) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => $addr, PeerPort => 80,
                                  Timeout => 5) or return "connect: $!";
    print $s "GET / HTTP/1.1\r\nHost: f\r\n\r\n";

    # a guest that is gone closes nothing: the length tells the end
    my $select = IO::Select->new($s);
    my $buf = '';
    my $end = time() + DEADLINE;

    for ( ;; ) {
        my ($head, $body) = split /\r\n\r\n/, $buf, 2;
        my ($len) = ($head // '') =~ /^content-length: (\d+)/im;

        return $body if defined $body && defined $len && length $body >= $len;

        $select->can_read($end - time()) or return "no answer: $buf";
        sysread($s, $buf, 65536, length $buf) or return "cut: $buf";
    }
}

sub addr { my ($h, $id) = @_; return (split / /, $h->{seen}{$id}{nic})[1]; }

# VM directories; those of VMs that are gone go a moment later
sub left {
    my $end = time() + DEADLINE;

    for ( ;; ) {
        opendir(my $d, $state) or die;
        my $left = join ' ', grep { !/^\./ } readdir $d;

        return $left if $left eq '' || time() > $end;
        select undef, undef, undef, 0.02;
    }
}

sub test_life {
    my ($h) = @_;

    $h->order("spawn node-1-1 " . image('a.img', 'body=alpha'));
    until_word($h, 'node-1-1', 'booted');
    is($h->{order}{'node-1-1'}, 'nic spawned configured booted ', 'boots');
    diag("spawned, configured, booted after us: ", join ' ',
         @{$h->{seen}{'node-1-1'}}{qw(spawned configured booted)});
    is(http(addr($h, 'node-1-1')), 'alpha', 'and answers');

    my $vm = "$state/node-1-1";
    my ($pid, $start, $exe) = slurp("$vm/pid") =~ /^(\d+) (\d+) (\S+) /;
    is((split / /, slurp("/proc/$pid/stat") =~ s/.*\) //r)[19], $start,
       'its pid and start time are recorded');
    is($exe, sprintf('%x:%x', (stat "/proc/$pid/exe")[0, 1]),
       'and its program');
    is(slurp("/proc/$pid/oom_score_adj"), "500\n", 'it is the first to go');
    like(slurp("/proc/$pid/status"), qr/^NoNewPrivs:\t1$/m,
         'no new privileges');
    like(slurp("/proc/$pid/status"), qr/^NSpid:\t\d+\t1$/m, 'PID 1 of its own');
    is(readlink("/proc/$pid/cwd"), $vm, 'in its directory');
    is((stat $vm)[2] & 07777, 0700, 'which is for root only');

    is(slurp("/proc/$pid/environ"), '', 'no environment');
    like(slurp("/proc/$pid/limits"), qr/^Max open files +2048 +2048/m,
         'few descriptors');
    like(slurp("/proc/$pid/limits"), qr/^Max core file size +0 +0/m,
         'no core');
    is(readlink("$vm/function.img"), "$dir/a.img",
       'its files have names in its directory');

    my @fds = map { readlink("/proc/$pid/fd/$_") // '' } 0 .. 2;
    is("@fds", "/dev/null $vm/vmm.log $vm/vmm.log", 'standard descriptors');
    is((stat "$vm/config.img")[2] & 0777, 0600, 'config drive: for root only');
    like(slurp("$vm/config.img"), qr/^FCVCONF1\0\0..\{"function_id":"f"/s,
         'config drive: what was given');

    $h->order('stop node-1-1');
    until_word($h, 'node-1-1', 'gone');
    is($h->{seen}{'node-1-1'}{exited}, 'VMM exited with code 0',
       'stopped by the control port');
    is(left(), '', 'the directory is gone');
}

sub test_deaths {
    my ($h) = @_;

    $h->order("spawn node-1-2 " . image('b.img', 'ignore_stop=1'));
    until_word($h, 'node-1-2', 'booted');
    $h->order('stop node-1-2');
    like(http(addr($h, 'node-1-2')), qr/^GET/, 'a guest may ignore stop');
    $h->order('kill node-1-2');
    until_word($h, 'node-1-2', 'gone');
    is($h->{order}{'node-1-2'},
       'nic spawned configured booted exited console gone ',
       'but not kill: exited, once, and no step failed');

    $h->order("spawn node-1-3 " . image('c.img', 'body=c'));
    until_word($h, 'node-1-3', 'booted');
    my ($pid) = slurp("$state/node-1-3/pid") =~ /^(\d+)/;
    kill 9, $pid;
    until_word($h, 'node-1-3', 'gone');
    is($h->{seen}{'node-1-3'}{exited}, 'VMM was killed by signal 9',
       'a VMM that somebody killed');

    $h->order("spawn node-1-4 " . image('d.img', 'exit_after=1', 'body=d'));
    until_word($h, 'node-1-4', 'booted');
    is(http(addr($h, 'node-1-4')), 'd', 'one answer');
    until_word($h, 'node-1-4', 'gone');
    is($h->{seen}{'node-1-4'}{exited}, 'VMM exited with code 0',
       'then it ends by itself');

    $h->order("spawn node-1-5 " . image('e.img', 'fail=panic'));
    until_word($h, 'node-1-5', 'gone');
    like($h->{seen}{'node-1-5'}{console}, qr/anic/,
         'a panic: the console tells');

    $h->order("spawn node-1-6 " . image('f.img', 'fail=start'));
    until_word($h, 'node-1-6', 'gone');
    like($h->{seen}{'node-1-6'}{failed}, qr{^PUT /actions: .},
         'a start that is refused');
    is($h->{order}{'node-1-6'} =~ s/console //gr,
       'nic spawned configured failed exited gone ', 'failed, then exited');

    $h->order("spawn node-1-7 $dir/missing.img");
    until_word($h, 'node-1-7', 'gone');
    like($h->{seen}{'node-1-7'}{failed}, qr{^runtime image .*missing\.img: No such},
         'a missing image is named');
    is(left(), '', 'no directory is left');
}

# that of the host's end, while the VMM is being loaded
sub test_early_end {
    my $late = "$dir/late-vmm";
    my $program = abs_path($vmm);

    open my $f, '>', $late or die "$late: $!";
    # a shell would unblock signals
    print $f "#!$^X\nopen my \$f, '>', '$dir/loading';\n"
        . "select undef, undef, undef, 0.01 until -e '$dir/load';\n"
        . "exec '$program', \@ARGV;\n";
    close $f;
    chmod 0755, $late;

    my $h = start(undef, $late, '--backend', 'instant');
    $h->order("spawn node-1-1 " . image('a.img', 'body=alpha'));

    my $end = time() + DEADLINE;
    until (-e "$dir/loading" && slurp("$state/node-1-1/pid")) {
        die 'no VMM' if time() > $end;
        select undef, undef, undef, 0.01;
    }
    my ($pid) = slurp("$state/node-1-1/pid") =~ /^(\d+)/;
    kill 'TERM', $pid;
    file('load', '');

    until_word($h, 'node-1-1', 'gone');
    is($h->{seen}{'node-1-1'}{exited}, 'VMM exited with code 143',
       'a SIGTERM that comes before the VMM has a handler');
    is(finish($h), 'closed 0', 'closed');
}

sub test_bad_kernel {
    my $h = start("$dir/no-kernel");

    $h->order("spawn node-1-1 " . image('a.img', 'body=alpha'));
    until_word($h, 'node-1-1', 'gone');
    like($h->{seen}{'node-1-1'}{failed}, qr{^kernel .*no-kernel: No such},
         'a missing kernel is named');
    is(finish($h), 'closed 0', 'closed');

    $h = start(undef, $vmm, '--no-such-option');
    $h->order("spawn node-1-1 " . image('a.img', 'body=alpha'));
    until_word($h, 'node-1-1', 'gone');
    like($h->{seen}{'node-1-1'}{failed}, qr{^VMM exited with code \d+: .},
         'a VMM that does not start: its last words');
    is(finish($h), 'closed 0', 'closed');

    $h = start(undef, $vmm, '--backend', 'instant', '--api-version', '1.13');
    $h->order("spawn node-1-1 " . image('a.img', 'body=alpha'));
    until_word($h, 'node-1-1', 'gone');
    like($h->{seen}{'node-1-1'}{failed},
         qr{^VMM \S+ is version 1\.13\.0, and 1\.14 or later is needed},
         'an old VMM is refused by name');
    is(finish($h), 'closed 0', 'closed');

    $h = start(undef, $vmm, '--backend', 'instant', '--api-version', '1.14');
    $h->order("spawn node-1-1 " . image('a.img', 'body=alpha'));
    until_word($h, 'node-1-1', 'booted');
    is(http(addr($h, 'node-1-1')), 'alpha', 'one that will just do');
    is(finish($h), 'closed 0', 'closed');

    my $said = file('said', "#!/bin/sh\necho 'first of 4'; echo two; "
        . "printf 'three \\033[31m\\001\\n'; echo exit_code=4; exit 4\n");
    chmod 0755, $said;
    $h = start(undef, $said);
    $h->order("spawn node-1-1 " . image('a.img', 'body=alpha'));
    until_word($h, 'node-1-1', 'gone');
    is($h->{seen}{'node-1-1'}{failed}, 'VMM exited with code 4: two\\n'
        . 'three \\x01\\nexit_code=4', 'its last three lines, escaped');
    is(finish($h), 'closed 0', 'closed');
}

sub fds { my ($h) = @_; return scalar(() = glob "/proc/$h->{pid}/fd/*"); }

sub test_fifty {
    my ($h) = @_;

    my $n = 50;
    my $img = image('many.img', 'body=many');
    my $before = fds($h);
    my $t = time();

    $h->order("spawn node-1-$_ $img") for 101 .. 100 + $n;

    for my $i (101 .. 100 + $n) {
        until_word($h, "node-1-$i", 'booted')
            if !defined $h->{seen}{"node-1-$i"}{booted};
    }

    diag(sprintf '%d booted in %d ms', $n, (time() - $t) * 1000);

    my $ok = grep { http(addr($h, "node-1-$_")) eq 'many' } 101 .. 100 + $n;
    is($ok, $n, 'fifty at once, and each answers');

    $h->order("kill node-1-$_") for 101 .. 100 + $n;

    for my $i (101 .. 100 + $n) {
        until_word($h, "node-1-$i", 'gone')
            if !defined $h->{seen}{"node-1-$i"}{gone};
    }

    is(left(), '', 'no directory is left');
    is(fds($h), $before, 'no descriptor is left');
}

sub test_agent_killed {
    my ($h) = @_;

    my $img = image('g.img', 'body=still');

    for my $i (201 .. 203) {
        $h->order("spawn node-1-$i $img");
        until_word($h, "node-1-$i", 'booted');
    }

    my @pids = map { slurp("$state/node-1-$_/pid") =~ /^(\d+)/ } 201 .. 203;
    my $addr = addr($h, 'node-1-201');

    $h->kill;
    is(http($addr), 'still', 'a VM outlives its agent');

    $h = start();
    is($h->{first}, 'reclaimed 3', 'the next start ends them');
    is(left(), '', 'and their directories');
    is(scalar(grep { slurp("/proc/$_/stat") =~ /\) [^Z]/ } @pids), 0,
       'no process is left');

    $h->order("spawn node-1-204 $img");
    until_word($h, 'node-1-204', 'booted');
    is(http(addr($h, 'node-1-204')), 'still', 'and serves again');

    is(finish($h), 'closed 0', 'ends with a VM running');
    is(left(), '', 'which is gone too');
}

# wherever in the middle of making VMs the agent is killed
sub test_killed_midway {
    my $img = image('h.img', 'body=h');

    for my $lines (1, 4, 9, 17, 30) {
        my $h = start();

        $h->order("spawn node-1-$_ $img") for 1 .. 12;
        $h->line for 1 .. $lines;
        $h->kill;

        $h = start();
        like($h->{first}, qr/^reclaimed \d+$/, "killed after $lines events");
        is(left(), '', 'no directory is left');

        my $end = time() + DEADLINE;
        my @in;

        # one that was not let go yet ends by itself
        do {
            @in = grep { (readlink($_) // '') =~ /^\Q$state\E/ }
                glob '/proc/[0-9]*/cwd';
        } while (@in && time() < $end);

        is("@in", '', 'no process is left');

        $h->order("spawn node-1-99 $img");
        until_word($h, 'node-1-99', 'booted');
        is(http(addr($h, 'node-1-99')), 'h', 'the next start serves');
        is(finish($h), 'closed 0', 'and ends');
    }
}

system('ip link set lo up');

my $h = start();
is($h->{first}, 'reclaimed 0', 'start');

test_life($h);
test_deaths($h);
test_fifty($h);
test_agent_killed($h);
test_killed_midway();
test_early_end();
test_bad_kernel();

is(`ip -o link | wc -l`, "1\n", 'no link is left');

done_testing();
