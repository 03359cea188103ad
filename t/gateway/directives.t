# Every directive: good values, bad ones (refused with the place and the
# value), inherited ones.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $token = spew(tmpdir() . '/token', "secret\n");

my %default = (
    etcd  => 'fcfaas_etcd http://127.0.0.1:1;',
    redis => 'fcfaas_redis 127.0.0.1:1;',
    zone  => 'fcfaas_zone fcfaas 1m;',
    token => "fcfaas_token_file $token;",
    http  => '',
    upstream => 'fcfaas; keepalive 4;',
    server => '',
    location => 'fcfaas $function_id;',
);


sub conf {
    my %c = (%default, @_);

    return <<"    EOC";
    %%MODULE%%
    error_log stderr;
    pid nginx.pid;
    events { }
    http {
        $c{etcd}
        $c{redis}
        $c{zone}
        $c{token}
        $c{http}
        upstream functions { $c{upstream} }
        server {
            listen 127.0.0.1:1;
            $c{server}
            location ~ ^/run/(?<function_id>[^/]+) {
                $c{location}
                proxy_pass http://functions\$fcfaas_uri;
            }
            location = /status { fcfaas_status; }
        }
    }
    EOC
}


# directive => 1
my (%good, %bad);

sub note_names {
    my ($names, %c) = @_;
    $names->{$_} = 1 for map { /\b(fcfaas\w*)/g } grep { defined } values %c;
}


sub good {
    my ($name, @c) = @_;
    note_names(\%good, @c ? @c : %default);
    my ($ok, $out) = FcfTest::Nginx->check(conf(@c));

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($ok, "good: $name") or diag($out);
}


sub bad {
    my ($name, $re, @c) = @_;
    note_names(\%bad, @c);
    my ($ok, $out) = FcfTest::Nginx->check(conf(@c));
    my ($line) = grep { /\[emerg\]/ } split /\n/, $out;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(!$ok, "bad: $name");
    like($line // '', $re, "bad: $name: what is said");
    unlike($out, qr/Sanitizer|runtime error/, "bad: $name: no report");
}


good('all of them');
good('two of etcd and Redis',
    etcd  => 'fcfaas_etcd http://127.0.0.1:1 http://127.0.0.2:1;',
    redis => 'fcfaas_redis 127.0.0.1:1 127.0.0.2:2;');
good('Redis on a socket', redis => 'fcfaas_redis unix:/tmp/redis.sock;');
good('limits', location => 'fcfaas $function_id; fcfaas_park_timeout 5s;'
    . ' fcfaas_upgrade_timeout 2h; fcfaas_park_limit 7; fcfaas_declared off; fcfaas_cpu 2;'
    . ' fcfaas_memory 256;', http => 'fcfaas_park_limit_total 100;');
good('no zone, no token', zone => '', token => '');
good('inherited from http', http => 'fcfaas_park_timeout 5s;'
    . ' fcfaas_park_limit 7;');
good('inherited from server', server => 'fcfaas_park_timeout 5s;'
    . ' fcfaas_park_limit 7;');

bad('an etcd name', qr/somewhere/,
    etcd => 'fcfaas_etcd http://somewhere:2379;');
bad('an etcd scheme', qr/ftp:/, etcd => 'fcfaas_etcd ftp://127.0.0.1:1;');
bad('no etcd at all', qr/fcfaas_etcd/, etcd => '');
bad('no Redis at all', qr/fcfaas_redis/, redis => '');
for my $secret ('etcd  http://root:s3cr3t@127.0.0.1:1', 'etcd'
    . ' http://127.0.0.1:1 user=root password=s3cr3t',
    'redis redis://:s3cr3t@127.0.0.1:6379',
    'redis 127.0.0.1:1 password=s3cr3t')
{
    my ($which, $args) = split / /, $secret, 2;
    bad("a password in fcfaas_$which", qr/password_file="(?!.*s3cr3t)/,
        $which => "fcfaas_$which $args;");
}
bad('metrics of what', qr/fcfaas_metrics/,
    server => 'location /m { fcfaas_metrics all; }');
bad('a Redis port', qr/127\.0\.0\.1:99999/,
    redis => 'fcfaas_redis 127.0.0.1:99999;');
bad('an etcd parameter', qr/colour=red/,
    etcd => 'fcfaas_etcd http://127.0.0.1:1 colour=red;');
bad('etcd twice', qr/is duplicate/,
    etcd => 'fcfaas_etcd http://127.0.0.1:1; fcfaas_etcd http://127.0.0.1:2;');
bad('a zone without size', qr/fcfaas_zone/, zone => 'fcfaas_zone fcfaas;');
bad('a zone too small', qr/"1k" in "fcfaas_zone".*less than/,
    zone => 'fcfaas_zone fcfaas 1k;');
bad('zone twice', qr/is duplicate/,
    zone => 'fcfaas_zone a 1m; fcfaas_zone b 1m;');
bad('a token file that is not there', qr{/no/such/token},
    token => 'fcfaas_token_file /no/such/token;');
bad('an empty token file', qr{empty},
    token => 'fcfaas_token_file ' . spew(tmpdir() . '/empty', '') . ';');
bad('a park timeout', qr/fcfaas_park_timeout/,
    location => 'fcfaas $function_id; fcfaas_park_timeout soon;');
bad('an upgrade timeout', qr/fcfaas_upgrade_timeout/,
    location => 'fcfaas $function_id; fcfaas_upgrade_timeout soon;');
bad('a park limit', qr/fcfaas_park_limit/,
    location => 'fcfaas $function_id; fcfaas_park_limit many;');
good('sticky', http => 'fcfaas_sticky $remote_addr;',
    server => 'fcfaas_sticky $cookie_user$arg_user;',
    location => 'fcfaas $function_id; fcfaas_sticky "";');
bad('sticky without a variable', qr/"user" in "fcfaas_sticky".*a variable/,
    location => 'fcfaas $function_id; fcfaas_sticky user;');
bad('sticky twice', qr/is duplicate/, location => 'fcfaas $function_id;'
    . ' fcfaas_sticky $arg_a; fcfaas_sticky $arg_b;');
bad('sticky in an "if" of its own', qr/not allowed here/,
    location => 'fcfaas $function_id; if ($arg_a) { fcfaas_sticky $arg_a; }');
good('one version', location => 'fcfaas hello@3;');
bad('one bad version', qr/"hello\@new" in "fcfaas"/,
    location => 'fcfaas hello@new;');
good('park memory', http => 'fcfaas_park_memory 64m;');
good('park memory without a limit', http => 'fcfaas_park_memory 0;');
bad('a park memory', qr/fcfaas_park_memory/,
    http => 'fcfaas_park_memory some;');
bad('park memory twice', qr/is duplicate/,
    http => 'fcfaas_park_memory 1m; fcfaas_park_memory 2m;');
bad('park memory of a location', qr/fcfaas_park_memory.*not allowed here/,
    location => 'fcfaas $function_id; fcfaas_park_memory 1m;');
bad('declared', qr/fcfaas_declared/,
    location => 'fcfaas $function_id; fcfaas_declared perhaps;');
bad('error details', qr/fcfaas_error_details/,
    location => 'fcfaas $function_id; fcfaas_error_details some;');
good('error details', http => 'fcfaas_error_details on;',
    location => 'fcfaas $function_id; fcfaas_error_details off;');
bad('cpu', qr/between 1 and/,
    location => 'fcfaas $function_id; fcfaas_cpu 0;');
bad('memory', qr/fcfaas_memory/,
    location => 'fcfaas $function_id; fcfaas_memory -1;');
bad('fcfaas twice', qr/is duplicate/,
    location => 'fcfaas $function_id; fcfaas other;');
bad('a fixed bad name', qr/No_Name!/, location => 'fcfaas No_Name!;');
my $in = ' { fcfaas; proxy_pass http://functions$fcfaas_uri; }';
good('no name', server => "location /in/ $in location ^~ /at/ $in"
    . " location / $in");
good('no name, inherited', server => 'location /in/ { fcfaas; '
    . 'proxy_pass http://functions$fcfaas_uri; '
    . 'location /in/x/ { proxy_pass http://functions$fcfaas_uri; } '
    . 'if ($arg_x) { proxy_pass http://functions; } }');
my $none = qr/"fcfaas" without a name takes .* ends with "\/"/;
bad('no name in a regular expression', qr/$none: location "\^\/run/,
    location => 'fcfaas;');
bad('no name behind no slash', qr/$none: location "\/in" is none/,
    server => "location /in $in");
bad('no name of one path alone', qr/$none: location "\/in\/" is none/,
    server => "location = /in/ $in");
bad('no name in a named location', qr/$none: location "\@in\/" is none/,
    server => "location \@in/ { fcfaas; proxy_pass http://functions; }");
bad('no name in an if', qr/$none: an "if" in "\/in\/" is none/,
    server => "location /in/ { if (\$arg_x) $in }");
bad('no name, twice', qr/is duplicate/,
    server => 'location /in/ { fcfaas; fcfaas; }');
bad('a name behind none', qr/is duplicate/,
    server => 'location /in/ { fcfaas; fcfaas x; }');
bad('none behind a name', qr/is duplicate/,
    server => 'location /in/ { fcfaas x; fcfaas; }');
bad('strip without a name', qr/"strip=1".*not a function name/,
    server => 'location /in/ { fcfaas strip=1; }');
bad('strip of what', qr/"strip=x" in "fcfaas".*0 to 64/,
    location => 'fcfaas $function_id strip=x;');
bad('strip too many', qr/"strip=65" in "fcfaas"/,
    location => 'fcfaas $function_id strip=65;');
bad('strip below none', qr/"strip=-1" in "fcfaas"/,
    location => 'fcfaas $function_id strip=-1;');
bad('another parameter', qr/"cut=1" in "fcfaas"/,
    location => 'fcfaas $function_id cut=1;');
good('strip', location => 'fcfaas $function_id strip=64;');
bad('an argument in an upstream', qr/fcfaas/, upstream => 'fcfaas x;');
bad('a server before it', qr/no "server" beside it/,
    upstream => 'server 127.0.0.1:1; fcfaas;');
bad('a server behind it', qr/"server" has no use beside "fcfaas"/,
    upstream => 'fcfaas; server 127.0.0.1:1;');

good('prefix', http => 'fcfaas_prefix two.;');
bad('prefix twice', qr/is duplicate/,
    http => 'fcfaas_prefix a; fcfaas_prefix b;');
bad('prefix of a server', qr/fcfaas_prefix.*not allowed here/,
    server => 'fcfaas_prefix a;');
my $state = tmpdir() . '/registry';
good('state file', http => "fcfaas_state_file $state;");
good('state file, at other times',
    http => "fcfaas_state_file $state interval=5s;");
bad('state file, whenever', qr/"interval=x" in "fcfaas_state_file"/,
    http => "fcfaas_state_file $state interval=x;");
bad('state file, and more', qr/"often" in "fcfaas_state_file"/,
    http => "fcfaas_state_file $state often;");
bad('state file twice', qr/is duplicate/,
    http => "fcfaas_state_file $state; fcfaas_state_file $state;");
bad('a limit for all', qr/fcfaas_park_limit_total/,
    http => 'fcfaas_park_limit_total many;');
bad('a limit for all of none', qr/between 1 and/,
    http => 'fcfaas_park_limit_total 0;');
bad('a limit for all of a location', qr/not allowed here/,
    location => 'fcfaas $function_id; fcfaas_park_limit_total 1;');
bad('a park limit of none', qr/between 1 and/,
    location => 'fcfaas $function_id; fcfaas_park_limit 0;');
good('nodes', server => 'location /n { fcfaas_nodes; } location /o {'
    . ' fcfaas_node $arg_n; proxy_pass http://$fcfaas_node_admin; }');
bad('nodes of what', qr/invalid number of arguments in "fcfaas_nodes"/,
    server => 'location /n { fcfaas_nodes all; }');
bad('a node twice', qr/"fcfaas_node" directive is duplicate/,
    server => 'location /n { fcfaas_node a; fcfaas_node b; }');
bad('a node and a function', qr/has both "fcfaas" and "fcfaas_node"/,
    location => 'fcfaas $function_id; fcfaas_node a;');
good('metrics', server => 'location /m { fcfaas_metrics; }');
bad('status of what', qr/invalid number of arguments in "fcfaas_status"/,
    server => 'location /s { fcfaas_status all; }');
bad('status of a server', qr/"fcfaas_status" directive is not allowed here/,
    server => 'fcfaas_status;');

# each of the module's has stood in one of each kind
my ($table) = slurp(root() . '/ngx_fcfaas_module/ngx_http_fcfaas_module.c')
    =~ /ngx_command_t[^{]*\{(.*?)\n\};/s;
my %known = map { $_ => 1 } $table =~ /\{ ngx_string\("(\w+)"\)/g;
$good{fcfaas_status} = 1;       # in all of them

cmp_ok(scalar keys %known, '>', 15, 'the table of directives');
is(join(' ', grep { !$good{$_} } sort keys %known), '', 'none without a good');
is(join(' ', grep { !$bad{$_} } sort keys %known), '', 'none without a bad');

# and those of several levels have been inherited
my $inherited = slurp(root() . '/t/gateway/inherited.t');
my @levels = map { /ngx_string\("(\w+)"\)/ ? $1 : () }
    grep { /NGX_HTTP_SRV_CONF/ } split /\n(?=    \{)/, $table;
cmp_ok(scalar @levels, '>', 6, 'those of several levels');
is(join(' ', grep { $inherited !~ /\b$_ / } @levels), '',
    'none without an inherited value');

my ($ok, $out) = FcfTest::Nginx->check(conf(
    server => 'location /alone { fcfaas hello; }'));
ok($ok, 'no proxy_pass: taken');
like($out, qr{\[warn\].*"/alone" has "fcfaas" but no "proxy_pass"},
    'no proxy_pass: but noted');
($ok, $out) = FcfTest::Nginx->check(conf());
unlike($out, qr/\[warn\]/, 'with proxy_pass: nothing');

done_testing;
