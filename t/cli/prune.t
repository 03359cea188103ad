# An image that one command removes while another makes a version of the same
# bytes: no version is left without its image, whoever is faster.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $tmp = tmpdir();
my $nginx = FcfTest::Nginx->start(
    server => FcfTest::Cli::store('/store', "$tmp/store"));
my $front = FcfTest::Forward->start(to => $nginx->port);        # of the store
my $back = FcfTest::Forward->start(to => $etcd->port);          # of etcd
my $store = $front->url . '/store';
my $cli = FcfTest::Cli->new(cwd => $tmp, conf => { etcd => $etcd->endpoint,
    functions => '/nowhere', runtimes => '/nowhere', store => $store,
    gateway => 'http://127.0.0.1:1' });
my @deploy = ('deploy', "$tmp/f", '--no-wait', '--name');

sub source { FcfTest::Cli::function("$tmp/f", "# $_[0]") }

sub images { return scalar(my @all = glob "$tmp/store/*.img") }
sub said { my ($started) = @_; return slurp("$started->{base}.err") }

# it is being removed when the other one begins
source('one');
$cli->ok(@deploy, 'old');
is(images(), 1, 'an image');
$front->hold('^DELETE ');
my $rm = $cli->start('rm', 'old');
$front->held(20);
my $new = $cli->start(@deploy, 'new', '--store',
    'http://127.0.0.1:' . $nginx->port . '/store');
wait_for(sub { said($new) =~ /another command removes it: waiting for that/ },
    20, 'the deploy to wait for it');
is_deeply([$etcd->keys('/specs/new')], [], 'no version names it meanwhile');
$front->go;
is($cli->end($rm)->{status}, 0, 'it is removed');
is($cli->end($new)->{status}, 0, 'and then deployed');
is(images(), 1, 'its image is there again');

# it was seen to be there, and is removed before the version names it
$back->hold('POST /v3/kv/txn');
$new = $cli->start(@deploy, 'newer', '--etcd', $back->url);
$back->held(20);
$cli->ok('rm', 'new');
is(images(), 0, 'the other one has removed it');
$back->go;
my $r = $cli->end($new);
is($r->{status}, 1, 'a version of nothing is not made');
like($r->{err}, qr/^fcfaas: newer: its image was removed by another command meanwhile: deploy it again$/m,
    'which is told');
is_deeply([$etcd->keys('/specs/newer')], [], 'there is none');
is($cli->run(@deploy, 'newer')->{status}, 0, 'again');
is(images(), 1, 'and it is there');

# one that others have stays, and leaves no mark that it went
source('two');
$cli->ok(@deploy, $_) for 'twin', 'other';
my %before = map { $_ => $etcd->get($_) } $etcd->keys('/specs/.images/');
$cli->ok('rm', 'twin');
is(images(), 2, 'one that another has stays');
is_deeply({ map { $_ => $etcd->get($_) } $etcd->keys('/specs/.images/') },
    \%before, 'as if nobody had looked');
isnt($etcd->lease_of($_), 0, 'marks go by themselves') for keys %before;

is_deeply([map { $_->{name} } @{ $cli->json('ls') }], ['newer', 'other'],
    'marks are no functions');
$cli->ok('rm', $_) for 'newer', 'other';
is(images(), 0, 'in the end there is none');

done_testing;
