#!/usr/bin/perl

# Bodies and requests that no driver sends, to every call of the VMM stand-in
# that takes a body: each is refused in JSON, as the real one would, changes
# nothing, and the next call is answered.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Standin qw(lay_network vmm quit);
use IO::Select;
use IO::Socket::UNIX;
use Test::More;

lay_network('odd');

my $deep = 2000;
my %right = (
    '/machine-config' => '"vcpu_count":1,"mem_size_mib":128',
    '/boot-source' => '"kernel_image_path":"/x"',
    '/drives/d' => '"drive_id":"d","is_root_device":false',
    '/network-interfaces/n' => '"iface_id":"n","host_dev_name":"tap0"',
    '/serial' => '"serial_out_path":"/x"',
    '/logger' => '"level":"Info"',
    '/metrics' => '"metrics_path":"/x"',
    '/entropy' => '"rate_limiter":null',
    '/balloon' => '"amount_mib":0,"deflate_on_oom":true',
    '/actions' => '"action_type":"FlushMetrics"',
    '/vm' => '"state":"Paused"',
    '/snapshot/create' => '"snapshot_path":"/x","mem_file_path":"/y"',
    '/snapshot/load' => '"snapshot_path":"/x","mem_file_path":"/y"',
);

# Bodies that are none: % is what would be right, and each value of that may be
# another.
my $value = qr/:(\d+|"[^"]*"|\w+)/;
my @bad = (
    ['nothing', ''], ['a null', 'null'], ['a list', '[1]'],
    ['a list of it', '[{%}]'], ['a word', '"x"'], ['a number', '7'],
    ['half of it', '{%'], ['a comma too many', '{%,}'],
    ['more behind it', '{%} x'], ['two of them', '{%}{%}'],
    ['every field twice', '{%,%}'], ['a field nobody knows', '{%,"x":1}'],
    ['deep in one', '{%,"x":' . '[' x $deep . ']' x $deep . '}'],
    ['objects in objects', ('{"x":' x $deep) . '1' . '}' x $deep],
    ['a field without a name', '{%,"":1}'],
    ['a name of 20 kB', '{%,"' . 'x' x 20000 . '":1}'],
    ['bytes that are no UTF-8', "{%,\"\xff\xfe\":1}"],
    ['half a letter', "{%,\"x\":\"\xc3\"}"],
    ['half of a pair', '{%,"x":"\ud800"}'],
    ['an order mark', "\xef\xbb\xbf{%}"],
    ['a NUL before it', "\0{%}"], ['a NUL behind it', "{%}\0"],
    ['comments', '{/* x */%}'],
    ['single quotes', '{%}', sub { tr/"/'/ }],
    ['not a number', '{%}', sub { s/$value/:NaN/g }],
    ['numbers for words', '{%}', sub { s/:"[^"]*"/:7/g || s/$value/:"x"/g }],
    ['fractions', '{%}', sub { s/$value/:1.5/g }],
    ['whole numbers as fractions', '{%}', sub { s/$value/:1.0/g }],
    ['numbers beyond all', '{%}', sub { s/$value/:99999999999999999999999/g }],
    ['numbers below all', '{%}',
        sub { s/$value/:-9223372036854775808/g }],
    ['exponents', '{%}', sub { s/$value/:1e400/g }],
    ['lists for values', '{%}', sub { s/$value/:[]/g }],
);

sub body {
    my ($path, $template, $change) = @_;
    local $_ = $right{$path};
    $change->() if $change;
    my $right = $_;
    return $template =~ s/%/$right/gr;
}

my $vm = vmm();
my $sock;

# an answer's status and body, on a connection that is kept if it may be
sub answer_to {
    my ($text) = @_;

    for (1, 2) {
        $sock //= IO::Socket::UNIX->new(Peer => $vm->{sock}) or die $!;
        $sock->syswrite($text);
        my $got = '';

        while (IO::Select->new($sock)->can_read(20)) {
            $sock->sysread($got, 65536, length $got) or last;
            next unless $got =~ m{\AHTTP/1\.1 (\d+) (.*?)\r\n\r\n(.*)\z}s;
            my ($status, $head, $body) = ($1, $2, $3);
            my ($n) = $head =~ /^Content-Length: (\d+)/mi;
            next if length $body < ($n // 0);
            undef $sock if $head =~ /^Connection: close/mi;
            return ($status, $body);
        }

        undef $sock;                    # one that was closed meanwhile
        return ('none', $got) if $got ne '';
    }

    return ('none', '');
}

sub call_with {
    my ($method, $path, $body) = @_;
    return answer_to("$method $path HTTP/1.1\r\nHost: x\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body");
}

my %patch = map { $_ => 1 } '/vm';
my ($config) = (call_with('GET', '/vm/config', ''))[1];

for my $path (sort keys %right) {
    my @wrong;

    for (@bad) {
        my ($what, @how) = @$_;
        my $body = body($path, @how);
        my ($status, $text) = call_with($patch{$path} ? 'PATCH' : 'PUT', $path,
            $body);
        my $json = eval { json_decode($text) };
        push @wrong, "$what: $status $text" if $status ne '400'
            || !defined $json || !length($json->{fault_message} // '')
            || length $text > 2000;
    }

    # a load that fails would end it
    is(join("\n", @wrong), '', "$path: each is refused by name");
    is((answer_to("GET / HTTP/1.1\r\n\r\n"))[0], 200, 'and it lives');
}

is((call_with('GET', '/vm/config', ''))[1], $config, 'nothing was taken');

# what is no request, or one that it takes
for (['GET with a body', "GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400],
     ['HTTP/1.0', "GET / HTTP/1.0\r\n\r\n", 200],
     ['HTTP/1.0 with a body', "PUT /logger HTTP/1.0\r\nContent-Length: 2\r\n"
         . "\r\n{}", 204],
     ['HTTP/2.0', "GET / HTTP/2.0\r\n\r\n", 400],
     ['no version', "GET /\r\n\r\n", 400],
     ['a word of a method', "FETCH / HTTP/1.1\r\n\r\n", 400],
     ['DELETE', "DELETE /drives/d HTTP/1.1\r\n\r\n", 400],
     ['a length that is none', "PUT /logger HTTP/1.1\r\nContent-Length: x\r\n"
         . "\r\n{}", 400],
     ['below nothing', "PUT /logger HTTP/1.1\r\nContent-Length: -1\r\n\r\n{}",
         400],
     ['beyond all', "PUT /logger HTTP/1.1\r\nContent-Length: "
         . "99999999999999999999\r\n\r\n{}", 400],
     ['two lengths', "PUT /logger HTTP/1.1\r\nContent-Length: 2\r\n"
         . "Content-Length: 3\r\n\r\n{}", 400],
     ['an upgrade', "GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
         . "\r\n", 200],
     ['lines that end in LF', "GET / HTTP/1.1\nHost: x\n\n", 400],
     ['a NUL in a header', "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", 400],
     ['a fragment', "GET /version#x HTTP/1.1\r\n\r\n", 400],
     ['a path that goes up', "GET /../version HTTP/1.1\r\n\r\n", 400],
     ['an escape', "GET /%76ersion HTTP/1.1\r\n\r\n", 400],
     ['another case', "GET /Version HTTP/1.1\r\n\r\n", 400],
     ['a path of 4 kB', 'GET /' . 'x' x 4096 . " HTTP/1.1\r\n\r\n", 400],
     ['nothing but line ends', "\r\n" x 100 . "GET / HTTP/1.1\r\n\r\n", 200])
{
    my ($what, $text, $want) = @$_;
    undef $sock;
    is((answer_to($text))[0], $want, $what);
}

undef $sock;
is((answer_to("GET / HTTP/1.1\r\n\r\n"))[0], 200, 'it lives still');

# two hundred in one go, and one that comes a byte at a time
my $many = IO::Socket::UNIX->new(Peer => $vm->{sock}) or die $!;
$many->syswrite("GET /version HTTP/1.1\r\n\r\n" x 200);
my $got = '';
wait_for(sub { IO::Select->new($many)->can_read(1)
    && $many->sysread($got, 65536, length $got);
    200 == (() = $got =~ /firecracker_version/g) }, 20, '200 answers');
$many->syswrite($_)
    for split //, "PUT /logger HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
$got = '';
wait_for(sub { IO::Select->new($many)->can_read(1)
    && $many->sysread($got, 65536, length $got); $got =~ / 204 / }, 20,
    'a slow one');
pass('many in one go, and one byte by byte');

quit($vm);
done_testing();
