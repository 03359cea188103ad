# Fifty functions at once on the instant backend; all gone after make stop.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $n = 50;
my $s = FcfTest::System->start(vmm => 'instant',
    env => { MAX_VMS => 60 })->up(120);

my $code = $s->etcd->get_json('/specs/hello')->{code};
$s->etcd->spec("f$_", memory_mb => 128, code => $code) for 1 .. $n;

wait_for(sub {
    !grep { $_->{specs} < $n } @{ $s->status->{workers} };
}, 10, 'the specs to be known');

my $began = now();
my @q = map { http_send($s->port, "/run/f$_") } 1 .. $n;
my @r = map { $_->response(60) } @q;
my $took = now() - $began;

is(scalar(grep { $_->{status} == 200 } @r), $n,
    sprintf '%d functions, started at once, all answer (%.2f s)', $n, $took)
    or diag(map { "$_->{status} $_->{body}" } grep { $_->{status} != 200 } @r);
is(scalar($s->vmms), $n, "$n VMMs");
is(scalar(grep { m{/instances/} } $s->etcd->keys('/functions/')), $n,
    "$n instances");

is($s->make('stop'), 0, 'make stop');
is($s->proc->wait(60), 0, 'make run ends with 0');
is_deeply([$s->leftovers], [], 'nothing is left');

done_testing;
