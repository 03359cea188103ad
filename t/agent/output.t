#!/usr/bin/perl

# What functions print, as the agent shows it; and guests whose control port
# answers with something else: they serve on, and the agent is as well.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('output');

my $port = free_port();
my $agent = started('a', settings('a', admin => "127.0.0.1:$port",
    max_vms => 8));

sub output { http_get($port, "/functions/$_[0]/output") }

sub frame { unpack 'H*', pack('N', length $_[0]) . $_[0] }

my %odd = (
    long => 'ffffffff' . '41' x 100,
    none => '00000000',
    junk => frame('{{'),
    array => frame('[1,2]'),
    base64 => frame('{"stream":"stdout","data":"!!!!"}'),
    types => frame('{"stream":7,"data":[],"dropped":"x"}'),
    lost => frame('{"stream":"stdout","dropped":99,"data":"aGkK"}')
        . frame('{"dropped":-5}'),
);

for my $name (sort keys %odd) {
    image($name, logs => $odd{$name});
    job($name, "req-$name");
}

for my $name (sort keys %odd) {
    my ($key, $i) = instance($name);
    is(call($name, $i->{proxy_port})->{status}, 200, "$name: it serves");
}

wait_for(sub { output('lost')->{body} =~ /^hi$/m }, 10, 'the output');
like(output('lost')->{body}, qr/^\[99 bytes more were printed\]\nhi$/m,
    'what was lost is counted');
unlike(output('lost')->{body}, qr/\[-5 /, 'and no other');
is(output($_)->{status}, 200, "$_: is shown as well") for sort keys %odd;
unlike(output('long')->{body}, qr/A{10}/, 'what is no frame is not shown');

is($agent->alive, 1, 'the agent lives');
$agent->kill('TERM');
is($agent->wait(30), 0, 'and ends well');
unlike($agent->output, qr/Sanitizer|runtime error/, 'no memory fault');

done_testing();
