# What Prometheus makes of it: promtool looks at the metrics of gateway and
# agent, and at the rules; a real Prometheus scrapes a whole system, and knows
# every metric that dashboard, alerts and docs name.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Prom;
use Test::More;

on_path('promtool') or plan skip_all => 'promtool is missing: run/deps test';

my $from = root() . '/packaging/monitoring';
my $dir = tmpdir() . '/prometheus';
mkdir $dir or die "$dir: $!";
spew("$dir/$_", slurp("$from/$_"))
    for qw(prometheus.yml alerts.yml aliases.yml);
spew("$dir/alerts.test.yml", slurp(root() . '/t/e2e/alerts.test.yml'));

# what it says, and whether all is well with what it is given
sub promtool {
    my ($args, $in) = @_;
    spew("$dir/in", $in // '');
    my $out = `cd \Q$dir\E && promtool $args <in 2>&1`;
    return ($? == 0, $out);
}

sub fine {
    my ($name, @args) = @_;
    my ($ok, $out) = promtool(@args);
    ok($ok, $name) or diag($out);
}

my $dashboard = json_decode(slurp("$from/grafana.json"));
my @exprs = map { map { $_->{expr} } @{ $_->{targets} // [] } }
    @{ $dashboard->{panels} };
my ($alerts, $aliases) = map { slurp("$from/$_.yml") } qw(alerts aliases);

# names of metrics in a text
sub metrics_of { my %n; $n{$_} = 1 for $_[0]
    =~ /\b((?:fcfaas|process)_[a-z_]+)\b(?![-.\/])/g; return sort keys %n }

subtest 'rules' => sub {
    fine('Prometheus reads them', 'check config prometheus.yml');
    fine('each alert fires when it is to', 'test rules alerts.test.yml');
    my @named = $alerts =~ /- alert: (\w+)/g;
    my $tested = slurp("$dir/alerts.test.yml");
    is_deeply([grep { $tested !~ /\b$_\b/ } @named], [], 'each is tested');
    is(scalar(() = $alerts =~ /^ +runbook: /mg), scalar @named,
        'each says where to read on');
};

my $s = FcfTest::System->start(vmm => 'instant', env => { WORKERS => 2,
    SNAPSHOTS => 'no' })->up(120);
is($s->get('/run/hello')->{status}, 200, 'a function is called') for 1 .. 3;
$s->get('/run/nobody');

sub gateway { $s->get('/fcfaas/metrics')->{body} }
sub agent { http_get(19180, '/metrics')->{body} }

my %said;
subtest 'metrics' => sub {
    for (['gateway', \&gateway], ['agent', \&agent]) {
        my ($name, $get) = @$_;
        my $text = $get->();
        fine("promtool has nothing to say about those of $name", 'check metrics',
            $text);
        my $m = FcfTest::Prom->parse($text);
        $said{$_} = 1 for keys %{ $m->{series} };
    }
    my ($ok) = promtool('check metrics', "# TYPE x_total gauge\nx_total 1\n");
    ok(!$ok, 'it would have');
};

# the rows of the tables of metrics
subtest 'those in docs' => sub {
    my ($told) = join "\n", map { (split /\|/)[1] }
        grep { /^\| `(?:fcfaas|process)_/ } split /\n/, docs();
    my %told = map { $_ => 1 } metrics_of($told);
    my %families = map { s/_(?:bucket|sum|count)$//r => 1 } keys %said;
    my @not = grep { !$told{$_} && !/^fcfaas_worker_/ } keys %families;
    is_deeply([sort @not], [], 'each has its place');
    is_deeply([grep { !$families{$_} && !/_snapshot/ && $_ ne
        'fcfaas_worker_' } sort keys %told], [], 'and none is told that is not');
};

# a port of each
my $config = slurp("$dir/prometheus.yml");
$config =~ s/127\.0\.0\.1:8080/127.0.0.1:@{[ $s->port ]}/;
$config =~ s/127\.0\.0\.1:9180/127.0.0.1:19180/;
$config =~ s/: 15s/: 1s/g;
spew("$dir/prometheus.yml", $config);

my $port = free_port();
my $prometheus = FcfTest::Proc->spawn(name => 'prometheus', argv => [
    'prometheus', "--config.file=$dir/prometheus.yml",
    "--storage.tsdb.path=$dir/data", "--web.listen-address=127.0.0.1:$port"]);
$prometheus->line_matching(qr/Server is ready/, 60);

sub ask {
    my ($path) = @_;
    my $r = http_get($port, "/api/v1/$path", timeout => 20);
    my $answer = json_decode($r->{body});
    $answer->{status} eq 'success' or die "$path: $answer->{error}\n";
    return $answer->{data};
}

sub query {
    my ($expr) = @_;
    my $q = $expr =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
    return @{ ask("query?query=$q")->{result} };
}

wait_for(sub { 2 == grep { $_->{value}[1] } query('up') }, 30,
    'both to be scraped');
pass('Prometheus scrapes both');
wait_for(sub { query('fission_function_calls_total{function_name="hello"}') },
    30, 'the aliases');

my %known = map { $_ => 1 } @{ ask('label/__name__/values') };

subtest 'alerts' => sub {
    is_deeply([grep { !$known{$_} }
        metrics_of($alerts =~ s/summary:.*//gr)], [], 'of what is there');
    my %groups = map { $_->{name} => $_ } @{ ask('rules')->{groups} };
    my @rules = map { @{ $_->{rules} } } values %groups;
    cmp_ok(scalar @rules, '>', 20, 'are loaded');
    wait_for(sub {
        !grep { $_->{health} eq 'unknown' }
            map { @{ $_->{rules} } } @{ ask('rules')->{groups} };
    }, 30, 'each to be looked at once');
    is_deeply([map { $_->{name} } grep { $_->{health} ne 'ok' }
        map { @{ $_->{rules} } } @{ ask('rules')->{groups} }], [],
        'and can be computed');
    is_deeply([grep { $_->{state} eq 'firing' } @{ ask('alerts')->{alerts} }],
        [], 'none fires where all is well');
};

# what goes on where somebody looks at it: calls, starts, and starts that fail
my $load = FcfTest::Load->start(port => $s->port, path => '/run/hello',
    interval_ms => 50, again => 1);
my $code = $s->etcd->get_json('/specs/hello')->{code};
my $new = 0;

sub goes_on {
    $new++;
    $s->etcd->spec("new$new", memory_mb => 128, code => $code);
    $s->etcd->spec("broken$new", memory_mb => 128);
    wait_for(sub { $s->get("/run/$_->[0]")->{status} == $_->[1] }, 30, $_->[0])
        for ["new$new", 200], ["broken$new", 502];
}

# the numbers that a query gives, in the end: what is drawn is no NaN, and
# stands on what was scraped more than once
sub drawn {
    my ($expr) = @_;
    my ($went, @values) = (now());
    wait_for(sub {
        @values = grep { !/NaN/ } map { $_->{value}[1] } query($expr);
        return 1 if @values;
        ($went) = (now(), goes_on()) if now() - $went > 2;
        return 0;
    }, 60, "numbers of $expr");
    return @values;
}

subtest 'dashboard' => sub {
    cmp_ok(scalar @exprs, '>', 20, 'has panels');
    my %vars = ('$__rate_interval' => '1m', '$function' => '.*');
    for my $expr (@exprs) {
        is_deeply([grep { !$known{$_} } metrics_of($expr)], [],
            "what is there: $expr");
        my $real = $expr =~ s/(\$\w+)/$vars{$1} \/\/ die "$1?"/ger;
        my @values = eval { drawn($real) };
        ok(scalar @values, "and is no empty panel: @values") or diag($@);
    }
    for my $var (grep { $_->{type} eq 'query' }
        @{ $dashboard->{templating}{list} })
    {
        my ($of, $label) = $var->{query}{query}
            =~ /^label_values\((\w+), (\w+)\)$/ or die "$var->{name}?";
        ok(scalar(grep { exists $_->{metric}{$label} } query($of)),
            "$var->{name} has something to choose");
    }
    my @ids = map { $_->{id} } @{ $dashboard->{panels} };
    my %once = map { $_ => 1 } @ids;
    is(scalar keys %once, scalar @ids, 'no two panels of an id');
};

subtest 'aliases' => sub {
    my $told = slurp(root() . '/docs/operate.md');
    for my $name ($aliases =~ /- record: (\w+)/g) {
        my $family = $name =~ s/_seconds\K_(?:bucket|sum|count)$//r;
        like($told, qr/^\|.*`$family`.*\| `fcfaas_/m, "docs have $family");
        ok(scalar drawn($name), "the name $name gives something");
    }

    is($load->end->{lost}, 0, 'no call was lost');
    my $calls;
    wait_for(sub { ($calls) = query('gateway_function_invocation_total'
        . '{function_name="hello",code="2xx"}') }, 30, 'the other aliases');
    cmp_ok($calls->{value}[1], '>=', 3,
        'a name of OpenFaaS counts what was called');
};

ok($prometheus->stop, 'Prometheus ends');
is($s->make('stop'), 0, 'make stop');

done_testing();
