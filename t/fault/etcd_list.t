# What happens to etcd while a long list is under way: the copy is true in the
# end, and the changes of what was listed before are told meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use FcfTest;
use MIME::Base64 qw(encode_base64 decode_base64);
use Probe;
use Test::More;

my $keys = 2500;                # three pages
my ($etcd, $port, $forward, $p, %lists);

sub held {
    my ($all) = $etcd->call('/v3/kv/range', { key => encode_base64('/', ''),
        range_end => encode_base64('0', '') });
    return { map { decode_base64($_->{key}), decode_base64($_->{value} // '') }
        @{ $all->{kvs} } };
}

sub fill {
    $etcd->put_many(map { [sprintf('/specs/f%05d', $_), '{}'] } 1 .. $keys);
    $etcd->put('/functions/a/slots/0', 'first');
}

# a probe that waits for the second page of the specs
sub listing {
    my (@args) = @_;
    $forward->hold_list('/specs/');
    $p = Probe->new('--etcd', $forward->url, @args, '--prefix', '/functions/',
        '--prefix', '/specs/');
    $forward->held(10);
}

sub lists_of {
    my ($prefix) = @_;
    return scalar(() = $p->proc->output =~ /^begin \Q$prefix\E$/mg);
}

sub told {
    my ($value, $what) = @_;
    $etcd->put('/functions/a/slots/0', $value);
    ok(eval { wait_for(sub {
        ($p->view->{'/functions/a/slots/0'} // '') eq $value }, 15, $what) },
        $what) or diag($@);
}

sub whole {
    my ($functions, $specs, $what) = @_;
    $forward->go;
    $p->state_becomes('live', 20, "$what: live");
    $p->becomes(held(), 10, 'and current');
    is(lists_of('/functions/'), $functions, "/functions/ listed: $functions");
    is(lists_of('/specs/'), $specs, "/specs/ listed: $specs") if $specs;
    $etcd->put('/specs/after', $what);
    told($what, 'changes go on');
    $p->becomes(held(), 5, 'of both');
    $p->quit;
}


$port = free_port();
$etcd = FcfTest::Etcd->start(port => $port);
$forward = FcfTest::Forward->start(to => $port);
fill();

listing();
told('early', 'a change within the list is told');
$etcd->put('/functions/b/slots/0', 'come');
$etcd->del('/functions/a/slots/0');
wait_for(sub { my $v = $p->view; $v->{'/functions/b/slots/0'}
    && !$v->{'/functions/a/slots/0'} }, 10, 'others');
pass('so is one that comes, and one that goes');
is(scalar(grep { m{^/specs/} } keys %{ $p->view }), 0, 'all within the list');
whole(1, 1, 'nothing');

# compacted while it waits: the page is not to be had any more
listing();
$etcd->put('/specs/unseen', $_) for 1 .. 5;
$etcd->del('/specs/f00001');
$etcd->compact($etcd->put('/specs/unseen', 'last'));
told('compacted', 'compacted: changes go on');
whole(1, 2, 'compacted');

# as before, but what was cut meanwhile cannot be gone on with either
listing();
$forward->proc->pause;
$etcd->put('/functions/a/slots/0', $_) for 1 .. 5;
$etcd->compact($etcd->put('/functions/a/slots/0', 'last'));
$forward->proc->send("cut\n");             # before anything it has to hand on
$forward->proc->resume;
$forward->proc->line_matching(qr/^cut/, 10);
told('cut', 'cut and compacted: changes go on');
whole(2, 0, 'cut');

# killed, and started again
listing();
$etcd->stop('KILL');
$etcd->start_again;
told('killed', 'killed and started: changes go on');
whole(1, 0, 'killed');

# an older copy of its data
my $copy = tmpdir() . '/older';
$etcd->stop;
$etcd->copy_data($copy);
$etcd->start_again;
$etcd->put('/functions/c/slots/0', $_) for 1 .. 5;
listing();
told('future', 'a change that will be forgotten');
$etcd->stop('KILL');
$etcd->put_data_back($copy);
$etcd->start_again;
$forward->go;
$p->state_becomes('live', 20, 'an older copy: live');
$p->becomes(held(), 10, 'without what it does not know');
cmp_ok(lists_of('/functions/'), '>=', 2, 'all is listed again');
told('older', 'changes go on');
$p->quit;

# another cluster, with other keys
listing();
$etcd->stop('KILL');
system('rm', '-rf', $etcd->data_dir);
$etcd->{args} = ['--initial-cluster-token', 'another'];
$etcd->start_again;
$etcd->put('/functions/d/slots/0', 'only');
$forward->go;
$p->state_becomes('live', 20, 'another cluster: live');
$p->becomes({ '/functions/d/slots/0' => 'only' }, 10, 'it is all there is');
told('another', 'changes go on');
$p->quit;

# a second endpoint when the first is gone
fill();
listing('--etcd', $etcd->endpoint);
$forward->stop;
told('moved', 'the endpoint is gone: changes come from the other');
$p->becomes(held(), 20, 'and the list');
is(lists_of('/functions/'), 1, 'of the functions only one');
$p->quit;
$etcd->stop;

# a token that ends before the list does
my $dir = tmpdir();
system("openssl genrsa -out $dir/jwt.key 2048 2>/dev/null && openssl rsa"
    . " -in $dir/jwt.key -pubout -out $dir/jwt.pub 2>/dev/null") == 0
    or die 'openssl';
$port = free_port();
$etcd = FcfTest::Etcd->start(name => 'jwt', port => $port, args => [
    '--auth-token', "jwt,pub-key=$dir/jwt.pub,priv-key=$dir/jwt.key,"
        . 'sign-method=RS256,ttl=1s']);
$forward = FcfTest::Forward->start(to => $port);
fill();
$etcd->auth('r');
listing('--user', 'root', '--password', 'r');
my $from = now();
wait_for(sub { now() - $from > 1.1 }, 5, 'a token to end');
told('token', 'the token has ended: changes go on');
whole(1, 0, 'token');
$etcd->stop;
$forward->stop;

done_testing();
