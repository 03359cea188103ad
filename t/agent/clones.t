#!/usr/bin/perl

# Real guests as their snapshots' clones: hooks, time, random numbers, and the
# new place in the network, told over the control port as the agent does it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest;
use FcfTest::Standin qw(call fault put);
use IO::Socket::INET;
use Socket;
use Test::More;

plan skip_all => no_guest() if no_guest();

my %code = (
    python3 => <<'END',
import os, random, socket, ssl, time
seen = []
first = random.random(), ssl.RAND_bytes(8)

def before_snapshot():
    seen.append('snapshot')

async def after_restore():
    seen.append('restore')

def handle(request):
    if request.path == '/seen':
        return ' '.join(seen) + '\n'
    return dict(language=random.random(), openssl=ssl.RAND_bytes(8).hex(),
        system=os.urandom(8).hex(), time=time.time(),
        name=socket.gethostname())
END
    node => <<'END',
const crypto = require('crypto');
const random = Math.random;
const seen = [];
random(); crypto.randomUUID(); crypto.randomBytes(8); crypto.randomInt(9);

exports.beforeSnapshot = () => { seen.push('snapshot'); };
exports.afterRestore = async () => { seen.push('restore'); };
exports.handler = (request) => request.path === '/seen'
    ? seen.join(' ') + '\n'
    : { language: random(), openssl: crypto.randomBytes(8).toString('hex'),
        uuid: crypto.randomUUID(), integer: crypto.randomInt(2 ** 40),
        system: require('fs').readFileSync('/proc/sys/kernel/random/uuid',
            'latin1'),
        time: Date.now() / 1000, name: require('os').hostname() };
END
);

my @images = map { "build/vm/runtimes/$_.img" } qw(base python3 node);
is(system("cd @{[root()]} && make -s @images >&2"), 0, 'the images are made')
    or do { done_testing(); exit };

lay_guest_network('clones');
my $mac = $ns->run(qw(cat /sys/class/net/tap0/address)) =~ s/\s//gr;

for my $n (1, 2) {
    $ns->run(qw(ip tuntap add dev), "tap$n", qw(mode tap));
    $ns->run(qw(ip link set), "tap$n", 'address', $mac);
    $ns->run(qw(ip link set), "tap$n", 'up');
}

clones('python3', 'handler.py');
clones('node', 'handler.js');
of_its_own();
hooks('knows no POST', '', '/.fcfaas/snapshot');
hooks('has no hook', "def do_POST(self): self.send_error(404)",
    '/.fcfaas/snapshot /.fcfaas/restore');
done_testing();


# a connection by a TAP to whatever has this address there, from the gateway's
sub by_tap {
    my ($n, $port, $to) = @_;

    return $ns->in(sub {
        socket(my $sock, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
        setsockopt $sock, SOL_SOCKET, 25, pack('Z*', "tap$n")
            or die "tap$n: $!";
        bind $sock, sockaddr_in(0, inet_aton('172.16.0.1')) or die "bind: $!";
        IO::Handle::blocking($sock, 0);
        connect $sock, sockaddr_in($port, inet_aton($to));
        my $ready = '';
        vec($ready, fileno $sock, 1) = 1;
        select(undef, $ready, undef, 0.3) or return undef;
        return undef if unpack 'i', getsockopt $sock, SOL_SOCKET, SO_ERROR;
        IO::Handle::blocking($sock, 1);
        return bless $sock, 'IO::Socket::INET';
    });
}


sub get_by_tap {
    my ($n, $to, $path) = @_;
    my $sock = wait_for(sub { by_tap($n, 80, $to) }, 20, "$to");
    my $text = '';

    $sock->syswrite("GET $path HTTP/1.0\r\n\r\n");
    1 while $sock->sysread($text, 65536, length $text);
    return (split /\r\n\r\n/, $text, 2)[1];
}


sub snapshot {
    my ($vm) = @_;
    my $dir = tmpdir();

    is(call($vm, 'PATCH', '/vm', json_encode({ state => 'Paused' }))
        ->{status}, 204, 'paused');
    is(fault(put($vm, '/snapshot/create', snapshot_path => "$dir/state",
        mem_file_path => "$dir/memory")), '204 ', 'a snapshot');
    $vm->{proc}->kill('TERM')->wait(5);
}


sub restored {
    my ($n) = @_;
    my $dir = tmpdir();
    my $vm = FcfTest::Standin::vmm(backend => 'qemu');

    put($vm, '/serial', serial_out_path => $vm->{console});
    is(fault(put($vm, '/snapshot/load', snapshot_path => "$dir/state",
        mem_backend => { backend_type => 'File',
            backend_path => "$dir/memory" }, resume_vm => \1,
        network_overrides => [{ iface_id => 'eth0',
            host_dev_name => "tap$n" }])), '204 ', "clone $n is loaded");
    return $vm;
}


sub wake {
    my ($n, %with) = @_;
    my $sock = wait_for(sub { by_tap($n, 1024, $guest) }, 20, 'its port');

    return op($sock, { op => 'wake', ms => int(1000 * now_real()),
        data => 'c2VlZA==', address => "172.16.0.1$n",
        mac => "06:00:ac:10:00:1$n", hostname => "clone-$n", %with });
}


sub now_real { require Time::HiRes; return Time::HiRes::time() }


sub clones {
    my ($runtime, $file) = @_;
    my $t = now();
    my $vm = boot(image($file => $code{$runtime},
        runtime => $runtime), runtime => $runtime,
        memory => 256);

    close reach($vm, 80);
    my $boot = now() - $t;
    my %of = (0 => json_decode(request('/')->{body}));

    my $sock = reach($vm, 1024);
    my $asked = op($sock, { op => 'snapshot' });
    delete $asked->{young};             # as fast as it has booted
    is_deeply($asked, { %$true, reseeds => JSON::PP::true },
        "$runtime reseeds");
    setsockopt $sock, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $sock;
    snapshot($vm);

    my (@vm, @took);

    for my $n (1, 2) {
        my $t = now();
        push @vm, restored($n);
        is_deeply(wake($n), { %$true, reseeds => JSON::PP::true },
            'it is awake');
        close wait_for(sub { by_tap($n, 80, "172.16.0.1$n") }, 20,
            'its new address');
        push @took, now() - $t;
    }

    diag(sprintf '%s: boot %.2f s, restores %s s', $runtime, $boot,
        join ' and ', map { sprintf '%.2f', $_ } @took);

    for my $n (1, 2) {
        $of{$n} = json_decode(get_by_tap($n, "172.16.0.1$n", '/'));
        cmp_ok(abs($of{$n}{time} - now_real()), '<', 2, 'the right time');
        is($of{$n}{name}, "clone-$n", 'its own name');
        is(get_by_tap($n, "172.16.0.1$n", '/seen'), "snapshot restore\n",
            'the function was told');
        ok(!by_tap($n, 80, $guest), 'nothing at the old address');
    }

    for my $what (grep { !/time|name/ } sort keys %{ $of{0} }) {
        my %different = map { $of{$_}{$what} => 1 } 0 .. 2;
        is(keys %different, 3, "$runtime: $what is different in each");
    }

    for my $n (1, 2) {
        my $sock = by_tap($n, 1024, "172.16.0.1$n");
        ok($sock, 'the control port has moved') or next;
        is_deeply(op($sock, { op => 'stop' }), $true, 'told to stop');
        ends($vm[$n - 1], qr/^fcfaas: stopped$/m, 'a clone');
    }
}


# what a server of its own is asked
sub hooks {
    my ($what, $post, $asked) = @_;
    my $vm = boot(image(bootstrap => <<"END", runtime => 'python3'),
#!/usr/bin/python3
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

asked = []

class Handler(BaseHTTPRequestHandler):
    $post

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(' '.join(asked).encode())

    def log_request(self, *args):
        if self.command == 'POST':
            asked.append(self.path)

HTTPServer(('', int(os.environ['PORT'])), Handler).serve_forever()
END
        runtime => 'python3', memory => 256);

    close reach($vm, 80);
    my $sock = reach($vm, 1024);
    is_deeply(op($sock, { op => 'snapshot' })->{ok}, JSON::PP::true,
        "$what: may be cloned");
    my $woken = op($sock, { op => 'wake', ms => int(1000 * now_real()),
        data => 'c2VlZA==', address => '172.16.0.11',
        mac => '06:00:ac:10:00:11' });
    ok($woken->{ok}, 'wakes') or diag($woken->{error});
    is(get_by_tap(0, '172.16.0.11', '/'), $asked, "$what: $asked");
    $vm->{proc}->kill('TERM')->wait(5);
}


# a function that knows nothing of snapshots, and what is refused
sub of_its_own {
    my $vm = boot(image(bootstrap => <<'END'));
#!/bin/sh
mkdir /tmp/www && cd /tmp/www && echo hello >index.html
busybox nc -l -p 81 </dev/null
exec busybox httpd -f -p "$PORT"
END
    my $sock = reach($vm, 1024);
    my $early = op($sock, { op => 'snapshot' });
    ok(!$early->{ok} && $early->{again}, "too early: $early->{error}");
    close reach($vm, 81);
    close reach($vm, 80);

    is_deeply(op($sock, { op => 'snapshot' })->{reseeds}, JSON::PP::false,
        'busybox does not reseed');
    my %good = (op => 'wake', ms => 1700000000000, data => 'c2VlZA==',
        address => '172.16.0.11', mac => '06:00:ac:10:00:11');

    for ([address => undef], [address => '172.16'], [mac => 'x'],
        [mac => '07:00:ac:10:00:11'], [ms => 0], [ms => 'x'], [data => ''],
        [hostname => 'x' x 65], [data => 'A' x 6000])
    {
        my ($name, $value) = @$_;
        my $answer = op($sock, { %good, $name => $value });
        ok(!$answer->{ok} && $answer->{error} =~ /^$name\b/,
            "a bad $name: $answer->{error}");
    }

    stop($vm);
}
