# Parked over HTTP/2: served, left, uploaded; and instances with IPv6 addresses.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $port = free_port();
my $g = FcfTest::Gateway->start(park_timeout => '30s',
    http   => 'client_max_body_size 2m;', agent => 'client_max_body_size 2m;',
    server => "listen 127.0.0.1:$port http2;");
$g->spec('hello');

my $file = spew(tmpdir() . '/body', 'x' x 1000000);
my $n = 0;

sub h2 {
    my ($path, @args) = @_;

    return FcfTest::Proc->spawn(name => 'curl' . ++$n, argv => ['curl', '-sS',
        '--noproxy', '*', '--http2-prior-knowledge', '-w', '%{http_code}\n',
        @args, "http://127.0.0.1:$port$path"]);
}

my @upload = ('-H', 'Expect:', '--data-binary', "\@$file");

for my $what ([], ['-d', 'short'], [@upload],
    [@upload, '-H', 'Transfer-Encoding: chunked'])
{
    my $name = join ' ', map { /^@/ ? 'file' : $_ } @$what;
    my @curl = map { h2('/run/hello', @$what) } 1 .. 3;

    $g->wait_parked(3);
    $_->kill('KILL') for @curl;
    ok(eval { $g->wait_parked(0, 3); 1 }, "left: $name");
    $_->wait(5) for @curl;
}

my @curl = (h2('/run/hello'), h2('/run/hello', '-d', 'short'),
    h2('/run/hello', @upload));
$g->wait_parked(3);
$g->instance('hello');

for my $curl (@curl) {
    is($curl->wait(10), 0, 'parked');
    like(slurp($curl->log), qr/^200$/m, 'and served');
}

# an IPv6 address
SKIP: {
    my $six = IO::Socket::IP->can('new') || eval { require IO::Socket::IP };
    my $listen = $six && IO::Socket::IP->new(LocalHost => '::1', Listen => 5,
        LocalPort => 0) or skip 'no IPv6 here', 2;

    $g->spec('six');
    $g->etcd->instance('six', worker => 'n1-6', worker_ip => '::1',
        port => $listen->sockport);
    my $q = $g->send('/run/six');
    my $c = $listen->accept;
    ok($c, 'IPv6: a connection');
    print $c "HTTP/1.0 200 OK\r\n\r\n";
    close $c;
    is($q->response(5)->{status}, 200, 'IPv6: served');
}

$g->stop;
done_testing;
