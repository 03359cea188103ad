# More instances in use than fcfaas_zone has room for: told once, with the size
# that would do, and all of them serve.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $n = 1200;
my $guest = FcfTest::Guest->new;
my $g = FcfTest::Gateway->start(workers => 3, park_timeout => '120s',
    zone => '512k');
my $full = qr/fcfaas_zone "fcfaas" is full/;
my $answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    . "Connection: close\r\n\r\n";

sub served {
    my ($size) = @_;
    my (@q, @inside);

    for (1 .. $n) {
        push @q, $g->send('/run/many');
        push @inside, $guest->take(30);
    }

    is(scalar @inside, $n, "$size: one in each instance, all at once");
    $_->print($answer)->close for @inside;
    is(scalar(grep { $_->response(30)->{status} == 200 } @q), $n,
        "$size: all are served");
}

$g->spec('many', concurrency => 1, max_instances => $n);
$g->instance('many', worker => "n1-$_", port => $guest->port,
    concurrency => 1) for 1 .. $n;
$g->wait_known('instances', $n, 60);

served('512k');
my @told = slurp($g->nginx->error_log) =~ /$full.*/g;
is(scalar @told, 1, 'a full zone is told once, by one worker');
my ($size) = ($told[0] // '') =~ /; (\d+m) would do/;
ok($size, 'with the size that would do') or diag "@told";

# another size is another zone
my $conf = slurp($g->nginx->conf_file);
spew($g->nginx->conf_file, $conf =~ s/(fcfaas_zone fcfaas) 512k/$1 $size/r);
$g->nginx->reload;
$g->wait_known('instances', $n, 60);
served($size);
is($g->nginx->logged($full), 1, 'which does: it is not told again');
$g->nginx->expect_complaint($full);
$g->stop;
done_testing;
