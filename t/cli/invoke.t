# invoke: one request through a real gateway.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(park_timeout => '1s', agent => <<'EOC');
    client_max_body_size 70m;

    location /said {
        return 418 "no tea: $http_x_more\n";
    }

    location /echo {
        proxy_pass http://127.0.0.1:$server_port/body;
    }

    location /body {
        client_body_in_single_buffer on;
        client_body_buffer_size 1m;
        proxy_pass http://127.0.0.1:$server_port/got;
        proxy_set_header X-Body $request_body;
    }

    location /got {
        return 200 "$request_method $http_x_body $content_length";
    }
EOC

my $cli = FcfTest::Cli->new(conf => { etcd => $g->etcd->endpoint,
    gateway => 'http://127.0.0.1:' . $g->port . '/run/' });

$g->spec('hello', version => 2);
$g->warm('hello', version => 2);

like($cli->ok('invoke', 'hello')->{out}, qr{^GET / HTTP/1\.1\|hello\|secret\|},
    'invoke');
like($cli->ok('invoke', 'hello@2/a%20b?x=1&y')->{out},
    qr{^GET /a%20b\?x=1&y HTTP/1\.1\|hello\|}, 'a version, a path, a query');
like($cli->ok('invoke', 'hello/x', '-X', 'PURGE')->{out}, qr{^PURGE /x },
    'a method');
is($cli->ok('invoke', 'hello/echo', '-d', 'some text')->{out},
    'POST some text 9', 'a body');
is($cli->ok({ in => 'from in' }, 'invoke', 'hello/echo', '-d', '-')->{out},
    'POST from in 7', 'of standard input');
spew(tmpdir() . '/data', 'of a file');
is($cli->ok('invoke', 'hello/echo', '-d', '@' . tmpdir() . '/data', '-X',
    'PUT')->{out}, 'PUT of a file 9', 'of a file');
is($cli->ok('invoke', 'hello/echo', '-d', '')->{out}, 'POST  0',
    'an empty one');

my $r = $cli->run('invoke', 'hello/said', '-H', 'X-More: at all',
    '-H', 'X-Other: y');
is($r->{status}, 1, 'a status of 418 is no success');
is($r->{out}, "no tea: at all\n", 'its body is shown');
like($r->{err}, qr{/run/hello/said: status 418$}, 'and the status told');

$r = $cli->run('invoke', 'nobody');
is($r->{status}, 1, 'a function that is not there');
like($r->{out}, qr/"error":"/, 'the gateway says so');

$r = $cli->run('invoke', 'hello', '--gateway', 'http://127.0.0.1:1/run');
is($r->{status}, 3, 'a gateway that is not there');
like($r->{err}, qr{^fcfaas: http://127\.0\.0\.1:1/run/hello: .*connect}i,
    'is told');

$r = $cli->run({ to => '/dev/full' }, 'invoke', 'hello');
is($r->{status}, 1, 'an answer that cannot be written');
like($r->{err}, qr/standard output: No space left/, 'is told');

done_testing;
