# $fcfaas_uri against nginx's own location matching: what an access rule would
# match reaches a function in no other way.
#
# Three servers: the gateway; a judge with the same locations, which says
# which one matched and what nginx made of the path; and a reader, which says
# what nginx makes of any path.  For random request lines the function must
# get, as the reader sees it, exactly what the judge saw, less the segments
# that the location's rule takes away.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $seed = $ENV{FCF_SEED} // time;
my $rounds = $ENV{FCF_ROUNDS} // 1200;
srand $seed;
note("FCF_SEED=$seed");

# name, location, what stands in it; how many segments go
my @locations = (
    [d1 => '/admin/', 'deny all;'],
    [d2 => '= /admin', 'deny all;'],
    [d3 => '^~ /secret', 'deny all;'],
    [d4 => '~ ^/run/[^/]+/admin(/|$)', 'deny all;'],
    [d5 => '~ ^/t/[^/]+/[^/]+/admin(/|$)', 'deny all;'],
    [d6 => '^~ /pre/admin', 'deny all;'],
    [d7 => '~* \.(bak|env)$', 'deny all;'],
    [named => '~ ^/run/(?<function_id>[^/]+)', 'fcfaas $function_id;', 2],
    [braces => '~ ^/br/(?<f_b>[^/]+)', 'fcfaas ${f_b};', 2],
    [numbered => '~ ^/t/([^/]+)/([^/]+)', 'fcfaas $2;', 3],
    [second => '~ ^/o/(?<f_a>[^/]+)/(?<f_o>[^/]+)', 'fcfaas $f_o;', 3],
    [first => '~ ^/(?<f_first>api)(/|$)', 'fcfaas $f_first;', 1],
    [caseless => '~* ^/CASE/(?<f_c>[^/]+)', 'fcfaas $f_c;', 2],
    [strip1 => '/pre/', 'fcfaas echo strip=1;', 1],
    [strip2 => '/two/', 'fcfaas echo strip=2;', 2],
    [inside => '~ ^/mid/(?<f_m>[a-z]+)', 'fcfaas $f_m;', undef],
    [whole => '/', 'fcfaas echo;', 0],
);
my %cut = map { $_->[0] => $_->[3] } @locations;

sub locations {
    my ($judge) = @_;

    return join "\n", map {
        my ($name, $where, $what) = @$_;

        if ($judge) {
            $what = "return 200 \"$name \$uri\";";

        } elsif ($what =~ /fcfaas/) {
            $what .= ' proxy_pass http://functions$fcfaas_uri;'
                . ' proxy_http_version 1.1; proxy_set_header Connection "";';
        }

        "location $where { $what }";
    } @locations;
}

my %port = map { $_ => free_port() } qw(g0 j0 r0 g1 j1 r1);
my $servers = '';

for my $merge (0, 1) {
    my $slashes = 'merge_slashes ' . ($merge ? 'on' : 'off') . ';';

    $servers .= <<"    EOC";
    server {
        listen 127.0.0.1:$port{"g$merge"};
        $slashes
        @{[ locations(0) ]}
    }
    server {
        listen 127.0.0.1:$port{"j$merge"};
        $slashes
        @{[ locations(1) ]}
    }
    server {
        listen 127.0.0.1:$port{"r$merge"};
        $slashes
        location / { return 200 "\$uri"; }
    }
    EOC
}

my $g = FcfTest::Gateway->start(http => $servers,
    agent => 'location ~ ^ { return 200 "$request_uri"; }');

for my $id (qw(echo admin api run)) {
    $g->spec($id);
    $g->instance($id);
}

$g->wait_known('instances', 4);

my @pieces = (qw(run echo admin secret api pre two t o mid br case Case a b.bak
    x.env . .. ... ..; ;x echo;v=1 echo-admin %2e %2e%2e .%2e %2E. %65cho
    %61dmin ad%6din %25 %2561dmin %3f %3Fx %23 + %20 %c3%a9 %5c ~ *),
    '', '', 'admin', 'admin', 'echo', 'echo', 'run', 't', 'o', 'pre');
my @joints = (('/') x 12, '//', '///', '%2f', '%2F', '/%2f', '/./', '/../',
    '/%2e%2e/', '/.%2f');
my @tails = (('') x 8, '/', '?', '?x=/admin/', '?a=%20&b#c', '#', '#/admin');

sub pick { $_[rand @_] }

sub random_path {
    my $path = '/' . join '', map { pick(@pieces), pick(@joints) }
        1 .. 1 + rand 5;

    # most begin where a location does
    if (rand() < 0.7) {
        $path = pick('/run/echo', '/run/echo', '/run/%65cho', '/t/x/echo',
            '/o/echo/echo', '/api', '/pre', '/two/x', '/mid/echo', '/br/echo',
            '/CASE/echo', '/x/../run/echo', '//run//echo', '/run/echo%2f')
            . pick('', @joints) . substr $path, 1;
    }

    return $path . pick(@pieces) . pick(@tails);
}

sub ask {
    my ($which, $path) = @_;
    my $r = http_send($port{$which}, $path)->response(10);

    return ($r->{status}, $r->{body} // '');
}

# what is left of a path without its first $n segments
sub without {
    my ($path, $n) = @_;

    $path =~ s{\A/[^/]*}{} for 1 .. $n;
    return $path eq '' ? '/' : $path;
}

my ($sent, $denied, @bad) = (0, 0);
my %seen;

for my $round (1 .. $rounds) {
    my $merge = $round % 2;
    my $path = random_path();

    my ($status, $said) = ask("j$merge", $path);
    my ($got, $uri) = ask("g$merge", $path);
    my ($name, $seen) = $said =~ /\A(\S+) (.*)\z/s;

    if ($status != 200) {
        push @bad, "$path: $status of the judge, but $got" if $got == 200;
        next;
    }

    $seen{$name}++;

    if (!exists $cut{$name} || $name =~ /^d\d$/) {
        $denied++;
        push @bad, "$path: $name, but $got" if $got != 403;
        next;
    }

    # not a function; "/pre" and the like: nginx's own redirect
    if ($got != 200) {
        push @bad, "$path: $got" unless grep { $got == $_ } 301, 400, 404;
        next;
    }

    my $segments = $cut{$name};

    if (!defined $segments) {
        # the capture has a part of a segment, or all of it
        $segments = $seen =~ m{^/mid/[a-z]+(/|$)} ? 2 : 0;
    }

    my ($rs, $read) = ask("r$merge", $uri);
    my $want = without($seen, $segments);
    $sent++;

    push @bad, "$path: $name, $seen: the function got $uri, that is "
        . "$read, not $want" if $rs != 200 || $read ne $want;
}

is_deeply(\@bad, [], 'what locations checked is what functions get')
    or diag("FCF_SEED=$seed, merge_slashes off in even rounds");
cmp_ok($sent, '>', $rounds / 8, "$sent reached a function");
cmp_ok($denied, '>', $rounds / 50, "$denied were denied");
cmp_ok(scalar keys %seen, '>', 9, 'most locations were met');

$g->stop;
done_testing;
