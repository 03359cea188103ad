#!/usr/bin/perl

# Functions that do harm: real guests, started by the agent.  Each harms its
# own VM alone, its agent's log and its own say what happened, and so does the
# answer of who called; a neighbour answers all the while, and each VM ends when
# it is told.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest ();
use FcfTest::Standin qw($kernel $initrd);
use AgentHost;
use Test::More;

use constant PATIENCE => 180;

my $why = FcfTest::RealGuest::no_guest();
plan skip_all => $why if $why;

AgentHost::begin('wild');
mkdir "$dir/code" or die $!;
system('cp', build_dir() . '/t/unit/guest_wild', "$dir/code/bootstrap") == 0
    or die 'cp';
system(root() . "/vm/mkfunction $dir/code $dir/wild.img >&2") == 0
    or die 'mkfunction';

my $agent = started('a', settings('a', vmm_args => '--backend qemu',
    runtimes => root() . '/build/vm/runtimes', kernel => $kernel,
    initrd => $initrd, vmm_answer_ms => 20000, max_boots => 2,
    with_admin()));

my %port;
my $used_up = qr/the function has \d+ processes and threads, of \d+ that/;
my $killed = qr/killed for lack of memory, of which there are 128 MB/;

start('quiet');
tries();
harms(bomb => qr/$used_up|$killed/);
harms(small => $killed);
harms(zombies => qr/$used_up|$killed/);
eats();
goes();
shuts();
never_there();

$agent->kill('TERM')->wait(60);
unlike($agent->output, qr/Sanitizer|runtime error|is not possible/, 'no fault');
is(scalar(vmms('a')), 0, 'all of them have ended');
done_testing();


sub start {
    my ($name, %spec) = @_;

    link "$dir/wild.img", "$dir/functions/$name.img" or die $!;
    $etcd->spec($name, memory_mb => 128, boot_timeout_s => 120,
        idle_timeout_s => 6000, timeout_s => 60, %spec);
    our_job($name, "req-$name", 1);
    my (undef, $i) = instance($name, PATIENCE);
    $port{$name} = $i->{proxy_port};
}


sub ask {
    my ($name, $path, %more) = @_;
    return http_get($port{$name}, $path, timeout => PATIENCE, headers => {
        'X-Fcfaas-Function' => $name, 'X-Fcfaas-Token' => 'sesame' }, %more);
}


sub neighbour {
    is((ask('quiet', '/')->{body}), 'done', "$_[0]: a neighbour answers");
}


# by the agent, as a warning at least
sub said {
    my ($name, $what, $which) = @_;
    wait_for(sub { grep { /"level":"(?:warn|error)".*"function_id":"$name"/
        && /$what/ } split /\n/, $agent->output }, PATIENCE, $which);
    pass($which);
}


# what fcfaas logs shows of it
sub shown {
    my ($name, $what, $which) = @_;
    my $get = sub {
        my $r = http_get(AgentHost::ADMIN_PORT(), "/functions/$name/lines$_[0]",
            headers => { Authorization => 'Bearer sesame' });
        die "$r->{status} $r->{body}" if $r->{status} != 200;
        return json_decode($r->{body});
    };

    wait_for(sub {
        my ($page, @lines) = { more => 1 };
        while ($page->{more}) {
            $page = $get->($page->{next} ? "?after=$page->{next}" : '');
            push @lines, map { $_->{text} } @{ $page->{lines} };
        }
        join("\n", @lines) =~ $what;
    }, PATIENCE, $which);
    pass($which);
}


# a 502 that says where to read on; a busy proxy hears of the VM's end first
sub cut_off {
    my ($r, $which) = @_;
    is($r->{status}, 502, "$which: 502");
    like($r->{headers}{'x-fcfaas-error'}, qr/^(?:guest_closed|gone)\z/,
        'by its name');
    like($r->{body}, qr/"message":"the (?:function closed the connection(?#
        )|instance ended) before it answered; .* is in its log (?#
        )\(fcfaas logs\)"/, 'and where to read on');
}


sub ended {
    my ($name) = @_;
    $etcd->del("/specs/$name");
    wait_for(sub { !instances($name) && !$etcd->keys("/functions/$name/slots/") },
        PATIENCE, "$name: its end");
    pass("$name: it ends when it is not wanted any more");
}


# what is refused, or has its bounds, while the function lives on
sub tries {
    start('tries');
    is(ask('tries', '/may')->{body}, 'kmsg 13 console 13 ttyS0 13 sysrq 13 '
        . 'address 1 reboot 1 signals 0 mount 1', 'nothing of the guest is its');
    like(ask('tries', '/fill')->{body}, qr/^(?:[1-6]\d) (?:[1-6]\d)\z/,
        'files take half of the memory at most');
    # an emulated guest is slow: more than an agent keeps up with is what comes
    # while it stands still
    $agent->pause;
    is(ask('tries', '/flood')->{body}, 'done', 'a flood of output');
    $agent->resume;
    said('tries', qr/prints faster than is kept: \d+ bytes are lost/,
        'which is told');
    shown('tries', qr/^\d+ bytes more were printed$/m, 'and in its own log');
    my ($files, $sockets) = split ' ', ask('tries', '/files')->{body};
    ok($files == 24 || $files == 12 || $files == 23, "files end: $files");
    ok($sockets == 24 || $sockets == 12 || $sockets == 23,
        "sockets end: $sockets");
    is(ask('tries', '/own')->{body}, 'on my own', 'a session of its own');
    like(ask('tries', '/keep')->{body}, qr/^[1-6]\d\z/, 'files that stay');
    my $words = qr/the function's files take \d+ MB, of \d+ MB that they/;
    said('tries', $words, 'which is told');
    shown('tries', qr/^fcfaas: warning: $words/m, 'and in its own log');
    is(ask('tries', '/')->{body}, 'done', 'it serves on');
    neighbour('all that');
    ended('tries');
}


# what may take the function with it; then that is told, and to the caller
sub harms {
    my ($how, $words) = @_;

    start($how);
    is(ask($how, "/$how")->{body}, 'done', "$how: begins");
    my @r = map { ask($how, '/') } 1 .. 3;
    diag("$how: ", join ' ', map { $_->{status} // 'none' } @r);
    is(scalar(grep { !defined $_->{status}
        || $_->{status} !~ /^(?:200|50[234])$/ } @r), 0,
        "$how: who calls has an answer");
    said($how, $words, "$how: the agent says what it was");
    shown($how, $words, "$how: and its own log");
    neighbour($how);
    ended($how);
    diag("$how: $_") for map { substr $_, 0, 400 } grep { /"function_id":"$how"/
        && /died|killed|replac|ended/ } split /\n/, $agent->output;
}


# the function itself takes all memory, while it answers
sub eats {
    start('eats');
    cut_off(ask('eats', '/eat'), 'a function that takes all memory');
    said('eats', qr/the VM died.*the function ended: signal 9 .*, $killed/,
        'and the agent says why');
    shown('eats', qr/^fcfaas: the function ended: signal 9 .*, $killed/m,
        'and its own log');
    ended('eats');
}


# its end, while it answers
sub goes {
    start('goes');
    cut_off(ask('goes', '/exit'), 'a function that ends while it answers');
    said('goes', qr/the VM died.*the function ended: exit status 7; its last (?#
        )output:.*I go/, 'and the agent says how');
    shown('goes', qr/^fcfaas: the function ended: exit status 7; its last (?#
        )output:\n\| I go$/m, 'and its own log');
    ended('goes');
}


# no port any more, once it has answered
sub shuts {
    start('shuts');
    is(ask('shuts', '/shut')->{body}, 'done', 'its last answer');
    my @r = map { ask('shuts', '/')->{status} } 1 .. 3;
    is("@r", '503 503 503', 'then none: the request was never sent');
    said('shuts', qr/took none of the last 3 connections; replacing/,
        'and the agent says so');
    wait_for(sub { !instances('shuts') }, PATIENCE, 'its end');
    ended('shuts');
}


sub never_there {
    my $dir2 = "$dir/code2";
    mkdir $dir2 or die $!;
    my %code = (gone => "echo I cannot; exit 3\n",
        local => "exec httpd -f -p 127.0.0.1:80\n",
        other => "exec httpd -f -p 8080\n",
        late => "sleep 5\nexec httpd -f -p \$PORT -h /function\n",
        six => "exec nc -ll -p \$PORT -s :: -e true\n");
    my %want = (gone => qr/exit status 3.*I cannot/s,
        local => qr/only on 127\.0\.0\.1:80/,
        other => qr/8080.*listen on \$PORT/s);

    for my $name (qw(gone local other late)) {
        spew("$dir2/bootstrap", "#!/bin/sh\n$code{$name}");
        spew("$dir2/index.html", "late\n");
        chmod 0755, "$dir2/bootstrap";
        system(root() . "/vm/mkfunction $dir2 $dir/functions/$name.img >&2")
            == 0 or die 'mkfunction';
        $etcd->spec($name, memory_mb => 128,
            boot_timeout_s => $name eq 'other' ? 30 : 120);
        our_job($name, "req-$name", 1);

        if (!$want{$name}) {
            my (undef, $i) = instance($name, PATIENCE);
            $port{$name} = $i->{proxy_port};
            is(ask($name, '/')->{body}, "late\n", 'one that is late is served');
            next;
        }

        my $f = failure($name, "req-$name", PATIENCE);
        like("$f->{error} $f->{message}", $want{$name}, "$name: who waits is told");
        said($name, $want{$name}, "$name: and so is who reads the log");
        shown($name, $want{$name}, "$name: or its own");
    }
}
