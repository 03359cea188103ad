package FcfTest::Runtime;

# The launchers of the runtimes python3 and node in a function's directory, run
# here as in a guest: the same programs, by this machine's interpreters.

use strict;
use warnings;

use Exporter 'import';
use FcfTest;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;

our @EXPORT = qw($big have function up down words ask rest_of body_of
    at_once streams echoes marks upgraded some_of ws_put
    ws_get);

# 2 MiB
our $big = join '', map { pack 'N', $_ * 2654435761 % 4294967296 }
    1 .. 512 * 1024;

my $top = root();
my $count = 0;


sub have { return -x "/usr/bin/$_[0]" }


sub function {
    my (%files) = @_;
    my $dir = tmpdir() . '/code' . ++$count;

    mkdir $dir or die "$dir: $!";

    for my $name (keys %files) {
        my $path = $dir;
        $path .= "/$_", -d $path || mkdir $path
            for (split m{/}, $name)[0 .. ($name =~ tr{/}{}) - 1];
        spew("$dir/$name", $files{$name});
    }

    return $dir;
}


# The runtime's launcher in a function's directory, as init starts it.
sub launched {
    my ($runtime, $dir, %env) = @_;
    my $port = free_port();
    my $log = "$dir.log";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        chdir $dir or POSIX::_exit(90);
        open STDOUT, '>', $log or POSIX::_exit(91);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(92);
        $ENV{PORT} = $port;
        $ENV{PYTHONDONTWRITEBYTECODE} = 1;      # beside the sources
        $ENV{$_} = $env{$_} for keys %env;
        exec "/usr/bin/$runtime",
            "$top/vm/runtimes/$runtime/files/usr/lib/fcfaas/launch"
            or POSIX::_exit(93);
    }

    return { pid => $pid, port => $port, log => $log };
}


# undef if it ends before it listens
sub up {
    my $fn = launched(@_);

    wait_for(sub {
        return 1 if waitpid($fn->{pid}, POSIX::WNOHANG) == $fn->{pid}
            && ($fn->{ended} = 1);
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', Timeout => 1,
            PeerPort => $fn->{port});
    }, 30, "a function in $_[1]");

    return $fn;
}


sub down {
    my ($fn) = @_;
    kill 'TERM', $fn->{pid};
    wait_for(sub { waitpid($fn->{pid}, POSIX::WNOHANG) == $fn->{pid} }, 20,
        'its end');
    is($?, 0, 'SIGTERM ends it');
    return slurp($fn->{log});
}


# what one that does not start says
sub words {
    my $fn = launched(@_);
    wait_for(sub { waitpid($fn->{pid}, POSIX::WNOHANG) == $fn->{pid} }, 20,
        'its end');
    is($? >> 8, 1, 'it does not start');
    return slurp($fn->{log});
}


sub ask {
    my ($fn, $path, %opt) = @_;
    return http_get($fn->{port}, $path, timeout => 20, %opt);
}


# until the other side closes, which it is to do
sub rest_of {
    my ($sock) = @_;
    my $got = '';

    wait_for(sub {
        !IO::Select->new($sock)->can_read(0)
            ? 0 : !$sock->sysread($got, 65536, length $got);
    }, 20, 'the end of a connection');
    return $got;
}


sub body_of { "$_[0]{status} $_[0]{body}" }


# requests that wait for each other, so that they must be inside at once
sub at_once {
    my ($fn, $n) = @_;
    my @q = map { http_send($fn->{port}, "/meet?n=$n") } 1 .. $n;
    is(join(' ', map { $_->response(20)->{body} } @q),
        join(' ', ('met') x $n), "$n requests at once");
}


# the first piece arrives while the second is held back
sub streams {
    my ($fn, $how) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $fn->{port}) or die $!;
    my $got = '';

    $sock->syswrite("POST /stream HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    for my $n (1 .. 3) {
        $sock->syswrite("2\r\n$n\n\r\n");
        wait_for(sub {
            IO::Select->new($sock)->can_read(5)
                && $sock->sysread($got, 4096, length $got);
            $got =~ /got $n\n/;
        }, 10, "piece $n");
    }
    $sock->syswrite("0\r\n\r\n");
    $got .= rest_of($sock);
    like($got, qr/\r\n0\r\n\r\n\z/, "$how: streams both ways");
}


sub echoes {
    my ($fn, $how) = @_;
    my $file = spew(tmpdir() . '/body', $big);
    my $back = tmpdir() . '/back';

    for ('Expect: 100-continue', 'Transfer-Encoding: chunked') {
        my $r = curl('-H', $_, '-T', $file, '-o', $back, '-m', 30,
            "http://127.0.0.1:$fn->{port}/echo");
        is($r->{status}, 200, "$how: 2 MiB, $_");
        ok(slurp($back) eq $big, 'come back');
    }
}


# a connection that asked for one, and the answer's head
sub upgraded {
    my ($fn, $path, %with) = @_;
    my %head = (Upgrade => 'websocket', Connection => 'Upgrade',
        'Sec-WebSocket-Version' => 13,
        'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==', %with);
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $fn->{port}) or die $!;
    my $got = '';

    $sock->syswrite("GET $path HTTP/1.1\r\nHost: x\r\n"
        . join('', map { "$_: $head{$_}\r\n" } sort keys %head) . "\r\n");
    until ($got =~ /\r\n\r\n/) {
        IO::Select->new($sock)->can_read(20) or die 'no answer';
        $sock->sysread($got, 1, length $got) or last;
    }
    return ($sock, $got);
}


sub some_of {
    my ($sock, $n) = @_;
    my $got = '';
    while (length $got < $n) {
        IO::Select->new($sock)->can_read(20) or die 'nothing comes';
        $sock->sysread($got, $n - length $got, length $got) or return undef;
    }
    return $got;
}


# a client's frame, masked; first: FIN and opcode
sub ws_put {
    my ($sock, $first, $data) = @_;
    my $n = length $data;
    $sock->syswrite(pack('C', $first) . ($n < 126 ? pack 'C', 0x80 | $n
        : pack 'CQ>', 0xff, $n) . 'mask' . ("$data" ^ substr 'mask'
        x ($n / 4 + 1), 0, $n));
}


sub ws_get {
    my ($sock) = @_;
    my $head = some_of($sock, 2) // return 'the end';
    my ($first, $n) = unpack 'CC', $head;
    $n = unpack 'n', some_of($sock, 2) if $n == 126;
    $n = unpack 'Q>', some_of($sock, 8) if $n == 127;
    return sprintf '%x %s', $first, $n ? some_of($sock, $n) : '';
}


# lines say which request printed them, also of several at once
sub marks {
    my ($runtime, %files) = @_;
    my $fn = up($runtime, function(%files));
    my @all = map { http_send($fn->{port}, "/?a=$_",
        headers => { 'X-Request-Id' => "req-$_" }) } 1 .. 5;

    is(join('', map { $_->response(20)->{body} } @all), '12345', 'answers');
    ask($fn, '/?a=6');
    ask($fn, '/?a=7', headers => { 'X-Request-Id' => 'no id' });
    my $log = down($fn);
    my $mark = sub { "\x1ereq-$_[0]\x1f" };

    is(scalar(grep { $log =~ /^\Q@{[$mark->($_)]}\Ebegins $_ and ends $_$/m }
        1 .. 5), 5, "$runtime: each line has its request") or diag($log);
    is(scalar(grep { $log =~ /^\Q@{[$mark->($_)]}\Etwo$/m
        && $log =~ /^\Q@{[$mark->($_)]}\Elines, and a rest$/m } 1 .. 5), 5,
        'on standard error, too, and what has no end');
    like($log, qr/^loaded$/m, 'what no request printed has none');
    like($log, qr/(?<!\x1f)begins $_ and ends $_$/m, 'nor without an id')
        for 6, 7;
}


1;
