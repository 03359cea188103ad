# Connections that are upgraded: idle for longer than nginx's timeouts and the
# function's timeout_s, and for no longer than fcfaas_upgrade_timeout.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Select;
use IO::Socket::INET;
use Test::More;

my $listen = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1')
    or die $!;
my $pid = fork // die "fork: $!";

# a function that answers 101, and then with what it gets
if ($pid == 0) {
    my $select = IO::Select->new($listen);

    while (1) {
        for my $s ($select->can_read) {
            if ($s == $listen) {
                $select->add(scalar $listen->accept);
                next;
            }

            my $n = sysread $s, my $text, 65536;
            if (!$n) {
                $select->remove($s);
                close $s;
                next;
            }

            syswrite $s, $text =~ /^GET /
                ? "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
                    . "Connection: upgrade\r\n\r\n"
                : $text;
        }
    }
}

my $settings = <<'EOC';
    proxy_pass http://functions$fcfaas_uri;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    proxy_read_timeout 1s;
    proxy_send_timeout 1s;
EOC

my $g = FcfTest::Gateway->start(server => <<"EOC");
    location ~ ^/ws/(?<f_ws>[^/]+) { fcfaas \$f_ws; $settings }
    location ~ ^/brief/(?<f_brief>[^/]+) {
        fcfaas \$f_brief;
        fcfaas_upgrade_timeout 1s;
        $settings
    }
EOC

$g->spec('echo', timeout_s => 1);
$g->etcd->instance('echo', port => $listen->sockport);
$g->wait_known('instances', 1);

sub upgraded {
    my ($path) = @_;
    my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $g->port) or die $!;

    syswrite $c, "GET $path HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
        . "Upgrade: echo\r\n\r\n";
    IO::Select->new($c)->can_read(5);
    sysread $c, my $head, 65536;
    like($head, qr{^HTTP/1.1 101 }, "$path: upgraded");
    return $c;
}

my $c = upgraded('/ws/echo/x');

# the time itself is what is tested: idle beyond all of them
ok(!IO::Select->new($c)->can_read(2.5), 'idle, and nobody closes it');
syswrite $c, 'hello';
ok(IO::Select->new($c)->can_read(5), 'an answer');
sysread $c, my $text, 100;
is($text, 'hello', 'it works on');
close $c;

$c = upgraded('/brief/echo/x');
ok(IO::Select->new($c)->can_read(6), 'fcfaas_upgrade_timeout');
is(sysread($c, $text, 100), 0, 'closes it');

kill 'KILL', $pid;
waitpid $pid, 0;
$g->stop;
done_testing;
