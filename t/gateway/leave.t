# Clients that leave in the middle of an answer: the function's connection
# ends, and its slot is free for the next one.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $guest = FcfTest::Guest->new;
my $h2 = free_port();

my $g = FcfTest::Gateway->start(park_timeout => '30s', server => <<"EOC");
    listen 127.0.0.1:$h2 http2;

    location ~ ^/stream/(?<f_stream>[^/]+) {
        fcfaas \$f_stream;
        fcfaas_park_timeout 30s;
        proxy_buffering off;
        proxy_pass http://functions\$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
EOC

$g->spec('hello', concurrency => 1);
$g->etcd->instance('hello', port => $guest->port);
$g->wait_known('instances', 1);

my $head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

# an answer that has begun and does not go on
sub begun {
    my ($c) = @_;
    $c->print($head, "5\r\nfirst\r\n");
    return $c;
}

# one that goes on for ever, until its connection is closed
sub endless {
    my ($c, $q) = @_;
    my $chunk = "4000\r\n" . 'x' x 0x4000 . "\r\n";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $q->close if $q;
        $c->print($head);
        1 while syswrite $c->{sock}, $chunk;
        POSIX::_exit(0);
    }

    $c->close;
    return $pid;
}

sub next_is_served {
    my ($name) = @_;
    my $q = $g->send('/run/hello/next');

    my $c = $guest->take;
    $c->print($ok);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($q->response->{body}, "ok\n", "$name: the next one is served");
    $q->close;
    $c->close;
}

sub first_bytes {
    my ($q) = @_;
    $q->until(sub { $_[0] =~ /first|xxx/ }) or die "no answer\n";
}

my %leave = (close => sub { $_[0]->close }, reset => sub { $_[0]->reset });

for my $how (sort keys %leave) {

    # nothing has come yet
    for my $path ('/run/hello', '/stream/hello') {
        my $q = $g->send($path);
        my $c = $guest->take;
        $leave{$how}->($q);
        ok($c->closed, "$how, $path, before an answer: the function is told");
        next_is_served("$how, $path");
    }

    # a part has come, and no more does
    my $q = $g->send('/stream/hello');
    my $c = begun($guest->take);
    first_bytes($q);
    $leave{$how}->($q);
    ok($c->closed, "$how, unbuffered, a part: the function is told");
    next_is_served("$how, unbuffered, a part");

    $q = $g->send('/run/hello');
    $c = $guest->take;
    $c->print($head, "20000\r\n", 'x' x 0x20000, "\r\n");
    first_bytes($q);
    $leave{$how}->($q);
    ok($c->closed, "$how, buffered, a part: the function is told");
    next_is_served("$how, buffered, a part");

    # it comes faster than the client takes it
    for my $path ('/run/hello', '/stream/hello') {
        $q = $g->send($path);
        my $pid = endless($guest->take, $q);
        first_bytes($q);
        $leave{$how}->($q);
        wait_for(sub { waitpid($pid, POSIX::WNOHANG()) == $pid }, 10,
            'the function to be told');
        pass("$how, $path, endless: the function is told");
        next_is_served("$how, $path, endless");
    }
}

# over HTTP/2, one stream of two on a connection
for my $path ('/run/hello', '/stream/hello') {
    my $out = tmpdir() . '/h2.out';
    my $curl = FcfTest::Proc->spawn(name => 'curl', stdout => $out,
        argv => ['curl', '-sS', '-N', '--noproxy', '*',
            '--http2-prior-knowledge', "http://127.0.0.1:$h2$path"]);
    my $pid = endless($guest->take);

    wait_for(sub { -s $out }, 10, 'a part of an answer');
    $curl->kill('KILL');
    wait_for(sub { waitpid($pid, POSIX::WNOHANG()) == $pid }, 10,
        'the function to be told');
    pass("HTTP/2, $path: the function is told");
    next_is_served("HTTP/2, $path");
    unlink $out;
}

# who waits in the queue has the place of one that leaves
my $q = $g->send('/stream/hello/1');
my $c = begun($guest->take);
my $waits = $g->send('/run/hello/2');
$g->wait_parked(1);
$q->close;
ok($c->closed, 'the function is told');
$c = $guest->take;
like($c->head, qr{^GET /2 }, 'who waited comes');
$c->print($ok);
is($waits->response->{status}, 200, 'and is served');

$g->stop;
done_testing;
