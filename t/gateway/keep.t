# Connections that are kept between requests, by "fcfaas keepalive=": which
# one a request takes, and all the ways in which one ends.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $proxy = 'proxy_http_version 1.1; proxy_set_header Connection "";';

sub location {
    my ($name, $more) = (@_, '');

    return <<"    EOC";
        location ~ ^/$name/(?<f_$name>[^/]+) {
            fcfaas \$f_$name;
            proxy_pass http://$name\$fcfaas_uri;
            $proxy
            $more
        }
    EOC
}

my $g = FcfTest::Gateway->start(http => <<'EOH', server => join '',
    upstream two   { fcfaas keepalive=2; }
    upstream few   { fcfaas keepalive=9 keepalive_requests=2; }
    upstream brief { fcfaas keepalive=9 keepalive_timeout=300ms; }
    upstream young { fcfaas keepalive=9 keepalive_time=300ms; }
    upstream nginx { fcfaas; keepalive 9; }
    upstream next  { fcfaas keepalive=9; }
    upstream nginx_next { fcfaas; keepalive 9; }
EOH
    (map { location($_) } qw(two few brief young nginx)),
    (map { location($_, 'proxy_next_upstream http_404;') } qw(next nginx_next)),
    <<'EOS');
        location ~ ^/other/(?<f_other>[^/]+) {
            fcfaas $f_other;
            proxy_pass http://functions$fcfaas_uri;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
        location ~ ^/bound/(?<f_bound>[^/]+) {
            fcfaas $f_bound;
            proxy_bind 127.0.0.1;
            proxy_pass http://functions$fcfaas_uri;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
EOS

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
my %guest;

sub function {
    my ($name) = @_;

    $guest{$name} = FcfTest::Guest->new;
    $g->etcd->spec($name);
    $g->etcd->instance($name, port => $guest{$name}->port,
        worker => "n1-" . keys %guest);
    $g->wait_known('specs', scalar keys %guest);
    $g->wait_known('instances', scalar keys %guest);
}

# a request over a new connection, or over $c, and its answer
sub served {
    my ($path, $c, $answer) = @_;
    my ($name) = $path =~ m{^/\w+/(\w+)};
    my $q = $g->send($path);

    $c = $c ? $c->next : $guest{$name}->take;
    $c->print($answer // $ok);
    is($q->response->{status}, 200, "$path is served");
    return $c;
}

sub wait_kept {
    my ($c, $what) = @_;
    ok(eval { $c->closed(5) }, $what) or diag($@);
    $c->close;
}

function($_) for qw(a b c);

# the one used last, of its own instance
my $first = served('/run/a/1');
is(served('/run/a/2', $first), $first, 'the same again');
my $of_b = served('/run/b/1');
served('/run/a/3', $first);
served('/run/b/2', $of_b);

my @q = map { $g->send("/run/a/$_") } 4, 5;
my @c = ($first->next, $guest{a}->take);
$_->print($ok) for @c;
is($_->response->{status}, 200, 'two at once') for @q;

my $q = $g->send('/run/a/6');
my ($sock) = IO::Select->new(map { $_->{sock} } @c)->can_read(5);
my ($used) = grep { $_->{sock} == $sock } @c;
$used->next->print($ok);
is($q->response->{status}, 200, 'one of the two is used again');

# locations share them, but where they may differ
served('/other/a/1', $used);
my $other = served('/bound/a/1');
served('/bound/a/2', $other);
served('/run/a/7', $used);

# the other side closes, or says what nobody has asked for
$other->close;
$other = served('/bound/a/3');
$other->print("HTTP/1.1 200 OK\r\n");
wait_kept($other, 'unasked bytes: closed');
served('/bound/a/4')->close;

# its answer says that it will
my $c = served('/run/c/1', undef, $ok =~ s/\r\n/\r\nConnection: close\r\n/r);
wait_kept($c, 'Connection: close is kept to');

# longer than announced: what is behind is nobody's answer
$c = served('/run/c/2', undef, "${ok}more");
wait_kept($c, 'more than its length: closed');

# a client that leaves in the middle of an answer
$q = $g->send('/run/c/3');
$c = $guest{c}->take;
$c->print("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
$q->until(sub { $_[0] =~ /half/ }, 5);
$q->close;
wait_kept($c, 'a client that left: closed');

# one that leaves before its answer
$q = $g->send('/run/c/4');
$c = $guest{c}->take;
$q->close;
wait_kept($c, 'a client that left early: closed');

# room for two: the one that has been idle for longest goes
my %two = map { $_ => served("/two/$_/1") } qw(a b);
served('/two/a/2', $two{a});
$two{c} = served('/two/c/1');
wait_kept($two{b}, 'no room: the one idle for longest is closed');
served('/two/a/3', $two{a});
served('/two/c/2', $two{c});

# as often, and as long, as is said
$c = served('/few/a/1');
served('/few/a/2', $c);
wait_kept($c, 'keepalive_requests');

$c = served('/brief/a/1');
wait_kept($c, 'keepalive_timeout');

$c = served('/young/a/1');
select undef, undef, undef, 0.4;
served('/young/a/2', $c);
wait_kept($c, 'keepalive_time');

# nginx's own, as before
$c = served('/nginx/a/1');
served('/nginx/a/2', $c);

# an answer after which nginx goes on to another instance is one
function('d');
$guest{e} = FcfTest::Guest->new;
$g->etcd->instance('d', port => $guest{e}->port, worker => 'n1-5');
$g->wait_known('instances', 5);
my $listen = IO::Select->new(map { $guest{$_}{listen} } qw(d e));

for my $path ('/next/d', '/nginx_next/d') {
    my $refused = $g->status->{balancer}{refused};
    $q = $g->send($path);
    my ($ready) = $listen->can_read(5);
    my ($one) = grep { $guest{$_}{listen} == $ready } qw(d e);
    $c = $guest{$one}->take;
    $c->print("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    my $two = $guest{ $one eq 'd' ? 'e' : 'd' }->take;
    $two->print($ok);
    is($q->response->{status}, 200, "$path: a 404: another instance");
    is($g->status->{balancer}{refused}, $refused, "$path: nobody has refused");
    $_->close for $c, $two;
}

# an instance that goes takes them along
$c = served('/run/b/3', $of_b);
$g->etcd->no_instance('b', 'n1-2');
wait_kept($c, 'of an instance that is gone: closed');

# while it still has a request, that one is served
$g->etcd->instance('b', port => $guest{b}->port, worker => 'n1-2');
$g->wait_known('instances', 5);
$q = $g->send('/run/b/4');
$c = $guest{b}->take;
$g->etcd->no_instance('b', 'n1-2');
$g->wait_known('instances', 4);
$c->print($ok);
is($q->response->{status}, 200, 'gone meanwhile: served');
wait_kept($c, 'and then closed');

# the old worker closes what it keeps, and later what it comes to have
$q = $g->send('/run/c/5');
$c = $guest{c}->take;
my ($worker) = $g->nginx->workers;
$g->nginx->reload;
wait_kept($used, 'a reload: closed');
$c->print($ok);
is($q->response->{status}, 200, 'a reload: the request goes on');
wait_kept($c, 'a reload: closed after that');
FcfTest::wait_for(sub { !kill 0, $worker }, 10, 'the old worker to end');

# a worker that is told to stop at once
$g->wait_known('instances', 4);
$c = served('/run/c/6');
$g->stop;
wait_kept($c, 'the end of all');

done_testing;
