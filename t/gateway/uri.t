# $fcfaas_uri against nginx's own location matching: what an access rule would
# match reaches a function in no other way.
#
# Three servers: the gateway; a judge with the same locations, which says
# which one matched and what nginx made of the path; and a reader, which says
# what nginx makes of any path.  For random request lines the function must
# get, as the reader sees it, exactly what the judge saw, less the segments
# that the location's rule takes away.  Some come to their location by a
# rewrite, an error_page, try_files or as a subrequest of SSI.

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
    # found without running the expression, or not
    [plain => '~ ^/pl/([^/]+)', 'fcfaas $1;', 2],
    [searched => '~ ^/se/(?<f_s>[^/][^/]*)', 'fcfaas $f_s;', 2],
    [dotted => '~ ^/d.t/(?<f_d>[^/]+)', 'fcfaas $f_d;', 2],
    [caseless => '~* ^/CASE/(?<f_c>[^/]+)', 'fcfaas $f_c;', 2],
    [strip1 => '/pre/', 'fcfaas echo strip=1;', 1],
    [strip2 => '/two/', 'fcfaas echo strip=2;', 2],
    [inside => '~ ^/mid/(?<f_m>[a-z]+)', 'fcfaas $f_m;', undef],
    [whole => '/', 'fcfaas echo;', 0],
    # what is behind a prefix
    [behind => '/in/', 'fcfaas;', 2,
        [d9 => '~ ^/in/[^/]+/admin(/|$)', 'deny all;'],
        [d0 => '/in/secret/', 'deny all;'],
        [under => '/in/kept/', '', 2],
        [anew => '/in/side/', 'fcfaas;', 3]],
    # a location in another one
    [nested => '/nest/', 'fcfaas echo strip=1;', 1,
        [d8 => '/nest/admin/', 'deny all;'],
        [inner => '~ ^/nest/fn/(?<f_i>[^/]+)', 'fcfaas $f_i;', 3],
        [kept => '/nest/kept/', '', 1]],
    # what changes the path, or the location only
    [undef, '^~ /by/rewrite/', 'rewrite (?s)^/by/rewrite(/.*)$ $1 last;'],
    [undef, '^~ /by/if/', 'if ($request_method = GET) '
        . '{ rewrite (?s)^/by/if(/.*)$ $1 last; }'],
    [undef, '^~ /by/error', 'error_page 404 = @named; return 404;'],
    [undef, '^~ /by/tried', 'try_files /none @named;'],
    [named_at => '@named', 'fcfaas echo;', 0],
    [undef, '= /by/ssi', 'ssi on; default_type text/html; '
        . 'return 200 \'<!--# include virtual="$arg_p" -->\';'],
);
my %cut = map { $_->[0] => $_->[3] } grep { defined $_->[0] }
    map { ($_, @$_[4 .. $#$_]) } @locations;

sub locations {
    my ($judge, @list) = @_;

    return join "\n", map {
        my ($name, $where, $what, undef, @inner) = @$_;

        if (!defined $name) {
            # the same for both

        } elsif ($judge) {
            $what = "return 200 \"$name \$uri\";";

        } elsif ($what !~ /deny/) {
            $what .= ' proxy_pass http://functions$fcfaas_uri;'
                . ' proxy_http_version 1.1; proxy_set_header Connection "";';
        }

        my $nested = @inner ? locations($judge, @inner) : '';
        "location $where { $nested $what }";
    } @list;
}

my %port = map { $_ => free_port() } qw(g0 j0 r0 g1 j1 r1);
my $servers = '';

for my $merge (0, 1) {
    my $slashes = 'merge_slashes ' . ($merge ? 'on' : 'off') . ';';

    $servers .= <<"    EOC";
    server {
        listen 127.0.0.1:$port{"g$merge"};
        $slashes
        @{[ locations(0, @locations) ]}
    }
    server {
        listen 127.0.0.1:$port{"j$merge"};
        $slashes
        @{[ locations(1, @locations) ]}
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

for my $id (qw(echo admin api run kept)) {
    $g->spec($id);
    $g->instance($id);
}

$g->wait_known('instances', 5);

my @pieces = (qw(run echo admin secret api pre two t o mid br case Case a b.bak
    x.env . .. ... ..; ;x echo;v=1 echo-admin %2e %2e%2e .%2e %2E. %65cho
    %61dmin ad%6din %25 %2561dmin %3f %3Fx %23 + %20 %c3%a9 %5c ~ * %00 %0d%0aX:y nest fn kept in side),
    '', '', 'admin', 'admin', 'echo', 'echo', 'run', 't', 'o', 'pre');
my @joints = (('/') x 12, '//', '///', '%2f', '%2F', '/%2f', '/./', '/../',
    '/%2e%2e/', '/.%2f');
my @tails = (('') x 8, '/', '?', '?x=/admin/', '?a=%20&b#c', '#', '#/admin');

my @by = ('/by/rewrite', '/by/if', '/by/error', '/by/tried', '/by/ssi?p=');

sub pick { $_[rand @_] }

sub random_path {
    my $path = '/' . join '', map { pick(@pieces), pick(@joints) }
        1 .. 1 + rand 5;

    # most begin where a location does
    if (rand() < 0.7) {
        $path = pick('/run/echo', '/run/echo', '/run/%65cho', '/t/x/echo',
            '/o/echo/echo', '/api', '/pre', '/two/x', '/mid/echo', '/br/echo',
            '/CASE/echo', '/pl/echo', '/se/echo', '/d.t/echo', '/dot/echo',
            '/x/../run/echo', '//run//echo', '/run/echo%2f', '/nest/fn/echo',
            '/nest/kept', '/nest', '/in/echo', '/in/%65cho', '/in/kept',
            '/in/side/echo', '/in/echo%2f')
            . pick('', @joints) . substr $path, 1;
    }

    $path .= pick(@pieces);
    return $path . pick(@tails) if rand() < 0.7;

    my $by = pick(@by);

    return $by =~ /p=$/ ? $by . $path : $by . $path . pick(@tails);
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
my (%seen, %by);

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

    if ($path =~ m{^/by/ssi}) {
        # refused by SSI itself; else a page of what the subrequest said
        if ($said =~ /\A\[an error/) {
            push @bad, "$path: $said, but $uri" if $uri ne $said;
            next;
        }
        # (nginx checks no access rules for one, so a denied one is a file, not
        # there); a function's answer is a path
        $got = $name =~ /^d\d$/ ? 403 : 400 if $uri !~ m{\A/};
    }

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

    my ($by) = grep { index($path, $_) == 0 } @by;
    $by{$by}++ if $by;

    # nginx merges no slashes in a subrequest's path
    my ($rs, $read) = ask($path =~ m{^/by/ssi} ? 'r0' : "r$merge", $uri);
    my $want = without($seen, $segments);
    $sent++;

    push @bad, "$path: $name, $seen: the function got $uri, that is "
        . "$read, not $want" if $rs != 200 || $read ne $want;
}

is_deeply(\@bad, [], 'what locations checked is what functions get')
    or diag("FCF_SEED=$seed, merge_slashes off in even rounds");
cmp_ok($sent, '>', $rounds / 8, "$sent reached a function");
cmp_ok($denied, '>', $rounds / 50, "$denied were denied");
cmp_ok(scalar keys %seen, '>', 13, 'most locations were met');
is_deeply([grep { $rounds > 1000 && !$by{$_} } @by], [],
    'all ways to them were gone');

$g->stop;
done_testing;
