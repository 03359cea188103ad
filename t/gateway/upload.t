# Requests whose body is still on its way when they are answered, or cannot be
# read to its end.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Socket::INET;
use Test::More;

my $late = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5,
    LocalPort => free_port(), Proto => 'tcp') or die "listen: $!";
my $late_port = $late->sockport;

my $g = FcfTest::Gateway->start(park_timeout => '10s',
    http => 'client_max_body_size 300k;',
    location => 'client_body_timeout 20s;',
    server => <<"    EOC");
        location ~ ^/other/(?<function_id>[^/]+) {
            fcfaas \$function_id;
            error_page 502 = \@other;
            proxy_pass http://functions\$fcfaas_uri;
        }

        location ~ ^/small/(?<function_id>[^/]+) {
            fcfaas \$function_id;
            fcfaas_park_timeout 1s;
            client_max_body_size 50k;
            error_page 413 = \@other;
            proxy_pass http://functions\$fcfaas_uri;
        }

        location \@other {
            client_max_body_size 300k;
            proxy_pass http://127.0.0.1:$late_port;
        }
    EOC

# an answer of the other location's, once somebody reads what it was sent
sub late_answer {
    my $c = $late->accept or die "accept: $!";
    my $got = '';

    while ($got !~ /\r\n\r\n/
        || length($got) - $+[0] < ($got =~ /^Content-Length: (\d+)/im
            ? $1 : 0))
    {
        sysread $c, $got, 65536, length $got or last;
        $got =~ /\r\n\r\n/;
    }

    print $c "HTTP/1.0 202 Accepted\r\n\r\n";
    close $c;
    return $got;
}

sub half {
    my ($path) = @_;
    return $g->send($path, raw => "POST $path HTTP/1.1\r\nHost: a\r\n"
        . "Content-Length: 200000\r\n\r\n" . 'x' x 100000);
}

sub job_fails {
    my ($name) = @_;
    my $job = $g->redis->take_job(5);

    $g->redis->cli('ZREM', "{queue:vm_provision}:pending:$name",
        $job->{request_id});
    $g->etcd->failure($name, $job->{request_id}, error => 'no_image',
        message => 'not there');
}

# the reason does not wait for the body
$g->spec('one');
my $q = half('/run/one');
$g->wait_parked(1);
job_fails('one');
my $r = $q->response(3);
is($r->{status}, 502, 'in the middle of a body: answered at once');
is($r->{headers}{'x-fcfaas-error'}, 'no_image', 'with the reason');
$q->close;
$g->wait_parked(0);

# its turn comes in the middle of its body
$g->spec('early');
$q = half('/run/early/x');
$g->wait_parked(1);
$g->instance('early');
$g->wait_parked(0);
ok(!$q->answered, 'in the middle of a body: its turn');
$q->sock->print('y' x 100000);
$r = $q->response(5);
is($r->{status}, 200, 'served once the body is there');
like($r->{body}, qr{^POST /x HTTP}, 'by the function');
$q->close;

# one that leaves between its turn and the end of its body
$g->etcd->no_instance('early', 'n1-1');
$g->wait_known('instances', 0);
$q = half('/run/early');
$g->wait_parked(1);
$g->instance('early');
$g->wait_parked(0);
$q->close;
wait_for(sub { $g->nginx->logged(qr/client prematurely closed/) }, 5,
    'its leaving to be seen');
$g->etcd->no_instance('early', 'n1-1');
$g->wait_known('instances', 0);

# another location's proxy_pass needs the whole body
$g->spec('two');
$q = half('/other/two');
$g->wait_parked(1);
job_fails('two');
$g->wait_parked(0);
$q->sock->print('y' x 100000);
my $sent = late_answer();
is(length($sent) - index($sent, "\r\n\r\n") - 4, 200000,
    'error_page: the other location has the whole body');
is($q->response(5)->{status}, 202, 'and answers');
$q->close;

# a body that nginx itself refuses in the middle
$g->spec('three');
$q = $g->send('/small/three', raw => "POST /small/three HTTP/1.1\r\n"
    . "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    . "8000\r\n" . 'x' x 0x8000 . "\r\n");
$g->wait_parked(1);
$q->sock->print("8000\r\n" . 'x' x 0x8000 . "\r\n");
my $c = $late->accept or die "accept: $!";      # the other location has it
$g->wait_parked(0, 5);                          # by its park timeout
ok(!$q->answered, 'too large a body: error_page has it, and keeps it');
print $c "HTTP/1.0 202 Accepted\r\n\r\n";
close $c;
is($q->response(5)->{status}, 202, 'the other location answers');

is($g->get('/status')->{status}, 200, 'the worker lives');
is(scalar $g->nginx->logged(qr/exited on signal/), 0, 'and always did');
$g->stop;
done_testing;
