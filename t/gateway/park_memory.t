# fcfaas_park_memory: what bodies of requests that wait may take.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $h2 = free_port();
my $g = FcfTest::Gateway->start(park_timeout => '30s',
    http => 'fcfaas_park_memory 150k; client_body_buffer_size 64k;'
        . 'client_max_body_size 2m;',
    agent => 'client_max_body_size 2m;', server => "listen 127.0.0.1:$h2 http2;");
$g->spec('hello');

my $body = 'x' x 60000;
my $chunked = "POST /run/hello HTTP/1.1\r\nHost: a\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";

sub post { $g->send('/run/hello', method => 'POST', body => $_[0] // $body) }

sub refused {
    my ($q, $name) = @_;
    my $r = $q->response(5);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} " . ($r->{headers}{'x-fcfaas-error'} // ''),
        '429 park_limit', "$name: refused");
    $q->close;
}

my @q = map { post() } 1 .. 2;
$g->wait_parked(2);
refused(post(), 'a third of 60 kB');
refused($g->send('', raw => $chunked), 'one of unknown size');
# of which no more than the buffer is in memory
refused(post('x' x 1000000), 'one that goes into a file');

push @q, $g->send('/run/hello');
$g->wait_parked(3);
pass('one without a body: there is room');

$q[0]->close;
$g->wait_parked(2);
push @q, post();
$g->wait_parked(3);
pass('one that leaves makes room');

$g->instance('hello');
is($_->response(5)->{status}, 200, 'served') for @q[1 .. 3];
$g->wait_parked(0);

# those that are served hold nothing any more
$g->etcd->no_instance('hello', 'n1-1');
$g->wait_known('instances', 0);
@q = map { post() } 1 .. 2;
$g->wait_parked(2);
pass('as much as before');
refused(post(), 'again a third');
$_->close for @q;
$g->wait_parked(0);

# one without a body: nginx's pools and buffer for heads, and what is ours
@q = $g->send('/run/hello');
$g->wait_parked(1);
my $held = $g->status->{workers}[0]{parked_bytes};
cmp_ok($held, '>', 512 + 4096 + 1024 + 512, 'what is kept of it is counted');
$_->close for @q;
$g->wait_parked(0);

# over HTTP/2
my $file = spew(tmpdir() . '/body', $body);
my @curl = map {
    FcfTest::Proc->spawn(name => "curl$_", argv => ['curl', '-sS', '--noproxy',
        '*', '--http2-prior-knowledge', '-o', '/dev/null', '-w',
        '%{http_code}\n', '--data-binary', "\@$file",
        "http://127.0.0.1:$h2/run/hello"])
} 1 .. 3;
# curl may take such an answer, which comes before it has sent all, for an error
wait_for(sub { $g->nginx->logged(qr{429 park_limit.*HTTP/2}) }, 10,
    'a refusal');
$g->wait_parked(2);
pass('HTTP/2: two of three wait');
$g->instance('hello');
$_->wait(10) for @curl;
is(scalar(grep { $_->output =~ /^200$/m } @curl), 2, 'and are served');

$g->stop;
done_testing;
