package FcfTest::Reloads;

# Many reloads under load: no request fails, old workers leave once the last
# one parked in them is served, and nothing grows.
#
#   FcfTest::Reloads::run(
#       reloads => 50,              # FCF_RELOADS, if set, in its place
#       specs   => 5000,            # declared besides; FCF_RELOAD_SPECS
#       away    => 1,               # etcd is, all the time
#   );                              # and ends the test

use strict;
use warnings;

use FcfTest;
use Test::More;


sub run {
    my (%opt) = @_;
    my $reloads = $ENV{FCF_RELOADS} // $opt{reloads};
    my $specs = $opt{specs} && ($ENV{FCF_RELOAD_SPECS} // $opt{specs});
    my $asan = FcfTest::Nginx::asan();

    # one for each time that some are to wait: what has gone from etcd while a
    # worker listed is tried on for as long as its port answers
    my @names = ('warm', map { "cold-$_" } grep { $_ % 5 == 0 } 1 .. $reloads);
    push @names, map { "f-$_" } 1 .. $specs // 0;

    my $g = _gateway(@names);
    $g->etcd->stop if $opt{away};

    my $master = $g->nginx->proc->pid;
    my $load = FcfTest::Load->start(port => $g->port, path => '/run/warm',
        interval_ms => 4, again => 1);
    my ($slowest, @bad, @was) = (0);

    for my $n (1 .. $reloads) {
        # some wait over each fifth of them, and are served by the old workers
        my @parked;

        if ($n % 5 == 0 && !$opt{away}) {
            # new workers may still be listing: then others hold them
            $g->wait_parked(0, 30);
            @parked = map { $g->send("/run/cold-$n") } 1 .. 3;
            $g->wait_parked(3, 30);
        }

        my %old = map { $_ => 1 } _children($master);
        $g->nginx->reload;
        push @bad, _bad($g, "reload $n, warm", $g->get('/run/warm'));

        if (@parked) {
            $g->instance("cold-$n");
            push @bad, _bad($g, "reload $n, parked", $_->response(90))
                for @parked;
            $_->close for @parked;
        }

        my $rest = _leave($master, \%old);
        $slowest = $rest if $rest > $slowest;

        push @was, _master_is($master)
            if $n == 1 || $n % 10 == 0 || $n == $reloads;
    }

    my $n = $load->end;
    note("$n->{sent} requests, $n->{again} sent again over a new connection, ",
        sprintf('slowest %d ms, longest rest %.2f s', $n->{slowest_ms},
            $slowest));
    is(scalar @bad, 0, "$reloads reloads: none of the others failed");
    is($n->{lost}, 0, 'no request is lost') or diag(explain($n->{why}));
    is(join(' ', keys %{ $n->{status} }), '200', 'every one is served')
        or diag(explain($n->{status}, $n->{refused}));
    is($n->{answered}, $n->{sent}, 'all of them');
    cmp_ok($n->{sent}, '>=', $reloads, 'and there were some');
    cmp_ok($slowest, '<', 2, 'old workers do not wait to leave');

    # its ends to the last ones are closed once it has reaped them
    wait_for(sub { _master_is($master)->{fds} <= $was[0]{fds} }, 5,
        'descriptors to be as many as at first');
    pass('as many descriptors as before');
    my $grown = $was[-1]{kb} - $was[int(@was / 2)]{kb};
    cmp_ok($grown, '<', $asan ? 4000 : 300, 'the master does not grow: '
        . join(' ', map { $_->{kb} } @was[0, int(@was / 2), -1]) . ' kB');

    # a new one has its master's name for a moment
    wait_for(sub { my @w = $g->nginx->workers; @w == _children($master) }, 20,
        'all that are left to be workers');
    pass('no old worker is left');
    wait_for(sub { $g->parked == 0 }, 5, 'nobody counts as parked');
    pass('nobody counts as parked');

    $g->stop;
    done_testing;
}


sub _gateway {
    my (@names) = @_;
    my $n = @names;
    my $dir = tmpdir() . '/state';
    mkdir $dir;
    chmod 0777, $dir;

    my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '60s',
        location => 'add_header X-Worker $pid always;',
        http => 'keepalive_requests 1000000;'
            . "fcfaas_state_file $dir/registry interval=1s;",
        env => {
            ASAN_OPTIONS => 'quarantine_size_mb=1:detect_odr_violation=0' });

    $g->etcd->put_many(map { ["/specs/$_", '{}'] } @names);

    $g->instance('warm');
    $g->wait_known('specs', $n, 300);
    $g->ready('warm');

    # so many functions, and the instance
    wait_for(sub { FcfTest::Gateway::saved("$dir/registry") eq "$n 1" }, 120,
        'the state file');

    return $g;
}


# What a request got, unless it was served: said at once, with what nginx
# logged meanwhile, for it may be the only one in thousands.
sub _bad {
    my ($g, $what, $r) = @_;
    return if $r->{status} == 200;

    my ($body) = $r->{body} =~ /^([^\r\n]*)/;
    my $said = sprintf '%s, after %.2f s: %d %s', $what, $r->{time},
        $r->{status}, join ', ', map { $_ // '-' }
        @{ $r->{headers} }{'x-fcfaas-error', 'x-worker'}, $body;

    diag($said, "\n", FcfTest::tail_of($g->nginx->error_log, 40));
    return $said;
}


# Until they are gone: for how many seconds one of them was asleep meanwhile.
# To lack a processor, or to be searched for leaks, is no rest.
sub _leave {
    my ($master, $old) = @_;
    my %seen;

    wait_for(sub {
        my @left = grep { $old->{$_} } _children($master);
        _look($_, $seen{$_} //= { rest => 0 }) for @left;
        return !@left;
    }, 120, 'old workers to leave');

    my ($longest) = sort { $b <=> $a } 0, map { $_->{rest} } values %seen;
    return $longest;
}


sub _look {
    my ($pid, $seen) = @_;
    my ($state) = _proc($pid, 'stat') =~ /\) (\w)/;
    my ($ran) = _proc($pid, 'schedstat') =~ /^(\d+)/;
    my %now = (at => now(), asleep => ($state // '') eq 'S',
        ran => $ran // -1, rest => $seen->{rest});

    # nothing happened since the last look
    $now{rest} += $now{at} - $seen->{at}
        if $now{asleep} && $seen->{asleep} && $now{ran} == $seen->{ran};
    %$seen = %now;
}


# it may be gone
sub _proc {
    my ($pid, $name) = @_;
    open my $f, '<', "/proc/$pid/$name" or return '';
    return <$f> // '';
}


sub _children {
    my ($master) = @_;
    return split ' ', slurp("/proc/$master/task/$master/children");
}


sub _master_is {
    my ($master) = @_;
    my ($kb) = slurp("/proc/$master/status") =~ /^RssAnon:\s+(\d+)/m;
    my @fds = glob "/proc/$master/fd/*";
    return { kb => $kb, fds => scalar @fds };
}

1;
