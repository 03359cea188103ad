# Answers of the module's own that nothing else has shown: each of the docs'
# table is named by a test.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(park_timeout => '60s',
    location => 'fcfaas_park_limit 20000;', server => <<'EOC');
    location ~ ^/any/(?<f_any>[^/]+) {
        fcfaas $f_any;
        fcfaas_declared off;
        fcfaas_park_timeout 60s;
        proxy_pass http://functions$fcfaas_uri;
    }
EOC
my $etcd = $g->etcd;

sub error {
    my ($r) = @_;
    return "$r->{status} " . ($r->{headers}{'x-fcfaas-error'} // '');
}

# boot_timeout: three attempts, then that is the reason
$g->spec('slow');
my $q = $g->send('/run/slow');
for my $n (1 .. 3) {
    my $job;
    wait_for(sub { $job = $g->redis->take_job(1) }, 10, "job $n");
    $g->redis->cli('ZREM', '{queue:vm_provision}:pending:slow',
        $job->{request_id});
    $etcd->failure('slow', $job->{request_id}, error => 'boot_timeout');
}
is(error($q->response), '502 boot_timeout', 'boot_timeout');

# too_many_names: while so many wait, no other undeclared one may
my @q = map { $g->send("/any/name-$_") } 1 .. 1024;
$g->wait_parked(1024, 30);
my $r = $g->get('/any/one-more');
is(error($r), '503 too_many_names', 'too_many_names');
is($g->get('/any/')->{status}, 404, 'what is no name has no location');
$_->close for @q;
$g->wait_parked(0, 30);
$q = $g->send('/any/one-more');
$g->wait_parked(1);
pass('once they have left there is room');
$q->close;

$g->stop;

# every answer of docs/reference.md's table, every variable
my $readme = docs();
my ($rows) = $readme
    =~ /^\| status \| error \| when \|\n\|[ -|]+\n((?:\|.*\n)+)/m;
my %errors = map { $_ => 1 } map { /`(\w+)`/g }
    map { (split /\|/)[2] } split /\n/, $rows // '';
my %variables = map { $_ => 1 } $readme =~ /^\| `\$(fcfaas_\w+)` \|/mg;

my $tests = join '', map { slurp($_) } map { glob root() . "/$_" }
    't/*.t', 't/gateway/*.t';
cmp_ok(scalar keys %errors, '>', 17, 'the table of answers');

# with its status, as a header's value, or alone between quotes
is(join(' ', grep { $tests !~ /(?:\d{3} |Error: |["'(|])$_\b(?! =>)/ }
    sort keys %errors), '', 'each is named by a check');
cmp_ok(scalar keys %variables, '>', 8, 'the table of variables');
is(join(' ', grep { $tests !~ /\$\{?$_\b/ } sort keys %variables), '',
    'each is named by a test');

done_testing;
