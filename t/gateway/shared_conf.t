# A location's settings are shared by all its requests, and by no other
# location: what one request to a function needs otherwise (its timeout_s, a
# bounded connect, more than one try while it waits) is that request's alone,
# whichever comes before, beside or after it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my ($guest, $silent, $broken) = map { FcfTest::Guest->new } 1 .. 3;

# what "functions" or another upstream gets, with all of the http level's
my $pass = <<'EOC';
    proxy_pass http://$where$fcfaas_uri;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
EOC

my $g = FcfTest::Gateway->start(park_timeout => '30s', http => <<"EOH",
    proxy_read_timeout 300ms;
    proxy_send_timeout 300ms;
    proxy_next_upstream off;

    map \$arg_to \$where { default functions; silent silent; broken broken; }

    upstream silent { server 127.0.0.1:@{[ $silent->port ]}; }
    upstream broken {
        server 127.0.0.1:@{[ $broken->port ]} max_fails=0;
        server 127.0.0.1:@{[ $silent->port ]} backup;
    }
EOH
    server => <<"EOC");
    location ~ ^/a/(?<f_a>[^/]+) {
        fcfaas \$f_a;
        fcfaas_upgrade_timeout 1h;
        $pass

        location ~ /nested/ {
            # inherits fcfaas, and has settings of its own
            $pass
        }
        location ~ /beside/ {
            proxy_pass http://127.0.0.1:@{[ $silent->port ]};
        }
        if (\$arg_if) { set \$if 1; }
    }
    location /plain/ {
        proxy_pass http://127.0.0.1:@{[ $silent->port ]};
    }
EOC

my $answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n"
    . "\r\nok";
my @kept;

for my $name (qw(long none short)) {
    $g->spec($name, concurrency => 4,
        timeout_s => { long => 600, none => 0, short => 1 }->{$name});
    $g->instance($name, port => $guest->port, worker => "n1-$name");
}
$g->wait_known('instances', 3);

sub status_of { my ($q) = @_; return $q->response(20)->{status} }

# hears a request and never answers it
sub silence {
    my ($from, $path) = @_;
    my $q = $g->send($path);
    push @kept, $from->take;
    return status_of($q);
}

# what nobody may have changed
sub settings {
    my ($when) = @_;

    for my $nested ('', 'nested/') {
        is(silence($guest, "/a/none/$nested"), 504,
            "$when: a function without a timeout_s has the location's"
            . ($nested && ', nested'));
        is(silence($silent, "/a/none/$nested?to=silent"), 504,
            "$when: so has another upstream of the same location"
            . ($nested && ', nested'));
    }
    is(silence($guest, '/a/none/?if=1'), 504, "$when: in an \"if\"");
    is(silence($silent, '/a/none/beside/'), 504,
        "$when: and a location without functions inside of it");
    is(silence($silent, '/plain/'), 504, "$when: and one beside it");

    # what keeps a waiting request's doors open is for no other: one try
    my $q = $g->send('/a/none/?to=broken');
    $broken->take->close;
    is(status_of($q), 502, "$when: one try, as proxy_next_upstream says");
}

settings('at first');

# a longer timeout, over all that happens to the others meanwhile
my @long = map { $g->send($_) } '/a/long/', '/a/long/nested/', '/a/long/?if=1';
my @inside = map { $guest->take } @long;
settings('beside a longer timeout');
is(silence($guest, '/a/short/'), 504, 'a short one ends');
is(scalar(grep { $_->answered } @long), 0, 'the longer ones hold');
$_->print($answer) for @inside;
is(status_of($_), 200, 'and are served') for @long;
settings('after a longer timeout');

# an upgraded one, which may be idle
my $ws = $g->send('', raw => join("\r\n", 'GET /a/none/ HTTP/1.1', 'Host: x',
    'Connection: Upgrade', 'Upgrade: websocket', '', ''));
my $socket = $guest->take;
$socket->print("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    . "Connection: Upgrade\r\n\r\n");
ok($ws->until(sub { $_[0] =~ /\r\n\r\n/ }), 'upgraded');
settings('beside one that was upgraded');
$socket->print('still here');
ok($ws->until(sub { $_[0] =~ /still here/ }), 'that one holds');
$socket->close;
settings('after one that was upgraded');

# one that waits in the balancer: its instance refused, and there is no other
my $gone = free_port();
$g->spec('later');
$g->instance('later', port => $gone, worker => 'n1-l');
$g->wait_known('instances', 4);
my $waits = $g->send('/a/later/');
$g->wait_parked(1);
settings('beside one that waits in the balancer');
$g->instance('later', port => $guest->port, worker => 'n1-l');
$guest->take->print($answer);
is(status_of($waits), 200, 'that one is served');
settings('after one that waited in the balancer');

$g->stop;
done_testing;
