# Versions side by side: shares of the requests, clients that stay with one
# version, and requests for a certain one.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $log = FcfTest::tmpdir() . '/versions';

my $g = FcfTest::Gateway->start(workers => 2, agents => 2,
    park_timeout => '20s',
    http => 'log_format versions "$msec $request_time $status '
        . '$fcfaas_version $fcfaas_instance";',
    location => "access_log $log versions;"
        . 'fcfaas_sticky ""; add_header X-Version $fcfaas_version always;',
    server => <<'EOC');
    fcfaas_sticky $arg_user;

    location ~ ^/stay/(?<function_id>[^/]+) {
        fcfaas $function_id;
        add_header X-Version $fcfaas_version always;
        proxy_pass http://functions$fcfaas_uri;
    }
EOC

my $etcd = $g->etcd;

# of the requests that began at $since or later: how many for each version
sub counted {
    my ($since) = @_;
    my %n;

    for (split /\n/, FcfTest::slurp($log)) {
        my ($at, $took, $status, $version) = split / /;
        # nginx's clock may be some ms behind
        $n{"$version $status"}++ if $at - $took > $since + 0.05;
    }

    return \%n;
}

sub requests {
    my ($n, $since) = @_;
    wait_for(sub {
        my $c = counted($since);
        my $sum = 0;
        $sum += $_ for values %$c;
        $sum >= $n;
    }, 60, "$n requests");
}

$g->spec('roll', version => 1);
$etcd->instance('roll', worker => "one-$_", port => $g->agent_port(0),
    version => 1) for 1, 2;
$g->wait_known('instances', 2);

my $load = FcfTest::Load->start(port => $g->port, path => '/run/roll/x',
    interval_ms => 2);

# the new version is there, but has no share yet: nothing goes to it
$etcd->spec('roll', version => 1, $etcd->traffic(1 => 100));
$etcd->instance('roll', worker => "two-$_", port => $g->agent_port(1),
    version => 2) for 1, 2;
$g->wait_known('instances', 4);
my $since = $g->seen;
requests(200, $since);
is_deeply([keys %{ counted($since) }], ['1 200'],
    'a version without a share gets no requests');

for my $share (10, 50, 90, 50, 10) {
    $etcd->spec('roll', version => 1,
        $etcd->traffic(1 => 100 - $share, 2 => $share));
    $since = $g->seen;
    requests(1500, $since);

    my $n = counted($since);
    my $sum = ($n->{'1 200'} // 0) + ($n->{'2 200'} // 0);
    my $percent = 100 * ($n->{'2 200'} // 0) / $sum;
    # five times the deviation that chance has
    my $bound = 5 * sqrt($share * (100 - $share) / $sum);

    cmp_ok(abs($percent - $share), '<', $bound, sprintf
        '%d percent: %.1f of %d requests', $share, $percent, $sum);
}

$etcd->spec('roll', version => 1, $etcd->traffic(1 => 0, 2 => 100));
$since = $g->seen;
requests(500, $since);
is_deeply([keys %{ counted($since) }], ['2 200'],
    '100 percent: no old answer any more');

$etcd->spec('roll', version => 2);
$since = $g->seen;
requests(300, $since);
is_deeply([keys %{ counted($since) }], ['2 200'],
    'without shares all go to the version of the spec');

# and back, to a version that has gone meanwhile: the other one stands in
$etcd->no_instance('roll', "one-$_") for 1, 2;
$etcd->spec('roll', version => 1);
$since = $g->seen;
requests(300, $since);
is_deeply([keys %{ counted($since) }], ['2 200'],
    'as long as a version has no instance the newest that has one serves');

$etcd->instance('roll', worker => 'one-3', port => $g->agent_port(0),
    version => 1);
$since = $g->seen;
requests(300, $since);
is_deeply([keys %{ counted($since) }], ['1 200'], 'then it serves itself');

my $n = $load->end;
is($n->{lost}, 0, "nothing lost of $n->{sent}") or diag(explain($n));
is_deeply([keys %{ $n->{status} }], [200], 'and nothing but 200');

# a share of 50 percent for one that has no instance
$etcd->no_instance('roll', "two-$_") for 1, 2;
$g->redis->cli('FLUSHALL');
$etcd->put('/specs/roll/versions/2', '{}');
$etcd->spec('roll', version => 1, $etcd->traffic(1 => 50, 2 => 50));
$g->seen;
is(join(' ', map { $g->get('/run/roll')->{headers}{'x-version'} } 1 .. 40),
    join(' ', (1) x 40), 'a share without an instance is served by others');
my $job;
wait_for(sub { $job = $g->redis->take_job(1) }, 10, 'a job for it');
is("$job->{function_id} $job->{version}", 'roll 2', 'and is asked for');
$etcd->instance('roll', worker => 'two-4', port => $g->agent_port(1),
    version => 2);
$g->seen;

# by name
for my $version (1, 2) {
    my @r = map { $g->get("/run/roll\@$version/a%20b") } 1 .. 10;
    is(join(' ', map { $_->{headers}{'x-version'} // $_->{status} } @r),
        join(' ', ($version) x 10), "\@$version");
    like($r[0]{body}, qr{^GET /a%20b HTTP/1.1\|roll\|}, 'its path, its name');
}

my $r = $g->get('/run/roll@7/x');
is("$r->{status} $r->{headers}{'x-fcfaas-error'}", '404 unknown_version',
    'a version that there is not');

for my $bad ('@', '@0', '@x', '@1x', '@-1', '@01', '@1@2',
             '@99999999999999999999') {
    $r = $g->get("/run/roll$bad");
    is("$r->{status} " . ($r->{headers}{'x-fcfaas-error'} // ''),
        '400 bad_version', "\"$bad\" is no version");
}

$r = $g->get('/run/@1');
is("$r->{status} $r->{headers}{'x-fcfaas-error'}", '400 bad_name',
    'a version of nothing');

# one that may be started is waited for, though another is there
$etcd->no_instance('roll', 'two-4');
$g->seen;
$g->redis->cli('FLUSHALL');
my $q = $g->send('/run/roll@2');
wait_for(sub { $job = $g->redis->take_job(1) }, 10, 'its job');
is($job->{version}, 2, '@2 is asked for');
$g->wait_parked(1);
$etcd->instance('roll', worker => 'two-5', port => $g->agent_port(1),
    version => 2);
$r = $q->response(10);
is("$r->{status} $r->{headers}{'x-version'}", '200 2', 'and served by it');

# clients stay
my @users = 1 .. 100;
sub where { return { map { $_ =>
    $g->get("/stay/roll?user=u$_")->{headers}{'x-version'} } @users } }

my %at;
for my $share (20, 50, 80) {
    $etcd->spec('roll', version => 1,
        $etcd->traffic(1 => 100 - $share, 2 => $share));
    $g->seen;
    my ($first, $again) = (where(), where());
    is_deeply($again, $first, "$share percent: each stays with a version");
    my $two = grep { $_ == 2 } values %$first;
    cmp_ok(abs($two - $share), '<', 25, "$two of 100 clients at version 2");
    is(join(' ', grep { $at{$_} && $at{$_} == 2 && $first->{$_} != 2 } @users),
        '', 'and none went back') if %at;
    %at = %$first;
}

# what is wrong is named, and changes nothing
$etcd->spec('roll', version => 2, $etcd->traffic(2 => 100));
$g->seen;
for my $bad (['[{"version":1,"percent":90}]', 'percents add up to 90'],
             ['[{"version":1,"percent":"x"}]', 'traffic[0]: percent'],
             ['{}', 'traffic: not an array']) {
    $etcd->put('/specs/roll', qq({"version":1,"traffic":$bad->[0]}));
    $g->seen;
    is(join(' ', map { $g->get('/run/roll')->{headers}{'x-version'} } 1 .. 20),
        join(' ', (2) x 20), "$bad->[0]: as before");
    ok($g->nginx->logged(qr{/specs/roll": .*\Q$bad->[1]\E}), 'and told');
}

$g->stop;
done_testing;
