#!/usr/bin/perl

# What runs inside a VM: init, control port, the base runtime, the example
# functions.  Real guests, booted through the VMM stand-in.
#
# QEMU's microvm with acpi=on shows virtio-mmio drives in the order of their
# buses: the first on the lowest bus is vda.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest;
use IO::Select;
use Test::More;

making_functions();
making_kernel();
making_programs();

SKIP: {
    skip no_guest(), 1 if no_guest();
    lay_guest_network('guest');

    # what the agent's unit says by MemoryDenyWriteExecute=, as far as the
    # kernel has it: PR_SET_MDWE, of 6.3
    syscall 157, 65, 1, 0, 0, 0;

    # and the largest file that the agent lets a VMM write
    system('prlimit', "--pid=$$", '--fsize=' . (64 << 20)) == 0 or die;

    hello();
    echo();
    inside();
    control();
    stubborn();
    endings();
    deaf();
    memory();
    trial();
}

done_testing();


sub making_functions {
    like(image(other => ''), qr/\Avm\/mkfunction: .*there is no bootstrap/,
        'no bootstrap');

    my $dir = tmpdir() . '/plain';
    mkdir $dir;
    spew("$dir/bootstrap", '');
    like(qx{@{[root()]}/vm/mkfunction $dir $dir.img 2>&1},
        qr/plain\/bootstrap is not executable/, 'not executable');
    ok(! -e "$dir.img", 'no image is made of it');
    like(qx{@{[root()]}/vm/mkfunction /no/such x.img 2>&1},
        qr{\Avm/mkfunction: /no/such: no such directory}, 'no directory');

    my ($one, $two) = (shell('a'), shell('a'));
    ok(slurp($one) eq slurp($two), 'the same bytes for the same input');

    my $tree = tmpdir() . '/private';
    mkdir $_ or die $! for $tree, "$tree/etc";
    spew("$tree/bootstrap", "#!/bin/sh\n");
    spew("$tree/etc/data", '');
    my @same = map {
        chmod 0711 & ~$_, $tree, "$tree/etc", "$tree/bootstrap";
        chmod 0644 & ~$_, "$tree/etc/data";
        qx{@{[root()]}/vm/mkfunction $tree $tree.$_.img 2>&1};
        slurp("$tree.$_.img");
    } 0, 077;
    ok($same[0] eq $same[1], 'also when the builder\'s umask keeps all private');
    unlike(qx{unsquashfs -ll $tree.63.img}, qr/^.(?!rw.r-.r-|rwxrwx)/m,
        'all can be read in it') if $same[0];
}


# The build id would be a hash of debugging data, and so of the tree's place.
sub making_programs {
    for (qw(init functions/echo/bootstrap)) {
        my $notes = qx{readelf -n $images/$_};
        is($?, 0, "$_ is built");
        unlike($notes, qr/Build ID/, 'the same wherever it is built');
        ok(index(slurp("$images/$_"), root() . '/') < 0, 'and names no path');
    }
}


# A kernel that has gone is fetched again, not made of nothing; nor is an
# interrupted fetch taken for a whole one.  apt-cache knows nothing here.
sub making_kernel {
    my $dir = tmpdir() . '/vm';
    my $bin = tmpdir() . '/none';
    my $make = sub {
        qx{cd @{[root()]} && PATH=$bin:\$PATH make VM=$dir $dir/vmlinux 2>&1};
    };

    mkdir $_ or die $! for $dir, "$dir/modules", $bin;
    spew("$bin/apt-cache", "#!/bin/sh\n");
    chmod 0755, "$bin/apt-cache";

    my ($wanted) = slurp(root() . '/vm/kernel/fetch') =~ /^wanted="(.*)"$/m;
    spew("$dir/modules/list", "x.ko\n");
    spew("$dir/version", "Package: x\nVersion: 1\nModules: $wanted\n");
    like($make->(), qr{^vm/kernel/fetch: apt knows no package }m,
        'a missing kernel is fetched');
    ok(! -e "$dir/vmlinux", 'none is made up');

    spew("$dir/vmlinux", 'ELF');
    is(system("@{[root()]}/vm/kernel/fetch $dir"), 0, 'a whole one is kept');
    spew("$dir/version", "Package: x\nVersion: 1\nModules: virtio_mmio\n");
    like($make->(), qr{^vm/kernel/fetch: apt knows no package }m,
        'one with other modules is fetched again');
}


sub hello {
    my $vm = boot("$images/functions/hello.img");
    reach($vm, 80);

    for my $path ('/', '/a%20b?x=1', '/cgi-bin/x', '/../..') {
        my $r = request($path);
        is("$r->{status} $r->{body}", "200 hello from fcfaas\n", $path);
    }

    is(request('/', method => 'DELETE')->{status}, 200, 'DELETE');

    my $q = http_send(80, '/', host => $guest, netns => $ns, keepalive => 1,
        method => 'POST', body => 'x' x 10000);
    is($q->response(20)->{status}, 200, 'a body');
    my $again = FcfTest::Http->send(sock => $q->sock, keepalive => 1,
        path => '/', host => $guest);
    is($again->response(20)->{status}, 200, 'and the next request behind it');

    my $sock = tcp(80);
    $sock->syswrite("PUT /1 HTTP/1.1\r\nHost: x\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1388\r\n"
        . 'x' x 5000 . "\r\n0\r\n\r\n"
        . "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    my $got = '';
    1 while $sock->sysread($got, 4096, length $got);
    is(scalar(() = $got =~ /^hello from fcfaas\n/mg), 2,
        'a body in chunks, and the request behind it');

    my @q = map { http_send(80, "/$_", host => $guest, netns => $ns) }
        1 .. 100;
    is(scalar(grep { $_->response(60)->{body} eq "hello from fcfaas\n" } @q),
        100, '100 at once');
    stop($vm);
}


sub echo {
    my $vm = boot("$images/functions/echo.img");
    reach($vm, 80);

    my $r = request('/a%20b%3Fc/%25?x=1', headers => { 'X-One' => 'two' });
    is($r->{status}, 200, 'echo answers');
    is($r->{headers}{'x-echo-target'}, '/a%20b%3Fc/%25?x=1', 'raw target');
    is($r->{headers}{'x-echo-method'}, 'GET', 'method');
    like($r->{body}, qr{\AGET /a%20b%3Fc/%25\?x=1\n.*^X-One: two\n}ms,
        'request line and headers as text');

    my $body = join '', map { pack 'N', $_ * 2654435761 % 4294967296 }
        1 .. 1024 * 1024;
    $r = request('/', method => 'POST', body => $body);
    ok($r->{body} eq $body, '4 MiB come back byte for byte');

    my $file = spew(tmpdir() . '/body', $body);
    for ('Transfer-Encoding: chunked', 'Expect: 100-continue') {
        my $got = tmpdir() . '/got';
        my $status = $ns->in(sub {
            curl('-H', $_, '-T', $file, '-o', $got, '-m', 60,
                "http://$guest/")->{status};
        });
        is($status, 200, $_);
        ok(slurp($got) eq $body, 'comes back');
    }

    my $sock = tcp(80);
    $sock->syswrite("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
        . "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        . "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    my $got = '';
    1 while $sock->sysread($got, 4096, length $got);
    is(join(' ', $got =~ m{^X-Echo-Target: (\S+)}mg), '/1 /2 /3', 'pipelined');

    $sock = tcp(80);
    $sock->syswrite("nonsense\r\n\r\n");
    $got = '';
    1 while $sock->sysread($got, 4096, length $got);
    like($got, qr/\AHTTP\/1.1 400 /, 'not HTTP');

    # 12 bodies of 4 MiB lack their last byte, in 128 MiB of memory

    my @q = map {
        my $q = tcp(80);
        print $q "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ",
            length($body), "\r\n\r\n", substr $body, 0, -1;
        $q->flush;
        $q;
    } 1 .. 12;
    wait_for(sub { IO::Select->new(@q)->can_read(0) }, 20, 'a refusal');
    $_->syswrite(substr $body, -1) for @q;

    my %seen = (200 => 0, 413 => 0);
    for my $q (@q) {
        my $got = '';
        my $n = 1;

        while (length $got < $n && $q->sysread($got, 65536, length $got)) {
            $n = $got =~ /^Content-Length: (\d+)\r\n.*?\r\n\r\n/ms ? $+[0] + $1
                : length($got) + 1;
        }

        my ($status, $back) = $got =~ m{\AHTTP/1.1 (\d+) .*?\r\n\r\n(.*)\z}s;
        $seen{$status}++ if $back eq ($status == 200 ? $body : '');
    }
    is($seen{200} + $seen{413}, 12, 'each comes back or is refused with 413');
    cmp_ok($seen{200}, '>=', 4, 'what fits comes back');
    cmp_ok($seen{413}, '>=', 1, 'what is beyond a quarter of the memory not');
    is(request('/', method => 'POST', body => $body)->{status}, 200,
        'then there is room again');
    stop($vm);
}


sub inside {
    my $vm = boot(shell(<<'END'));
echo "id $(id -u) $(id -g) $(id -G)"
grep -h '^Cap\|^NoNewPrivs' /proc/self/status
echo "env $PORT $FCFAAS_FUNCTION_ID $FCFAAS_VERSION $FCFAAS_INSTANCE_ID"
echo "given $GREETING $KEY"
echo "at $(pwd) $(hostname) $(date +%s)"
echo "hosts $(cat /etc/hosts | tr '\n' ' ')$(cat /etc/hostname)"
echo "dns $(grep nameserver /etc/resolv.conf | tr '\n' ' ')"
ping -c 1 -W 5 127.0.0.1 >/dev/null 2>&1 || nc -w 1 127.0.0.1 9 2>&1
echo "lo $(ip addr show lo | grep -c 'inet 127.0.0.1')"
mkdir /x 2>/dev/null && echo "the root can be written by anybody"
dd if=/dev/zero of=/tmp/fill bs=1M 2>&1 | grep -o 'No space left'
dd if=/dev/zero of=/dev/shm/fill bs=1M 2>&1 | grep -o 'No space left'
rm /tmp/fill /dev/shm/fill; echo small >/tmp/small && echo "room again"
for drive in vda vdb vdc; do
    cat /dev/$drive >/dev/null 2>&1 && echo "$drive can be read"
done
touch /function/x 2>/dev/null && echo "the function can be written"
echo x >/tmp/x && echo "tmp can be written"
echo again >/dev/stdout
kill -9 1 2>/dev/null && echo "init can be killed"
echo oops >&2
exec nc -ll -p 80 -e true
END
    reach($vm, 80);
    my $c = tcp(1024);
    is_deeply(op($c, { op => 'logs' }), $true, 'logs');
    my $out = follow($c, qr/oops/);
    my $text = $out->{stdout};

    like($text, qr/^id 1000 1000 1000$/m, 'an unprivileged user');
    unlike($text, qr/^Cap(?!Amb|Inh)\w+:\s+0*[1-9a-f]/m,
        'without capabilities');
    like($text, qr/^CapBnd:\s+0+$/m, 'nor any to be had');
    like($text, qr/^NoNewPrivs:\s+1$/m, 'nor by set-uid files');
    like($text, qr/^env 80 hello 3 node-1$/m, 'who it is');
    like($text, qr/^given hi s3cret$/m, 'environment and secrets');
    like($text, qr{^at /function box 17000000\d\d$}m, 'where, and when');
    unlike($text, qr/can be read/, 'no drive can be read');
    unlike($text, qr/function can be written/, 'the function is read-only');
    like($text, qr{^hosts 127.0.0.1 localhost 127.0.1.1 box +box$}m,
        '/etc/hosts, /etc/hostname');
    like($text, qr{^dns nameserver 10.0.0.53 nameserver 10.0.1.53 $}m,
        '/etc/resolv.conf');
    like($text, qr/^lo 1$/m, 'the loopback device is up');
    unlike($text, qr/root can be written/, 'the root is not the function\'s');
    is(scalar(() = $text =~ /^No space left$/mg), 2,
        'files in memory have an end, all together');
    like($text, qr/^room again$/m, 'which passes');
    like($text, qr/tmp can be written/, '/tmp is there');
    like($text, qr/^again$/m, '/dev/stdout can be opened');
    unlike($text, qr/killed/, 'init is out of its reach');
    is($out->{stderr}, "oops\n", 'the other stream by its name');
    stop($vm);
}


sub control {
    my $vm = boot(shell(<<'END'));
trap 'echo bye; exit 7' TERM
head -c 400000 /dev/zero
nc -ll -p 80 -e true &
while :; do wait; sleep 1; done
END
    reach($vm, 80);
    my $c = tcp(1024);

    is_deeply(op($c, { op => 'time', ms => 1790000000000 }), $true, 'time');
    is_deeply(op($c, { op => 'seed', data => 'AAAA' }), $true, 'seed');
    is(op($c, { op => 'dance' })->{error}, 'unknown op "dance"', 'unknown');
    is(op($c, { ip => 1 })->{error}, 'op is not a string', 'no op');
    is(op($c, { op => 'seed', data => '!' })->{error},
        'data is not base64 of 1-4096 bytes', 'bad base64');
    like(op($c, '{')->{error}, qr/\AJSON, byte /, 'not JSON');

    my $other = tcp(1024, LocalAddr => '172.16.0.9');
    ok(!$other || !$other->sysread(my $buf, 1), 'the gateway alone may ask');

    my $long = tcp(1024);
    $long->syswrite(pack 'N', 65537);
    like(read_frame($long)->{error}, qr/65537 is not within/, 'a long frame');
    is(read_frame($long), undef, 'ends its connection');

    send_op($c, { op => 'logs' });
    is_deeply(op(tcp(1024), { op => 'stop', timeout_ms => 20000 }), $true,
        'stop');
    my $out = follow($c);
    like($out->{stdout}, qr/bye\n\z/, 'the last output is sent on');
    is($out->{dropped} + length($out->{stdout}), 400000 + 4,
        'and what was dropped is counted');
    ok($out->{dropped} > 0, 'something was');
    ends($vm, qr/^fcfaas: stopped$/m, 'SIGTERM was enough');
}


sub stubborn {
    my $vm = boot(shell(<<'END'));
trap '' TERM
nc -ll -p 80 -e true &
while :; do sleep 1000; done
END
    reach($vm, 80);
    is_deeply(op(tcp(1024), { op => 'stop', timeout_ms => 300 }), $true,
        'stop, which the function ignores');
    ends($vm, qr/^fcfaas: stopped$/m, 'SIGKILL after the timeout');
}


sub endings {
    ends(boot(shell("echo one\necho two >&2\nexit 3\n")),
        qr/^fcfaas: the function ended: exit status 3; its last output:
\| one
\| two$/m, 'exit');
    ends(boot(shell('kill -SEGV $$')),
        qr/^fcfaas: the function ended: signal 11 .*; it wrote nothing/m,
        'a signal');

    my $dir = tmpdir() . '/empty';
    mkdir $dir;
    spew("$dir/readme", '');
    system(root() . '/vm/mkimage', $dir, "$dir.img");
    ends(boot("$dir.img"),
        qr{^fcfaas: /function/bootstrap: No such file or directory$}m,
        'no bootstrap');

    ends(boot(image(bootstrap => "#!/usr/bin/python9\n")),
        qr{^fcfaas: /function/bootstrap: execute: No such file or dir}m,
        'no interpreter');
    ends(boot(spew(tmpdir() . '/noise', 'x' x 8192)),
        qr{^fcfaas: function drive /dev/vdb: no squashfs, ext4 or erofs }m,
        'no image');

    my $hello = "$images/functions/hello.img";
    ends(boot($hello, config => spew(tmpdir() . '/zeros', "\0" x 512)),
        qr{^fcfaas: config drive /dev/vdc: does not begin with FCVCONF1}m,
        'no config');
    ends(boot($hello, config => config_drive(seed => '!')),
        qr{^fcfaas: seed is not base64 of 1-4096 bytes}m, 'a bad seed');
    ends(boot($hello, config => config_drive(port => 99999)),
        qr{^fcfaas: config drive /dev/vdc: port is 99999, not within }m,
        'a bad config');
}


# a port that nobody outside can reach: told, and not waited for
sub deaf {
    my $vm = boot(shell("echo up\nexec httpd -f -p 127.0.0.1:80\n"));
    ends($vm, qr/^fcfaas:\ nothing\ listens\ on\ 0\.0\.0\.0:80,\ only\ on
        \ 127\.0\.0\.1:80;\ listen\ on\ \$PORT,\ not\ on\ 127\.0\.0\.1$/mx,
        'a port on loopback only');
    like(slurp($vm->{console}) =~ tr/\r//dr,
        qr/^fcfaas: the function was ended: nothing listens .*; its last (?#
        )output:\n\| up$/m, 'and again, with what it said, at the end');

    $vm = boot(shell(<<'END'));
echo up
nc -l -p 8080 -e true
exec nc -ll -p 80 -e true
END
    # the small kernel has no IPv6
    wait_for(sub { slurp($vm->{console}) =~ /but on.*up/s }, 60, 'words');
    like(slurp($vm->{console}) =~ tr/\r//dr, qr/^fcfaas:\ nothing\ listens\ on
        \ 0\.0\.0\.0:80,\ but\ on\ (?:\[::\]|0\.0\.0\.0):8080;\ listen\ on\ \$PORT,
        \ which\ is\ 80\n\|\ up$/mx, 'another port is told');
    ok(tcp(8080), 'which is open');
    reach($vm, 80);
    pass('and does no harm to one that takes its time');
    stop($vm);
}


# A function that takes all memory is killed, the guest does not hang; a
# process of its that does so is named, and the function goes on.
sub memory {
    my $dir = tmpdir() . '/eater';
    mkdir $dir;
    spew("$dir.c", <<'    EOC');
        #include <stdlib.h>
        #include <string.h>
        int main(void) { for ( ;; ) { memset(malloc(1 << 20), 1, 1 << 20); } }
    EOC
    system('gcc', '-static', '-O0', '-o', "$dir/bootstrap", "$dir.c") == 0
        or die 'gcc';
    system(root() . '/vm/mkfunction', $dir, "$dir.img") == 0
        or die 'mkfunction';

    ends(boot("$dir.img"), qr/^fcfaas: the function ended: signal 9 (?#
        )\(Killed\), killed for lack of memory, of which there are 128 MB; /m,
        "all memory, $_") for 1 .. 2;

    rename "$dir/bootstrap", "$dir/eat" or die $!;
    spew("$dir/bootstrap", <<'END');
#!/bin/sh
(./eat; echo "eat ended") &
exec nc -ll -p 80 -e true
END
    chmod 0755, "$dir/bootstrap";
    system(root() . '/vm/mkfunction', $dir, "$dir.img") == 0
        or die 'mkfunction';
    my $vm = boot("$dir.img");
    wait_for(sub { slurp($vm->{console}) =~ /^fcfaas: warning: process \d+ (?#
        )\(eat\) was killed for lack of memory, of which there are 128 MB/m },
        90, 'its words');
    pass('one of its processes is named');
    is_deeply(op(reach($vm, 1024), { op => 'stop' }), $true,
        'the function goes on');
    ends($vm, qr/^fcfaas: stopped$/m, 'until it is told to stop');

    # whether it ends by itself, out of memory, or has to be told
    $vm = boot(shell("(b() { b | b & }; b) 2>&1\n"
        . "while :; do sleep 1; done\n"));
    wait_for(sub {
        my $c = tcp(1024, Timeout => 1);
        send_op($c, { op => 'stop', timeout_ms => 500 }) if $c;
        read_frame($c, 1) if $c;
        !$vm->{proc}->alive;
    }, 60, 'the end of a bomb of forks');
    is($vm->{proc}->wait(1), 0, 'a bomb of forks is ended');
    like(slurp($vm->{console}), qr/^fcfaas: (?:stopped|the function ended)/m,
        'and its machine ends');
    unlike(slurp($vm->{console}), qr/panic/, 'no panic');
}


sub trial {
    my $zeros = spew(tmpdir() . '/nothing', "\0" x 4096);

    ends(boot($zeros, config => $zeros, args => 'fcfaas.trial=1'),
        qr/^fcfaas-trial-ok$/m, 'the trial');
}
