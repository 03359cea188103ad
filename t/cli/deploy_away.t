# fcfaas deploy while those are away who carry it out: the agents, and the
# gateway's etcd.  What describe shows is true, and all heals by itself.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $s = FcfTest::System->start(vmm => 'instant')->up(120);
my $etcd = $s->etcd;
my $cli = $s->cli;
my $dir = tmpdir() . '/mine';

sub source { FcfTest::Cli::function($dir, "# $_[0]") }

# the version that answers
my $forward = FcfTest::Forward->start(to => $etcd->port);
$s->tell_versions($forward->url);

sub answered {
    my $r = $s->get('/run/mine');
    return $r->{status} == 200 ? $r->{headers}{'x-version'} : $r->{status};
}

$cli->ok('deploy', source('one'));
$s->signal('nginx', 'HUP');
wait_for(sub { (answered() // '') eq 1 }, 20, 'the gateway to tell versions');

gateway_without_etcd();
without_agents();
$forward->stop;

is($s->make('stop'), 0, 'make stop');
is_deeply([$s->leftovers], [], 'nothing is left');
done_testing;


sub gateway_without_etcd {
    $forward->proc->pause;

    my $r = $cli->ok('deploy', source('two'));
    like($r->{out}, qr/version 2 is current/, 'it is deployed');
    like($r->{err}, qr/workers have not seen it yet/,
        'and that the gateway has not seen it is told');
    my $is = $cli->json('describe', 'mine');
    is($is->{spec}{version}, 2, 'as describe says');

    my $q = FcfTest::Http->send(port => $s->port, path => '/run/mine');
    $forward->proc->resume;
    is($q->response(30)->{status}, 200, 'who calls meanwhile is served');
    wait_for(sub { answered() eq 2 }, 30, 'the gateway to see it');
    pass('it serves the new version once its etcd is back');
}


sub without_agents {
    my $agent = $s->pid('agent');

    kill 'STOP', $agent;
    my $r = $cli->ok('deploy', source('three'), '--no-wait');
    my $is = $cli->json('describe', 'mine');
    is($is->{spec}{version}, 3, 'deployed without agents: it is declared');
    is(answered(), 2, 'and the one before serves');
    kill 'CONT', $agent;
    wait_for(sub { answered() eq 3 }, 60, 'the new one to serve');
    pass('once there is an agent the new one serves');
}
